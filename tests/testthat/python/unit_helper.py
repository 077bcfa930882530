"""helper.py: what a save costs is measured whoever causes it."""

import unittest
from unittest import mock

from kerasbackup.fit import helper as helpers
from kerasbackup.fit.best_epoch import BestEpoch
from kerasbackup.fit.save_interval import SaveInterval
from kerasbackup.fit.saves_together import SavesTogether
from kerasbackup.fit.when_to_save import Auto as WhenAuto
from kerasbackup.parts.history import History
from kerasbackup.workers.one import One


class Auto(unittest.TestCase):
    def setUp(self):
        self.now = 0.0
        self.helper = helper = object.__new__(helpers.Helper)
        helper._model = None
        helper.params = {"epochs": 1}
        helper._callback_list = lambda: None
        helper._store = mock.Mock()
        helper._saves = SavesTogether(One(), helper._store)
        helper._state = mock.Mock(not_saved=[], history=History())
        helper._planned = helper._preemption = None
        helper._told = set()
        helper._told_of_compile = True
        helper._best = BestEpoch(None, None)
        helper._has_ended = False
        helper._divergence = mock.Mock()
        helper._divergence.prevents.return_value = False
        interval = SaveInterval(
            0.01, lambda: 0.0, lambda: None, lambda: self.now
        )
        helper._when = WhenAuto(interval, 1)

    def wait(self, seconds):
        def waits(*args):
            self.now += seconds
            return mock.Mock()

        return waits

    def test_the_state_of_other_callbacks_counts(self):
        self.helper._state.capture = self.wait(3)
        self.helper._store.save = self.wait(0.5)
        for batch in range(2):
            self.now += 100
            self.helper._save(0, batch)
        kind, lines = self.helper._store.notify.call_args.args
        self.assertEqual(kind, "auto")
        self.assertIn("a checkpoint costs 3500.0 ms of training time", lines)


class MissingLog(unittest.TestCase):
    def told(self, name, epochs, validation_freq=None):
        """What is told of the epochs, given the logs of each."""
        helper = object.__new__(helpers.Helper)
        helper._store = mock.Mock()
        helper._told = set()
        helper._validation_freq = validation_freq
        helper._best = BestEpoch(name, "min")
        history = History()
        for epoch, logs in enumerate(epochs):
            history.append(epoch, logs)
            helper._best.end_epoch(history)
            helper._tell_of_missing_log(logs)
        return [call.args for call in helper._store.notify.call_args_list]

    def test_it_is_told_once(self):
        logs = {"loss": 1.0, "mae": 2.0}
        self.assertEqual(
            self.told("val_loss", [logs, logs]),
            [
                (
                    "best",
                    ["There is no `val_loss`. The logs are: `loss`, `mae`."],
                )
            ],
        )
        self.assertEqual(self.told("mae", [logs, logs]), [])
        self.assertEqual(self.told(None, [logs]), [])

    def test_what_is_no_number_is_told_as_such(self):
        self.assertEqual(
            self.told("all", [{"all": [1, 2]}]),
            [("best", ["`all` is no single number."])],
        )

    def test_an_epoch_without_validation_tells_nothing(self):
        logs = {"loss": 1.0}
        whole = {"loss": 1.0, "val_loss": 2.0}
        self.assertEqual(self.told("val_loss", [logs, whole, logs], 2), [])
        # A validation that has another log, and a log that is none of one.
        self.assertEqual(len(self.told("val_mae", [logs, whole, logs], 2)), 1)
        self.assertEqual(len(self.told("mae", [logs, whole], 2)), 1)
