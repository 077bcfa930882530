"""best_epoch.py: which epoch is the best so far, and the value of a
checkpoint."""

import math
import unittest

from kerasbackup.fit.best_epoch import BestEpoch
from kerasbackup.parts.history import History


def best_of(values, name="val_loss", mode="min", done=0):
    """Which epochs are the best so far; `done` were before a resume."""
    best = BestEpoch(name, mode)
    history = History()
    found = []
    for epoch, value in enumerate(values):
        history.append(epoch, {} if value is None else {"val_loss": value})
        if epoch >= done and best.end_epoch(history):
            found.append(epoch)
    return found


class Best(unittest.TestCase):
    def test_an_epoch_must_be_better_than_all_before(self):
        values = [5, 3, 4, 3, 2, 6]
        self.assertEqual(best_of(values), [0, 1, 4])
        self.assertEqual(best_of(values, mode="max"), [0, 5])
        self.assertEqual(best_of(values, name=None, mode=None), [])

    def test_epochs_before_a_resume_count(self):
        values = [5, 2, 4, 3, 1]
        self.assertEqual(best_of(values, done=3), [4])
        self.assertEqual(best_of(values, done=5), [])

    def test_what_is_no_number_is_never_the_best(self):
        nan, inf = math.nan, math.inf
        self.assertEqual(best_of([nan, None, 3, nan, 2]), [2, 4])
        self.assertEqual(best_of([nan, 3, None], mode="max"), [1])
        self.assertEqual(best_of([inf, 3, -inf, -inf]), [1, 2])

    def test_a_log_that_is_missing_is_noticed(self):
        history = History()
        best = BestEpoch("val_loss", "min")
        self.assertFalse(best.is_missing)
        for epoch, value, is_missing in (
            (0, None, True),
            (1, 3.0, False),
            (2, math.nan, False),
            (3, None, True),
        ):
            history.append(epoch, {"loss": 1, "val_loss": value})
            best.end_epoch(history)
            self.assertIs(best.is_missing, is_missing)
        other = BestEpoch("accuracy", "max")
        self.assertFalse(other.end_epoch(history))
        self.assertTrue(other.is_missing)
        none = BestEpoch(None, None)
        none.end_epoch(history)
        self.assertFalse(none.is_missing)

    def test_only_a_checkpoint_at_an_epochs_end_has_a_value(self):
        history = History()
        best = BestEpoch("val_loss", "min")
        self.assertTrue(math.isnan(best.value_at(history, 0, 0)))
        history.append(0, {"val_loss": 2.5})
        self.assertEqual(best.value_at(history, 1, 0), 2.5)
        self.assertTrue(math.isnan(best.value_at(history, 1, 3)))
        self.assertTrue(math.isnan(best.value_at(history, 2, 0)))
        history.append(1, {"loss": 1})
        self.assertTrue(math.isnan(best.value_at(history, 2, 0)))
        self.assertTrue(
            math.isnan(BestEpoch("other", "min").value_at(history, 2, 0))
        )
        self.assertTrue(
            math.isnan(BestEpoch(None, None).value_at(history, 2, 0))
        )
