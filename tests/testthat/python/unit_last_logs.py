"""last_logs.py: the logs of the last step, where an epoch has none left."""

import types
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup import last_logs
from kerasbackup import values

IS_JAX = keras.backend.backend() == "jax"


def compiled():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model


def fit(logs, body):
    """What is looked for on the stack."""
    epoch_iterator = object()
    result = body()
    return result if epoch_iterator else logs


def no_step(*args):
    raise AssertionError("this has no place here")


class Case(unittest.TestCase):
    def setUp(self):
        self.model = compiled()
        self.logs = last_logs.LastLogs(self.model, True)
        self.encoder = values.Encoder()

    def capture(self, logs, batch=1):
        return fit(logs, lambda: self.logs.capture(batch, self.encoder))

    def decoded(self, encoded):
        tensors = {
            name: ("F32", list(array.shape), memoryview(array.tobytes()))
            for name, array in self.encoder.arrays.items()
        }
        last_logs.check(encoded, tensors)
        return values.decode(encoded, self.encoder.arrays.__getitem__)


class Capturing(Case):
    def test_those_of_a_step_are_captured_with_their_bits(self):
        third = keras.ops.convert_to_tensor(np.float32(1 / 3))
        found = self.decoded(self.capture({"own": third, "loss": 0.5}))
        self.assertEqual(list(found), ["own", "loss"])
        self.assertEqual(float(found["own"]), float(np.float32(1 / 3)))
        self.assertEqual(found["loss"], 0.5)

    def test_between_epochs_none_are(self):
        self.assertIsNone(self.capture({"own": 1.0}, batch=0))

    def test_where_they_are_not_needed_none_are(self):
        self.logs = last_logs.LastLogs(object(), False)
        self.assertIsNone(self.capture({"own": 1.0}))

    def test_what_cannot_be_saved_is_named(self):
        self.assertIsNone(self.capture({"own": object()}))
        self.assertEqual(
            self.logs.unsaved, ["logs: object, as they are after the last step"]
        )
        self.capture({"own": 1.0})
        self.assertEqual(self.logs.unsaved, [])

    def test_a_model_without_the_method_is_refused(self):
        with self.assertRaisesRegex(Exception, last_logs.METHOD):
            last_logs.LastLogs(object(), True)


@unittest.skipIf(IS_JAX, "JAX needs a step")
class LogsOfAnEpoch(Case):
    def epoch_logs(self, logs):
        return dict(self.model._get_metrics_result_or_logs(logs))

    def test_without_a_step_they_are_those_restored(self):
        self.logs.restore({"own": 2.0}, no_step)
        # As evaluate() of a callback calls it.
        self.assertEqual(self.epoch_logs({"other": 3.0}), {"other": 3.0})
        self.assertEqual(self.epoch_logs({}), {"own": 2.0})

    def test_once_the_epoch_is_over_they_are_none(self):
        self.logs.restore({"own": 2.0}, no_step)
        self.logs.release()
        self.assertEqual(self.epoch_logs({}), {})
        self.assertNotIn(last_logs.METHOD, vars(self.model))
        self.assertEqual(self.decoded(self.capture({})), {})

    def test_metrics_come_from_the_model_as_ever(self):
        self.model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0)
        known = self.model.get_metrics_result()
        self.logs.restore({"loss": -1.0}, no_step)
        self.assertEqual(self.epoch_logs({}), known)

    def test_those_restored_are_captured_where_no_step_came_since(self):
        self.logs.restore({"own": 2.0}, no_step)
        self.assertEqual(self.decoded(self.capture({})), {"own": 2.0})


@unittest.skipUnless(IS_JAX, "JAX needs a step")
class StepOfAnEpoch(Case):
    def setUp(self):
        super().setUp()
        self.ends = []
        self.heard = []

        class Callbacks:
            def on_train_batch_end(_, *args):
                self.heard.append(args)

        self.callbacks = Callbacks()
        self.model.train_function = lambda state, data: ({}, next(data))
        found = types.SimpleNamespace(callback_list=self.callbacks)
        finding = mock.patch.object(
            last_logs.running_fit.RunningFit, "require", lambda: found
        )
        with finding:
            self.logs.restore({"own": 2.0}, lambda: self.ends.append(1))

    def step(self, state, data):
        logs, state = self.model.train_function(state, iter(data))
        self.callbacks.on_train_batch_end(0, logs)
        return logs, state

    def test_without_data_it_leaves_the_state_and_nobody_hears_of_it(self):
        found = self.step("state", [])
        self.assertEqual(found, ({"own": 2.0}, "state"))
        self.assertEqual((self.heard, self.ends), ([], [1]))
        # And the next one is as ever.
        self.assertEqual(self.step("state", ["next"]), ({}, "next"))
        self.assertEqual((self.heard, self.ends), ([(0, {})], [1]))
        with self.assertRaises(StopIteration):
            self.step("state", [])

    def test_with_data_it_is_as_ever(self):
        self.assertEqual(self.step("state", ["next"]), ({}, "next"))
        self.assertEqual((self.heard, self.ends), ([(0, {})], []))
        with self.assertRaises(StopIteration):
            self.step("state", [])


class Checking(unittest.TestCase):
    def test_what_is_read_must_be_a_dict_or_nothing(self):
        last_logs.check(None, {})
        last_logs.check({"$dict": [["own", 1.0]]}, {})
        for hostile in (
            [],
            1.0,
            "own",
            {"$dict": 1},
            {"$dict": [["own", {"$array": "missing"}]]},
        ):
            with self.subTest(hostile=hostile):
                with self.assertRaises((KeyError, TypeError, ValueError)):
                    last_logs.check(hostile, {})
