"""What is known of the training data or the validation data: the iterators made
of them, their batches, and their own state."""

from collections.abc import Callable
from typing import Any

from kerasbackup.parts.data import drawn_batches
from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.parts.data.sources import state_format
from kerasbackup.parts.data.sources.generator import DrawnAhead
from kerasbackup.parts.data.sources.kinds import source_of
from kerasbackup.store import values

# The most iterators that Keras makes for an epoch or a validation. All known
# versions make two at most; a newer one may make more.
MOST_ITERATORS = 8


class DrawnData:
    """The training data or the validation data of one `fit()`.

    Args:
        name: String, the prefix of their tensors' names in a checkpoint.
        text: String, what messages call the data.
        data: What `fit()` was given; kept only where it is a generator.
        asked: The model, or Keras' `EpochIterator` over the data.

    Attributes:
        use: An `IteratorsMade`, how often this process has begun the data.
        ahead: A `DrawnAhead`, the batches that were drawn ahead.
        made: Integer, iterators made in this training.
        made_earlier: Integer, iterators that the process had made before it.
        source: The `Source`; from `begin()` on.
        batches: The `DrawnBatches` of the newest iterator; from `begin()` on.
    """

    def __init__(self, name: str, text: str, data: Any, asked: Any):
        self._name = name
        self._text = text
        self.use = IteratorsMade(data)
        self.ahead = DrawnAhead(data, asked)
        self.made = 0
        self.made_earlier = self.use.times
        self.source = self.batches = None
        self._not_encoded = []

    def begin(
        self,
        iterator: Any,
        states: Callable[[], dict[str, Any]] | None = None,
        left: Any = (),
    ) -> None:
        """To be called once, when Keras has made its `EpochIterator`.

        Args:
            iterator: The `EpochIterator`.
            states: See `DrawnBatches`.
            left: See `Source`.
        """
        self.source = source_of(iterator, self.use, left)
        self.batches = DrawnBatches(iterator.data_adapter, states)

    def release(self) -> None:
        """Gives the data adapter its own method back."""
        if self.batches is not None:
            self.batches.release()

    @property
    def not_saved(self) -> list[str]:
        """What had changed at the last capture and could not be saved."""
        of_source = [] if self.source is None else self.source.not_saved
        return [*of_source, *self._not_encoded]

    def encode(
        self, state: Any, ahead: list[Any], encoder: values.Encoder
    ) -> dict[str, Any]:
        """The fields of a checkpoint that may hold arrays.

        Args:
            state: What the source captured, or `None`.
            ahead: What `ahead` captured.
            encoder: The encoder.
        """
        self._not_encoded = []
        try:
            encoded = encoder.encode(state, self._name)
        except values.Unsaveable as e:
            self._not_encoded = [f"the state of the {self._text} ({e})"]
            encoded = encoder.encode({}, self._name)
        return {
            "source": encoded,
            "ahead": encoder.encode(ahead, f"{self._name}/ahead"),
        }


def decode(
    saved: dict[str, Any], arrays: Callable[[str], Any]
) -> tuple[Any, list[Any]]:
    """The arguments of `DrawnData.encode()`: the state of the source, and what
    was drawn ahead.

    Args:
        saved: The fields of a checkpoint.
        arrays: Callable from tensor name to a new array.
    """
    state = values.decode(saved.get("source"), arrays, has_tags=True)
    return state, values.decode(saved["ahead"], arrays)


def check(saved: dict[str, Any], tensors: dict[str, tuple]) -> bool:
    """Raises if the fields that both positions share are not what their
    `capture()` gives.

    Returns:
        Whether the source has a state.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: They are not.
    """
    if not isinstance(values.check(saved["ahead"], tensors), list):
        raise TypeError("what was drawn ahead is no list")
    drawn_batches.check(saved.get("checksums", []))
    source = values.check(saved.get("source"), tensors, has_tags=True)
    if source is not None:
        state_format.check(source)
    return source is not None


def check_limits(saved: dict[str, Any], limits: dict[str, int]) -> None:
    """Raises `ValueError` if a count is above its limit, because a resume draws
    batches and makes iterators as often as the counts say."""
    for field, most in limits.items():
        if (saved[field] or 0) > most:
            raise ValueError(f"{field} is {saved[field]}, at most {most}")
