"""same_training.py: which training of a script a checkpoint is of."""

import importlib.util
import os
import tempfile
import unittest

import numpy as np

from kerasbackup.parts import same_training
from kerasbackup.store import errors


class Model:
    """A model, to whoever only asks which one it is."""


def training(number, start="a", data="d", script=True):
    return {"number": number, "start": start, "data": data, "script": script}


def data_of(data):
    return same_training.describe("d", None, data, True)["data"]


def values_of(data):
    return same_training.describe("d", None, data, True)["values"]


class Describing(unittest.TestCase):
    def test_what_is_complete_counts_by_directory(self):
        def number(path):
            return same_training.describe(path, None, None, True)["number"]

        with tempfile.TemporaryDirectory() as folder:
            one, other = (os.path.join(folder, name) for name in "ab")
            self.assertEqual(number(one), 0)
            same_training.complete(one, Model(), None)
            path = os.path.join(folder, "b", "..", "a")
            same_training.complete(path, Model(), None)
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

    @unittest.skipUnless(
        importlib.util.find_spec("tensorflow"), "there is no tf.data"
    )
    def test_so_are_those_of_a_pipeline(self):
        import tensorflow as tf

        def pipeline(x):
            sliced = tf.data.Dataset.from_tensor_slices((x, x[:, 0]))
            return sliced.shuffle(4).batch(2).prefetch(1)

        x = np.arange(60.0).reshape(30, 2)
        known = data_of((pipeline(x), None))
        self.assertEqual(data_of((pipeline(x), None)), known)
        self.assertNotEqual(data_of((pipeline(x + 1), None)), known)
        ragged = tf.data.Dataset.from_tensor_slices(
            tf.ragged.constant([[1], [2, 3]])
        )
        texts = tf.data.Dataset.from_tensor_slices(["a", "b"])
        for data in (tf.data.Dataset.range(3), ragged):
            self.assertIsNone(data_of(data))
        self.assertEqual(data_of(texts), data_of(texts))

    @unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
    def test_so_are_those_of_a_loader(self):
        import torch

        def loader(x):
            rows = torch.utils.data.TensorDataset(torch.from_numpy(x))
            return torch.utils.data.DataLoader(rows)

        x = np.arange(60.0).reshape(30, 2)
        known = data_of((loader(x), None))
        self.assertEqual(data_of((loader(x), None)), known)
        self.assertNotEqual(data_of((loader(x + 1), None)), known)
        rows = torch.zeros(3, 1, dtype=torch.bfloat16, requires_grad=True)
        dataset = torch.utils.data.TensorDataset(rows)
        odd = torch.utils.data.DataLoader(dataset)
        # Of its shape alone, as in older checkpoints.
        self.assertEqual(data_of(odd), "17be570c347c8a74f1c0c38b24d76b60")
        # One of another kind has a dataset of its own.
        other = torch.utils.data.DataLoader([1, 2, 3])
        self.assertIsNone(data_of(other))

    def test_what_is_no_array_is_not_told(self):
        nothing = (None, None), iter([]), np.float32(1), np.ones(0)
        for data in (None, *nothing, np.array(1.0)):
            self.assertIsNone(data_of(data))
        objects = np.array(["a", None], dtype=object)
        self.assertEqual(data_of(objects), data_of(objects))

    def test_the_first_and_last_eight_rows_count(self):
        x = np.arange(30.0)
        known = data_of(x)
        for row, counts in ((7, True), (8, False), (21, False), (22, True)):
            other = x.copy()
            other[row] += 1
            with self.subTest(row=row):
                self.assertIs(data_of(other) != known, counts)

    def test_older_checkpoints_have_the_same_checksum(self):
        objects = np.array(["a", None], dtype=object)
        for data, checksum in (
            (np.arange(3.0), "4492845470dd636f41cb32bd7640649f"),
            (objects, "ff0f0fe7de9c76dfc692e249755b4704"),
        ):
            self.assertEqual(data_of(data), checksum)

    def test_what_else_is_told_is_as_it_was_given(self):
        one = same_training.describe("d", "a", None, False)
        self.assertEqual(
            one,
            {
                "number": 0,
                "start": "a",
                "data": None,
                "values": None,
                "script": False,
            },
        )

    def test_any_row_counts_for_the_checksum_of_values(self):
        x = np.arange(60.0).reshape(30, 2)
        known = values_of((x, x[:, 0]))
        self.assertEqual(values_of((x.copy(), x[:, 0])), known)
        for row in (0, 14, 29):
            other = x.copy()
            other[row, 1] += 1
            with self.subTest(row=row):
                self.assertNotEqual(values_of((other, x[:, 0])), known)
        self.assertIsNone(values_of(None))

    def test_of_a_large_array_rows_at_equal_distances_count(self):
        x = np.zeros((3 * same_training.MOST_COMPARED // 64, 64), np.uint8)
        known = values_of(x)
        for row, counts in ((0, True), (1, False), (4, True), (5, False)):
            other = x.copy()
            other[row, 63] = 1
            with self.subTest(row=row):
                self.assertIs(values_of(other) != known, counts)

    def test_a_directory_that_was_trained_with_is_known(self):
        with tempfile.TemporaryDirectory() as folder:
            one, other = (os.path.join(folder, name) for name in "ab")
            self.assertFalse(same_training.has_trained_in(one))
            same_training.note_training(os.path.join(other, "..", "a"))
            self.assertTrue(same_training.has_trained_in(one))
            self.assertFalse(same_training.has_trained_in(other))

    def test_rows_of_objects_are_not_compared(self):
        """Their bytes are addresses, which differ in each process."""
        one, other = (
            np.array([text, 1.5], dtype=object) for text in ("a", "b")
        )
        self.assertEqual(data_of(one), data_of(other))


class Loops(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = folder.name
        self.model = Model()

    def is_loop(self, model=None, weights="b", is_script=True, path=None):
        return same_training.is_loop(
            path or self.path, model or self.model, weights, is_script
        )

    def test_the_second_fit_of_a_loop_is_one_and_that_is_said_once(self):
        self.assertFalse(self.is_loop())
        same_training.complete(self.path, self.model, "a")
        self.assertTrue(self.is_loop())
        same_training.complete(self.path, self.model, "b")
        self.assertFalse(self.is_loop(weights="c"))

    def test_a_model_that_was_not_built_at_first_is_told_too(self):
        same_training.complete(self.path, self.model, None)
        self.assertTrue(self.is_loop())

    def test_what_can_be_resumed_is_none(self):
        same_training.complete(self.path, self.model, "a")
        with tempfile.TemporaryDirectory() as other:
            self.assertFalse(self.is_loop(path=other))
        # A fold's own model; the same one with its first weights put back.
        self.assertFalse(self.is_loop(Model()))
        self.assertFalse(self.is_loop(weights="a"))
        self.assertFalse(self.is_loop(weights=None))
        self.assertFalse(self.is_loop(is_script=False))
        # None of them was told, so a loop still is.
        self.assertTrue(self.is_loop())

    def test_a_model_that_is_gone_is_none(self):
        same_training.complete(self.path, Model(), "a")
        self.assertFalse(self.is_loop())


class Comparing(unittest.TestCase):
    def notes(self, before, now):
        return same_training.compare(before, now, "p/file")

    def test_the_same_number_is_the_same_training(self):
        # Weights differ where no seed is set, or fit() is called again.
        self.assertEqual(self.notes(training(1, "a"), training(1, "b")), [])
        self.assertEqual(self.notes(training(0, None), training(0)), [])

    def test_the_same_start_is_the_same_training(self):
        # The second part of a script, run alone.
        self.assertEqual(self.notes(training(1), training(0)), [])

    def test_other_data_are_told(self):
        notes = self.notes(training(0), training(0, data="e"))
        self.assertEqual(notes, [same_training.OTHER_DATA])
        self.assertEqual(self.notes(training(0), training(0, data=None)), [])

    def test_other_values_are_told_where_both_are_known(self):
        before, now = training(0), training(0)
        before["values"] = now["values"] = "v"
        self.assertEqual(self.notes(before, now), [])
        now["values"] = "w"
        self.assertEqual(self.notes(before, now), [same_training.OTHER_DATA])
        # Earlier versions did not note them.
        self.assertEqual(self.notes(training(0), now), [])
        now["values"] = None
        self.assertEqual(self.notes(before, now), [])

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
                self.assertRaisesRegex(
                    errors.MismatchError,
                    r"(?s)p/file.*as it is\.\nGive .*backup_delete\(\)",
                ),
            ):
                self.notes(before, now)

    def test_who_types_is_told(self):
        (note,) = self.notes(training(2, script=False), training(0, "b"))
        self.assertIn("may be of another `fit()`", note)
        self.assertIn("had completed 2 trainings with", note)
        self.assertTrue(note.endswith("completed 0 trainings"))
        (note,) = self.notes(training(1, script=False), training(0, "b"))
        self.assertIn("had completed 1 training with", note)


class AsAPart(unittest.TestCase):
    def part(self, **kwargs):
        return same_training.SameTraining(training(0, **kwargs))

    def test_a_training_is_known_by_its_first_start(self):
        """After two interruptions as well, although the second run began with
        other weights."""
        part = self.part(start="b")
        part.compare(training(0, "a"), "p/file")
        self.assertEqual(part.capture(None), training(0, "a"))
        self.assertEqual(part.restore(None, None), [])
        self.assertFalse(part.has_other_data)

    def test_other_data_are_told_with_the_restore(self):
        part = self.part(data="e")
        self.assertFalse(part.has_other_data)
        part.compare(training(0), "p/file")
        self.assertTrue(part.has_other_data)
        self.assertEqual(
            part.script_changes(None, None), part.restore(None, None)
        )
        (note,) = part.restore(None, None)
        self.assertIn("the data have other values", note)

    def test_another_training_is_refused_by_the_files_name(self):
        with self.assertRaisesRegex(errors.MismatchError, "'p/file' is of"):
            self.part(start="b").compare(training(1), "p/file")
