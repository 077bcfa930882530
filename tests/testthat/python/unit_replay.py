"""replay.py: how far a replay is, and how data are drawn again."""

import contextlib
import types
import unittest
from unittest import mock

import keras

from kerasbackup.parts.data import replay


class FakeClock:
    """time.monotonic(), moved by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Telling(unittest.TestCase):
    def setUp(self):
        self.clock = FakeClock()
        patch = mock.patch.object(replay.time, "monotonic", self.clock)
        patch.start()
        self.addCleanup(patch.stop)
        self.told = []
        self.progress = replay.Progress(lambda *args: self.told.append(args))

    def run_replay(self, batches, seconds_each, total=None):
        for i in range(batches):
            self.progress.at(i, total)
            self.clock.now += seconds_each
        self.progress.end()

    def test_a_short_one_is_not_told_of(self):
        self.run_replay(1000, 0.00001)
        self.assertEqual(self.told, [])

    def test_a_long_one_is_told_of_and_that_it_ended(self):
        self.run_replay(10, replay.Progress.INTERVAL, total=10)
        expected = [*((done, 10) for done in range(1, 10)), (None, None)]
        self.assertEqual(self.told, expected)

    def test_not_more_often_than_the_interval(self):
        self.run_replay(1000, replay.Progress.INTERVAL / 100)
        self.assertLessEqual(len(self.told), 1000 / 100 + 1)
        self.assertGreater(len(self.told), 5)

    def test_a_second_replay_begins_anew(self):
        self.run_replay(3, replay.Progress.INTERVAL)
        self.told.clear()
        # The time between the two is none of a replay.
        self.clock.now += 100
        self.run_replay(3, 0.0)
        self.assertEqual(self.told, [])

    def test_a_function_is_called_after_every_batch(self):
        calls = []
        progress = replay.Progress(
            lambda *args: None, lambda: calls.append(self.clock.now)
        )
        for _ in range(3):
            progress.at(0, None)
        progress.end()
        self.assertEqual(len(calls), 3)

    def test_the_end_of_none_is_not_told(self):
        self.progress.end()
        self.assertEqual(self.told, [])


class Steps:
    """An epoch iterator of so many batches, two at once."""

    steps_per_execution = 2

    def __init__(self, batches):
        self.data_adapter = None
        self.batches = batches
        self.drawn = []

    def _data(self):
        for i in range(self.batches):
            self.drawn.append(i)
            yield i

    def catch_stop_iteration(self):
        return contextlib.suppress(StopIteration)

    def _enumerate_iterator(self):
        data = self._data()
        for first in range(0, self.batches, 2):
            yield first, first + 1, data


class Drawing(unittest.TestCase):
    def test_all_batches_of_an_epoch_once(self):
        steps = Steps(6)
        replay.draw_epoch(steps)
        self.assertEqual(steps.drawn, list(range(6)))

    def test_a_step_is_as_many_batches_as_run_at_once(self):
        steps = Steps(6)
        first = next(steps._enumerate_iterator())
        replay.draw_step(steps, first)
        self.assertEqual(steps.drawn, [0, 1])

    def test_a_step_whose_batches_come_at_once_is_drawn_at_once(self):
        # As JAX's do since 3.16.
        adapter = types.SimpleNamespace(get_jax_iterator=lambda: None)
        stacking = types.SimpleNamespace(
            get_jax_iterator=lambda super_batch=None: None
        )
        for backend, one, drawn in (
            ("jax", stacking, 1),
            ("jax", adapter, 2),
            ("torch", stacking, 2),
        ):
            with mock.patch.object(
                keras.backend, "backend", return_value=backend
            ):
                steps = Steps(6)
                steps.data_adapter = one
                first = next(steps._enumerate_iterator())
                replay.draw_step(steps, first)
                self.assertEqual(steps.drawn, list(range(drawn)))
