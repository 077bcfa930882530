"""data_parts.py: the positions in the data as parts of a checkpoint."""

import types
import unittest

from unit_position_format import EPOCHS
from unit_position_format import position
from unit_validation import lost

from kerasbackup.checkpoint.parts_list import PARTS
from kerasbackup.parts.data.data_parts import TrainingData
from kerasbackup.parts.data.data_parts import ValidationData
from kerasbackup.store import errors


class Position:
    """Notes what it is asked; it has the same methods for both data."""

    def __init__(self, name, moved=0):
        self.name = name
        self.use = f"use of {name}"
        self.written_by_user = f"data of {name}"
        self.not_saved = [f"attribute of {name}"]
        self.asked = []
        self._moved = moved

    def capture(self, *args):
        return {"captured": args}

    def restore(self, *args):
        self.asked.append(("restore", *args))
        return ["restored"]

    def begin_anew(self, *args):
        self.asked.append(("begin_anew", *args))
        return ["begun anew"]

    def leave_out_batches(self):
        self.asked.append("leave_out_batches")

    def moved(self, use):
        return {f"{use}": self._moved}


def begin(kind, batch=0, resumes_in_epoch=True, has_other_data=False):
    training = types.SimpleNamespace(
        position=Position("training"),
        validation=Position("validation", moved=3),
        place=types.SimpleNamespace(batch=batch),
        resumes_in_epoch=resumes_in_epoch,
        made={"training": types.SimpleNamespace(has_other_data=has_other_data)},
    )
    return kind.begin(training), training


class Both(unittest.TestCase):
    def test_they_are_fields_of_a_checkpoint_and_name_what_is_not_saved(self):
        for kind, name, missing in (
            (TrainingData, "position", "attribute of training"),
            (ValidationData, "validation", "attribute of validation"),
        ):
            self.assertIn(kind, PARTS)
            part, _ = begin(kind)
            self.assertEqual(part.name, name)
            self.assertEqual(part.not_saved, [missing])


class OfValidation(unittest.TestCase):
    def test_the_position_knows_what_is_trained_on(self):
        _, training = begin(ValidationData)
        self.assertEqual(training.validation.trained_on, "data of training")

    def test_it_is_captured_and_restored_with_the_use_of_the_training_data(
        self,
    ):
        part, training = begin(ValidationData)
        self.assertEqual(part.capture("encoder"), {"captured": ("encoder",)})
        self.assertEqual(part.restore("saved", "arrays"), ["restored"])
        self.assertEqual(
            training.validation.asked,
            [("restore", "saved", "arrays", "use of training")],
        )

    def test_it_is_checked_against_the_epochs_and_the_tensors(self):
        place = types.SimpleNamespace(logged=1)
        ValidationData.check(lost(16), {}, place)
        with self.assertRaisesRegex(ValueError, "begun is 17"):
            ValidationData.check(lost(17), {}, place)
        with self.assertRaises(errors.DAMAGE):
            ValidationData.check(lost(1) | {"ahead": 3}, {}, place)
        saved = lost(1) | {"ahead": [{"$array": "drawn"}]}
        tensors = {"drawn": ("F32", [2], None)}
        ValidationData.check(saved, tensors, place)
        with self.assertRaises(errors.DAMAGE):
            ValidationData.check(saved, {}, place)


class OfTraining(unittest.TestCase):
    def test_it_is_captured_at_the_batch_of_the_save(self):
        part, training = begin(TrainingData, batch=7)
        self.assertEqual(part.capture("encoder"), {"captured": (7, "encoder")})
        training.place.batch = 8
        self.assertEqual(part.capture("encoder"), {"captured": (8, "encoder")})

    def test_it_is_checked_against_the_batch_and_the_epochs(self):
        place = types.SimpleNamespace(batch=4, logged=EPOCHS)
        TrainingData.check(position(), {}, place)
        place.batch = 5
        with self.assertRaisesRegex(ValueError, "batch 5 of an epoch of 5"):
            TrainingData.check(position(), {}, place)
        saved = position(ahead=[{"$array": "drawn"}])
        place.batch = 4
        TrainingData.check(saved, {"drawn": ("F32", [2], None)}, place)
        with self.assertRaises(errors.DAMAGE):
            TrainingData.check(saved, {}, place)
        place.logged = EPOCHS - 2
        with self.assertRaisesRegex(ValueError, "epochs is 2, at most 1"):
            TrainingData.check(position(), {}, place)

    def test_the_batch_is_reached_with_what_validation_has_moved(self):
        moved = {"use of training": 3}
        for batch, resumes in ((7, True), (0, True), (0, False)):
            part, training = begin(TrainingData, batch, resumes)
            self.assertEqual(part.restore("saved", "arrays"), ["restored"])
            self.assertEqual(
                training.position.asked,
                [("restore", "saved", batch, "arrays", moved)],
            )

    def test_an_unfinished_epoch_begins_anew_where_that_is_wanted(self):
        part, training = begin(TrainingData, 7, resumes_in_epoch=False)
        self.assertEqual(part.restore("saved", "arrays"), ["begun anew"])
        self.assertEqual(
            training.position.asked, [("begin_anew", "saved", "arrays")]
        )

    def test_no_batch_is_told_of_where_the_data_are_said_to_differ(self):
        part, training = begin(TrainingData, 7, has_other_data=True)
        part.restore("saved", "arrays")
        self.assertEqual(training.position.asked[0], "leave_out_batches")
