"""Takes checksums of the batches that Keras draws from its data.

A resume compares the batches that it draws again with those that were drawn
before the save. It sees batches that Keras draws in Python. On TensorFlow the
graph of a step draws them, and looking at a batch there would slow every step.
"""

import contextlib
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.parts.data.batch_checksum import checksum
from kerasbackup.store import values
from kerasbackup.store.changes import OfData


class DrawnBatches:
    """The checksums of the batches drawn from the newest iterator over the data
    of one data adapter.

    The first batch always has a checksum. If steps are slow, all batches have
    one; if they are fast, some have none, so that checksums cost at most
    `SHARE` of the time.

    Args:
        adapter: Keras' data adapter.
        states: Callable that returns the states of the generators of random
            numbers; or `None`. If drawing moves them batch by batch, only the
            first batch is compared, because a replay does not repeat what
            callbacks drew in between.

    Attributes:
        before_first: Callable, called before the first batch is drawn from an
            iterator; or `None`.
    """

    SHARE = 0.005

    def __init__(
        self, adapter, states: Callable[[], dict[str, Any]] | None = None
    ):
        self.before_first = None
        self._adapter = adapter
        self._states = states
        # The states of the generators after the first batch was drawn, or after
        # they were put back; and whether drawing has moved them since.
        self._states_then = None
        self._has_moved = False
        self._first = None
        self._latest = None
        self._next_at = 0.0
        # The expected checksums by number of the batch: for the current
        # iterator, and for the next one.
        self._expected = {}
        self._to_expect = {}
        self._differing = None
        self._is_told = False
        self._give_back = data_adapters.watch_batches(adapter, self._watch)

    def capture(self) -> list[list[int]]:
        """The number, from 0, and the checksum of the first batch drawn from
        the newest iterator and of the latest that has a checksum."""
        found = {one[0]: one for one in (self._first, self._latest) if one}
        return list(found.values())

    def expect(self, saved: list[list[int]]) -> None:
        """Has the batches of the next iterator compared with what `capture()`
        gave."""
        self._to_expect = dict(saved)

    def notes(self, all_drawn: bool = False) -> list[str]:
        """A line about the first batch that was not the expected one; empty if
        there is none, or if a call has returned the line before.

        Args:
            all_drawn: Whether all expected batches should have been drawn.
        """
        number = self._differing
        missing = {*self._expected, *self._to_expect}
        if number is None and all_drawn and missing:
            number = min(missing)
        if number is None or self._is_told:
            return []
        self._is_told = True
        return [
            OfData(
                "the data have other values or another order than before the "
                f"interruption: batch {number + 1} differs"
            )
        ]

    def leave_out_note(self) -> None:
        """Lets `notes()` return nothing, because a message already says that
        the data differ."""
        self._is_told = True

    def draw_first(
        self, before_draw: Callable[[], None], options: dict[str, Any]
    ) -> None:
        """Draws the first batch from an iterator of its own.

        Args:
            before_draw: Callable, called after the iterator is made.
            options: Dict, the arguments with which Keras makes an iterator.
        """
        batches = iter(data_adapters.draw(self._adapter, options))
        before_draw()
        next(batches, None)

    def release(self) -> None:
        """Gives the data adapter its own method back, and drops references: a
        cycle would keep the data alive."""
        self.before_first = self._states = self._states_then = None
        self._give_back()

    def see(self, number: int, batch: Any) -> None:
        """To be called with each batch that is drawn from an iterator."""
        if not number:
            self._first = self._latest = None
            self._expected, self._to_expect = self._to_expect, {}
            self._states_then, self._has_moved = None, False
            if self._states is not None and any(self._expected):
                self._states_then = self._states()
        begun = time.perf_counter()
        if number and begun < self._next_at and number not in self._expected:
            return
        found = checksum(batch)
        ended = time.perf_counter()
        self._next_at = ended + (ended - begun) / self.SHARE
        is_expected = number in self._expected
        expected = self._expected.pop(number, found)
        if number and is_expected and self._draws_batch_by_batch():
            expected = found
        if found is None:
            return
        self._latest = [number, found]
        if not number:
            self._first = self._latest
        if found != expected and self._differing is None:
            self._differing = number

    @contextlib.contextmanager
    def generators_put_back(self) -> Iterator[None]:
        """A context to put the generators back in, which does not count as
        drawing."""
        is_watched = self._states_then is not None
        self._has_moved = is_watched and self._draws_batch_by_batch()
        yield
        if is_watched:
            self._states_then = self._states()

    def _draws_batch_by_batch(self) -> bool:
        """Whether drawing has moved a generator since the first batch. During a
        replay nothing else draws."""
        return self._has_moved or (
            self._states_then is not None
            and self._states() != self._states_then
        )

    def _watch(self, batches: Any) -> Any:
        # Not made into an iterator here: for a DataLoader that draws a random
        # number.
        if isinstance(batches, Iterator):
            return _WatchedIterator(batches, self)
        return _WatchedIterable(batches, self)


class _WatchedIterator:
    """An iterator around another one, which sees each batch and keeps none."""

    def __init__(self, batches: Iterator, drawn: DrawnBatches):
        self._next = batches.__next__
        self._drawn = drawn
        self._number = 0

    def __iter__(self):
        return self

    def __next__(self):
        number = self._number
        if not number and self._drawn.before_first is not None:
            self._drawn.before_first()
        batch = self._next()
        self._number = number + 1
        self._drawn.see(number, batch)
        return batch


class _WatchedIterable:
    """Makes such iterators."""

    def __init__(self, batches: Any, drawn: DrawnBatches):
        self._batches = batches
        self._drawn = drawn

    def __iter__(self):
        return _WatchedIterator(iter(self._batches), self._drawn)


def check(saved: Any) -> None:
    """Raises where it is not what `DrawnBatches.capture()` gives.

    Raises:
        TypeError, ValueError: It is not.
    """
    if not isinstance(saved, list) or len(saved) > 2:
        raise TypeError("the checksums of batches are no short list")
    for pair in saved:
        number, found = pair
        if not (values.is_count(number) and values.is_count(found)):
            raise ValueError("the checksum of a batch is none")
