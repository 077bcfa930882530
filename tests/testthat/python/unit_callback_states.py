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
        ):
            with self.subTest(states=states), self.assertRaises(errors.DAMAGE):
                check_states(states, {})
