"""last_logs.py: the logs of the last step, where an epoch has none left."""

import unittest

import keras
import numpy as np

from kerasbackup import last_logs
from kerasbackup import values

IS_NEEDED = keras.backend.backend() == "tensorflow"


def compiled():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model


def fit(logs, body):
    """What is looked for on the stack."""
    epoch_iterator = object()
    result = body()
    return result if epoch_iterator else logs


def check(encoded, encoder):
    last_logs.check(encoded, {name: _entry(encoder, name) for name in encoder})


def _entry(encoder, name):
    array = encoder[name]
    return "F32", list(array.shape), memoryview(array.tobytes())


@unittest.skipUnless(IS_NEEDED, "on TensorFlow only")
class LastLogs(unittest.TestCase):
    def setUp(self):
        self.model = compiled()
        self.logs = last_logs.LastLogs(self.model)
        self.encoder = values.Encoder()

    def capture(self, logs, batch=1):
        return fit(logs, lambda: self.logs.capture(batch, self.encoder))

    def decoded(self, encoded):
        check(encoded, self.encoder.arrays)
        return values.decode(encoded, self.encoder.arrays.__getitem__)

    def epoch_logs(self, logs):
        return dict(self.model._get_metrics_result_or_logs(logs))

    def test_those_of_a_step_are_captured_with_their_bits(self):
        third = keras.ops.convert_to_tensor(np.float32(1 / 3))
        found = self.decoded(self.capture({"own": third, "loss": 0.5}))
        self.assertEqual(list(found), ["own", "loss"])
        self.assertEqual(float(found["own"]), float(np.float32(1 / 3)))
        self.assertEqual(found["loss"], 0.5)

    def test_between_epochs_none_are(self):
        self.assertIsNone(self.capture({"own": 1.0}, batch=0))

    def test_an_epoch_without_a_step_has_those_restored_once(self):
        self.logs.restore({"own": 2.0})
        self.assertEqual(self.epoch_logs({}), {"own": 2.0})
        self.assertEqual(self.epoch_logs({}), {})
        self.assertNotIn(last_logs.METHOD, vars(self.model))

    def test_metrics_come_from_the_model_as_ever(self):
        self.model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0)
        known = self.model.get_metrics_result()
        self.logs.restore({"loss": -1.0})
        self.assertEqual(self.epoch_logs({}), known)

    def test_an_epoch_with_a_step_has_its_own(self):
        self.logs.restore({"own": 2.0})
        self.assertEqual(self.epoch_logs({"own": 3.0}), {"own": 3.0})

    def test_those_restored_are_captured_where_no_step_came_since(self):
        self.logs.restore({"own": 2.0})
        self.assertEqual(self.decoded(self.capture({})), {"own": 2.0})

    def test_what_cannot_be_saved_is_named(self):
        self.assertIsNone(self.capture({"own": object()}))
        self.assertEqual(
            self.logs.unsaved, ["logs: object, as they are after the last step"]
        )
        self.capture({"own": 1.0})
        self.assertEqual(self.logs.unsaved, [])

    def test_a_model_without_the_method_is_refused(self):
        with self.assertRaisesRegex(Exception, last_logs.METHOD):
            last_logs.LastLogs(object())


@unittest.skipIf(IS_NEEDED, "not on TensorFlow")
class NotNeeded(unittest.TestCase):
    def test_nothing_is_captured_and_nothing_changed(self):
        model = compiled()
        logs = last_logs.LastLogs(model)
        encoder = values.Encoder()
        found = fit({"own": 1.0}, lambda: logs.capture(1, encoder))
        self.assertIsNone(found)
        logs.restore({"own": 1.0})
        self.assertNotIn(last_logs.METHOD, vars(model))


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
