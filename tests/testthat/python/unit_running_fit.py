"""running_fit.py: what is read of the frames of a `fit()`."""

import sys
import threading
import unittest
import weakref

import keras

from kerasbackup.anykeras import running_fit


class Kept:
    """Can be referred to weakly."""


def fit(hook, callbacks):
    """What is looked for on the stack; `hook` is called twice, with a local
    variable replaced between."""
    epoch_iterator = object()
    logs = Kept()
    hook(weakref.ref(logs))
    gone = weakref.ref(logs)
    logs = None
    return gone() is not None, epoch_iterator, logs, callbacks


class Locals(unittest.TestCase):
    def setUp(self):
        self.callbacks = keras.callbacks.CallbackList()

    def is_kept(self, look):
        return fit(look, self.callbacks)[0]

    def test_what_fit_has_replaced_is_let_go(self):
        def logs(expected):
            self.assertIs(running_fit.last_logs(), expected())

        def running(_):
            ours = weakref.ref(self.callbacks)
            self.assertTrue(running_fit.is_running(ours))

        def found(_):
            # As CallbackList calls a hook.
            callback = keras.callbacks.LambdaCallback(
                on_train_begin=lambda logs: self.assertIs(
                    running_fit.RunningFit.find().callback_list, self.callbacks
                )
            )
            self.callbacks.callbacks.append(callback)
            self.callbacks.on_train_begin()

        for look in (logs, running, found):
            with self.subTest(look.__name__):
                self.assertFalse(self.is_kept(look))

    def test_the_locals_that_somebody_looks_at_stay_theirs(self):
        seen = {}

        def look(_):
            seen["locals"] = sys._getframe(1).f_locals
            running_fit.last_logs()
            self.assertIn("epoch_iterator", seen["locals"])

        fit(look, self.callbacks)

    def test_a_list_is_running_while_fit_makes_it_and_until_it_returns(self):
        ours = weakref.ref(self.callbacks)
        seen = []

        class Look(keras.callbacks.Callback):
            def set_params(self, params):
                seen.append(running_fit.is_running(ours))

        def make(_):
            self.callbacks.callbacks.append(Look())
            self.callbacks.set_params({"epochs": 1})

        fit(make, None)
        self.assertEqual(seen, [True])
        self.assertFalse(running_fit.is_running(ours))
        is_over, go = threading.Event(), threading.Event()

        def wait(_):
            go.set()
            is_over.wait()

        other = threading.Thread(target=fit, args=(wait, self.callbacks))
        other.start()
        go.wait()
        self.assertTrue(running_fit.is_running(ours))
        is_over.set()
        other.join()
        self.assertFalse(running_fit.is_running(ours))
