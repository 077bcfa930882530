"""drawn_batches.py: which batches have a checksum, and what is told when others
are drawn again."""

import gc
import types
import unittest
import weakref
from unittest import mock

import keras
import numpy as np

from kerasbackup.parts.data import drawn_batches
from kerasbackup.parts.data.batch_checksum import checksum
from kerasbackup.parts.data.drawn_batches import DrawnBatches

OTHER = (
    "the data have other values or another order than before the "
    "interruption: batch {} differs"
)


# What is in force outside of these tests.
SHARE = DrawnBatches.SHARE


def batch(number):
    return (np.full(3, number, "float32"),)


def check(number):
    return checksum(batch(number))


class Adapter:
    """Keras', of any data."""

    def __init__(self, source=lambda: iter(map(batch, range(4)))):
        self.source = source
        self.options = []

    def get_jax_iterator(self, **options):
        self.options.append(options)
        return self.source()

    get_torch_dataloader = get_jax_iterator


class Iterable:
    """Makes an iterator each time, as a DataLoader does."""

    def __init__(self):
        self.made = 0

    def __iter__(self):
        self.made += 1
        return iter(map(batch, range(4)))


class Clock:
    """time.perf_counter(), and a checksum that takes a second of it."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def checksum(self, drawn):
        self.now += 1
        return checksum(drawn)


class OnJax(unittest.TestCase):
    def setUp(self):
        patch = mock.patch.object(keras.backend, "backend", return_value="jax")
        patch.start()
        self.addCleanup(patch.stop)
        # Each batch has a checksum, however fast they are drawn.
        patch = mock.patch.object(DrawnBatches, "SHARE", float("inf"))
        patch.start()
        self.addCleanup(patch.stop)


class Capturing(OnJax):
    def test_the_first_batch_and_the_latest(self):
        drawn = DrawnBatches(Adapter())
        self.assertEqual(drawn.capture(), [])
        drawn.see(0, batch(5))
        self.assertEqual(drawn.capture(), [[0, check(5)]])
        drawn.see(1, batch(6))
        drawn.see(2, batch(7))
        self.assertEqual(drawn.capture(), [[0, check(5)], [2, check(7)]])
        # Equal batches are two, too.
        drawn.see(3, batch(5))
        self.assertEqual(drawn.capture(), [[0, check(5)], [3, check(5)]])

    def test_those_of_the_newest_iterator(self):
        drawn = DrawnBatches(Adapter())
        for number in (0, 1):
            drawn.see(number, batch(number))
        drawn.see(0, batch(8))
        self.assertEqual(drawn.capture(), [[0, check(8)]])
        # A batch that cannot be read leaves no checksum of the one before.
        drawn.see(0, (object(),))
        self.assertEqual(drawn.capture(), [])

    def test_what_keras_draws_is_seen(self):
        for source in (lambda: iter(map(batch, range(4))), Iterable):
            adapter = Adapter(source)
            drawn = DrawnBatches(adapter)
            batches = adapter.get_jax_iterator(super_batch=3)
            self.assertEqual(adapter.options, [{"super_batch": 3}])
            found = [one[0][0] for one in batches]
            self.assertEqual(found, [0, 1, 2, 3])
            self.assertEqual(drawn.capture(), [[0, check(0)], [3, check(3)]])

    def test_an_iterator_is_made_no_sooner_than_keras_makes_it(self):
        iterable = Iterable()
        adapter = Adapter(lambda: iterable)
        DrawnBatches(adapter)
        batches = adapter.get_jax_iterator()
        self.assertEqual(iterable.made, 0)
        iter(batches)
        self.assertEqual(iterable.made, 1)

    def test_an_iterator_is_its_own(self):
        adapter = Adapter()
        DrawnBatches(adapter)
        batches = adapter.get_jax_iterator()
        self.assertIs(iter(batches), batches)

    def test_before_the_first_batch_a_function_is_called(self):
        adapter = Adapter()
        drawn = DrawnBatches(adapter)
        calls = []
        drawn.before_first = lambda: calls.append(drawn.capture())
        batches = adapter.get_jax_iterator()
        self.assertEqual(calls, [])
        self.assertEqual(len([*batches]), 4)
        self.assertEqual(calls, [[]])
        next(adapter.get_jax_iterator())
        self.assertEqual(len(calls), 2)

    def test_release_gives_the_method_back_and_keeps_nothing(self):
        adapter = Adapter()
        generators = types.SimpleNamespace(states=lambda: {})
        drawn = DrawnBatches(adapter, generators.states)
        drawn.expect([[1, 0]])
        drawn.see(0, batch(0))
        kept = weakref.ref(generators.states)
        drawn.before_first = generators.states
        del generators
        drawn.release()
        gc.collect()
        self.assertIsNone(kept())
        self.assertIsNone(drawn._states_then)
        self.assertEqual(len([*adapter.get_jax_iterator()]), 4)
        self.assertEqual(len(drawn.capture()), 1)


class Time(OnJax):
    """Checksums cost at most a share of the time."""

    def setUp(self):
        super().setUp()
        self.clock = Clock()
        for target, name, value in (
            (drawn_batches.time, "perf_counter", self.clock),
            (drawn_batches, "checksum", self.clock.checksum),
            (DrawnBatches, "SHARE", 0.1),
        ):
            patch = mock.patch.object(target, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def seen(self, drawn, numbers, seconds):
        found = []
        for number in numbers:
            drawn.see(number, batch(number))
            if drawn.capture()[-1][0] == number:
                found.append(number)
            self.clock.now += seconds
        return found

    def test_a_second_of_eleven(self):
        self.assertLess(SHARE, 0.01)
        drawn = DrawnBatches(Adapter())
        self.assertEqual(self.seen(drawn, range(26), 1), [0, 10, 20])

    def test_each_where_steps_are_slow(self):
        drawn = DrawnBatches(Adapter())
        self.assertEqual(self.seen(drawn, range(5), 10), [*range(5)])

    def test_the_first_of_each_iterator_and_those_to_compare(self):
        drawn = DrawnBatches(Adapter())
        drawn.expect([[0, check(0)], [3, check(3)]])
        self.assertEqual(self.seen(drawn, range(5), 0), [0, 3])
        self.assertEqual(self.seen(drawn, range(5), 0), [0])


class Comparing(OnJax):
    def draw(self, drawn, *numbers):
        for number, content in enumerate(numbers):
            drawn.see(number, batch(content))

    def test_the_batches_of_the_next_iterator(self):
        drawn = DrawnBatches(Adapter())
        self.draw(drawn, 9, 9)
        drawn.expect([[0, check(0)], [1, check(1)]])
        drawn.see(2, batch(9))
        self.draw(drawn, 0, 1, 2)
        self.assertEqual(drawn.notes(all_drawn=True), [])
        # Those of the iterator after it are not compared.
        self.draw(drawn, 5, 6, 7)
        self.assertEqual(drawn.notes(all_drawn=True), [])

    def test_the_first_difference_is_told_once(self):
        drawn = DrawnBatches(Adapter())
        drawn.expect([[1, check(1)], [2, check(2)]])
        self.draw(drawn, 0, 7, 8)
        self.assertEqual(drawn.notes(), [OTHER.format(2)])
        self.assertEqual(drawn.notes(), [])

    def test_a_batch_that_was_not_drawn_counts_as_another(self):
        drawn = DrawnBatches(Adapter())
        drawn.expect([[0, check(0)], [2, check(2)], [3, check(3)]])
        self.draw(drawn, 0, 1)
        self.assertEqual(drawn.notes(), [])
        self.assertEqual(drawn.notes(all_drawn=True), [OTHER.format(3)])
        # Nor where no iterator was drawn from at all.
        drawn = DrawnBatches(Adapter())
        drawn.expect([[4, 0]])
        self.assertEqual(drawn.notes(all_drawn=True), [OTHER.format(5)])

    def test_a_batch_that_cannot_be_read_is_not_compared(self):
        drawn = DrawnBatches(Adapter())
        drawn.expect([[0, check(0)]])
        drawn.see(0, (object(),))
        self.assertEqual(drawn.notes(all_drawn=True), [])

    def test_nothing_is_told_where_a_message_says_it(self):
        drawn = DrawnBatches(Adapter())
        drawn.expect([[0, check(0)]])
        self.draw(drawn, 7)
        drawn.leave_out_note()
        self.assertEqual(drawn.notes(), [])

    def test_a_first_batch_of_an_iterator_of_its_own(self):
        events = []

        class Batches(Iterable):
            def __iter__(self):
                events.append("made")
                yield batch(0)
                raise AssertionError("a second one was drawn")

        adapter = Adapter(Batches)
        drawn = DrawnBatches(adapter)
        drawn.before_first = lambda: events.append("drawn")
        drawn.expect([[0, check(0)]])
        drawn.draw_first(lambda: events.append("restored"), {"super_batch": 2})
        self.assertEqual(events, ["restored", "drawn", "made"])
        self.assertEqual(adapter.options, [{"super_batch": 2}])
        self.assertEqual(drawn.notes(all_drawn=True), [])
        DrawnBatches(empty := Adapter(list)).draw_first(lambda: None, {})
        self.assertEqual(empty.options, [{}])


class Drawing(OnJax):
    """Data that draw random numbers batch by batch, with which callbacks draw
    in turns."""

    def setUp(self):
        super().setUp()
        self.state = 0
        self.asked = 0

    def states(self):
        self.asked += 1
        return {"numpy": self.state}

    def drawn(self, *expected):
        drawn = DrawnBatches(Adapter(), self.states)
        drawn.expect([[number, check(number)] for number in expected])
        return drawn

    def test_only_the_first_batch_is_compared(self):
        drawn = self.drawn(0, 1)
        drawn.see(0, batch(0))
        self.state += 1
        drawn.see(1, batch(7))
        self.assertEqual(drawn.notes(all_drawn=True), [])
        drawn = self.drawn(0, 1)
        drawn.see(0, batch(7))
        self.state += 1
        drawn.see(1, batch(1))
        self.assertEqual(drawn.notes(), [OTHER.format(1)])

    def test_all_where_none_is_drawn(self):
        drawn = self.drawn(0, 1)
        drawn.see(0, batch(0))
        drawn.see(1, batch(7))
        self.assertEqual(drawn.notes(), [OTHER.format(2)])

    def test_what_puts_them_back_does_not_count_as_drawing(self):
        drawn = self.drawn(0, 1)
        drawn.see(0, batch(0))
        with drawn.generators_put_back():
            self.state += 1
        drawn.see(1, batch(7))
        self.assertEqual(drawn.notes(), [OTHER.format(2)])

    def test_what_was_drawn_before_that_counts(self):
        drawn = self.drawn(0, 2)
        drawn.see(0, batch(0))
        self.state += 1
        with drawn.generators_put_back():
            self.state -= 1
        with drawn.generators_put_back():
            pass
        drawn.see(2, batch(7))
        self.assertEqual(drawn.notes(all_drawn=True), [])
        # But not in the next iterator.
        drawn.expect([[1, check(1)]])
        drawn.see(0, batch(0))
        drawn.see(1, batch(7))
        self.assertEqual(drawn.notes(), [OTHER.format(2)])

    def test_they_are_looked_at_only_where_a_later_batch_is_compared(self):
        drawn = self.drawn(0)
        drawn.see(0, batch(0))
        with drawn.generators_put_back():
            pass
        drawn.see(1, batch(1))
        self.assertEqual(self.asked, 0)
        plain = DrawnBatches(Adapter())
        with plain.generators_put_back():
            pass
        plain.expect([[1, check(1)]])
        plain.see(0, batch(0))
        with plain.generators_put_back():
            pass
        plain.see(1, batch(1))
        self.assertEqual(plain.notes(all_drawn=True), [])


class Checking(unittest.TestCase):
    def test_what_is_sound(self):
        for saved in ([], [[0, 5]], [[0, 5], [3, 2**32 - 1]]):
            drawn_batches.check(saved)

    def test_what_is_not(self):
        for saved in (None, (), {}, [[0, 1]] * 3):
            with self.assertRaises(TypeError):
                drawn_batches.check(saved)
        for saved in ([[0, -1]], [[-1, 0]], [[0]], [[0, 1, 2]], [["0", 1]]):
            with self.assertRaises(ValueError):
                drawn_batches.check(saved)
