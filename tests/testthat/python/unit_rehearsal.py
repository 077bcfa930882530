"""rehearsal.py: the first batch of the last epoch is drawn as Keras drew it."""

import types
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.rehearsal import Rehearsal
from kerasbackup.parts.data.sources.kinds import source_of


class ArrayDataAdapter:
    """Of this name Keras' is told. Its batches may come several at once, as
    JAX's do since Keras 3.16."""

    def __init__(self):
        self._inputs = [np.arange(12.0)]

    def get_jax_iterator(self, super_batch=None):
        at_once = 2 * (super_batch or 1)
        return iter(self._inputs[0].reshape(-1, at_once))


class Drawing(unittest.TestCase):
    def test_as_many_batches_at_once_as_before(self):
        with mock.patch.object(keras.backend, "backend", return_value="jax"):
            for at_once, options in ((1, {}), (3, {"super_batch": 3})):
                with self.subTest(at_once=at_once):
                    adapter = ArrayDataAdapter()
                    steps = types.SimpleNamespace(
                        data_adapter=adapter,
                        steps_per_epoch=None,
                        steps_per_execution=at_once,
                    )
                    drawn = DrawnBatches(adapter)
                    rehearsal = Rehearsal(steps, source_of(steps), drawn, dict)
                    next(adapter.get_jax_iterator(**options))
                    rehearsal.run(drawn.capture(), lambda: None)
                    self.assertEqual(drawn.notes(all_drawn=True), [])
                    # And another one is noticed.
                    saved = drawn.capture()
                    adapter._inputs[0][0] = 7
                    rehearsal.run(saved, lambda: None)
                    self.assertEqual(len(drawn.notes(all_drawn=True)), 1)


class Other:
    """A source of data that are no arrays."""

    arrays = None


class Possible(unittest.TestCase):
    """What is known of the last epoch."""

    def setUp(self):
        patch = mock.patch.object(keras.backend, "backend", return_value="jax")
        patch.start()
        self.addCleanup(patch.stop)
        self.adapter = ArrayDataAdapter()
        self.batches = DrawnBatches(self.adapter)
        self.state = 0

    def rehearsal(self, steps_per_epoch=None, source=None):
        steps = types.SimpleNamespace(
            data_adapter=self.adapter,
            steps_per_epoch=steps_per_epoch,
            steps_per_execution=1,
        )
        return Rehearsal(
            steps,
            source_of(steps) if source is None else source,
            self.batches,
            lambda: {"numpy": self.state},
        )

    def draw_first(self):
        next(self.adapter.get_jax_iterator())

    def test_the_generators_are_those_before_the_newest_first_batch(self):
        rehearsal = self.rehearsal()
        self.assertTrue(rehearsal.is_possible)
        self.draw_first()
        self.state = 1
        self.assertEqual(rehearsal.generators(), {"numpy": 0})
        self.draw_first()
        self.state = 2
        self.assertEqual(rehearsal.generators(), {"numpy": 1})

    def test_there_are_none_where_an_iterator_lives_on(self):
        rehearsal = self.rehearsal(steps_per_epoch=3)
        self.assertFalse(rehearsal.is_possible)
        self.draw_first()
        self.assertIsNone(rehearsal.generators())
        # But a change of the arrays is noticed.
        self.assertFalse(rehearsal.may_differ())
        self.adapter._inputs[0][0] = 7
        self.assertTrue(rehearsal.may_differ())

    def test_other_data_are_not_looked_at(self):
        rehearsal = self.rehearsal(source=Other())
        self.assertFalse(rehearsal.is_possible)
        self.assertIsNone(self.batches.before_first)
        self.draw_first()
        self.assertIsNone(rehearsal.generators())
        self.assertIsNone(rehearsal.arrays())
        self.assertIsNone(rehearsal.changed_arrays())
        self.assertFalse(rehearsal.may_differ())

    def test_arrays_that_have_changed_would_give_another_batch(self):
        rehearsal = self.rehearsal()
        self.draw_first()
        self.assertIsNone(rehearsal.changed_arrays())
        self.assertFalse(rehearsal.may_differ())
        before = rehearsal.arrays()
        self.adapter._inputs[0][0] = 7
        self.assertTrue(rehearsal.may_differ())
        self.assertIsNone(rehearsal.generators())
        self.assertNotEqual(rehearsal.changed_arrays(), before)
        self.assertEqual(rehearsal.changed_arrays(), rehearsal.arrays())

    def test_before_an_epoch_nothing_is_called_a_change(self):
        self.assertIsNone(self.rehearsal().changed_arrays())

    def test_the_generators_are_put_back_before_and_after_the_iterator(self):
        rehearsal = self.rehearsal()
        self.draw_first()
        events = []
        draw = self.adapter.get_jax_iterator

        def drawing():
            events.append("made")
            return draw()

        self.adapter.get_jax_iterator = drawing
        rehearsal.run(self.batches.capture(), lambda: events.append("restored"))
        self.assertEqual(events, ["restored", "made", "restored"])
