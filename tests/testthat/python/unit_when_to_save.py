"""when_to_save.py: at which steps and ends of epochs a save is due."""

import unittest

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
        for other in ("epoch", 3, False):
            policy = when(other)
            policy.begin_save()
            self.assertEqual(policy.end_save(), [])
