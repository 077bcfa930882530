"""callback_states.py: what of other callbacks is saved, and whose it is."""

import functools
import json
import os
import tempfile
import unittest

import keras
import numpy as np

from kerasbackup import errors
from kerasbackup import values
from kerasbackup.callback_states import CallbackStates
from kerasbackup.callback_states import check_states
from kerasbackup.callback_states import continue_logs


class Counter(keras.callbacks.Callback):
    helper = functools.partial(int, "3")

    def __init__(self, step=1):
        super().__init__()
        self.step = step
        self.count = 0
        self.seen = []


class Speaker(keras.callbacks.Callback):
    """Has a state that no attribute tells."""

    def __init__(self):
        super().__init__()
        self.hidden = lambda: None
        self.place = 0

    def get_state(self):
        return {"place": self.place}

    def set_state(self, state):
        self.place = state["place"]


class Holder(keras.callbacks.Callback):
    """Has state in an attribute that is no plain value."""

    def __init__(self, held):
        super().__init__()
        self.held = held


def trained_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def numbers(variables):
    return [keras.ops.convert_to_numpy(one).tolist() for one in variables]


def capture(states):
    """What a checkpoint would have of it: JSON, and arrays."""
    encoder = values.Encoder()
    return json.loads(json.dumps(states.capture(encoder))), encoder.arrays


def changed(callback, **attributes):
    """Its state after a training that changed these."""
    states = CallbackStates([callback])
    for name, value in attributes.items():
        setattr(callback, name, value)
    return capture(states)


class Attributes(unittest.TestCase):
    def test_what_changed_is_saved_and_nothing_else(self):
        saved, arrays = changed(
            Counter(), count=3, seen=[1, {"a": (2.5, None)}]
        )
        self.assertEqual(set(saved["Counter"]["attributes"]), {"count", "seen"})
        again = Counter(step=2)
        notes = CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.count, 3)
        self.assertEqual(again.seen, [1, {"a": (2.5, None)}])
        # What the script sets is the script's, and told.
        self.assertEqual(again.step, 2)
        self.assertEqual(len(notes), 1)
        self.assertIn("step", notes[0])

    def test_arrays_come_back(self):
        saved, arrays = changed(Counter(), seen=np.arange(3.0))
        again = Counter()
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        np.testing.assert_array_equal(again.seen, np.arange(3.0))

    def test_what_cannot_be_saved_is_named(self):
        states = CallbackStates([one := Counter()])
        one.seen = [object()]
        capture(states)
        self.assertEqual(states.unsaved, ["Counter.seen"])

    def test_a_state_of_its_own_telling_is_preferred(self):
        saved, arrays = changed(Speaker(), place=7)
        again = Speaker()
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.place, 7)

    def test_no_method_is_overwritten(self):
        """Nothing in a file is ever run."""
        states = CallbackStates([Counter()])
        for name in ("on_epoch_end", "__class__", "model", "params", "helper"):
            hostile = {"Counter": {"attributes": {name: 1}}}
            with self.subTest(name=name), self.assertRaises(ValueError):
                states.check(hostile)
        states.check({"Counter": {"attributes": {"count": 1}}})


class Variables(unittest.TestCase):
    """What holds variables that are not the model's comes back exactly."""

    def resumed(self, make, move, variables_of):
        """What was saved, what came back, and what was told."""
        states = CallbackStates([one := Holder(make())])
        move(one.held)
        saved, arrays = capture(states)
        self.assertEqual(states.unsaved, [])
        before = numbers(variables_of(one.held))
        move(one.held)
        self.assertNotEqual(numbers(variables_of(one.held)), before)
        again = Holder(make())
        states = CallbackStates([again])
        states.check(saved)
        check_states(
            saved,
            {
                name: ("F32" if array.dtype == "float32" else "I64",)
                + (list(array.shape), None)
                for name, array in arrays.items()
            },
        )
        held = again.held
        notes = states.restore(saved, arrays.__getitem__)
        # The very objects: others may have them too.
        self.assertIs(again.held, held)
        self.assertEqual(numbers(variables_of(held)), before)
        self.assertEqual(notes, [])

    def test_a_variable(self):
        self.resumed(
            lambda: keras.Variable([0.1, 0.2]),
            lambda held: held.assign_add([1 / 3, 1.0]),
            lambda held: [held],
        )

    def test_a_metric(self):
        self.resumed(
            keras.metrics.Mean,
            lambda held: held.update_state([1.0, 1 / 3]),
            lambda held: held.variables,
        )

    def test_a_seed_generator(self):
        self.resumed(
            lambda: keras.random.SeedGenerator(3),
            lambda held: held.next(),
            lambda held: [held.state],
        )

    def test_a_model_and_its_optimizer(self):
        def move(model):
            ones = [keras.ops.ones(v.shape) for v in model.trainable_variables]
            model.optimizer.apply(ones, model.trainable_variables)

        self.resumed(
            trained_model,
            move,
            lambda held: [*held.variables, *held.optimizer.variables],
        )

    @unittest.skipIf(
        keras.backend.backend() != "tensorflow", "the backend has none"
    )
    def test_a_variable_of_tensorflow(self):
        import tensorflow as tf

        self.resumed(
            lambda: tf.Variable([0.0]),
            lambda held: held.assign_add([1.0]),
            lambda held: [held],
        )

    def test_the_trained_models_own_are_saved_once(self):
        model = trained_model()
        kernel = model.layers[0].kernel
        held = [model, kernel, model.optimizer, model.layers[0]]
        callbacks = [Holder(one) for one in held]
        for callback in callbacks:
            callback.set_model(model)
        states = CallbackStates(callbacks)
        _, arrays = capture(states)
        self.assertEqual(arrays, {})
        self.assertEqual(states.unsaved, [])

    def test_what_is_not_as_it_was_is_told_and_left(self):
        states = CallbackStates([Holder(keras.Variable([1.0, 2.0]))])
        saved, arrays = capture(states)
        other = keras.Variable([3.0])
        for held in (other, None):
            states = CallbackStates([Holder(held)])
            notes = states.restore(saved, arrays.__getitem__)
            self.assertIn("callback Holder: held begins anew", notes)
        self.assertEqual(numbers([other]), [[3.0]])
        notes = CallbackStates([]).restore(saved, None)
        self.assertEqual(notes, ["the state of callback Holder is not used"])
        notes = CallbackStates([Holder(other)]).restore({}, None)
        self.assertEqual(notes, ["callback Holder begins anew"])

    def test_a_generator_is_named_unless_it_is_captured(self):
        held, other = np.random.default_rng(1), np.random.default_rng(2)
        states = CallbackStates(
            [Holder(held), Holder(other)], lambda one: one is held
        )
        capture(states)
        self.assertEqual(states.unsaved, ["Holder~1.held"])

    def test_so_is_one_in_a_list_or_a_dict(self):
        held, other = np.random.default_rng(1), np.random.default_rng(2)
        for of_held, of_other in (
            ([held], [held, other]),
            ((held, held), (other,)),
            ({"a": held}, {"a": held, "b": other}),
            # The number is no generator, and would be lost.
            ([held], [held, 3]),
        ):
            with self.subTest(of_other=of_other):
                states = CallbackStates(
                    [Holder(of_held), Holder(of_other)],
                    lambda one: one is held,
                )
                capture(states)
                self.assertEqual(states.unsaved, ["Holder~1.held"])

    def test_an_optimizer_is_named(self):
        one = Holder(keras.optimizers.SGD())
        one.set_model(trained_model())
        states = CallbackStates([one])
        capture(states)
        self.assertEqual(states.unsaved, ["Holder.held"])


class Inner(unittest.TestCase):
    """A callback in an attribute counts as if it were in the list."""

    def test_its_state_comes_back(self):
        states = CallbackStates([outer := Holder(Holder(Counter()))])
        outer.held.held.count = 5
        saved, arrays = capture(states)
        self.assertEqual(states.unsaved, [])
        states = CallbackStates([again := Holder(Holder(Counter(step=2)))])
        states.check(saved)
        notes = states.restore(saved, arrays.__getitem__)
        self.assertEqual(again.held.held.count, 5)
        self.assertEqual(again.held.held.step, 2)
        self.assertEqual(len(notes), 1)
        self.assertIn("Holder.held:Holder.held:Counter: step", notes[0])

    def test_one_in_the_list_is_saved_once(self):
        inner = Counter()
        inner.held = outer = Holder(inner)
        states = CallbackStates([outer, inner])
        inner.count = 5
        saved, _ = capture(states)
        self.assertEqual(list(saved), ["Holder", "Counter"])

    def test_one_that_came_later_is_named(self):
        states = CallbackStates([outer := Holder(None)])
        outer.held = Counter()
        capture(states)
        self.assertEqual(states.unsaved, ["Holder.held"])

    def test_what_only_displays_has_no_state(self):
        model = trained_model()
        model.history = keras.callbacks.History()
        outer = Holder(model.history)
        outer.bar = keras.callbacks.ProgbarLogger()
        outer.set_model(model)
        states = CallbackStates([outer])
        saved, _ = capture(states)
        self.assertEqual(list(saved), ["Holder"])

    def test_its_log_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log.csv")
            with open(path, "w") as file:
                file.write("epoch\n0\n1\n")
            outer = Holder(keras.callbacks.CSVLogger(path))
            state = {"Holder.held:CSVLogger": {"file": path, "bytes": 8}}
            continue_logs([outer], state)
            self.assertTrue(outer.held.append)
            self.assertEqual(os.path.getsize(path), 8)


class Partners(unittest.TestCase):
    def lost(self, *callbacks):
        states = CallbackStates(list(callbacks))
        for i, callback in enumerate(callbacks):
            callback.count = 10 + i
        return capture(states)

    def resume(self, lost, *callbacks):
        saved, arrays = lost
        notes = CallbackStates(list(callbacks)).restore(
            saved, arrays.__getitem__
        )
        return [callback.count for callback in callbacks], notes

    def test_of_one_class_the_one_that_is_set_alike(self):
        lost = self.lost(Counter(step=1), Counter(step=2))
        counts, notes = self.resume(lost, Counter(step=2), Counter(step=1))
        self.assertEqual(counts, [11, 10])
        self.assertEqual(len(notes), 1)
        self.assertIn("another order", notes[0])

    def test_one_that_came_and_one_that_went_are_told(self):
        lost = self.lost(Counter())
        counts, notes = self.resume(lost, Counter(), Counter(step=5))
        self.assertEqual(counts, [10, 0])
        self.assertEqual(notes, ["callback Counter~1 begins anew"])
        notes = CallbackStates([]).restore(lost[0], None)
        self.assertEqual(notes, ["the state of callback Counter is not used"])

    def test_the_best_of_another_log_is_none(self):
        def stopping(monitor):
            callback = keras.callbacks.EarlyStopping(monitor)
            callback.best = None
            return callback

        one = stopping("loss")
        states = CallbackStates([one])
        one.best = 0.25
        saved, arrays = capture(states)
        again = stopping("val_loss")
        notes = CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertIsNone(again.best)
        self.assertTrue(notes)


class Logs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "log.csv")
        with open(self.path, "w") as file:
            file.write("epoch,loss\n0,1.0\n1,0.5\n")

    def content(self):
        with open(self.path) as file:
            return file.read()

    def test_rows_that_are_done_again_are_cut_off(self):
        logger = keras.callbacks.CSVLogger(self.path)
        states = {"CSVLogger": {"file": self.path, "bytes": 17}}
        continue_logs([logger], states)
        self.assertEqual(self.content(), "epoch,loss\n0,1.0\n")
        self.assertTrue(logger.append)

    def test_its_columns_are_those_of_the_first_row(self):
        """An epoch without batches has no logs, so no columns either."""
        logger = keras.callbacks.CSVLogger(self.path, append=True)
        logger.on_train_begin()
        states = CallbackStates([logger])
        logger.on_epoch_end(2, {"loss": 0.25})
        saved, arrays = capture(states)
        logger.on_train_end()
        logger = keras.callbacks.CSVLogger(self.path)
        states = CallbackStates([logger])
        continue_logs([logger], saved)
        logger.on_train_begin()
        self.assertEqual(states.restore(saved, arrays.__getitem__), [])
        logger.on_epoch_end(3, {})
        logger.on_epoch_end(4, {"loss": 0.125})
        logger.on_train_end()
        rows = self.content().splitlines()
        self.assertRegex(rows[-3], "^2,0.25")
        self.assertRegex(rows[-2], "^3,NA")
        self.assertRegex(rows[-1], "^4,0.125")

    def test_a_file_that_was_not_logged_to_is_left(self):
        before = self.content()
        logger = keras.callbacks.CSVLogger(self.path)
        other = {"CSVLogger": {"file": self.path + "x", "bytes": 3}}
        continue_logs([logger], other)
        self.assertEqual(self.content(), before)
        # One that was cut off since is not made longer.
        states = {"CSVLogger": {"file": self.path, "bytes": 1000}}
        continue_logs([logger], states)
        self.assertEqual(self.content(), before)


class Damage(unittest.TestCase):
    def test_what_is_no_state_is_refused(self):
        for states in (
            [],
            {"A": 3},
            {"A": {"bytes": -1}},
            {"A": {"bytes": True}},
            {"A": {"file": 3}},
            {"A": {"configuration": {"a": 3}}},
            {"A": {"attributes": {"a": {"array": "missing"}}}},
            {"A": {"variables": {"a": {"$dict": []}}}},
            {"A": {"variables": {"a": [3]}}},
            {"A": {"variables": {"a": [{"$array": "missing"}]}}},
        ):
            with self.subTest(states=states), self.assertRaises(errors.DAMAGE):
                check_states(states, {})
