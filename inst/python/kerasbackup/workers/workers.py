"""What the workers of one training tell each other.

Several processes may train one model together. Each of them is a worker: it
keeps checkpoints of its own, and all of them save and resume at the same step.
Everything that they tell each other goes through `Workers.together()`. All
workers call it at the same point of the training, or none does.

An engine, such as JAX's or torch's processes, is a subclass that can hand a row
of bytes to all workers. No engine is made here: each uses what its library
offers.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasbackup.store import errors

# Bytes that each worker hands to the others at once. A collective operation
# needs to know its size beforehand.
ROW = 8192
# Characters of an error that the other workers are told.
MOST_TEXT = 1000


class Workers:
    """The workers of one training, as one of them sees them.

    Args:
        index: Integer, which worker this is, counted from 0.
        count: Integer, how many there are.
    """

    # Whether a training may go on from those of another number of workers.
    may_change_count = False

    def __init__(self, index: int, count: int):
        self.index = index
        self.count = count

    @property
    def are_several(self) -> bool:
        """Whether there is more than one."""
        return self.count > 1

    @property
    def place(self) -> list[int] | None:
        """The number of this worker, counted from 1, and of all workers, by
        which its directory is named; `None` if it is alone."""
        return [self.index + 1, self.count] if self.are_several else None

    def notes(self) -> list[str]:
        """Why a training that has resumed may end otherwise than one that was
        not interrupted, as lines of text."""
        return []

    def notes_on_others(self, count: int | None) -> list[str]:
        """As `notes()`, if so many workers have saved what training goes on
        from; `None`: as many as there are now."""
        if count is None:
            return []
        return [
            f"the checkpoint is of a training with {_workers(count)}, and this "
            f"one has {self.count}: what is restored is exact, but each worker "
            "may have other rows, and sums may be rounded otherwise"
        ]

    def together(self, where: str, make: Callable[[], Any]) -> list[Any]:
        """Calls a function on every worker, and tells each what all got.

        Args:
            where: String, the point of the training. It must be the same on
                all workers.
            make: Callable that returns what can be written as JSON.

        Returns:
            List of what it returned, in the order of the workers.

        Raises:
            Exception: What it raised, on the worker where it did.
            KerasBackupError: It raised on another worker, or the workers have
                come to different points.
        """
        own = None
        try:
            row = _encoded({"where": where, "value": make()})
        except Exception as e:
            own = e
            row = _encoded({"where": where, "error": _described(e)})
        rows = [_decoded(one) for one in self.gather(row)]
        if own is not None:
            raise own
        _refuse_failures(rows)
        _refuse_other_points(rows)
        return [row["value"] for row in rows]

    def any(self, where: str, flag: Callable[[], bool]) -> bool:
        """Whether a flag is set on any worker."""
        return any(self.together(where, lambda: bool(flag())))

    def all(self, where: str, flag: Callable[[], bool]) -> bool:
        """Whether a flag is set on all workers."""
        return all(self.together(where, lambda: bool(flag())))

    def decide(self, where: str, value: Callable[[], Any]) -> Any:
        """What the first worker says."""
        return self.together(where, value if self.index == 0 else _nothing)[0]

    def barrier(self, where: str) -> None:
        """Returns when all workers have come here."""
        self.together(where, _nothing)

    def gather(self, row: np.ndarray) -> list[np.ndarray]:
        """The rows of all workers, in their order.

        Args:
            row: 1D array of `ROW` bytes, this worker's.
        """
        raise NotImplementedError


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"


def _nothing() -> None:
    return None


def _described(error: Exception) -> list[str]:
    kind = "kerasbackup_error"
    if isinstance(error, errors.KerasBackupError):
        kind = errors.r_class(error)
    text = str(error) or type(error).__name__
    return [kind, text[:MOST_TEXT]]


def _encoded(row: dict[str, Any]) -> np.ndarray:
    text = json.dumps(row, separators=(",", ":")).encode("ascii")
    if len(text) > ROW:
        raise ValueError(f"{len(text)} bytes are too many to tell at once")
    return np.frombuffer(text.ljust(ROW), np.uint8)


def _decoded(row: np.ndarray) -> dict[str, Any]:
    return json.loads(np.asarray(row, np.uint8).tobytes())


def _refuse_failures(rows: list[dict[str, Any]]) -> None:
    for number, row in enumerate(rows, 1):
        if "error" in row:
            kind, text = row["error"]
            raise errors.BY_R_CLASS[kind](
                f"Worker {number} of {len(rows)} has failed, so all workers "
                f"stop. Its error:\n{text}"
            )


def _refuse_other_points(rows: list[dict[str, Any]]) -> None:
    points = [row["where"] for row in rows]
    if len(set(points)) > 1:
        listed = "".join(
            f"* worker {number}: {point}\n"
            for number, point in enumerate(points, 1)
        )
        raise errors.MismatchError(
            "The workers of this training have come to different points:\n"
            f"{listed}"
            "All workers must run the same script with the same settings, and "
            "have equally many batches."
        )
