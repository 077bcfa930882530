"""Owns which training of a script this is, where several use one directory.

A script that trains twice with one `backup_dir`, one `fit()` after the other,
and is killed in the second, finds the second's checkpoint when it is run again
and comes to the first. So a checkpoint says how many trainings its process had
completed with that directory, and from what weights its own began.

May not touch hooks, files or what a checkpoint holds otherwise.
"""

import os
from typing import Any

from kerasbackup import errors
from kerasbackup import values

# By directory: how many were completed in this process, and their checkpoints
# deleted. One that keeps its checkpoint is gone on with by the next `fit()`.
_completed = {}


def number(backup_dir: str) -> int:
    """How many trainings with the directory this process has completed."""
    return _completed.get(os.path.realpath(backup_dir), 0)


def complete(backup_dir: str) -> None:
    """To be called when one is complete and its checkpoint is deleted."""
    _completed[os.path.realpath(backup_dir)] = number(backup_dir) + 1


def check_same(saved: dict[str, Any], now: dict[str, Any], path: str) -> None:
    """Compares the training that a checkpoint is of with the one that begins.

    That the numbers differ is no proof: who runs only the second part of a
    script again has completed nothing before. But then it begins with the same
    weights.

    Args:
        saved, now: Dicts with `number`, see `number()`, and `start`, see
            `variables.digest()`; `None` where the model was not built yet.
        path: String, the checkpoint, for the message.

    Raises:
        MismatchError: It is another training.
    """
    if saved["number"] == now["number"] or (
        saved["start"] is not None and saved["start"] == now["start"]
    ):
        return
    raise errors.MismatchError(
        f"The checkpoint '{path}' is of another `fit()` than this one: its "
        f"process had completed {_trainings(saved['number'])} with this "
        f"`backup_dir` before, and this process {_trainings(now['number'])}. "
        "Nothing was restored, and the checkpoint was left as it is.\n"
        "Give each `fit()` of a script a `backup_dir` of its own. The one that "
        "was interrupted goes on with this directory where it begins with the "
        "same weights."
    )


def check(saved: Any) -> None:
    """Raises where `saved` is not what `check_same()` takes.

    Raises:
        KeyError, TypeError, ValueError: It is not.
    """
    if not values.is_count(saved["number"]):
        raise ValueError("the number of the training is none")
    if not isinstance(saved["start"], (str, type(None))):
        raise TypeError("the training's start is no text")


def _trainings(number: int) -> str:
    return f"{number} training{'' if number == 1 else 's'}"
