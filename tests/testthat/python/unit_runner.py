"""Runs the unit tests beside it, and tells what came of each."""

import importlib
import os
import sys
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))


class _Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def startTest(self, test):
        super().startTest(test)
        self.outcomes[test.id()] = ""

    def addFailure(self, test, err):
        self._note(test, err)

    def addError(self, test, err):
        self._note(test, err)

    def addSkip(self, test, reason):
        self.outcomes[test.id()] = f"skipped: {reason}"

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._note(test, err)

    def _note(self, test, err):
        text = self._exc_info_to_string(err, test)
        self.outcomes[test.id()] = self.outcomes.get(test.id(), "") + text


def run(name):
    """Dict from test to what went wrong, "" where nothing did, or
    "skipped: " and why."""
    with mock.patch.object(sys, "path", [HERE, *sys.path]):
        module = importlib.import_module(name)
    result = _Result()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    return result.outcomes
