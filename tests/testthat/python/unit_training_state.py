"""training_state.py: the history of a run, and what is refused."""

import json
import math
import sys
import unittest

import keras
import numpy as np
from keras.src.trainers.epoch_iterator import EpochIterator

from kerasbackup.checkpoint import training_state
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
            "history": training_state.History([2], {"loss": [0.5]}).to_json(),
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


class Histories(unittest.TestCase):
    def test_an_epoch_done_again_replaces_what_it_was(self):
        history = training_state.History()
        for epoch, loss in ((0, 3.0), (1, 2.0), (2, 1.0), (1, 5.0)):
            history.append(epoch, {"loss": loss})
        self.assertEqual(history.epochs, [0, 1])
        self.assertEqual(history.logs, {"loss": [3.0, 5.0]})

    def test_a_log_may_come_and_go(self):
        history = training_state.History()
        history.append(0, {"loss": 1.0})
        history.append(1, {"loss": 2.0, "val_loss": 3.0})
        history.append(2, {"loss": 4.0})
        self.assertEqual(history.logs["val_loss"], [None, 3.0, None])
        kept = keras.callbacks.History()
        history.fill(kept)
        self.assertEqual(kept.history["val_loss"], [3.0])
        self.assertEqual(kept.epoch, [0, 1, 2])

    def test_no_number_is_lost_on_the_way_through_json(self):
        column = [0.1, 1e-300, -0.0, math.inf, -math.inf, None]
        history = training_state.History(list(range(6)), {"loss": column})
        back = training_state.History.from_json(history.to_json())
        self.assertEqual(back.logs["loss"], column)
        self.assertEqual(math.copysign(1, back.logs["loss"][2]), -1)
        back = training_state.History.from_json(
            training_state.History([0], {"loss": [math.nan]}).to_json()
        )
        self.assertTrue(math.isnan(back.logs["loss"][0]))

    def test_what_is_no_history_is_refused(self):
        for text in (
            "{}",
            '{"epoch": 1}',
            '{"epoch": [-1]}',
            '{"epoch": [0], "loss": []}',
            '{"epoch": [0], "loss": ["x"]}',
            '{"epoch": [0], "loss": [true]}',
        ):
            with self.subTest(text=text), self.assertRaises(errors.DAMAGE):
                training_state.History.from_json(text)


class Checkpoints(unittest.TestCase):
    def restored(self, **changes):
        return training_state.Restored(FakeCheckpoint(**changes))

    def test_what_is_whole_is_taken(self):
        restored = self.restored()
        self.assertEqual((restored.epoch, restored.batch), (3, 0))
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
            (FakeCheckpoint(schema="0", **written), "an older .*version 0"),
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
                training_state.Restored(checkpoint, {"kerasbackup": "0.1.0"})
            self.assertIn("(9.8; this is 0.1.0)", str(e.exception))
            self.assertIn("a/file", str(e.exception))

    def test_a_checkpoint_without_a_number_is_read_while_it_has_all(self):
        self.assertNotIn("schema", FakeCheckpoint().metadata)
        self.assertEqual(self.restored(schema="1").epoch, 3)


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
