"""Owns the lock files of `tf.data`'s `cache(file)`.

TensorFlow makes one while it fills such a cache, and refuses to use the cache
where there is one already. A process that is killed leaves it. Those that are
seen while a training fills the cache are that training's own, as TensorFlow
would have refused any other: R notes them in `backup_dir`, and removes what is
left of them when nobody trains there any more.

May not draw data, and may not touch variables, callbacks or checkpoints.
"""

import os
from collections.abc import Iterator
from typing import Any

from kerasbackup.parts.data.data_source import caches
from kerasbackup.parts.data.data_source import stages
from kerasbackup.store import errors

# As TensorFlow names them: the lock file, and what there is of a cache that is
# complete, whose lock file is not looked at.
LOCK, COMPLETE = "_0.lockfile", ".index"


class CacheLocks:
    """The lock files of the pipelines that one `fit()` draws from.

    Args:
        store: The `Store`, which notes them.
        data: What `fit()` was given, to train on and for validation; it is not
            kept.
    """

    def __init__(self, store, *data: Any):
        self._store = store
        self._files = [file for source in data for file in _files(source)]
        self._noted = None
        # The `EpochIterator`s whose method is wrapped.
        self._watched = []

    def check(self) -> None:
        """To be called before the data are drawn from.

        Raises:
            LockedError: TensorFlow would refuse to use a cache.
        """
        locks = self._locks()
        if locks:
            raise errors.LockedError(
                "A cache of the data is locked: TensorFlow does not use it as "
                f"long as there is {_quoted(locks)}. A process that was killed "
                "while it filled the cache leaves this file; one that fills it "
                "now needs it. Make sure that none does, remove the file, "
                "and run the script again."
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
        steps = iterator._enumerate_iterator

        def noting():
            for step in steps():
                yield step
                self._note()

        iterator._enumerate_iterator = noting
        self._watched.append(iterator)

    def release(self) -> None:
        """Gives Keras its own methods back."""
        for iterator in self._watched:
            vars(iterator).pop("_enumerate_iterator", None)
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
    """What the caches of a tf.data pipeline are in, if in files."""
    for stage in stages(source):
        name = getattr(stage, "_filename", None) if caches(stage) else None
        if hasattr(name, "numpy") and name.numpy():
            yield os.path.abspath(os.fsdecode(name.numpy()))


def _quoted(paths: list[str]) -> str:
    return ", ".join(f"'{path}'" for path in paths)
