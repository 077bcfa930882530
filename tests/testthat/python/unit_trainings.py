"""trainings.py: which training of a script a checkpoint is of."""

import os
import tempfile
import unittest

import numpy as np

from kerasbackup import errors
from kerasbackup import trainings


def training(number, start="a", data="d", script=True):
    return {"number": number, "start": start, "data": data, "script": script}


def data_of(data):
    return trainings.describe("d", None, data, True)["data"]


class Describing(unittest.TestCase):
    def test_what_is_complete_counts_by_directory(self):
        def number(path):
            return trainings.describe(path, None, None, True)["number"]

        with tempfile.TemporaryDirectory() as folder:
            one, other = (os.path.join(folder, name) for name in "ab")
            self.assertEqual(number(one), 0)
            trainings.complete(one)
            trainings.complete(os.path.join(folder, "b", "..", "a"))
            self.assertEqual(number(one), 2)
            self.assertEqual(number(other), 0)

    def test_data_are_told_by_their_rows(self):
        x = np.arange(60.0).reshape(30, 2)
        first, last = x.copy(), x.copy()
        first[0, 1] += 1
        last[-1, 0] += 1
        y = np.arange(30)
        known = data_of((x, y))
        self.assertEqual(data_of((x.copy(), y)), known)
        for other in ((first, y), (last, y), (x, y[::-1]), (x[:-1], y), x):
            self.assertNotEqual(data_of(other), known)

    def test_what_is_no_array_is_not_told(self):
        for data in (None, (None, None), iter([]), np.float32(1), np.ones(0)):
            self.assertIsNone(data_of(data))
        objects = np.array(["a", None], dtype=object)
        self.assertEqual(data_of(objects), data_of(objects))


class Comparing(unittest.TestCase):
    def notes(self, before, now):
        return trainings.compare(before, now, "p/file")

    def test_the_same_number_is_the_same_training(self):
        # Weights differ where no seed is set, or fit() is called again.
        self.assertEqual(self.notes(training(1, "a"), training(1, "b")), [])
        self.assertEqual(self.notes(training(0, None), training(0)), [])

    def test_the_same_start_is_the_same_training(self):
        # The second part of a script, run alone.
        self.assertEqual(self.notes(training(1), training(0)), [])

    def test_other_data_are_told(self):
        notes = self.notes(training(0), training(0, data="e"))
        self.assertEqual(notes, ["the data have other values"])
        self.assertEqual(self.notes(training(0), training(0, data=None)), [])

    def test_all_else_is_another(self):
        for before, now in (
            (training(1), training(0, "b")),
            (training(0), training(1, "b")),
            (training(1, None), training(0, None)),
            (training(1, None), training(0)),
            # A loop that sets the same seed for each of its models.
            (training(1), training(0, data="e")),
        ):
            with (
                self.subTest(before=before, now=now),
                self.assertRaisesRegex(errors.MismatchError, "p/file"),
            ):
                self.notes(before, now)

    def test_who_types_is_told(self):
        (note,) = self.notes(training(2, script=False), training(0, "b"))
        self.assertIn("may be of another `fit()`", note)
        self.assertIn("2 trainings", note)
