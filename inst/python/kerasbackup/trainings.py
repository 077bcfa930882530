"""Owns which training of a script this is, where several use one directory.

A script that trains twice with one `backup_dir`, one `fit()` after the other,
and is killed in the second, finds the second's checkpoint when it is run again
and comes to the first. So a checkpoint says how many trainings its process had
completed with that directory, from what weights its own began, and with what
data.

May not touch hooks, files or what a checkpoint holds otherwise.
"""

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbackup import errors
from kerasbackup import values
from kerasbackup.data_source import stages

# By directory: how many were completed in this process, and their checkpoints
# deleted. One that keeps its checkpoint is gone on with by the next `fit()`.
_completed = {}


def complete(backup_dir: str) -> None:
    """To be called when one is complete and its checkpoint is deleted."""
    path = os.path.realpath(backup_dir)
    _completed[path] = _completed.get(path, 0) + 1


def describe(
    backup_dir: str, start: str | None, data: Any, is_script: bool
) -> dict[str, Any]:
    """What tells the training that begins now from others.

    Args:
        backup_dir: String, the directory.
        start: See `variables.digest()`; `None` where the model is not built.
        data: What `fit()` was given as `x` and `y`.
        is_script: Whether nobody types: run again, all of it is run again.

    Returns:
        Dict, as JSON has it.
    """
    return {
        "number": _completed.get(os.path.realpath(backup_dir), 0),
        "start": start,
        "data": _digest(data),
        "script": is_script,
    }


def compare(saved: dict[str, Any], now: dict[str, Any], path: str) -> list[str]:
    """Compares the training that a checkpoint is of with the one that begins.

    That the numbers differ is no proof: who runs only the second part of a
    script again has completed nothing before. But then it begins with the same
    weights and data.

    Args:
        saved, now: What `describe()` gave.
        path: String, the checkpoint, for the message.

    Returns:
        What is not as it was.

    Raises:
        MismatchError: It is another training.
    """
    same_start = saved["start"] is not None and saved["start"] == now["start"]
    other_data = None not in (saved["data"], now["data"]) and (
        saved["data"] != now["data"]
    )
    notes = ["the data have other values"] if other_data else []
    if saved["number"] == now["number"] or (same_start and not other_data):
        return notes
    numbers = (
        f"its process had completed {_trainings(saved['number'])} with this "
        f"`backup_dir` before, and this process {_trainings(now['number'])}"
    )
    if not saved["script"]:
        # Who types may have done anything before.
        return [*notes, f"the checkpoint may be of another `fit()`: {numbers}"]
    raise errors.MismatchError(
        f"The checkpoint '{path}' is of another `fit()` than this one: "
        f"{numbers}. Nothing was restored, and the checkpoint was left as it "
        "is.\n"
        "Give each `fit()` of a script a `backup_dir` of its own. The one that "
        "was interrupted goes on with this directory where it begins with the "
        "same weights and data."
    )


def check(saved: Any) -> None:
    """Raises where `saved` is not what `describe()` gives.

    Raises:
        KeyError, TypeError, ValueError: It is not.
    """
    if not values.is_count(saved["number"]):
        raise ValueError("the number of the training is none")
    for field in ("start", "data"):
        if not isinstance(saved[field], (str, type(None))):
            raise TypeError(f"the training's {field} is no text")
    if not isinstance(saved["script"], bool):
        raise TypeError("script is no flag")


def _digest(data: Any) -> str | None:
    """Tells data from others by the first and the last rows of arrays, and of
    what a tf.data pipeline or a torch DataLoader has in memory; `None` where
    there are none."""
    found = hashlib.blake2b(digest_size=16)
    arrays = [
        array
        for array in _in_memory(data)
        if len(array.shape) > 0 and 0 not in array.shape
    ]
    for array in arrays:
        found.update(f"{array.dtype} {tuple(array.shape)}".encode())
        for rows in (array[:8], array[-8:]):
            found.update(_bytes(rows))
    return found.hexdigest() if arrays else None


def _bytes(rows: Any) -> bytes:
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu()
    try:
        rows = np.ascontiguousarray(rows)
    except TypeError:
        # torch's bfloat16: NumPy has none.
        return b""
    return b"" if rows.dtype.hasobject else rows.tobytes()


def _in_memory(data: Any) -> Iterator[Any]:
    """What has a shape, a dtype and rows."""
    for one in keras.tree.flatten(data):
        if isinstance(one, np.ndarray):
            yield one
        # A DataLoader's `TensorDataset` has them, too.
        tensors = getattr(getattr(one, "dataset", None), "tensors", None)
        if isinstance(tensors, tuple):
            yield from (t for t in tensors if hasattr(t, "detach"))
        for stage in stages(one):
            for tensor in getattr(stage, "_tensors", ()):
                # Ragged ones have neither rows nor values here.
                if getattr(tensor.dtype, "is_numpy_compatible", False):
                    yield tensor


def _trainings(number: int) -> str:
    return f"{number} training{'' if number == 1 else 's'}"
