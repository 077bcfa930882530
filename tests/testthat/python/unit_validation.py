"""validation.py: validation data that were drawn are drawn again, once."""

import random
import unittest

from kerasbackup import replay
from kerasbackup import validation


class GeneratorDataAdapter:
    """Of this name Keras' are told."""


class ArrayDataAdapter:
    """Arrays begin anew in every validation."""


class FakeIterator:
    """Three batches an epoch, drawn at random."""

    steps_per_execution = 1

    def __init__(self, adapter):
        self.data_adapter = adapter
        self.drawn = []
        self.resets = 0

    def _data(self):
        while True:
            self.drawn.append(random.random())
            yield self.drawn[-1]

    def _enumerate_iterator(self):
        data = self._data()
        for i in range(3):
            yield i, i, data

    def reset(self):
        self.resets += 1


class FakeGenerators:
    """Python's generator only."""

    def capture(self):
        return random.getstate()

    def restore(self, states):
        random.setstate(states)


class FakeModel:
    def __init__(self, adapter=None):
        self._eval_epoch_iterator = (
            None if adapter is None else FakeIterator(adapter)
        )


def position(model, told=None):
    return validation.ValidationPosition(
        model,
        FakeGenerators(),
        replay.Progress(lambda *args: None),
        [].extend if told is None else told.extend,
    )


class Validation(unittest.TestCase):
    def test_the_past_is_drawn_again_before_the_first_one(self):
        model = FakeModel(GeneratorDataAdapter())
        iterator = model._eval_epoch_iterator
        one = position(model)
        one.restore(2)
        one.on_test_begin()
        self.assertEqual(len(iterator.drawn), 2 * 3)
        self.assertEqual(iterator.resets, 2)
        one.on_test_begin()
        self.assertEqual(len(iterator.drawn), 2 * 3)

    def test_the_generators_are_as_before(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        one.restore(2)
        random.seed(3)
        expected = random.random()
        random.seed(3)
        one.on_test_begin()
        self.assertEqual(random.random(), expected)

    def test_how_many_there_were_counts_the_lost_ones(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        self.assertEqual(one.capture(), 0)
        one.on_test_begin()
        self.assertEqual(one.capture(), 1)
        one.restore(5)
        self.assertEqual(one.capture(), 5)
        one.on_test_begin()
        self.assertEqual(one.capture(), 6)

    def test_data_that_begin_anew_are_not_drawn(self):
        model = FakeModel(ArrayDataAdapter())
        one = position(model)
        one.restore(4)
        one.on_test_begin()
        self.assertEqual(model._eval_epoch_iterator.drawn, [])
        self.assertEqual(one.capture(), 5)

    def test_what_a_callback_evaluates_is_none(self):
        model = FakeModel()
        one = position(model)
        one.restore(1)
        one.on_test_begin()
        self.assertEqual(one.capture(), 1)
        # The first validation of fit() comes later, and draws then.
        model._eval_epoch_iterator = FakeIterator(GeneratorDataAdapter())
        one.on_test_begin()
        self.assertEqual(len(model._eval_epoch_iterator.drawn), 3)
        self.assertEqual(one.capture(), 2)

    def test_what_its_making_draws_is_no_part_of_the_run(self):
        """As Keras' generator adapter, which draws a batch for its shapes."""
        for drawn in (0, 1):
            told = []
            model = FakeModel(GeneratorDataAdapter())
            one = position(model, told)
            one.restore(2)
            before = random.getstate()
            one.on_data_end()
            for _ in range(drawn):
                random.random()
            one.on_test_begin()
            self.assertEqual(random.getstate(), before)
            self.assertEqual(len(told), drawn)
