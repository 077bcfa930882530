"""What every part of a checkpoint offers, and what a part is made from.

`checkpoint/parts_list.py` lists the parts. One save and one restore walk that
list; neither knows what a part holds.
"""

import dataclasses
from collections.abc import Callable
from typing import Any
from typing import ClassVar

REQUIRED = object()


@dataclasses.dataclass
class Place:
    """How far a training is: at a save, or when a checkpoint was made.

    Attributes:
        epoch: Integer, epochs that are complete.
        batch: Integer, batches of the next epoch that are trained.
        logged: Integer, epochs that the history has. There are fewer than
            `epoch` if `fit()` was given an `initial_epoch`.
    """

    epoch: int = 0
    batch: int = 0
    logged: int = 0


@dataclasses.dataclass
class Training:
    """What the parts of one `fit()` are made from, when all other callbacks
    have begun.

    Attributes:
        model: The `keras.Model` being trained.
        place: A `Place`, that of the save or restore under way.
        epoch_iterator: Keras' `EpochIterator` over the training data.
        callbacks: List of the callbacks whose state counts.
        names: Dict from name to object, the other objects that the script has
            names for.
        is_generator: Callable: whether an object is a random number generator
            whose state is saved with the position in the data.
        is_dataset: Callable: whether an object is a dataset of this `fit()`.
        position: A `DataPosition`.
        validation: A `ValidationPosition`.
        resumes_in_epoch: Whether an unfinished epoch continues at its next
            batch, rather than from its beginning.
        made: Dict from field name to each part that exists already: some were
            made when `fit()` opened the directory, the others come earlier in
            the list.
    """

    model: Any
    place: Place
    epoch_iterator: Any = None
    callbacks: list[Any] = dataclasses.field(default_factory=list)
    names: dict[str, Any] = dataclasses.field(default_factory=dict)
    is_generator: Callable[[Any], bool] = lambda one: False
    is_dataset: Callable[[Any], bool] = lambda one: False
    position: Any = None
    validation: Any = None
    resumes_in_epoch: bool = True
    made: dict[str, "Part"] = dataclasses.field(default_factory=dict)


class Part:
    """One part of a checkpoint: a field of its metadata, with the tensors that
    the field names.

    Attributes:
        name: String, the field.
        missing: The value that stands for a missing field. If `capture()` gives
            this value, the field is left out. By default the field is
            required.
        is_put_again: Whether it is restored a second time when an unfinished
            epoch begins, because Keras or a callback may have reset it.
        not_saved: List of strings, what the last `capture()` could not save.
    """

    name: str
    missing: ClassVar[Any] = REQUIRED
    is_put_again = False
    not_saved: ClassVar[list[str]] = []

    @classmethod
    def begin(cls, training: Training) -> "Part":
        """The part for a training that begins now. By default it was made when
        `fit()` opened the directory."""
        return training.made[cls.name]

    def capture(self, encoder) -> Any:
        """What to save, as JSON values. Arrays are handed to the encoder, a
        `values.Encoder`, which makes tensors of them."""
        raise NotImplementedError

    @staticmethod
    def check(saved: Any, tensors: dict[str, tuple], place: Place) -> None:
        """Raises where `saved` is not what `capture()` gives.

        Args:
            saved: What was read.
            tensors: Dict from name to `(dtype, shape, bytes)`, all that the
                checkpoint has.
            place: Where the checkpoint was made.

        Raises:
            AttributeError, IndexError, KeyError, TypeError, ValueError: It is
                not.
        """
        raise NotImplementedError

    def check_owners(self, saved: Any) -> None:
        """Raises `ValueError` if what was saved cannot belong to the objects of
        this training. Called before anything is restored."""

    def script_changes(
        self, saved: Any, arrays: Callable[[str], Any]
    ) -> list[str]:
        """What has changed in the script or its data since the checkpoint was
        made, as far as it shows before anything is restored. `restore()`
        returns these lines too.

        Args:
            saved, arrays: See `restore()`.
        """
        return []

    def restore(self, saved: Any, arrays: Callable[[str], Any]) -> list[str]:
        """Puts back what `capture()` gave.

        Args:
            saved: What `capture()` gave, in most cases in another process.
            arrays: Callable from tensor name to a new array.

        Returns:
            Lines about what differs from before, for a message.
        """
        raise NotImplementedError
