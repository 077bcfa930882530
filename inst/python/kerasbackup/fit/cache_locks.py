"""Finds the lock files of `tf.data`'s `cache(file)`.

TensorFlow makes a lock file while it fills such a cache, and refuses to use the
cache if the file already exists. A process that is killed leaves it behind. A
lock file that appears while a training fills the cache belongs to that
training, because TensorFlow would have refused any other. R notes these files
in `backup_dir`, and removes the remaining ones when no training runs there.
"""

import os
from collections.abc import Iterator
from typing import Any

from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.sources.pipelines import caches
from kerasbackup.parts.data.sources.pipelines import stages
from kerasbackup.store import errors

# TensorFlow's names for the lock file and for a file of a complete cache, whose
# lock file it ignores.
LOCK, COMPLETE = "_0.lockfile", ".index"


class CacheLocks:
    """The lock files of the pipelines that one `fit()` draws from.

    Args:
        store: The `Store`, which notes them.
        data: The training and validation data of `fit()`; they are not kept.
    """

    def __init__(self, store, *data: Any):
        self._store = store
        self._files = [file for source in data for file in _files(source)]
        self._noted = None
        # The `EpochIterator`s whose steps are watched.
        self._watched = []

    def check(self) -> None:
        """To be called before the data are drawn from.

        Raises:
            LockedError: TensorFlow would refuse to use a cache.
        """
        locks = self._locks()
        if locks:
            raise errors.LockedError(
                "A cache of the data is locked: TensorFlow does not use it "
                f"while {_quoted(locks)} exists. A process that was killed "
                "while it filled the cache leaves such a file behind, but a "
                "process that fills the cache now needs it. Make sure that "
                "there is none, remove the file, and run the script again."
            )

    def watch(self, iterator: Any) -> None:
        """Notes the lock files between the steps of an `EpochIterator`, or of
        `None`."""
        if (
            not self._files
            or iterator is None
            or any(one is iterator for one in self._watched)
        ):
            return
        epoch_iterator.call_between_steps(iterator, self._note)
        self._watched.append(iterator)

    def release(self) -> None:
        """Gives Keras its own methods back."""
        for iterator in self._watched:
            epoch_iterator.release_steps(iterator)
        self._watched = []

    def _note(self) -> None:
        locks = self._locks()
        now = [(lock, os.stat(lock).st_mtime_ns) for lock in locks]
        if locks and now != self._noted:
            self._noted = now
            self._store.note_cache_locks(locks)

    def _locks(self) -> list[str]:
        return [
            file + LOCK
            for file in self._files
            if os.path.exists(file + LOCK)
            and not os.path.exists(file + COMPLETE)
        ]


def _files(source: Any) -> Iterator[str]:
    """The files that the caches of a tf.data pipeline are in, if any."""
    for stage in stages(source):
        name = getattr(stage, "_filename", None) if caches(stage) else None
        if hasattr(name, "numpy") and name.numpy():
            yield os.path.abspath(os.fsdecode(name.numpy()))


def _quoted(paths: list[str]) -> str:
    return ", ".join(f"'{path}'" for path in paths)
