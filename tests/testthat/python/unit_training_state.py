"""training_state.py, restored.py: what a save writes, what a restore puts back,
and what is refused."""

import ctypes
import datetime
import json
import math
import os
import sys
import time
import types
import unittest
from typing import ClassVar
from unittest import mock

import keras
import numpy as np
from keras.src.trainers.epoch_iterator import EpochIterator

from kerasbackup.checkpoint import restored as restoring
from kerasbackup.checkpoint import schema
from kerasbackup.checkpoint import training_state
from kerasbackup.checkpoint.parts_list import PARTS
from kerasbackup.checkpoint.restored import Restored
from kerasbackup.keras3 import building
from kerasbackup.parts import model_variables
from kerasbackup.parts import script
from kerasbackup.parts import variables
from kerasbackup.parts.part import Part
from kerasbackup.parts.part import Training
from kerasbackup.store import dtypes
from kerasbackup.store import errors
from kerasbackup.store import values


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


def epoch_iterator(x, y):
    """As `fit()` makes it."""
    if keras.backend.backend() != "tensorflow":
        return EpochIterator(x=x, y=y, batch_size=4)
    import tensorflow as tf
    from keras.src.backend.tensorflow.trainer import TFEpochIterator

    return TFEpochIterator(
        x=x,
        y=y,
        batch_size=4,
        distribute_strategy=tf.distribute.get_strategy(),
    )


class Checkpoints(unittest.TestCase):
    def restored(self, **changes):
        return Restored(FakeCheckpoint(**changes))

    def test_what_is_whole_is_taken(self):
        restored = self.restored()
        self.assertEqual((restored.place.epoch, restored.place.batch), (3, 0))
        # `fit()` was given an initial epoch.
        self.assertEqual(restored.place.logged, 1)
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
            ("began_at", "yesterday"),
            ("resumes", "{}"),
            ("resumes", "[[1, 2, null]]"),
            ("resumes", '[[1, -2, null, "2026"]]'),
            ("resumes", '[[1, 2, 3, "2026"]]'),
            ("resumes", "[[1, 2, null, null]]"),
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
            found, {"callbacks/x": one}, {"epoch": "1"}, 5.0
        )
        self.assertEqual(capture.time, 5.0)
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
        building.build(model, epoch_iterator(x, y))
        self.assertTrue(model.built and model.optimizer.built)
        self.assertEqual(int(model.optimizer.iterations.value), 0)


class Recorder(Part):
    """A part that has a number, an array and the place of the save."""

    name = "recorder"
    missing = 0
    is_put_again = True
    number = np.int64(3)
    owner = 1

    def __init__(self, place):
        self.place = place
        self.restored = []
        self.not_saved = ["log a", "log b", "log a"]

    @classmethod
    def begin(cls, training):
        return cls(training.place)

    def swap_traced(self):
        """A part with this is among those of the first steps."""

    def capture(self, encoder):
        return {
            "array": encoder.encode(np.arange(999.0), "recorder"),
            "number": self.number,
            "place": [self.place.epoch, self.place.batch],
            "owner": self.owner,
        }

    @staticmethod
    def check(saved, tensors, place):
        values.check(saved["array"], tensors)
        if saved["place"] != [place.epoch, place.batch]:
            raise ValueError("another place")

    def check_owners(self, saved):
        if saved["owner"] != self.owner:
            raise ValueError("another owner")

    def restore(self, saved, arrays):
        self.restored.append(
            (
                values.decode(saved["array"], arrays).sum(),
                saved["number"],
                [self.place.epoch, self.place.batch],
            )
        )
        return ["a note"]


class Silent(Part):
    """A part that has nothing to save, and is put back once."""

    name = "silent"
    missing: ClassVar[list[str]] = []

    @classmethod
    def begin(cls, training):
        return cls()

    def capture(self, encoder):
        return []

    @staticmethod
    def check(saved, tensors, place):
        if saved:
            raise ValueError("there is something")

    def restore(self, saved, arrays):
        return ["another note"]


class OneTraining(unittest.TestCase):
    """A save and a restore by two states, with a store that is no file."""

    x = np.arange(16, dtype="float32").reshape(8, 2) / 16
    y = np.ones((8, 3), "float32")
    versions = types.MappingProxyType({"kerasbackup": "0.1.0"})

    def setUp(self):
        own = ("optimizers", "training", "script", "learned", "drift")
        parts = [part for part in PARTS if part.name in own]
        parts += [Recorder, Silent]
        for module in (training_state, restoring):
            patched = mock.patch.object(module, "PARTS", tuple(parts))
            patched.start()
            self.addCleanup(patched.stop)
        self.first_steps = self.patched(training_state, "FirstSteps")

    def patched(self, owner, name):
        patched = mock.patch.object(owner, name)
        self.addCleanup(patched.stop)
        return patched.start()

    def model(self, optimizer="adam"):
        """Not built before its first batch."""
        made = keras.Sequential(
            [keras.layers.Dense(3), keras.layers.Dropout(0.5, seed=1)]
        )
        made.compile(optimizer, "mse")
        made.critic = keras.optimizers.SGD(momentum=0.9)
        return made

    def state(self, model, **kwargs):
        known = {
            "versions": self.versions,
            "training": training(start="a"),
            "learned": {"layer text": "4 entries a"},
        }
        return training_state.TrainingState(
            model, epoch_iterator(self.x, self.y), **{**known, **kwargs}
        )

    def begun(self, model, checkpoint=None, **kwargs):
        state = self.state(model, **kwargs)
        state.load(types.SimpleNamespace(load=lambda: checkpoint))
        training = Training(model, state.place)
        state.begin(training)
        return state, training.made["recorder"]

    def trained(self):
        """A state with a model that has trained, before its first save."""
        model = self.model()
        model.fit(self.x, self.y, batch_size=4, verbose=0)
        model.critic.build(model.trainable_variables)
        model.critic.iterations.assign(5)
        state, _ = self.begun(model)
        state.end_epoch(0, {"loss": np.float32(0.5)})
        return model, state

    def save(self, state, *args):
        """What a store would have of it: the bytes at the addresses."""
        capture = state.capture(*args)
        addresses = np.frombuffer(capture.addresses, "uint64").tolist()
        checkpoint = FakeCheckpoint()
        checkpoint.metadata = capture.metadata
        for address, (name, dtype, shape) in zip(
            addresses, capture.spec, strict=True
        ):
            size = math.prod(shape) * dtypes.numpy_dtype(dtype).itemsize
            data = np.frombuffer(ctypes.string_at(address, size), "uint8")
            checkpoint.tensors[name] = dtype, shape, data.copy()
        return checkpoint

    def weights(self, model):
        found = [*model.variables, *model.optimizer.variables]
        found += model.critic.variables
        return [keras.ops.convert_to_numpy(one).tolist() for one in found]

    def test_what_one_saves_another_restores(self):
        model, state = self.trained()
        self.assertEqual(state.not_saved, [])
        checkpoint = self.save(state, 1, 2)
        metadata = checkpoint.metadata
        self.assertEqual(state.not_saved, ["log a", "log b"])
        self.assertEqual(json.loads(metadata["unsaved"]), ["log a", "log b"])
        self.assertNotIn("silent", metadata)
        self.assertEqual(metadata["schema"], str(schema.VERSION))

        other = self.model()
        again, recorder = self.begun(other, checkpoint)
        self.first_steps.assert_called_with(other, [recorder])
        self.assertIs(again.first_steps, self.first_steps.return_value)
        # Until now nothing but the model's variables was made.
        self.assertNotEqual(self.weights(other), self.weights(model))
        self.assertEqual(recorder.restored, [])
        self.assertEqual(again.restore(), ["a note", "another note"])
        self.assertEqual(self.weights(other), self.weights(model))
        self.assertEqual(recorder.restored, [(498501.0, 3, [1, 2])])
        self.assertEqual((again.place.epoch, again.place.batch), (1, 2))
        self.assertFalse(again.restored.stopped)

        # Keras or a callback has set them once more.
        other.optimizer.iterations.assign(7)
        self.assertIsNone(again.restore_again())
        self.assertEqual(self.weights(other), self.weights(model))
        self.assertEqual(recorder.restored[1:], recorder.restored[:1])
        again.release()
        self.assertIsNone(again.restored)

        # The history goes on, and all else is as it was.
        again.end_epoch(1, {"loss": 0.25})
        later = self.save(again, 2, 0, True).metadata
        self.assertEqual(
            json.loads(later["history"]),
            {"epoch": [0, 1], "loss": [0.5, 0.25]},
        )
        changed = {"epoch", "batch", "stopped", "saved_at", "history"}
        # One has the place, the other the numbers of Keras' names.
        changed |= {"recorder", "optimizers"}
        self.assertEqual(set(later), {*metadata, "resumes"})
        changed.add("resumes")
        for name in set(later) - changed:
            self.assertEqual(later[name], metadata[name], name)
        found = later["epoch"], later["batch"], later["stopped"]
        self.assertEqual(found, ("2", "0", "1"))

    def test_every_resume_is_noted(self):
        _, state = self.trained()
        first = self.save(state, 1, 2)
        self.assertNotIn("resumes", first.metadata)
        self.assertLessEqual(
            first.metadata["began_at"], first.metadata["saved_at"]
        )
        # The run began when the first one did.
        first.metadata["began_at"] = "2026-01-02T03:04:05"
        second, _ = self.begun(self.model(), first)
        second.restore()
        checkpoint = self.save(second, 1, 3)
        third, _ = self.begun(self.model(), checkpoint)
        third.restore()
        last = self.save(third, 2, 0).metadata
        self.assertEqual(last["began_at"], "2026-01-02T03:04:05")
        found = json.loads(last["resumes"])
        self.assertEqual([one[:2] for one in found], [[1, 2], [1, 3]])
        saved = [one.metadata["saved_at"] for one in (first, checkpoint)]
        self.assertEqual([one[2] for one in found], saved)
        for _, _, saved_at, resumed_at in found:
            self.assertLessEqual(saved_at, resumed_at)

    def test_an_older_checkpoint_does_not_say_when_the_run_began(self):
        _, state = self.trained()
        first = self.save(state, 1, 0)
        del first.metadata["began_at"]
        again, _ = self.begun(self.model(), first)
        again.restore()
        self.assertNotIn("began_at", self.save(again, 2, 0).metadata)

    def test_where_there_is_no_checkpoint_nothing_is_restored(self):
        state, _ = self.begun(self.model())
        self.assertIsNone(state.restored)

    def test_what_differs_is_told_with_the_restore(self):
        _, state = self.trained()
        again, _ = self.begun(
            self.model(),
            self.save(state, 1, 0),
            versions={"kerasbackup": "0.2.0"},
            training=training(start="a", number=1),
            learned={"layer text": "5 entries b"},
        )
        before = again.script_changes()
        version, vocabulary, *_ = again.restore()
        self.assertEqual(before, [version, vocabulary])
        self.assertEqual(
            version, script.was_and_is("kerasbackup", "0.1.0", "0.2.0")
        )
        self.assertIn("4 entries", vocabulary)
        self.assertIn("5 now", vocabulary)

    def test_another_training_model_or_version_is_refused(self):
        _, state = self.trained()
        one = training(start="b", number=1)
        for kwargs, change, expected in (
            ({"training": one}, {}, "'a/file' is of another `fit\\(\\)`"),
            ({"optimizer": "sgd"}, {}, "another optimizer: Adam, not SGD"),
            (
                {"optimizer": "sgd"},
                {"drift": json.dumps([script.COMPILED])},
                f"not SGD(?s:.*){model_variables.ADVICE_RECOMPILED[:20]}",
            ),
            ({}, {"schema": "2"}, r"\(0.1.0; this is 0.1.0\)"),
        ):
            model = self.model(kwargs.pop("optimizer", "adam"))
            checkpoint = self.save(state, 1, 0)
            checkpoint.metadata |= change
            with (
                self.subTest(expected),
                self.assertRaisesRegex(
                    (errors.MismatchError, errors.UnsupportedError), expected
                ) as e,
            ):
                self.begun(model, checkpoint, **kwargs)
            is_said = "compiled the model again" in str(e.exception)
            self.assertEqual(is_said, "drift" in change)

    def test_another_backend_may_count_in_other_integers(self):
        _, state = self.trained()
        for versions, fits in (({"other": "1"}, True), (None, False)):
            checkpoint = self.save(state, 1, 0)
            name = next(n for n in checkpoint.tensors if "iteration" in n)
            _, shape, data = checkpoint.tensors[name]
            checkpoint.tensors[name] = "U16", shape, data[:2]
            if fits:
                checkpoint.metadata["versions"] = json.dumps(versions)
                self.begun(self.model(), checkpoint)
            else:
                with self.assertRaisesRegex(errors.MismatchError, "uint16"):
                    self.begun(self.model(), checkpoint)

    def test_the_owners_are_asked_before_anything_is_put_back(self):
        _, state = self.trained()
        model = self.model()
        again, recorder = self.begun(model, self.save(state, 1, 0))
        recorder.owner = 2
        before = self.weights(model)
        with self.assertRaisesRegex(errors.CorruptError, "another owner"):
            again.restore()
        self.assertEqual(self.weights(model), before)
        self.assertEqual(again.place.epoch, 0)

    def test_what_json_lacks_is_named(self):
        _, state = self.trained()
        with (
            mock.patch.object(Recorder, "number", object()),
            self.assertRaisesRegex(TypeError, "^object is no number"),
        ):
            state.capture(1, 0)

    @unittest.skipUnless(hasattr(time, "tzset"), "the zone cannot be set")
    def test_the_time_of_a_save_is_that_of_utc(self):
        _, state = self.trained()
        self.addCleanup(time.tzset)
        with mock.patch.dict(os.environ, TZ="JST-9"):
            time.tzset()
            text = state.capture(1, 0).metadata["saved_at"]
        saved = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")
        now = datetime.datetime.now(datetime.timezone.utc)
        passed = now.replace(tzinfo=None) - saved
        self.assertLess(abs(passed.total_seconds()), 60)
