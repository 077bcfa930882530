"""trainings.py: which training of a script a checkpoint is of."""

import os
import tempfile
import unittest

from kerasbackup import errors
from kerasbackup import trainings


def training(number, start="a"):
    return {"number": number, "start": start}


class Numbers(unittest.TestCase):
    def test_what_is_complete_counts_by_directory(self):
        with tempfile.TemporaryDirectory() as folder:
            one, other = (os.path.join(folder, name) for name in "ab")
            self.assertEqual(trainings.number(one), 0)
            trainings.complete(one)
            trainings.complete(os.path.join(folder, "b", "..", "a"))
            self.assertEqual(trainings.number(one), 2)
            self.assertEqual(trainings.number(other), 0)


class Comparing(unittest.TestCase):
    def test_the_same_number_is_the_same_training(self):
        # Weights differ where no seed is set, or fit() is called again.
        trainings.check_same(training(1, "a"), training(1, "b"), "p")
        trainings.check_same(training(0, None), training(0, "b"), "p")

    def test_the_same_start_is_the_same_training(self):
        # The second part of a script, run alone.
        trainings.check_same(training(1), training(0), "p")

    def test_all_else_is_another(self):
        for before, now in (
            (training(1), training(0, "b")),
            (training(0), training(1, "b")),
            (training(1, None), training(0, None)),
            (training(1, None), training(0)),
        ):
            with (
                self.subTest(before=before, now=now),
                self.assertRaisesRegex(errors.MismatchError, "p/file"),
            ):
                trainings.check_same(before, now, "p/file")
