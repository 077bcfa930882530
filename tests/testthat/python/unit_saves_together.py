"""saves_together.py: all workers make a save, or none does."""

import functools
import unittest
from unittest import mock

import fake_workers

from kerasbackup.fit import saves_together as saves
from kerasbackup.store import errors
from kerasbackup.workers.one import One


class FakeStore:
    """A store whose saves fail when asked to.

    Args:
        fails: The numbers of saves that fail.
        stops: Whether a failure ends training.
    """

    def __init__(self, fails=(), stops=False):
        self.fails = fails
        self.stops = stops
        self.kept = []
        self.told = []
        self.dropped_at = []
        self.number = 0
        self.is_saved = True

    def save(self, addresses, metadata, time, value):
        self.number += 1
        self.is_saved = self.number not in self.fails
        if self.is_saved:
            self.kept = [*self.kept[-1:], metadata]

    def settle(self):
        if self.stops and not self.is_saved:
            raise errors.StorageError("no space")
        return self.is_saved

    def drop_last(self):
        self.kept.pop()

    def drop_others(self):
        self.dropped_at.append([*self.kept])

    def notify(self, kind, lines):
        self.told.append((kind, lines))


def capture(position):
    return mock.Mock(addresses=None, metadata=position, time=1.5)


def train(stores, number, expect=lambda index, at: saves.READY):
    """Workers with these stores that try so many saves."""

    def work(one):
        store = stores[one.index]
        together = saves.SavesTogether(one, store)
        outlooks = []
        for at in range(number):
            outlook = together.begin(
                at, 0, functools.partial(expect, one.index, at)
            )
            outlooks.append(outlook)
            if outlook == saves.READY:
                together.save(capture(at), 0.5)
            # Wherever all are killed now, they have one in common.
        return outlooks

    return fake_workers.run(len(stores), work)


class Saves(unittest.TestCase):
    def test_all_keep_the_same(self):
        stores = [FakeStore(), FakeStore()]
        results, times = train(stores, 3)
        self.assertEqual(results, [[saves.READY] * 3] * 2)
        self.assertEqual([store.kept for store in stores], [[1, 2]] * 2)
        self.assertEqual(times, 3)

    def test_one_that_another_could_not_commit_goes(self):
        for number in range(1, 6):
            stores = [FakeStore(), FakeStore(fails=(2, 3))]
            train(stores, number)
            first, second = (set(store.kept) for store in stores)
            # Also after the failure, at which the first has one more.
            self.assertTrue(first & second, (number, first, second))
        self.assertEqual([store.kept for store in stores], [[3, 4]] * 2)

    def test_none_saves_where_one_cannot(self):
        for outlook in (saves.FAILED, saves.SKIPPED, saves.POSTPONED):
            stores = [FakeStore(), FakeStore()]

            def expect(index, at, other=outlook):
                return other if (index, at) == (1, 1) else saves.READY

            results, _ = train(stores, 3, expect)
            expected = [saves.READY, outlook, saves.READY]
            self.assertEqual(results, [expected] * 2)
            self.assertEqual([store.kept for store in stores], [[0, 2]] * 2)
            self.assertEqual(stores[1].told, [])
            told = [] if outlook == saves.POSTPONED else ["workers"]
            self.assertEqual([kind for kind, _ in stores[0].told], told)
            for _, lines in stores[0].told:
                self.assertIn("worker 2: ", lines[0])

    def test_a_save_that_was_not_made_is_not_asked_for(self):
        # It says that the last one failed, as it does where a plan failed.
        stores = [FakeStore(), FakeStore()]

        def expect(index, at):
            if at == 1:
                stores[1].is_saved = False
            return saves.FAILED if at == 1 else saves.READY

        train(stores, 3, expect)
        self.assertEqual([store.kept for store in stores], [[0, 2]] * 2)

    def test_all_stop_where_a_failure_ends_training(self):
        stores = [FakeStore(), FakeStore(fails=(2,), stops=True)]
        (first, second), times = train(stores, 9)
        self.assertEqual(str(second), "no space")
        self.assertIsInstance(first, errors.StorageError)
        self.assertIn("Worker 2 of 2 has failed", str(first))
        self.assertEqual(times, 3)

    def test_a_failure_when_it_is_handed_over_is_told_with_the_next(self):
        class Fails(FakeStore):
            def save(self, addresses, metadata, time, value):
                super().save(addresses, metadata, time, value)
                if metadata == 1:
                    raise errors.StorageError("no space")

        (first, second), times = train([FakeStore(), Fails()], 9)
        self.assertEqual(str(second), "no space")
        self.assertIn("Worker 2 of 2 has failed", str(first))
        self.assertEqual(times, 3)


class Others(unittest.TestCase):
    """The checkpoints of another number of workers, which are not needed when
    all workers have one of their own."""

    def train(self, stores, number, ends=None):
        def work(one):
            store = stores[one.index]
            together = saves.SavesTogether(one, store, has_others=True)
            for at in range(number):
                together.begin(at, 0, lambda: saves.READY)
                together.save(capture(at), 0.5)
            if ends is not None:
                together.end(*ends)

        if len(stores) == 1:
            one = One()
            work(one)
        else:
            fake_workers.run(len(stores), work)
        return [store.dropped_at for store in stores]

    def test_they_stay_until_the_first_save_is_committed(self):
        for count in (1, 2):
            for number in (0, 1):
                stores = [FakeStore() for _ in range(count)]
                self.assertEqual(self.train(stores, number), [[]] * count)
            stores = [FakeStore() for _ in range(count)]
            expected = [[[0]], *([[]] * (count - 1))]
            self.assertEqual(self.train(stores, 4), expected)

    def test_they_stay_while_a_worker_has_none(self):
        stores = [FakeStore(), FakeStore(fails=(1,))]
        self.assertEqual(self.train(stores, 2), [[], []])
        stores = [FakeStore(), FakeStore(fails=(1,))]
        self.assertEqual(self.train(stores, 3), [[[1]], []])

    def test_they_go_with_a_training_that_is_complete(self):
        for count in (1, 2):
            for ends, goes in (
                ((False, False), True),
                ((False, True), False),
                ((True, False), False),
            ):
                stores = [FakeStore() for _ in range(count)]
                dropped = self.train(stores, 1, ends)
                self.assertEqual(dropped[0], [[0]] if goes else [], ends)


class End(unittest.TestCase):
    def end(self, *ends, stores=None):
        def work(one):
            store = stores[one.index] if stores else FakeStore()
            together = saves.SavesTogether(one, store)
            return together.end(*ends[one.index])

        return fake_workers.run(len(ends), work)[0]

    def test_all_end_in_the_same_way(self):
        self.assertEqual(self.end((False, False), (False, False)), [False] * 2)
        self.assertEqual(self.end((False, True), (False, True)), [False] * 2)
        self.assertEqual(self.end((False, False), (True, False)), [True] * 2)

    def test_a_training_that_is_complete_on_some_is_an_error(self):
        for one in self.end((False, False), (False, True)):
            self.assertIsInstance(one, errors.MismatchError)
            self.assertIn("(complete, paused)", str(one))


class Alone(unittest.TestCase):
    def test_it_does_not_wait_for_the_save_before(self):
        store = mock.Mock()
        together = saves.SavesTogether(One(), store)
        for at in range(2):
            self.assertEqual(together.begin(at, 0, lambda: saves.READY), 3)
            together.save(capture(at), 0.5)
        self.assertTrue(together.end(True, False))
        store.settle.assert_not_called()
        self.assertEqual(store.save.call_count, 2)

    def test_its_failure_is_raised_at_once(self):
        store = mock.Mock()
        store.save.side_effect = errors.StorageError("no space")
        with self.assertRaises(errors.StorageError):
            saves.SavesTogether(One(), store).save(capture(0), 0.5)
