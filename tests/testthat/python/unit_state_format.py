"""state_format.py: descriptions of data are compared, and states checked."""

import importlib.util
import unittest

import keras  # noqa: F401 - the adapters known are those of what is loaded

from kerasbackup.parts.data.sources import state_format
from kerasbackup.parts.random import rng
from kerasbackup.parts.script import THEN
from kerasbackup.store import errors
from kerasbackup.store.values import Tagged

DESCRIPTION = {
    "backend": "jax",
    "data": "ArrayDataAdapter",
    "batch_size": 4,
    "batches": 5,
    "rows in the last batch": 0,
    "shuffle": True,
    "steps_per_epoch": None,
    "steps_per_execution": 1,
}


def changes(**now):
    now = {name.replace("_in_", " in "): value for name, value in now.items()}
    return state_format.changes(DESCRIPTION, DESCRIPTION | now)


class Sentences(unittest.TestCase):
    def test_data_without_a_difference_have_none(self):
        self.assertEqual(changes(), [])

    def test_kinds_of_data_are_called_by_words(self):
        kinds = {
            "GeneratorDataAdapter": "a generator",
            "GrainDatasetAdapter": "a Grain dataset",
            "TorchDataLoaderAdapter": "a torch DataLoader",
            "PyDatasetAdapter": "a PyDataset",
            "TFDatasetAdapter": "a tf.data pipeline",
            "OtherAdapter": "OtherAdapter",
        }
        for adapter, words in kinds.items():
            self.assertEqual(
                changes(data=adapter),
                [f"the data were arrays {THEN} and are {words} now"],
            )

    def test_numbers_of_batches(self):
        for number, words in (
            (None, "an unknown number of batches"),
            (1, "1 batch"),
            (2, "2 batches"),
        ):
            self.assertEqual(
                changes(batches=number),
                [f"an epoch had 5 batches {THEN} and has {words} now"],
            )

    def test_numbers_of_rows(self):
        for number, words in ((1, "1 row"), (2, "2 rows")):
            self.assertEqual(
                state_format.changes(
                    DESCRIPTION,
                    DESCRIPTION | {"rows in the last batch": number},
                ),
                [f"the last batch had all rows {THEN} and has {words} now"],
            )

    def test_anything_else_by_its_name(self):
        (line,) = changes(batch_size=8)
        self.assertRegex(line, "^batch_size was 4 .* and is 8")


class Other(unittest.TestCase):
    """Whether the number of a batch means the same."""

    def is_other(self, **now):
        return state_format.is_other(DESCRIPTION, DESCRIPTION | now)

    def test_what_decides_which_batch_is_which(self):
        self.assertFalse(self.is_other())
        for name in state_format.SAME:
            self.assertTrue(self.is_other(**{name: "other"}), name)

    def test_other_settings_do_not(self):
        self.assertFalse(self.is_other(steps_per_execution=3))
        self.assertFalse(self.is_other(seed=3))

    def test_steps_per_epoch_decide_by_being_there(self):
        self.assertTrue(self.is_other(steps_per_epoch=3))
        before = DESCRIPTION | {"steps_per_epoch": 3}
        now = DESCRIPTION | {"steps_per_epoch": 4}
        self.assertFalse(state_format.is_other(before, now))

    def test_what_an_older_checkpoint_does_not_say_is_the_same(self):
        before = {**DESCRIPTION}
        del before["rows in the last batch"]
        self.assertFalse(state_format.is_other(before, DESCRIPTION))


class States(unittest.TestCase):
    def test_the_changed_attributes_of_a_dataset(self):
        self.assertIsNone(state_format.changed_attributes({}))
        self.assertEqual(
            state_format.changed_attributes({"changed": {"a": 1}}), {"a": 1}
        )
        # The first version of this package had them in another form.
        self.assertEqual(
            state_format.changed_attributes(
                {"attributes": {"a": ["value", 2, False]}}
            ),
            {"a": 2},
        )
        self.assertEqual(
            state_format.changed_attributes(
                {"changed": {"a": 1}, "attributes": None}
            ),
            {"a": 1},
        )

    def test_whether_the_data_changed_in_training(self):
        for state, expected in (
            ({}, False),
            ({"changed": {}, "unchanged": {"a": "b"}}, False),
            ({"changed": {"a": 1}}, True),
            ({"attributes": {"a": 1}}, True),
            ({"parts": {}}, False),
            ({"parts": {"dataset": {"a": 1}}}, True),
            # What they say themselves counts even where it is nothing.
            ({"get_state": None}, True),
            ({"state_dict": {}}, True),
        ):
            with self.subTest(state=state):
                self.assertIs(state_format.has_changed(state), expected)

    def test_a_sound_state_is_taken(self):
        for state in (
            {},
            {"ready": [1]},
            {"generators": []},
            {"parts": {"sampler": {"epoch": 1}}},
            {"changed": {"a": 1}, "unchanged": {"b": "c"}},
            {"attributes": {"a": ["value", 2, False]}, "unchanged": {}},
            {"get_state": 3},
        ):
            with self.subTest(state=state):
                state_format.check(state)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
    def test_the_states_of_torchs_generators_are_too(self):
        import torch

        text = rng.encode_torch(torch.Generator().get_state())
        state_format.check({"generators": [text, text]})

    def test_any_other_is_refused(self):
        for state in (
            None,
            [],
            {"ready": {"a": 1}},
            {"generators": ["no state"]},
            {"parts": {"other": {}}},
            {"parts": {"sampler": {1: 2}}},
            {"changed": {1: 2}, "unchanged": {}},
            {"changed": {"a": Tagged("odd", [])}, "unchanged": {}},
            {"changed": {"a": 1}},
            {"changed": {"a": 1}, "unchanged": {"b": 3}},
            {"attributes": {"a": ["odd", 2, False]}, "unchanged": {}},
            {"attributes": {}},
        ):
            with self.subTest(state=state), self.assertRaises(errors.DAMAGE):
                state_format.check(state)
