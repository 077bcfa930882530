"""training_state.py, restored.py: what a save writes, and what is refused."""

import json
import sys
import unittest

import keras
import numpy as np
from keras.src.trainers.epoch_iterator import EpochIterator

from kerasbackup.checkpoint import training_state
from kerasbackup.checkpoint.restored import Restored
from kerasbackup.keras3 import building
from kerasbackup.parts import variables
from kerasbackup.store import errors


class FakeCheckpoint:
    path = "a/file"

    def __init__(self, **changes):
        self.tensors = {}
        self.metadata = {
            "epoch": "3",
            "batch": "0",
            "stopped": "0",
            "validation": validation(),
            "history": json.dumps({"epoch": [2], "loss": [0.5]}),
            "callbacks": "{}",
            "position": json.dumps(position()),
            "training": json.dumps(training()),
            "last_logs": "null",
            "attributes": "{}",
            "loose": "{}",
            "learned": "{}",
        } | changes


def validation(**changes):
    whole = {
        "begun": 0,
        "made": 0,
        "made_earlier": 0,
        "at_creation": None,
        "at_first": None,
        "ahead": [],
    }
    return json.dumps(whole | changes)


def training(**changes):
    whole = {"number": 0, "start": None, "data": None, "script": True}
    return whole | changes


def position():
    return {
        "rng": 0,
        "epoch_rng": None,
        "at_creation": None,
        "at_first_draw": None,
        "states": [{"loader": []}],
        "steps_seen": 0,
        "made": 1,
        "made_earlier": 0,
        "made_to_build": 0,
        "epochs": 1,
        "num_batches": None,
        "has_iterator": False,
        "source": {"$dict": []},
        "ahead": [],
        "most_steps": 0,
        "source_kind": {"steps_per_epoch": None, "batches": None},
    }


class Checkpoints(unittest.TestCase):
    def restored(self, **changes):
        return Restored(FakeCheckpoint(**changes))

    def test_what_is_whole_is_taken(self):
        restored = self.restored()
        self.assertEqual((restored.place.epoch, restored.place.batch), (3, 0))
        self.assertFalse(restored.stopped)
        self.assertEqual(restored.history.logs, {"loss": [0.5]})

    def test_what_is_not_is_refused_by_the_files_name(self):
        for field, text in (
            ("epoch", "-1"),
            ("epoch", "1.0"),
            ("epoch", "9" * 16),
            ("epoch", "4"),
            ("epoch", "1" + 12 * "0"),
            ("history", '{"epoch": [2, 2]}'),
            ("history", '{"epoch": [3, 2]}'),
            ("position", json.dumps(position() | {"epochs": 10**12})),
            ("validation", validation(begun=10**12)),
            ("batch", ""),
            ("batch", "1"),  # a position in an epoch needs its generators
            ("stopped", "2"),
            ("validation", "3"),
            ("last_logs", "3"),
            ("drift", '"text"'),
            ("drift", "[3]"),
            ("history", "[]"),
            ("callbacks", "[]"),
            ("position", "[]"),
            ("versions", "[1]"),
            ("script", "3"),
            ("training", "[]"),
            ("training", json.dumps(training(number=-1))),
            ("training", json.dumps(training(start=3))),
            ("training", json.dumps(training(data=[]))),
            ("training", json.dumps(training(script=1))),
            ("schema", "one"),
        ):
            with (
                self.subTest(field=field, text=text),
                self.assertRaisesRegex(errors.CorruptError, "a/file"),
            ):
                self.restored(**{field: text})

    def test_another_version_is_named_and_nothing_is_called_damaged(self):
        written = {"versions": json.dumps({"kerasbackup": "9.8"})}
        without = FakeCheckpoint(**written)
        del without.metadata["last_logs"]
        short = {**position()}
        del short["made_to_build"]
        for checkpoint, cause in (
            (FakeCheckpoint(schema="2", **written), "a newer .*version 2, not"),
            # Whatever it has instead of today's fields.
            (
                FakeCheckpoint(schema="2", position="3", **written),
                "a newer .*version 2, not",
            ),
            (without, "another .*lack `last_logs`"),
            (
                FakeCheckpoint(position=json.dumps(short), **written),
                "another .*lack `made_to_build`",
            ),
        ):
            with (
                self.subTest(cause=cause),
                self.assertRaisesRegex(errors.UnsupportedError, cause) as e,
            ):
                Restored(checkpoint, {"kerasbackup": "0.1.0"})
            self.assertIn("(9.8; this is 0.1.0)", str(e.exception))
            self.assertIn("a/file", str(e.exception))

    def test_a_checkpoint_without_a_number_is_read_while_it_has_all(self):
        self.assertNotIn("schema", FakeCheckpoint().metadata)
        self.assertEqual(self.restored(schema="1").place.epoch, 3)


class Migrating(unittest.TestCase):
    def test_the_first_checkpoints_took_every_stop_for_the_end(self):
        """Only an EarlyStopping that has stopped ends a training."""
        for stopped_epoch, expected in ((0, False), (2, True)):
            state = {"changed": {"stopped_epoch": stopped_epoch}}
            checkpoint = FakeCheckpoint(
                stopped="1", callbacks=json.dumps({"EarlyStopping": state})
            )
            with self.subTest(stopped_epoch=stopped_epoch):
                self.assertIs(Restored(checkpoint).stopped, expected)
                checkpoint.metadata["schema"] = "1"
                self.assertTrue(Restored(checkpoint).stopped)


class Capturing(unittest.TestCase):
    def test_addresses_are_in_the_order_of_the_plan(self):
        model = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(3, name="d")]
        )
        model.compile(optimizer="sgd", loss="mse")
        found = variables.Variables(model)
        one = np.ones(2)
        capture = training_state.Capture(
            found, {"callbacks/x": one}, {"epoch": "1"}
        )
        self.assertEqual(
            capture.spec, [*found.spec, ("callbacks/x", "F64", [2])]
        )
        self.assertEqual(len(capture.addresses), 8 * len(capture.spec))
        last = int.from_bytes(capture.addresses[-8:], sys.byteorder)
        self.assertEqual(last, one.ctypes.data)

    def test_a_model_is_built_for_it_without_a_step(self):
        model = keras.Sequential([keras.layers.Dense(3)])
        model.compile(optimizer="adam", loss="mse", metrics=["mae"])
        x = np.ones((8, 2), "float32")
        y = np.ones((8, 3), "float32")
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf
            from keras.src.backend.tensorflow.trainer import TFEpochIterator

            iterator = TFEpochIterator(
                x=x,
                y=y,
                batch_size=4,
                distribute_strategy=tf.distribute.get_strategy(),
            )
        else:
            iterator = EpochIterator(x=x, y=y, batch_size=4)
        building.build(model, iterator)
        self.assertTrue(model.built and model.optimizer.built)
        self.assertEqual(int(model.optimizer.iterations.value), 0)
