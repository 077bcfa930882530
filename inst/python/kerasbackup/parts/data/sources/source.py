"""What each kind of data does: the protocol, and its answers for data that
start over with each iterator and keep no state."""

import contextlib
import dataclasses
from typing import Any

from kerasbackup.keras3 import data_adapters
from kerasbackup.keras3 import epoch_iterator


@dataclasses.dataclass
class Past:
    """What the lost run had done with its data.

    Attributes:
        iterators: How many it had made and used up in this training.
        each: Of so many the first was drawn from.
        earlier: How many more its process had made before this training than
            today's has; negative where today's has made more.
        to_build: Likewise of those made to build the model.
        length: The batches of an iterator; `None` where nobody knows.
        most_drawn: The batches that were drawn in all, at most; `None` where
            each iterator was drawn to its end.
    """

    iterators: int
    each: int
    earlier: int
    to_build: int
    length: int | None
    most_drawn: int | None


class Source:
    """What an `EpochIterator` draws from.

    Args:
        iterator: Keras' `EpochIterator`.
        use: The `IteratorsMade` of the data.
        left: Generators of torch's that another source cares for.

    Attributes:
        goes_on: Whether an iterator may start where the one before left the
            data: then only drawing brings them to a place.
        is_drawn_when_made: Whether Keras draws the first batches when it makes
            its `EpochIterator`, and keeps them.
        runs_ahead: Whether threads of TensorFlow's or Grain's call the script's
            code for batches that training has not come to.
        may_end_early: Whether the data may end before as many batches were
            drawn as Keras believes there are: a `__len__` may be wrong.
        arrays: The arrays that batches are taken from; `None` of other kinds.
        written_by_user: The `PyDataset` or `DataLoader`; `None` of other kinds.
        not_saved: List of strings, what had changed at the last `capture()` and
            is not in it.
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
        return epoch_iterator.draws_in_graph()

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
        """The states of the generators of torch's that only the data have."""
        return []

    def restore_generators(self, states: list[str]) -> None:
        """Puts back what `capture_generators()` gave."""

    # Drawing again ----------------------------------------------------------

    def use_up(self, past: Past, progress) -> list[str]:
        """Leaves the data as the iterators of the lost run have left them.

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
            is_own: Whether the data are not trained on, too.

        Returns:
            What is no longer as it was.
        """
        return []

    def await_end(self, batches: Any) -> None:
        """To be called with an iterator when an epoch has been drawn."""

    def to_put_back(
        self, names: tuple[str, ...], drawn: set[str] | None
    ) -> tuple[str, ...] | None:
        """The generators to put back after a replay.

        A thread may draw from the others for later batches: they are left where
        the replay has left them.

        Args:
            names: All generators.
            drawn: Those that a replay has moved; `None` where there was none.

        Returns:
            Their names; `None`: all, and those of the source.
        """
        if not self.runs_ahead:
            return None
        return ("torch",) if drawn is None else all_but(names, drawn)


def all_but(names: tuple[str, ...], drawn: set[str]) -> tuple[str, ...]:
    """The generators that no thread draws from. None draws from torch's."""
    return tuple(n for n in names if n not in drawn - {"torch"})
