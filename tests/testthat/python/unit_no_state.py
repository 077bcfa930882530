"""no_state.py: what differs in every process and changes no result is not
told; what may is."""

import importlib.util
import os
import time
import types
import unittest
import uuid
from unittest import mock

import keras

from kerasbackup.parts import script
from kerasbackup.parts.callback_states import CallbackStates
from kerasbackup.parts.objects import no_state
from kerasbackup.store import values


def made_by(package):
    """An object of a class of that package, with what cannot be saved in it."""
    kind = type("Bar", (), {"__module__": package})
    bar = kind()
    bar.lock = types.SimpleNamespace()
    return bar


class Timing(keras.callbacks.Callback):
    def __init__(self, held=None):
        super().__init__()
        self.held = held
        self.start = time.time()
        self.ticks = [time.monotonic(), time.perf_counter()]
        self.monotonic, self.counter = self.ticks
        self.patience = 3.5
        del self.ticks


class Telling(unittest.TestCase):
    def test_displays_and_tuners_are_not_told(self):
        for package in ("tqdm.std", "rich.progress", "keras_tuner.engine"):
            states = CallbackStates([Timing(made_by(package))])
            states.capture(values.Encoder())
            self.assertEqual(states.not_saved, [], package)

    def test_what_may_be_state_is_told(self):
        callback = Timing(made_by("mine"))
        states = CallbackStates([callback])
        callback.held.lock = 1
        callback.held = made_by("mine")
        states.capture(values.Encoder())
        self.assertEqual(states.not_saved, ["Timing.held"])

    def test_what_names_a_run_is_no_setting(self):
        one, other = Timing(), Timing()
        one.run, one.key = uuid.uuid4().hex, str(uuid.uuid4())
        other.run, other.key = uuid.uuid4().hex, str(uuid.uuid4())
        one.pid, other.pid = os.getpid(), os.getpid()
        one.size, other.size = 3, 4
        states = CallbackStates([one]).capture(values.Encoder())
        self.assertNotIn("pid", states["Timing"]["configuration"])
        self.assertEqual(
            CallbackStates([other]).restore(states, None),
            [script.was_and_is("callback Timing: size", 3, 4)],
        )
        for value in (True, os.getpid() + 1, "a" * 31, "g" * 32, None):
            self.assertFalse(no_state.is_name_of_run("pid", value))
        for value in (uuid.uuid4(), "A" * 32):
            self.assertTrue(no_state.is_name_of_run("key", value))
        for name in ("pid", "_PID", "main_process"):
            self.assertTrue(no_state.is_name_of_run(name, os.getpid()), name)

    def test_a_setting_may_be_the_number_of_the_process(self):
        layer = keras.layers.Dense(1)
        with mock.patch.object(os, "getpid", return_value=1):
            in_container = script.settings(layer)
        self.assertEqual(in_container["units"], "1")
        self.assertEqual(in_container, script.settings(layer))

    def test_times_are_no_settings(self):
        states = CallbackStates([Timing()]).capture(values.Encoder())
        time.sleep(0.001)
        now = CallbackStates([Timing()])
        self.assertEqual(now.restore(states, None), [])
        other = Timing()
        other.patience = 4.5
        self.assertEqual(
            CallbackStates([other]).restore(states, None),
            [script.was_and_is("callback Timing: patience", 3.5, 4.5)],
        )

    def test_times_of_layers_are_no_settings(self):
        layer = keras.layers.Dense(1)
        before = script.settings(layer)
        layer.made_at = time.time()
        self.assertEqual(script.settings(layer), before)
        layer.made_at = 5.5
        self.assertNotEqual(script.settings(layer), before)


class Displays(unittest.TestCase):
    def test_the_package_decides(self):
        for package in (
            "IPython",
            "alive_progress",
            "ipywidgets",
            "keras_tuner",
            "kerastuner",
            "logging",
            "matplotlib",
            "progressbar",
            "rich",
            "tqdm",
        ):
            for module in (package, f"{package}.inner.most"):
                self.assertTrue(no_state.is_display(made_by(module)), module)
        for module in ("mine", "mine.tqdm", "tqdm_of_mine"):
            self.assertFalse(no_state.is_display(made_by(module)), module)


class Times(unittest.TestCase):
    def test_from_the_beginning_of_the_process_until_now(self):
        with (
            mock.patch.object(no_state, "_CLOCKS", (lambda: 7.0,)),
            mock.patch.object(no_state, "_BEGUN", [5.0]),
        ):
            for value in (5.0, 6.5, 7.0):
                self.assertTrue(no_state.is_time(value), value)
            for value in (4.9, 7.1, 6):
                self.assertFalse(no_state.is_time(value), value)

    def test_the_process_began_before_the_module_was_loaded(self):
        spec = importlib.util.spec_from_file_location(
            "loaded_late", no_state.__file__
        )
        late = importlib.util.module_from_spec(spec)
        with mock.patch.object(time, "process_time", return_value=100.0):
            spec.loader.exec_module(late)
        self.assertTrue(late.is_time(time.time() - 50))
        self.assertFalse(late.is_time(time.time() - 150))
