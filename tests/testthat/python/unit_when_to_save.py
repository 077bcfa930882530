"""when_to_save.py: at which steps and ends of epochs a save is due."""

import unittest
from unittest import mock

from kerasbackup.fit import when_to_save


def when(save_freq, at_once=1):
    return when_to_save.when_to_save(save_freq, at_once, lambda: None)


def saves(policy, epochs, batches, at_once=1, passed=0):
    """The places of a training where it saves: (epoch, batch), an epoch's end
    as the beginning of the next one."""
    found = []
    for epoch in range(epochs):
        policy.begin_epoch(passed)
        for batch in range(passed, batches, at_once):
            if policy.looks_at_steps and policy.is_due_at_step(batch):
                found.append((epoch, batch))
        if policy.is_due_at_epoch_end():
            found.append((epoch + 1, 0))
        passed = 0
    return found


class Clock:
    """Moves on by so many seconds for each step, and for each epoch's end."""

    def __init__(self):
        self.now = 0.0
        self.reads = 0

    def __call__(self):
        self.reads += 1
        return self.now


def timed_saves(seconds, epochs, batches, validation=0.0, passed=0, stall=0.0):
    """As `saves()`, of a policy that goes by time: a step takes a second.

    Returns:
        The places, and how often the clock was read.
    """
    clock = Clock()
    policy = when_to_save.EveryTime(seconds, clock)
    found = []

    def save(place):
        policy.begin_save()
        clock.now += stall
        policy.end_save()
        found.append(place)

    for epoch in range(epochs):
        policy.begin_epoch(passed)
        for batch in range(passed, batches):
            if policy.is_due_at_step(batch):
                save((epoch, batch))
            clock.now += 1
        clock.now += validation
        policy.begin_validation()
        if policy.is_due_at_epoch_end():
            save((epoch + 1, 0))
        passed = 0
    return found, clock.reads


class EveryTime(unittest.TestCase):
    def test_a_float_is_a_time(self):
        policy = when(4.0)
        self.assertIsInstance(policy, when_to_save.EveryTime)
        self.assertTrue(policy.looks_at_steps and policy.saves)
        self.assertFalse(policy.needs_more_than(1))
        self.assertFalse(policy.needs_more_than(None))
        self.assertIsInstance(when(4), when_to_save.EveryBatches)

    def test_a_save_is_due_once_the_time_is_up(self):
        self.assertEqual(timed_saves(4, 1, 10)[0], [(0, 4), (0, 8)])
        self.assertEqual(timed_saves(3.5, 1, 10)[0], [(0, 4), (0, 8)])

    def test_ends_of_epochs_count(self):
        self.assertEqual(
            timed_saves(4, 3, 3, validation=1)[0], [(1, 0), (2, 0), (3, 0)]
        )

    def test_none_is_made_as_an_epoch_begins(self):
        # The time is up between the epochs.
        clock = Clock()
        policy = when_to_save.EveryTime(4, clock)
        policy.begin_epoch(0)
        clock.now = 3
        self.assertFalse(policy.is_due_at_epoch_end())
        clock.now = 5
        policy.begin_epoch(0)
        self.assertFalse(policy.is_due_at_step(0))
        self.assertTrue(policy.is_due_at_step(1))
        # Nor where one is resumed.
        policy.begin_epoch(7)
        self.assertFalse(policy.is_due_at_step(7))
        self.assertTrue(policy.is_due_at_step(8))

    def test_the_time_counts_from_the_beginning_of_the_last_save(self):
        # A save takes 3 of the 4 seconds, so each step ends with one.
        self.assertEqual(
            timed_saves(4, 1, 8, stall=3)[0],
            [(0, 4), (0, 5), (0, 6), (0, 7), (1, 0)],
        )

    def test_the_clock_is_read_once_a_batch(self):
        _, reads = timed_saves(1000, 2, 50)
        self.assertLessEqual(reads, 2 * 50 + 3)

    def test_any_save_counts(self):
        clock = Clock()
        policy = when_to_save.EveryTime(4, clock)
        policy.begin_epoch(0)
        clock.now = 3
        policy.begin_save()
        clock.now = 6
        self.assertFalse(policy.is_due_at_step(1))
        clock.now = 7
        self.assertTrue(policy.is_due_at_step(2))


class Policies(unittest.TestCase):
    def test_each_epoch_and_never(self):
        self.assertEqual(saves(when("epoch"), 2, 3), [(1, 0), (2, 0)])
        self.assertEqual(saves(when(False), 2, 3), [])
        self.assertTrue(when("epoch").saves)
        self.assertFalse(when(False).saves)
        self.assertFalse(when("epoch").looks_at_steps)

    def test_every_so_many_batches_wherever_epochs_end(self):
        self.assertEqual(saves(when(4), 3, 6), [(0, 4), (1, 2), (2, 0), (2, 4)])
        self.assertEqual(saves(when(1), 1, 2), [(0, 1), (1, 0)])

    def test_those_that_were_passed_over_are_not_counted(self):
        self.assertEqual(saves(when(4), 2, 6, passed=5), [(1, 3)])

    def test_several_batches_are_one_step(self):
        self.assertEqual(saves(when(4, 3), 2, 6, at_once=3), [(1, 0), (2, 0)])

    def test_only_auto_measures(self):
        self.assertIsInstance(when("auto"), when_to_save.Auto)
        for other in ("epoch", 3, 3.0, False):
            policy = when(other)
            policy.begin_save()
            self.assertEqual(policy.end_save(), [])


class Together(unittest.TestCase):
    """Several workers, whose first one has a clock."""

    def setUp(self):
        self.own = mock.Mock(spec=when_to_save.EveryTime)
        self.when = when_to_save.ByClockTogether(self.own)
        self.when.meetings = self.meetings = mock.Mock(due=False)

    def test_what_its_own_clock_says_does_not_count(self):
        self.own.is_due_at_step.return_value = True
        self.own.is_due_at_epoch_end.return_value = True
        self.when.begin_epoch(0)
        self.assertFalse(self.when.is_due_at_step(3))
        self.assertFalse(self.when.is_due_at_epoch_end())
        # But it measures.
        self.own.begin_epoch.assert_called_with(0)
        self.own.is_due_at_step.assert_called_with(3)
        self.own.is_due_at_epoch_end.assert_called_with()

    def test_a_save_is_due_once(self):
        self.when.begin_epoch(0)
        self.meetings.due = True
        self.assertTrue(self.when.is_due_at_step(3))
        self.assertFalse(self.when.is_due_at_step(4))
        self.meetings.due = True
        self.assertTrue(self.when.is_due_at_epoch_end())
        self.assertFalse(self.when.is_due_at_epoch_end())

    def test_a_save_before_the_first_step_waits_for_the_next(self):
        self.when.begin_epoch(4)
        self.meetings.due = True
        self.assertFalse(self.when.is_due_at_step(4))
        self.assertTrue(self.when.is_due_at_step(5))

    def test_what_follows_the_clock_is_decided_together(self):
        for save_freq in ("auto", 3.5):
            for several in (False, True):
                found = when_to_save.when_to_save(
                    save_freq, 1, mock.Mock, several
                )
                self.assertEqual(
                    isinstance(found, when_to_save.ByClockTogether), several
                )
        for save_freq in ("epoch", 3, False):
            found = when_to_save.when_to_save(save_freq, 1, mock.Mock, True)
            self.assertNotIsInstance(found, when_to_save.ByClockTogether)

    def test_the_clock_says_when_a_save_is_due(self):
        now = [0.0]
        one = when_to_save.EveryTime(10.0, lambda: now[0])
        self.assertFalse(one.is_due_by_clock())
        one.begin_epoch(0)
        now[0] = 9.0
        self.assertFalse(one.is_due_by_clock())
        now[0] = 10.0
        self.assertTrue(one.is_due_by_clock())
