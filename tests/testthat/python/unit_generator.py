"""generator.py: Python generators are drawn to their end, and what they have
drawn ahead is kept."""

import queue
import types
import unittest
from unittest import mock

from kerasbackup.keras3 import epoch_iterator
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.parts.data.sources import generator
from kerasbackup.parts.data.sources.source import Past

MORE = "the generator has more batches than before"


class Recorder:
    """Notes how far a replay is."""

    def __init__(self):
        self.steps = []

    def at(self, done, total):
        self.steps.append((done, total))

    def end(self):
        self.steps.append("end")


class UsingUp(unittest.TestCase):
    def use_up(self, batches, iterators=1, earlier=0, length=None):
        self.batches = iter(range(batches))
        adapter = types.SimpleNamespace(generator=lambda: self.batches)
        iterator = types.SimpleNamespace(data_adapter=adapter)
        source = generator.Generator(iterator, IteratorsMade(None))
        # It ends once and for all, and Keras keeps the first batches.
        self.assertIs(source.goes_on, True)
        self.assertIs(source.is_drawn_when_made, True)
        self.progress = Recorder()
        past = Past(iterators, 1, earlier, 0, length, None)
        return source.use_up(past, self.progress)

    def test_all_batches_are_drawn(self):
        # Keras counts the batch that it asked for in vain.
        self.assertEqual(self.use_up(3, length=4), [])
        self.assertEqual([*self.batches], [])
        self.assertEqual(self.progress.steps, [(0, 4), (1, 4), (2, 4), "end"])

    def test_one_with_more_batches_is_told_and_not_drawn_on(self):
        self.assertEqual(self.use_up(9, length=4), [MORE])
        self.assertEqual([*self.batches], [5, 6, 7, 8])

    def test_one_of_a_length_that_was_never_seen_is_not_drawn_on(self):
        self.assertEqual(self.use_up(9, length=None), [MORE])
        self.assertEqual(self.progress.steps, [])

    def test_a_new_one_is_left_alone(self):
        self.assertEqual(self.use_up(9, iterators=0, length=4), [])
        self.assertEqual([*self.batches], list(range(9)))

    def test_one_that_was_used_before_cannot_be_brought_back(self):
        note = IteratorsMade.NOTE
        self.assertEqual(self.use_up(3, 0, earlier=1, length=4), [note])
        self.assertEqual(self.use_up(9, 1, earlier=-1, length=4), [MORE, note])


class Prefetching:
    """As reticulate's iterator around an R function."""

    def __init__(self, *batches):
        self.values_queue = queue.Queue()
        for batch in batches:
            self.values_queue.put(batch)

    def prefetch(self):
        pass

    def __iter__(self):
        return self

    def __next__(self):
        return self.values_queue.get()


def in_graph(draws):
    return mock.patch.object(
        epoch_iterator, "draws_in_graph", return_value=draws
    )


def of(data):
    with in_graph(False):
        return generator.DrawnAhead(data, types.SimpleNamespace())


class DrawnAhead(unittest.TestCase):
    def test_what_was_drawn_ahead_is_put_in_place_of_what_is_there(self):
        ahead = of(Prefetching(1, 2))
        self.assertEqual(ahead.capture(), [1, 2])
        data = Prefetching(7)
        of(data).restore([1, 2])
        self.assertEqual([*data.values_queue.queue], [1, 2])

    def test_where_nothing_was_drawn_ahead_nothing_is_taken_away(self):
        data = Prefetching(7)
        of(data).restore([])
        self.assertEqual([*data.values_queue.queue], [7])

    def test_a_generator_shows_it_once_it_has_begun(self):
        data = Prefetching(1, 2, 3)

        def yielding():
            yield from data

        wrapper = yielding()
        ahead = of(wrapper)
        self.assertEqual(ahead.capture(), [])
        self.assertEqual(next(wrapper), 1)
        self.assertEqual(ahead.capture(), [2, 3])
        # And it is known when the generator yields from nothing any more.
        wrapper.close()
        self.assertEqual(ahead.capture(), [2, 3])

    def test_other_data_draw_nothing_ahead(self):
        only_a_queue = types.SimpleNamespace(values_queue=queue.Queue())
        only_a_method = types.SimpleNamespace(prefetch=None)
        for data in (
            None,
            [1],
            (i for i in range(3)),
            only_a_queue,
            only_a_method,
        ):
            ahead = of(data)
            ahead.restore([1])
            self.assertEqual(ahead.capture(), [])

    def test_other_data_are_not_kept_alive(self):
        self.assertIsNone(of([1])._generator)

    def test_where_a_thread_draws_the_queue_says_nothing(self):
        model = types.SimpleNamespace()
        with in_graph(True) as asked:
            ahead = generator.DrawnAhead(Prefetching(1, 2), model)
        self.assertEqual(ahead.capture(), [])
        # The Keras of that model is asked.
        self.assertIs(asked.call_args.args[0], model)
