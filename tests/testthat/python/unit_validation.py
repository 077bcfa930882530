"""validation.py: validation data that were drawn are drawn again, once."""

import random
import unittest

from kerasbackup import errors
from kerasbackup import replay
from kerasbackup import validation
from kerasbackup import values


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

    def _should_eval(self, epoch, validation_freq):
        return (epoch + 1) % validation_freq == 0


def position(model, told=None, frequency=1):
    return validation.ValidationPosition(
        model,
        frequency,
        FakeGenerators(),
        replay.Progress(lambda *args: None),
        [].extend if told is None else told.extend,
    )


def lost(number, at_creation=None):
    """What a run that was lost had noted."""
    return {
        "begun": number,
        "at_creation": at_creation,
        "source": None,
        "ahead": [],
    }


def begun(one):
    return one.capture(values.Encoder())["begun"]


class Validation(unittest.TestCase):
    def test_the_past_is_drawn_again_before_the_first_one(self):
        model = FakeModel(GeneratorDataAdapter())
        iterator = model._eval_epoch_iterator
        one = position(model)
        one.restore(lost(2), {}.__getitem__)
        one.on_test_begin()
        self.assertEqual(len(iterator.drawn), 2 * 3)
        self.assertEqual(iterator.resets, 2)
        one.on_test_begin()
        self.assertEqual(len(iterator.drawn), 2 * 3)

    def test_the_generators_are_as_before(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        one.restore(lost(2), {}.__getitem__)
        random.seed(3)
        expected = random.random()
        random.seed(3)
        one.on_test_begin()
        self.assertEqual(random.random(), expected)

    def test_how_many_there_were_counts_the_lost_ones(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        self.assertEqual(begun(one), 0)
        one.on_test_begin()
        self.assertEqual(begun(one), 1)
        one.restore(lost(5), {}.__getitem__)
        self.assertEqual(begun(one), 5)
        one.on_test_begin()
        self.assertEqual(begun(one), 6)

    def test_data_that_begin_anew_are_not_drawn(self):
        model = FakeModel(ArrayDataAdapter())
        one = position(model)
        one.restore(lost(4), {}.__getitem__)
        one.on_test_begin()
        self.assertEqual(model._eval_epoch_iterator.drawn, [])
        self.assertEqual(begun(one), 5)

    def test_what_a_callback_evaluates_is_none(self):
        model = FakeModel()
        one = position(model)
        one.restore(lost(1), {}.__getitem__)
        one.on_test_begin()
        self.assertEqual(begun(one), 1)
        # The first validation of fit() comes later, and draws then.
        model._eval_epoch_iterator = FakeIterator(GeneratorDataAdapter())
        one.on_test_begin()
        self.assertEqual(len(model._eval_epoch_iterator.drawn), 3)
        self.assertEqual(begun(one), 2)

    def test_what_its_making_draws_is_no_part_of_the_run(self):
        """As Keras' generator adapter, which draws a batch for its shapes."""
        for drawn in (0, 1):
            told = []
            model = FakeModel(GeneratorDataAdapter())
            one = position(model, told)
            one.restore(lost(2), {}.__getitem__)
            before = random.getstate()
            one.on_data_end(0)
            for _ in range(drawn):
                random.random()
            one.on_test_begin()
            self.assertEqual(random.getstate(), before)
            self.assertEqual(len(told), drawn)

    def test_what_its_making_drew_is_drawn_again(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        random.seed(4)
        one.on_data_end(0)
        first = random.random()
        one.on_test_begin()
        known = one.capture(values.Encoder())
        # The lost run goes on, and so do its generators.
        random.seed(5)
        told = []
        two = position(FakeModel(GeneratorDataAdapter()), told)
        two.restore(known, {}.__getitem__)
        before = random.getstate()
        two.on_data_end(1)
        self.assertEqual(random.random(), first)
        two.on_test_begin()
        self.assertEqual(random.getstate(), before)
        self.assertEqual(told, [])
        self.assertEqual(
            two.capture(values.Encoder()), lost(2, known["at_creation"])
        )

    def test_where_none_follows_nothing_is_touched(self):
        for frequency in (2, None):
            one = position(FakeModel(), frequency=frequency)
            random.seed(4)
            state = random.getstate()
            random.seed(5)
            one.restore(lost(2, state), {}.__getitem__)
            before = random.getstate()
            one.on_data_end(0)
            self.assertEqual(random.getstate(), before)

    def test_what_is_none_is_refused(self):
        validation.check(lost(3), {})
        for broken in ({}, [], lost(-1), lost(True), lost(1, {"python": 3})):
            with self.subTest(broken=broken), self.assertRaises(errors.DAMAGE):
                validation.check(broken, {})
