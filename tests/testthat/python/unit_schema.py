"""schema.py: what is said of metadata of another version, and of wrong ones."""

import json
import unittest

from kerasbackup.checkpoint import schema
from kerasbackup.store import errors

NOW = {"kerasbackup": "1.2.3"}


def told(metadata, versions=NOW, field=None):
    """What an error says while `field` of the metadata is read."""
    try:
        with schema.reading("a/file", metadata, versions):
            if field is not None:
                return schema.parse(metadata["text"])[field]
    except errors.KerasBackupError as e:
        return f"{type(e).__name__}: {e}"


def number(change):
    return str(schema.VERSION + change)


class Versions(unittest.TestCase):
    def test_this_one_is_read_and_so_are_the_first_that_had_no_number(self):
        for metadata in ({"schema": number(0)}, {}):
            found = told(metadata | {"text": '{"a": 1}'}, field="a")
            self.assertEqual(found, 1)

    def test_another_is_named_with_what_wrote_it(self):
        wrote = json.dumps({"kerasbackup": "9.8.7"})
        self.assertRegex(
            told({"schema": number(1), "versions": wrote}),
            "UnsupportedError: .*'a/file' was written by a newer "
            r"version of kerasbackup \(9.8.7; this is 1.2.3\): .*"
            f"version {number(1)}, not {schema.VERSION}",
        )

    def test_an_older_one_becomes_this_one_by_every_step_between(self):
        first = {"stopped": "0", "callbacks": "{}"}
        for metadata in (first, first | {"schema": "0"}):
            found = schema.migrated(metadata)
            self.assertEqual(found, first | {"schema": number(0)})
        self.assertEqual(set(schema.MIGRATIONS), set(range(schema.VERSION)))
        self.assertEqual(
            schema.migrated({"schema": number(0)}), {"schema": "1"}
        )

    def test_a_field_that_it_lacks_is_named(self):
        self.assertRegex(
            told({"text": "{}"}, field="a"),
            "UnsupportedError: .* by another version .* lack `a`",
        )

    def test_what_wrote_it_may_be_unknown(self):
        for versions in ({}, {"versions": "{"}, {"versions": "[]"}):
            with self.subTest(versions=versions):
                self.assertIn(
                    "(unknown; this is unknown)",
                    told({"schema": number(1)} | versions, {}),
                )


class Damage(unittest.TestCase):
    def test_it_is_told_with_its_reason(self):
        self.assertRegex(
            told({"text": "1"}, field="a"),
            "CorruptError: .*a/file.*TypeError: ",
        )

    def test_a_version_that_is_no_number_is_told_in_part(self):
        self.assertRegex(
            told({"schema": "9" * 60}), "CorruptError: .*ValueError: '9{50}' is"
        )
