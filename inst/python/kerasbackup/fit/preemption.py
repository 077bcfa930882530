"""Stops a training when a signal announces that the process will end.

A signal handler in C only sets a bit of a number in memory. This module looks
at the number before each batch, between two batches of a replay, and at the end
of an epoch. Then it saves the state and ends `fit()` with an exception.
(`stop_training` would first end the epoch: validation and the other callbacks
would run after half an epoch.)
"""

import ctypes
from collections.abc import Callable

from kerasbackup.store import errors
from kerasbackup.store.client import Store
from kerasbackup.workers.workers import Workers


class Preemption:
    """Stops one `fit()` where a signal has come.

    Args:
        store: `Store`, open.
        save: Callable that saves the state before a batch, given the epoch and
            the batch; batch 0 means the end of the epoch before. It returns
            whether everything that belongs into a checkpoint existed.
        workers: `Workers`, who stop together.
    """

    def __init__(
        self,
        store: Store,
        save: Callable[[int, int], bool],
        workers: Workers,
    ):
        address, self._bits = store.watch()
        self._arrived = ctypes.c_int.from_address(address)
        self._store = store
        self._save = save
        self._workers = workers
        # Whether to stop. Several workers stop for what they told each other.
        self.must_stop = self.has_come
        self._epoch = None
        # The epoch and batch of the newest checkpoint; until this fit() has
        # saved, where it began.
        self._newest = None

    def has_come(self) -> bool:
        """Whether a signal has arrived in this process."""
        return self._arrived.value & self._bits != 0

    def around(
        self, before_batch: Callable[[int], None] | None
    ) -> Callable[[int], None]:
        """What to call before each batch instead of `before_batch`."""
        if before_batch is None:
            return self.before_batch

        def both(batch: int) -> None:
            self.before_batch(batch)
            before_batch(batch)

        return both

    def before_batch(self, batch: int) -> None:
        """To be called before any callback hears of a batch.

        Raises:
            PreemptedError: A signal has come, and the state is saved.
        """
        if not self.must_stop():
            return
        if (self._epoch, batch) == self._newest and self._is_saved():
            self._stop()
        # Not before an epoch's first batch: callbacks have begun the epoch, and
        # a resume would let them begin it again. So one more batch is trained.
        if batch and self._save(self._epoch, batch):
            self._stop()

    def in_replay(self) -> None:
        """To be called while nothing is trained yet: there is nothing to save.

        Raises:
            PreemptedError: A signal has come.
        """
        if self.has_come():
            self._stop()

    def on_epoch_begin(self, epoch: int, passed: int) -> None:
        """To be called with the batches that are passed over."""
        if self._epoch is None:
            self._newest = (epoch, passed)
        self._epoch = epoch

    def on_epoch_end(self, epoch: int) -> None:
        """To be called last of all, when there is an epoch to come.

        Raises:
            PreemptedError: A signal has come, and the state is saved.
        """
        if self.must_stop():
            if self._newest == (epoch + 1, 0) and self._is_saved():
                self._stop()
            if self._save(epoch + 1, 0):
                self._stop()

    def on_save(self, epoch: int, batch: int) -> None:
        """To be called after each save."""
        self._newest = (epoch, batch)

    def _is_saved(self) -> bool:
        return self._workers.all("stopping for a signal", self._store.is_saved)

    def _stop(self) -> None:
        raise errors.PreemptedError(self._store.preempt())
