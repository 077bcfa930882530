"""parts_list.py: what every part of a checkpoint has to have."""

import os
import re
import unittest

import kerasbackup
from kerasbackup.checkpoint.parts_list import PARTS
from kerasbackup.parts.data import position_format
from kerasbackup.parts.part import REQUIRED
from kerasbackup.parts.part import Part
from kerasbackup.parts.part import Place
from kerasbackup.store import errors

# Both among the package's sources and where it is installed.
FORMAT = os.path.join(
    os.path.dirname(kerasbackup.__file__), "..", "..", "FORMAT.md"
)


def described():
    with open(FORMAT, encoding="utf-8") as file:
        return set(re.findall("`([a-z_]+)`", file.read()))


class Parts(unittest.TestCase):
    def test_each_has_a_field_of_its_own_and_the_whole_protocol(self):
        self.assertEqual(len({part.name for part in PARTS}), len(PARTS))
        for part in PARTS:
            for name in ("begin", "capture", "check", "restore"):
                inherited = getattr(Part, name, None)
                with self.subTest(part=part.name, method=name):
                    own = getattr(part, name)
                    self.assertTrue(name == "begin" or own is not inherited)

    def test_a_checkpoint_has_their_fields_under_these_names(self):
        """And of some fields nothing is known where they are missing."""
        self.assertEqual(
            [part.name for part in PARTS],
            [
                "optimizers",
                "training",
                "script",
                "learned",
                "drift",
                "callbacks",
                "attributes",
                "loose",
                "validation",
                "position",
                "last_logs",
                "model_state",
            ],
        )
        self.assertEqual(
            {
                part.name: part.missing
                for part in PARTS
                if part.missing is not REQUIRED
            },
            {
                "optimizers": None,
                "script": {},
                "drift": [],
                "model_state": None,
            },
        )

    def test_an_epoch_that_goes_on_begins_as_it_was_left(self):
        """Keras resets metrics then, and callbacks set attributes."""
        self.assertEqual(
            [part.name for part in PARTS if part.is_put_again],
            ["optimizers", "callbacks", "attributes", "loose"],
        )

    def test_the_format_says_what_each_has(self):
        known = described()
        for part in PARTS:
            if part.name != "model_state":
                with self.subTest(part=part.name):
                    self.assertIn(part.name, known)
        fields = (*position_format.RNG_FIELDS, *position_format.COUNTS)
        self.assertEqual(set(fields) - known, set())

    def test_each_refuses_what_is_not_its_own(self):
        """A text is none of them; nor is nothing, where something must be."""
        for part in PARTS:
            if part.name == "model_state":
                continue
            with self.subTest(part=part.name):
                if part.missing is not REQUIRED:
                    part.check(part.missing, {}, Place())
                with self.assertRaises(errors.DAMAGE):
                    part.check("text", {}, Place())
