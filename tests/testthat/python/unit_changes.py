"""changes.py: lines of text that are rows of a table too."""

import json
import unittest

from kerasbackup.store import changes
from kerasbackup.store.changes import Change


class Table(unittest.TestCase):
    def test_a_line_is_a_row_or_several_or_only_text(self):
        lines = [
            Change("b was 1", ("b", 2, "1")),
            "only text",
            Change("two layers", ("layer x", None, None), ("layer y", 1, None)),
        ]
        self.assertEqual(
            changes.table(lines),
            {
                "what": ["b", "only text", "layer x", "layer y"],
                "script": ["2", None, None, "1"],
                "checkpoint": ["1", None, None, None],
            },
        )

    def test_a_change_is_its_text(self):
        one = Change("b was 1", ("b", 2, 1))
        self.assertEqual(one, "b was 1")
        self.assertEqual(json.dumps([one]), '["b was 1"]')
        within = one.within("callback C")
        self.assertEqual(within, "callback C: b was 1")
        self.assertEqual(within.rows, [("callback C: b", "2", "1")])

    def test_of_many_the_first_ten_are_shown(self):
        lines = [str(number) for number in range(10)]
        self.assertEqual(changes.first(lines), lines)
        for more in (["a"], ["a", "b"]):
            self.assertEqual(
                changes.first([*lines, *more]),
                [*lines, f"and {len(more)} more: see `cnd$differences`"],
            )

    def test_a_difference_of_the_data_stays_one_within_something(self):
        within = changes.OfData("b", ("b", 2, 1)).within("validation")
        self.assertIsInstance(within, changes.OfData)
        self.assertEqual(within.rows, [("validation: b", "2", "1")])

    def test_there_are_no_halves_of_pairs(self):
        columns = changes.table(["ü", Change("x", ("a\udc80", None, 1))])
        self.assertEqual(columns["what"], ["ü", "a\\udc80"])
