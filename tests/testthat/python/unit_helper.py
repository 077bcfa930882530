"""helper.py: what a save costs is measured whoever causes it."""

import unittest
from unittest import mock

from kerasbackup.fit import helper as helpers
from kerasbackup.fit.save_interval import SaveInterval
from kerasbackup.fit.when_to_save import Auto as WhenAuto


class Auto(unittest.TestCase):
    def setUp(self):
        self.now = 0.0
        self.helper = helper = object.__new__(helpers.Helper)
        helper._model = None
        helper._callback_list = lambda: None
        helper._store = mock.Mock()
        helper._state = mock.Mock(not_saved=[])
        helper._planned = helper._preemption = None
        helper._told = set()
        helper._told_of_compile = True
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
