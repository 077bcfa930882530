"""last_logs.py: the logs of the last step, where an epoch has none left."""

import types
import unittest
from unittest import mock

import keras
import numpy as np
from keras.src.trainers.epoch_iterator import EpochIterator

from kerasbackup.parts import last_logs
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training
from kerasbackup.store import values


def compiled():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model


def fit(logs, body):
    """What is looked for on the stack."""
    epoch_iterator = object()
    result = body()
    return result if epoch_iterator else logs


class Case(unittest.TestCase):
    def setUp(self):
        self.model = compiled()
        self.iterator = EpochIterator(np.ones((2, 1)), steps_per_epoch=3)
        self.callbacks = keras.callbacks.CallbackList()
        self.logs = self.last_logs()
        self.encoder = values.Encoder()
        self.ends = []

    def last_logs(self, is_needed=True, backend=None):
        self.place = Place(batch=1)
        self.position = types.SimpleNamespace(
            may_end_early=is_needed,
            passed=1,
            end_epoch=lambda: self.ends.append(1),
        )
        backend = backend or keras.backend.backend()
        training = Training(
            self.model,
            self.place,
            epoch_iterator=self.iterator,
            position=self.position,
        )
        with mock.patch.object(
            last_logs.backend,
            "name",
            lambda one=None: backend if one is self.model else None,
        ):
            return last_logs.LastLogs.begin(training)

    def capture(self, logs, batch=1):
        self.place.batch = batch
        return fit(logs, lambda: self.logs.capture(self.encoder))

    def restore(self, logs, batch=1, arrays=None):
        found = types.SimpleNamespace(callback_list=self.callbacks)
        with mock.patch.object(
            last_logs.running_fit.RunningFit, "require", lambda: found
        ):
            self.position.passed = self.place.batch = batch
            if arrays is None:
                logs = values.Encoder().encode(logs, "logs")
            self.logs.restore(logs, arrays)

    def before_step(self, logs):
        fit(logs, self.position.before_first_step)

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

    def test_none_at_all_is_not_that_there_were_none(self):
        self.assertEqual(self.decoded(self.capture({})), {})
        self.assertIsNone(self.capture(None))

    def test_between_epochs_where_they_outlive_one(self):
        found = self.decoded(self.capture({"own": 1.0}, batch=0))
        lives = keras.backend.backend() != "torch"
        self.assertEqual(found, {"own": 1.0} if lives else None)

    def test_between_epochs_they_outlive_one_except_on_torch(self):
        for backend, lives in (("torch", False), ("jax", True)):
            self.logs = self.last_logs(backend=backend)
            found = self.capture({"own": 1.0}, batch=0)
            self.assertIs(found is not None, lives)

    def test_arrays_of_logs_are_kept_under_a_name_of_their_own(self):
        large = np.arange(999.0, dtype="float32")
        for logs in ({"own": large}, {"own": large, "odd": object()}):
            self.encoder = values.Encoder()
            found = self.decoded(self.capture(logs))
            (name,) = self.encoder.arrays
            self.assertTrue(name.startswith("last_logs/"), name)
            self.assertEqual(found["own"].tolist(), large.tolist())

    def test_where_they_are_not_needed_none_are(self):
        self.logs = self.last_logs(False)
        self.assertIsNone(self.capture({"own": 1.0}))

    def test_what_cannot_be_saved_is_named_and_the_rest_saved(self):
        odd = {"own": object(), "loss": 0.5}
        self.assertEqual(self.decoded(self.capture(odd)), {"loss": 0.5})
        self.assertEqual(
            self.logs.not_saved,
            ["log own: object, as it is after the last step"],
        )
        self.assertEqual(self.decoded(self.capture(object())), {})
        self.assertEqual(
            self.logs.not_saved,
            ["log object: object, as it is after the last step"],
        )
        self.capture({"own": 1.0})
        self.assertEqual(self.logs.not_saved, [])


class LogsOfAnEpoch(Case):
    def test_large_ones_come_back(self):
        large = np.arange(999.0)
        encoder = values.Encoder()
        encoded = encoder.encode({"own": large}, "last_logs")
        found = {}
        self.restore(encoded, arrays=encoder.arrays.__getitem__)
        self.before_step(found)
        self.assertEqual(found["own"].tolist(), large.tolist())

    def test_those_restored_are_there_before_any_step(self):
        found = {}
        self.restore({"own": 2.0})
        self.assertEqual(self.decoded(self.capture(found)), {"own": 2.0})
        self.assertEqual(found, {})
        self.before_step(found)
        self.assertEqual(found, {"own": 2.0})

    def test_a_step_replaces_them(self):
        self.restore({"own": 2.0})
        self.before_step({})
        found = {}
        self.before_step(found)
        self.assertEqual(found, {})
        self.assertEqual(self.decoded(self.capture(found)), {})

    def test_nothing_of_the_model_or_the_callbacks_is_replaced(self):
        before = dict(vars(self.model)), dict(vars(self.callbacks))
        self.restore({"own": 2.0})
        self.before_step({})
        self.assertEqual((vars(self.model), vars(self.callbacks)), before)

    def test_where_they_are_not_needed_there_are_none(self):
        self.logs = self.last_logs(False)
        self.restore({"own": 2.0})
        found = {}
        self.before_step(found)
        self.assertEqual(found, {})


class StepOfAnEpoch(Case):
    """Where `fit()` has no logs without a step, as with JAX."""

    def setUp(self):
        super().setUp()
        self.heard = []
        heard = self.heard

        class Hears(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                heard.append((batch, logs))

        self.callbacks = keras.callbacks.CallbackList([Hears()])
        self.model.train_function = self.train
        self.before = dict(vars(self.callbacks))
        self.restore({"own": 2.0})
        self.before_step(None)

    def train(self, state, data):
        return {"loss": next(data)}, state

    def step(self, data):
        self.callbacks.on_train_batch_begin(batch=0)
        logs, state = self.model.train_function("state", iter(data))
        self.callbacks.on_train_batch_end(0, logs)
        return logs, state

    def assert_as_ever(self):
        self.assertEqual(self.model.train_function, self.train)
        self.assertEqual(vars(self.callbacks), self.before)
        with self.assertRaises(StopIteration):
            self.step([])

    def test_without_data_it_leaves_the_state_and_nobody_hears_of_it(self):
        with self.assertWarnsRegex(UserWarning, "ran out of data"):
            found = self.step([])
        self.assertEqual(found, ({"own": 2.0}, "state"))
        self.assertEqual((self.heard, self.ends), ([], [1]))
        # Keras has learned it.
        self.assertIsNone(self.iterator._current_iterator)
        self.assertEqual(self.step([3.0]), ({"loss": 3.0}, "state"))
        self.assertEqual((self.heard, self.ends), ([(0, {"loss": 3.0})], [1]))
        self.assert_as_ever()

    def test_between_epochs_the_state_is_the_last_steps(self):
        self.step([3.0])
        self.logs = self.last_logs(backend="jax")
        self.model.train_function = None
        self.model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0)
        self.model.train_function = self.train
        total = float(self.model.metrics_variables[0])
        self.restore({"own": 2.0}, 0)
        self.model.reset_metrics()
        self.before_step(None)
        with self.assertWarnsRegex(UserWarning, "ran out of data"):
            _, state = self.step([])
        model = self.model
        self.assertEqual(
            [len(kind) for kind in state],
            [
                len(model.trainable_variables),
                len(model.non_trainable_variables),
                len(model.optimizer.variables),
                len(model.metrics_variables),
            ],
        )
        if keras.backend.backend() == "jax":
            # Others change a variable in its place.
            self.assertEqual((float(state[3][0]), total > 0), (total, True))

    def test_within_an_epoch_or_elsewhere_the_state_is_that_of_the_step(self):
        self.step([3.0])
        for backend, batch in (("jax", 1), ("torch", 0)):
            self.logs = self.last_logs(backend=backend)
            self.restore({"own": 2.0}, batch)
            self.before_step(None)
            with self.assertWarnsRegex(UserWarning, "ran out of data"):
                _, state = self.step([])
            self.assertEqual(state, "state")

    def test_with_data_it_is_as_ever(self):
        self.assertEqual(self.step([3.0]), ({"loss": 3.0}, "state"))
        self.assertEqual((self.heard, self.ends), ([(0, {"loss": 3.0})], []))
        self.assert_as_ever()

    def test_callbacks_may_make_steps_or_another_function(self):
        train = self.train

        class Acts(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                model = self.model
                model.train_function("other", iter([1.0]))
                model.train_function = lambda *args: train(*args)

        self.callbacks.callbacks.append(Acts())
        self.callbacks.set_model(self.model)
        with self.assertWarnsRegex(UserWarning, "ran out of data"):
            self.assertEqual(self.step([]), ({"own": 2.0}, "state"))

    def test_a_callback_that_raises_leaves_nothing_behind(self):
        class Raises(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                raise KeyError("interrupted")

        self.callbacks.callbacks.append(Raises())
        with self.assertRaises(KeyError):
            self.step([])
        self.callbacks.callbacks.pop()
        self.assert_as_ever()


class Checking(unittest.TestCase):
    def test_arrays_must_be_there(self):
        encoder = values.Encoder()
        logs = encoder.encode({"own": np.arange(999.0)}, "last_logs")
        ((name, array),) = encoder.arrays.items()
        tensor = "F64", list(array.shape), memoryview(array.tobytes())
        last_logs.LastLogs.check(logs, {name: tensor}, Place())
        with self.assertRaises(KeyError):
            last_logs.LastLogs.check(logs, {}, Place())

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
