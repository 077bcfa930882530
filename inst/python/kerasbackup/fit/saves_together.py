"""A save of several workers: all make it, or none does.

Before a save is handed over, each worker tells the others whether it can make
it, and whether the save before is committed. If one worker could not commit
that, the others delete theirs. So whenever a worker writes a checkpoint, all
workers have the one before, and wherever a worker is killed there is one that
all have.

A process that trains alone asks nobody, and does not wait for the save before.
"""

from collections.abc import Callable
from typing import Any

from kerasbackup.store import errors
from kerasbackup.store.client import Store
from kerasbackup.workers.workers import Workers

# What a worker expects of a save. That of all workers is the smallest.
POSTPONED, SKIPPED, FAILED, READY = range(4)

# How a training ends.
COMPLETE, PAUSED, DIVERGED = "complete", "paused", "diverged"


class SavesTogether:
    """The saves of the workers of one `fit()`.

    Args:
        workers: The `Workers`.
        store: The `Store` of this worker.
        has_others: Whether training goes on from checkpoints of another number
            of workers. They stay until all workers have one of their own.
    """

    def __init__(
        self, workers: Workers, store: Store, has_others: bool = False
    ):
        self._workers = workers
        self._store = store
        # Whether all workers handed the last save over.
        self._is_under_way = False
        # The error of a save, of which the other workers do not know yet.
        self._failure = None
        self._has_others = has_others

    def begin(self, epoch: int, batch: int, prepare: Callable[[], int]) -> int:
        """To be called before a save is handed over.

        Args:
            epoch, batch: Integers, what is done.
            prepare: Callable that does what can fail before, and returns what
                this worker expects.

        Returns:
            What all workers expect.

        Raises:
            KerasBackupError: A worker failed, where that is to end training.
        """
        if not self._workers.are_several:
            if self._has_others and self._is_under_way and self._is_committed():
                self._drop_others()
            outlook = prepare()
            self._is_under_way = outlook == READY
            return outlook
        own = []

        def tell():
            own.extend([self._is_committed(), prepare()])
            return own

        rows = self._workers.together(
            f"a save after {epoch} epochs and {batch} batches", tell
        )
        is_committed, expected = own
        if is_committed and self._is_under_way:
            if all(committed for committed, _ in rows):
                self._drop_others()
            else:
                self._store.drop_last()
        outlook = min(outlook for _, outlook in rows)
        self._is_under_way = outlook == READY
        if expected == READY and outlook in (SKIPPED, FAILED):
            self._store.notify("workers", _reasons(rows))
        return outlook

    def save(self, capture: Any, value: float) -> None:
        """Hands over a save that all workers can make.

        Args:
            capture: What `TrainingState.capture()` gave.
            value: Float, of the log by which the best checkpoint is kept.
        """
        try:
            self._store.save(
                capture.addresses, capture.metadata, capture.time, value
            )
        except errors.KerasBackupError as e:
            if not self._workers.are_several:
                raise
            # The other workers hear of it before the next save, and stop too.
            self._failure = e

    def end(self, diverged: bool, paused: bool) -> bool:
        """To be called when training ends.

        Args:
            diverged: Whether it has diverged.
            paused: Whether a callback has stopped it before it is complete.

        Returns:
            Whether it has diverged on any worker.

        Raises:
            KerasBackupError: The last save of a worker failed, where that is to
                end training; or it is complete on some workers only.
        """
        if not self._workers.are_several:
            if not (diverged or paused):
                self._drop_others()
            return diverged

        def tell():
            self._is_committed()
            return DIVERGED if diverged else PAUSED if paused else COMPLETE

        ends = self._workers.together("the end of training", tell)
        if DIVERGED in ends:
            return True
        if len(set(ends)) > 1:
            raise errors.MismatchError(
                "A callback has stopped training on some workers and not on "
                f"others ({', '.join(ends)}). The checkpoints stay. Let a "
                "callback that stops training decide the same on all workers."
            )
        if not paused:
            self._drop_others()
        return False

    def _drop_others(self) -> None:
        if self._has_others:
            self._has_others = False
            if self._workers.index == 0:
                self._store.drop_others()

    def _is_committed(self) -> bool:
        """Whether the last save is committed on this worker, or there is
        none to ask for."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return not self._is_under_way or self._store.settle()


def _reasons(rows: list[Any]) -> list[str]:
    words = {SKIPPED: "its training has diverged", FAILED: "its save failed"}
    return [
        f"worker {number}: {words[outlook]}"
        for number, (_, outlook) in enumerate(rows, 1)
        if outlook in words
    ]
