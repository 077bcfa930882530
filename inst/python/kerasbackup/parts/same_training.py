"""Tells whether a checkpoint belongs to this `fit()` of a script.

If a script calls `fit()` twice with one `backup_dir` and is killed in the
second call, it finds the second's checkpoint when it is rerun and comes to the
first. So a checkpoint says how many trainings its process had completed with
that directory, and which weights and data its own training began with.
"""

import dataclasses
import hashlib
import math
import os
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasbackup.anykeras import nested
from kerasbackup.parts.data.sources.pipelines import stages
from kerasbackup.parts.part import Part
from kerasbackup.store import errors
from kerasbackup.store import values
from kerasbackup.store.changes import OfData

OTHER_DATA = OfData(
    "the data have other values than when the checkpoint was made"
)

# Bytes of each array whose values are compared. Of a larger array these are
# rows at equal distances.
MOST_COMPARED = 1 << 24


@dataclasses.dataclass
class _Completed:
    """The trainings that this process has completed with one directory.

    Attributes:
        number: The number of trainings whose checkpoints were deleted. A
            training that keeps its checkpoint is continued by the next `fit()`.
        model: A weak reference to the model of the last training.
        weights: The checksum of the weights that it began with.
        is_told: Whether the user was warned about a loop over `fit()`.
    """

    number: int = 0
    model: Any = None
    weights: str | None = None
    is_told: bool = False


_completed = {}

# The directories with which this process has trained.
_trained_in = set()


def note_training(backup_dir: str) -> None:
    """Notes that a training has begun, whether it is resumed or not."""
    _trained_in.add(os.path.realpath(backup_dir))


def has_trained_in(backup_dir: str) -> bool:
    """Whether this process has trained with a directory before."""
    return os.path.realpath(backup_dir) in _trained_in


def complete(backup_dir: str, model: Any, weights: str | None) -> None:
    """Notes that a training is complete and its checkpoint is deleted.

    Args:
        backup_dir: String, the directory.
        model: The model that was trained.
        weights: The checksum of the weights that it began with, see
            `is_loop()`.
    """
    known = _completed.setdefault(os.path.realpath(backup_dir), _Completed())
    known.number += 1
    known.model = weakref.ref(model)
    known.weights = weights


def is_loop(
    backup_dir: str, model: Any, weights: str | None, is_script: bool
) -> bool:
    """Whether the training that begins now continues the model of a completed
    training, in the same process and directory: `fit()` in a loop, or in
    stages. Such a script cannot be resumed, because its first `fit()` finds the
    checkpoint of a later one. It is true only once for each directory.

    A new model for each `fit()`, or the same model with its first weights, does
    not count, because a script may skip completed folds. Interactive calls do
    not count either, because they are not all run again.

    Args:
        backup_dir: String, the directory.
        model: The model.
        weights: A checksum of its trainable weights; `None` if it is not built.
        is_script: See `describe()`.
    """
    known = _completed.get(os.path.realpath(backup_dir))
    if known is None or known.is_told or not is_script:
        return False
    known.is_told = known.model() is model and weights not in (
        None,
        known.weights,
    )
    return known.is_told


def describe(
    backup_dir: str, start: str | None, data: Any, is_script: bool
) -> dict[str, Any]:
    """What distinguishes the training that begins now from others.

    Args:
        backup_dir: String, the directory.
        start: See `variables.digest()`; `None` if the model is not built.
        data: `x` and `y` of `fit()`.
        is_script: Whether a script runs, rather than interactive calls: a rerun
            repeats all of a script.

    Returns:
        Dict that can be written as JSON.
    """
    return {
        "number": _completed.get(
            os.path.realpath(backup_dir), _Completed()
        ).number,
        "start": start,
        "data": _digest(data),
        "values": _digest_of_values(data),
        "script": is_script,
    }


class SameTraining(Part):
    """Which training this is, as a part of its checkpoints.

    Args:
        now: What `describe()` gave.
    """

    name = "training"

    def __init__(self, now: dict[str, Any]):
        self._now = now
        self._notes = []

    @property
    def has_other_data(self) -> bool:
        """Whether the data had other values when the checkpoint was made."""
        return OTHER_DATA in self._notes

    def capture(self, encoder) -> dict[str, Any]:
        """What `describe()` gave; `start` is that of the whole run."""
        return self._now

    @staticmethod
    def check(saved, tensors, place) -> None:
        check(saved)

    def compare(self, saved: dict[str, Any], path: str) -> None:
        """To be called before anything is restored.

        Args:
            saved: What `capture()` gave.
            path: String, the checkpoint, for the message.

        Raises:
            MismatchError: It is another training.
        """
        self._notes = compare(saved, self._now, path)
        # The start of the whole run, however often it was interrupted.
        self._now["start"] = saved["start"]

    def script_changes(self, saved, arrays) -> list[str]:
        return self._notes

    def restore(self, saved, arrays) -> list[str]:
        return self._notes


def compare(saved: dict[str, Any], now: dict[str, Any], path: str) -> list[str]:
    """Compares the training of a checkpoint with the one that begins.

    Other numbers alone are no proof: if only the second part of a script is
    rerun, no training was completed before. But then it begins with the same
    weights and data.

    Args:
        saved, now: What `describe()` returned.
        path: String, the checkpoint, for the message.

    Returns:
        Lines about differences.

    Raises:
        MismatchError: The checkpoint belongs to another training.
    """
    same_start = saved["start"] is not None and saved["start"] == now["start"]
    # Earlier versions of this package compared the first and last rows only.
    other_data = any(
        None not in (saved.get(field), now.get(field))
        and saved[field] != now[field]
        for field in ("data", "values")
    )
    notes = [OTHER_DATA] if other_data else []
    if saved["number"] == now["number"] or (same_start and not other_data):
        return notes
    numbers = (
        f"its process had completed {_trainings(saved['number'])} with this "
        "`backup_dir` before, and this process has completed "
        f"{_trainings(now['number'])}"
    )
    if not saved["script"]:
        # Interactive calls may have done anything before.
        return [*notes, f"the checkpoint may be of another `fit()`: {numbers}"]
    raise errors.MismatchError(
        f"The checkpoint '{path}' is of another `fit()` than this one: "
        f"{numbers}. Nothing was restored, and the checkpoint was left as it "
        "is.\n"
        "Give each `fit()` of a script its own `backup_dir`. To start over, "
        "delete the checkpoint with `backup_delete()`. To resume from it, "
        "first run the `fit()` that was interrupted, with the weights and data "
        "that it began with."
    )


def check(saved: Any) -> None:
    """Validates a result of `describe()` that was read.

    Raises:
        KeyError, TypeError, ValueError: It is invalid.
    """
    if not values.is_count(saved["number"]):
        raise ValueError("the number of the training is none")
    for text in (saved["start"], saved["data"], saved.get("values")):
        if not isinstance(text, (str, type(None))):
            raise TypeError("a checksum of the training is no text")
    if not isinstance(saved["script"], bool):
        raise TypeError("script is no flag")


def _digest(data: Any) -> str | None:
    """A checksum of the first and last rows of arrays, and of tensors that a
    tf.data pipeline or a torch DataLoader has in memory; `None` if there are
    none."""
    found = hashlib.blake2b(digest_size=16)
    arrays = _arrays_of(data)
    for array in arrays:
        found.update(f"{array.dtype} {tuple(array.shape)}".encode())
        for rows in (array[:8], array[-8:]):
            found.update(_bytes(rows))
    return found.hexdigest() if arrays else None


def _digest_of_values(data: Any) -> str | None:
    """As `_digest()`, of all rows or of many. Two folds of a cross-validation
    may begin and end with the same rows."""
    found = hashlib.blake2b(digest_size=16)
    arrays = _arrays_of(data)
    for array in arrays:
        found.update(_bytes(array[:: 1 + _size(array) // MOST_COMPARED]))
    return found.hexdigest() if arrays else None


def _size(array: Any) -> int:
    """About how many bytes it has."""
    return math.prod(array.shape) * getattr(array.dtype, "itemsize", 8)


def _arrays_of(data: Any) -> list[Any]:
    return [
        array
        for array in _in_memory(data)
        if len(array.shape) > 0 and 0 not in array.shape
    ]


def _bytes(rows: Any) -> bytes:
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu()
    try:
        rows = np.ascontiguousarray(rows)
    except TypeError:
        # NumPy lacks torch's bfloat16.
        return b""
    return b"" if rows.dtype.hasobject else rows.tobytes()


def _in_memory(data: Any) -> Iterator[Any]:
    """The objects in the data that have a shape, a dtype and rows."""
    for one in nested.flatten(data):
        if isinstance(one, np.ndarray):
            yield one
        # The `TensorDataset` of a DataLoader has tensors.
        tensors = getattr(getattr(one, "dataset", None), "tensors", None)
        if isinstance(tensors, tuple):
            yield from (t for t in tensors if hasattr(t, "detach"))
        for stage in stages(one):
            for tensor in getattr(stage, "_tensors", ()):
                # Ragged tensors have neither rows nor values here.
                if getattr(tensor.dtype, "is_numpy_compatible", False):
                    yield tensor


def _trainings(number: int) -> str:
    return f"{number} training{'' if number == 1 else 's'}"
