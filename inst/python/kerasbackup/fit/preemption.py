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


class Preemption:
    """Stops one `fit()` where a signal has come.

    Args:
        store: `Store`, open.
        save: Callable that saves the state before a batch, given the epoch and
            the batch; `(epoch, 0)`: after the epoch before. It returns whether
            there was all that belongs into a checkpoint.
    """

    def __init__(self, store: Store, save: Callable[[int, int], bool]):
        address, self._bits = store.watch()
        self._arrived = ctypes.c_int.from_address(address)
        self._store = store
        self._save = save
        self._epoch = None
        # Where the newest checkpoint is, if there is one; where this fit()
        # began, until it has saved.
        self._newest = None

    def has_come(self) -> bool:
        """Whether a signal has."""
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
        if not self.has_come():
            return
        if (self._epoch, batch) == self._newest and self._store.is_saved():
            self._stop()
        # What callbacks have done as the epoch began they would do again: one
        # batch later, that is behind them.
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
        if self.has_come():
            newest = self._newest
            if newest == (epoch + 1, 0) and self._store.is_saved():
                self._stop()
            if self._save(epoch + 1, 0):
                self._stop()

    def on_save(self, epoch: int, batch: int) -> None:
        """To be called after each save."""
        self._newest = (epoch, batch)

    def _stop(self) -> None:
        raise errors.PreemptedError(self._store.preempt())
