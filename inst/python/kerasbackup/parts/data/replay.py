"""Draws data again that were trained on before, and reports the progress."""

import time
from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import epoch_iterator


class Progress:
    """Reports how far a replay is, if it takes long enough to matter.

    Args:
        report: Callable that is given the number of batches drawn and the total
            (`None` if that is not known), or `None, None` when the replay has
            ended.
        between: Callable, called after every batch that is drawn again; or
            `None`.
    """

    INTERVAL = 0.1  # seconds

    def __init__(
        self,
        report: Callable[[int | None, int | None], None],
        between: Callable[[], None] | None = None,
    ):
        self._report = report
        self._between = between
        self._next = None
        self._reported = False

    def at(self, done: int, total: int | None) -> None:
        """To be called after every batch that is drawn again."""
        if self._between is not None:
            self._between()
        now = time.monotonic()
        if self._next is None:
            self._next = now + self.INTERVAL
        elif now >= self._next:
            self._next = now + self.INTERVAL
            self._reported = True
            self._report(done, total)

    def end(self) -> None:
        """To be called when a replay has ended."""
        if self._reported:
            self._report(None, None)
        self._next = None
        self._reported = False


def draw_epoch(iterator: Any) -> None:
    """Draws one epoch's data from an `EpochIterator`."""
    with iterator.catch_stop_iteration():
        for step in epoch_iterator.steps(iterator):
            draw_step(iterator, step)


def draw_step(iterator: Any, step: tuple) -> None:
    """Draws the batches of one step."""
    at_once = epoch_iterator.batches_per_draw(iterator)
    for _ in range(0, epoch_iterator.batches_of(iterator, step), at_once):
        next(step[-1])
