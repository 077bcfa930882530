"""Differences between a script and a checkpoint: as text for a message, and as
a table for a program."""

from collections.abc import Iterable
from typing import Any

# How many differences a message lists.
MOST_SHOWN = 10


class Change(str):
    """A line of text about a difference, which also is rows of the table.

    Args:
        text: String, the line.
        *rows: Tuples: what differs, its value in the script, and its value in
            the checkpoint. `None` stands for a value that is missing or has no
            words. Without rows, the line itself is one.

    Attributes:
        rows: The tuples, as texts.
    """

    __slots__ = ("rows",)

    def __new__(cls, text: str, *rows: tuple[str, Any, Any]):
        self = super().__new__(cls, text)
        self.rows = [tuple(map(_text, row)) for row in rows]
        return self

    def within(self, where: str) -> "Change":
        """The same difference, of a part of something."""
        return type(self)(
            f"{where}: {self}",
            *((f"{where}: {what}", *values) for what, *values in self.rows),
        )


class OfData(Change):
    """A difference of the data that a model is trained on: of their values or
    of their rows."""

    __slots__ = ()


def first(lines: list[str]) -> list[str]:
    """The first `MOST_SHOWN` differences, and the number of the others."""
    more = len(lines) - MOST_SHOWN
    if more <= 0:
        return lines
    return [
        *lines[:MOST_SHOWN],
        f"and {more:,} more: see `cnd$differences`",
    ]


def table(lines: Iterable[str]) -> dict[str, list[str | None]]:
    """The columns `what`, `script` and `checkpoint` of all differences, as
    texts that R can read."""
    rows = [
        row
        for line in lines
        for row in getattr(line, "rows", None) or [(str(line), None, None)]
    ]
    return {
        name: [
            None if row[number] is None else readable(row[number])
            for row in rows
        ]
        for number, name in enumerate(("what", "script", "checkpoint"))
    }


def readable(text: str) -> str:
    """A text without halves of surrogate pairs, which a name from a checkpoint
    may have, and which are no text to R."""
    return text.encode("utf-8", "backslashreplace").decode()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
