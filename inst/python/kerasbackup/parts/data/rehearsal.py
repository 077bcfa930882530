"""Draws the first batch of the last complete epoch again, from arrays.

If a resume starts with a new epoch, it draws no batch that was drawn before the
save, so none can be compared. But arrays can be drawn from at any time, which
changes nothing but the random number generators. So the generators are put back
to where they were when the last epoch before the save drew its first batch, and
the same batch must come out.
"""

from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.batch_checksum import checksum
from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.sources.source import Source


class Rehearsal:
    """Draws the first batch of the last epoch again.

    Args:
        iterator: Keras' `EpochIterator`.
        source: The `Source` of these data.
        batches: The `DrawnBatches` of its data adapter.
        capture: Callable that returns the states of the generators that Keras
            may draw an order from.

    Attributes:
        is_possible: Whether it can be drawn again.
    """

    def __init__(
        self,
        iterator,
        source: Source,
        batches: DrawnBatches,
        capture: Callable[[], dict[str, Any]],
    ):
        self._source = source
        self._batches = batches
        self._capture = capture
        self._options = epoch_iterator.draw_options(iterator)
        # Other sources may count how often they are asked, or read files.
        self.is_possible = source.arrays is not None and (
            not epoch_iterator.lives_on(iterator)
        )
        self._rng = None
        self._first_arrays = None
        if source.arrays is not None:
            batches.before_first = self._before_first

    def _before_first(self) -> None:
        if self.is_possible:
            self._rng = self._capture()
        self._first_arrays = self.arrays()

    def may_differ(self) -> bool:
        """Whether the first batch of the last epoch would be another one now,
        because a callback has changed the arrays since."""
        return self._first_arrays != self.arrays()

    def arrays(self) -> int | None:
        """The checksum of the arrays as they are now; `None` of other data."""
        return checksum(self._source.arrays)

    def changed_arrays(self) -> int | None:
        """The checksum of the arrays where a callback has changed them since
        the last epoch began; else `None`."""
        now = self.arrays()
        return None if self._first_arrays in (None, now) else now

    def generators(self) -> dict[str, Any] | None:
        """The states of the generators before the first batch of the last
        epoch; `None` where it could not be drawn again."""
        return None if self.may_differ() else self._rng

    def run(
        self, expected: list[list[int]], restore: Callable[[], None]
    ) -> None:
        """Draws it again. The generators are to be put back afterwards.

        Args:
            expected: What `DrawnBatches.capture()` gave.
            restore: Callable that puts these generators back to where they were
                before it was drawn.
        """
        restore()
        self._batches.expect(expected)
        # Restored again there: on torch, making the iterator draws a number.
        self._batches.draw_first(restore, self._options)
