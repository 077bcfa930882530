"""changed_script.py: which changes are refused, by whose choice."""

import unittest

from kerasbackup.fit import changed_script
from kerasbackup.store import errors
from kerasbackup.store.changes import Change
from kerasbackup.store.changes import OfData

SETTING = Change("clipnorm was 1 and is 2 now", ("clipnorm", 2, 1))
DATA = OfData("the data have other values")


class BeforeTheRestore(unittest.TestCase):
    def refusal(self, choice, lines, has_trained=True):
        try:
            changed_script.check(choice, "p/file", has_trained, lambda: lines)
        except errors.MismatchError as e:
            return e
        return None

    def test_stop_refuses_any_change_and_names_all(self):
        self.assertIsNone(self.refusal("stop", []))
        for has_trained in (False, True):
            error = self.refusal("stop", [SETTING, DATA], has_trained)
            self.assertIn("'p/file' was made. Nothing was", str(error))
            self.assertIn(f"\n* {SETTING}\n* {DATA}\n", str(error))
            self.assertIn('use `on_change = "message"`', str(error))
            self.assertEqual(error.differences["what"], ["clipnorm", str(DATA)])

    def test_without_a_choice_other_data_are_refused_in_the_same_session(self):
        error = self.refusal("usual", [SETTING, DATA])
        self.assertIn("'p/file' was made with other data", str(error))
        self.assertIn('see `vignette("several-fits")`', str(error))
        self.assertEqual(error.differences["what"], [str(DATA)])
        self.assertIsNone(self.refusal("usual", [SETTING]))
        self.assertIsNone(self.refusal("usual", [DATA], has_trained=False))

    def test_other_choices_refuse_nothing_and_do_not_look(self):
        for choice in ("message", "warn"):
            changed_script.check(choice, "p/file", True, self.fail)
        changed_script.check("usual", "p/file", False, self.fail)


class WhenBatchesAreDrawnAgain(unittest.TestCase):
    def test_only_stop_refuses_and_only_other_data(self):
        for choice in ("message", "warn", "usual"):
            changed_script.refuse_late(choice, [DATA])
        changed_script.refuse_late("stop", [SETTING, "no state was found"])
        with self.assertRaisesRegex(
            errors.MismatchError, r"(?s)has been restored.*\* the data have"
        ) as caught:
            changed_script.refuse_late("stop", [SETTING, DATA])
        self.assertEqual(caught.exception.differences["what"], [str(DATA)])
