"""What each kind of data offers: the protocol, with the answers for data that
start over with each iterator and keep no state."""

import contextlib
import dataclasses
from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.anykeras import epoch_iterator


@dataclasses.dataclass
class Past:
    """What the lost run (the one that was interrupted) had done with its data.

    Attributes:
        iterators: The number of iterators that it had made and used up.
        each: Of every group of this many iterators, only the first was drawn
            from.
        earlier: How many more iterators its process had made before the
            training than this process has; negative if this one has made more.
        to_build: The same for iterators that were made to build the model.
        length: The batches of an iterator; `None` if that is not known.
        most_drawn: The most batches that can have been drawn in all; `None` if
            each iterator was drawn to its end.
    """

    iterators: int
    each: int
    earlier: int
    to_build: int
    length: int | None
    most_drawn: int | None


class Source:
    """The data that an `EpochIterator` draws from.

    Args:
        iterator: Keras' `EpochIterator`.
        use: The `IteratorsMade` of the data.
        left: torch's generators that another source saves and restores.

    Attributes:
        goes_on: Whether an iterator may start where the one before left the
            data. Then only drawing batches brings the data to a position.
        is_drawn_when_made: Whether Keras draws the first batches when it makes
            its `EpochIterator`, and keeps them.
        runs_ahead: Whether threads of TensorFlow's or Grain's call the script's
            code for batches that training has not reached.
        may_end_early: Whether the data may have fewer batches than Keras
            expects, because a `__len__` may be wrong.
        arrays: The arrays that batches are taken from; `None` for other kinds.
        written_by_user: The `PyDataset` or `DataLoader`; `None` for other
            kinds.
        not_saved: List of strings, what had changed and is missing in the last
            `capture()`.
    """

    goes_on = False
    is_drawn_when_made = False
    may_end_early = True
    arrays = None
    written_by_user = None
    not_saved = ()

    def __init__(self, iterator, use=None, left=()):
        self._iterator = iterator
        self._adapter = iterator.data_adapter
        self._use = use
        self._left = left

    @property
    def runs_ahead(self) -> bool:
        return epoch_iterator.draws_in_graph(self._iterator)

    def describe(self) -> dict[str, Any]:
        """What must be the same for a resume to be exact."""
        return data_adapters.describe(self._adapter) | {
            "steps_per_epoch": self._iterator.steps_per_epoch,
            "steps_per_execution": self._iterator.steps_per_execution,
        }

    # Its state --------------------------------------------------------------

    def capture(self) -> dict[str, Any]:
        """The state that the data keep themselves."""
        return {}

    def restore(self, state: dict[str, Any]) -> list[str]:
        """Puts back what `capture()` gave.

        Returns:
            What is no longer as it was.
        """
        return []

    def as_in(
        self, state: dict[str, Any]
    ) -> contextlib.AbstractContextManager[None]:
        """A context in which the data are described with a state."""
        return contextlib.nullcontext()

    def capture_generators(self) -> list[str]:
        """The states of torch's generators that only the data have."""
        return []

    def restore_generators(self, states: list[str]) -> None:
        """Puts back what `capture_generators()` gave."""

    # Drawing again ----------------------------------------------------------

    def use_up(self, past: Past, progress) -> list[str]:
        """Leaves the data as the iterators of the lost run left them.

        Args:
            past: What the lost run had done.
            progress: The `replay.Progress`.

        Returns:
            What is no longer as it was.
        """
        return []

    def start_workers(self) -> list[str]:
        """Starts workers that the lost run had started in an earlier epoch. The
        global generators are to be put back afterwards.

        Returns:
            What is no longer as it was.
        """
        return []

    def resume_validation(
        self, generators, before: dict[str, Any] | None, is_own: bool
    ) -> list[str]:
        """To be called when the first validation after a resume begins. Keras
        has made its `EpochIterator` now; the lost run had done so before its
        own first validation.

        Args:
            generators: The `rng.IdleGenerators`.
            before: Their states before it was made, if known.
            is_own: Whether training does not use the data too.

        Returns:
            What is no longer as it was.
        """
        return []

    def await_end(self, batches: Any) -> None:
        """To be called with the iterator when it has given all steps of an
        epoch."""

    def to_put_back(
        self, names: tuple[str, ...], drawn: set[str] | None
    ) -> tuple[str, ...] | None:
        """The generators to put back after a replay.

        A thread may draw from the others for later batches, so they stay as the
        replay has left them.

        Args:
            names: All generators.
            drawn: Those that a replay has moved; `None` if there was no replay.

        Returns:
            Their names; `None` means all generators and those of the source.
        """
        if not self.runs_ahead:
            return None
        return ("torch",) if drawn is None else all_but(names, drawn)


def all_but(names: tuple[str, ...], drawn: set[str]) -> tuple[str, ...]:
    """The generators that no thread draws from. No thread draws from
    torch's."""
    return tuple(n for n in names if n not in drawn - {"torch"})
