"""meetings.py: at which steps workers tell each other of signals and saves."""

import unittest

import fake_workers

from kerasbackup.fit.meetings import Meetings


def train(steps, seconds, has_come=None, is_due=None):
    """Two workers that train so many steps, each of which takes so long.

    Returns:
        For each worker, the steps before which it knew of a signal, and before
        which a save was due; and how many times rows crossed.
    """

    def work(one):
        now = [0.0]
        at = [0]
        meetings = Meetings(
            one,
            lambda: has_come is not None and has_come(one.index, at[0]),
            lambda: is_due is not None and is_due(one.index, at[0]),
            lambda: now[0],
        )
        signals, saves = [], []
        for at[0] in range(steps):
            meetings.before_step()
            if meetings.signal:
                signals.append(at[0])
            if meetings.due:
                meetings.due = False
                saves.append(at[0])
            # The workers' clocks differ.
            now[0] += seconds * (1 + one.index)
        return signals, saves

    return fake_workers.run(2, work)


class Steps(unittest.TestCase):
    def test_all_know_of_a_signal_at_the_same_step(self):
        for worker in (0, 1):
            results, _ = train(
                2000,
                0.01,
                lambda index, at, by=worker: index == by and at >= 500,
            )
            first, second = results
            self.assertEqual(first, second)
            self.assertGreaterEqual(first[0][0], 500)
            # A second has a hundred steps.
            self.assertLessEqual(first[0][0], 601)

    def test_only_the_first_says_when_a_save_is_due(self):
        results, _ = train(
            300, 1.0, is_due=lambda index, at: index == 0 and at == 7
        )
        self.assertEqual(results, [([], [7])] * 2)
        results, _ = train(300, 1.0, is_due=lambda index, at: index == 1)
        self.assertEqual(results, [([], [])] * 2)

    def test_they_meet_about_once_a_second(self):
        for seconds, expected in ((0.001, 10), (0.01, 100), (2.0, 10000)):
            _, times = train(10000, seconds)
            # The first meetings come after 1, 2, 4, ... steps.
            self.assertLessEqual(times, expected + 15)
            self.assertGreaterEqual(times, expected)

    def test_all_know_at_the_end_of_an_epoch(self):
        def work(one):
            meetings = Meetings(
                one, lambda: one.index == 1, lambda: one.index == 0, lambda: 0.0
            )
            meetings.at_epoch_end()
            return meetings.signal, meetings.due

        results, _ = fake_workers.run(2, work)
        self.assertEqual(results, [(True, True)] * 2)
