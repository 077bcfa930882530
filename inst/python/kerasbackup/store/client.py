"""The client of R's store.

It calls the functions that `R/bridge.R` passes to Python, and raises exceptions
for the failures that they return.
"""

import array
import ctypes
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasbackup.store import changes
from kerasbackup.store import errors

ALIGNMENT = 64  # bytes
PIECE = 1 << 22  # bytes


class Store:
    """The checkpoints of one directory, as R offers them.

    Args:
        functions: Dict of callables, see `bridge_functions()` in `R/bridge.R`.
            Each returns a dict with the key `value`, or with `error` (the class
            of an R condition) and `message`.
    """

    def __init__(self, functions: dict[str, Callable]):
        self._functions = functions
        self._activity = None

    def open(
        self,
        is_running: Callable[[], bool],
        worker: list[int] | None = None,
        others: bool = False,
    ) -> None:
        """Locks the directory and opens it; creates it where it is missing.

        Args:
            is_running: Tells whether the training that opens it goes on. A
                later training in the same process may take the directory over
                where it does not.
            worker: The number of this worker and of all workers, where there
                are several: each has a directory in the directory.
            others: Whether checkpoints of another number of workers may be
                there, see `others()`.
        """
        # Belongs to R, as long as the store is open; ctypes only looks at it.
        of_worker = [] if worker is None else [worker]
        if others:
            of_worker = [worker or [], True]
        address = int(self._call("open", is_running, *of_worker))
        self._activity = (ctypes.c_uint64 * 2).from_address(address)

    def writing_time(self) -> float | None:
        """How many seconds it took to write the last checkpoint that was
        written in the background; `None` while one is. No call into R."""
        is_writing, nanoseconds = self._activity
        return None if is_writing else nanoseconds * 1e-9

    def plan(self, spec: list[tuple[str, str, list[int]]]) -> bool:
        """Announces the tensors, in file order: name, dtype, shape.

        Returns:
            Whether they can be saved. Where they cannot, the user was warned
            and the last checkpoint is untouched.
        """
        return bool(self._call("plan", json.dumps(spec)))

    def fail(self, error: errors.KerasBackupError) -> None:
        """Tells of a save that could not be made, as of any other that failed.

        Raises:
            KerasBackupError: The same, where that is to end training.
        """
        self._call("fail", errors.r_class(error), str(error))

    def script_names(self) -> dict[str, Any]:
        """The Python variables that R's names lead to, by where."""
        found = self._call("script_names")
        # R has one kind of list, and an empty one has no names.
        return found if isinstance(found, dict) else {}

    def prepare(self, size: int) -> None:
        """Announces about how many bytes a checkpoint will have."""
        # An integer beyond 32 bits would arrive in R as another one.
        self._call("prepare", float(size))

    def save(
        self,
        addresses: bytearray,
        metadata: dict[str, str],
        time: float = math.nan,
        value: float = math.nan,
    ) -> bool:
        """Commits one checkpoint, or hands it over to who will.

        Args:
            addresses: Native 64-bit address of every tensor's bytes, in file
                order. The memory must stay as it is until this returns.
            metadata: What is not a tensor.
            time, value: What the checkpoint counts as: when it was made, in
                seconds, and the value of the log by which the best one is kept.

        Returns:
            Whether the checkpoint is committed, or will be in the background.
            Where it is not, the user was warned and the last one is untouched.
        """
        metadata = {"kerasbackup": "1", **metadata}
        text = json.dumps(metadata, separators=(",", ":"), ensure_ascii=False)
        return bool(self._call("save", addresses, text, time, value))

    def load(self) -> "Checkpoint | None":
        """Loads the newest checkpoint that verifies in full.

        Returns:
            A `Checkpoint`, or `None` where the directory has none.
        """
        checkpoint = self._find(verified=False)
        while checkpoint is not None and not self._read(checkpoint):
            # It is damaged or gone, but there may be another one: this look
            # raises where nothing can be restored. Its memory is free by then.
            checkpoint = None
            checkpoint = self._find(verified=True)
        return checkpoint

    def positions(self) -> dict[str, Any]:
        """Which checkpoints there are. Reads every byte of each.

        Returns:
            Dict of `places`: where the intact ones were made, the newest first,
            each a list of epochs and batches; `times`: when, as text; and
            `has_one_save`: whether there is none but the first that was made in
            this directory.
        """
        return json.loads(self._call("positions"))

    def drop_newer(self, number: int) -> None:
        """Deletes the first checkpoints of those that `positions()` found,
        which other workers lack.

        Args:
            number: Integer, how many.
        """
        if number:
            self._call("drop_newer", number)

    def drop_last(self) -> None:
        """Deletes the checkpoint that was committed last, which another worker
        could not save."""
        self._call("drop_last")

    def others(self) -> dict[str, Any] | None:
        """The newest checkpoint that another number of workers has saved in the
        directory: their number `workers`, `epoch`, `batch` and `saved_at`;
        `None` if there is none.

        Raises:
            MismatchError: They cannot be used, and there are no others.
        """
        return json.loads(self._call("others"))

    def load_other(self, number: int) -> "Checkpoint":
        """Loads one worker's file of what `others()` found.

        Args:
            number: Integer, which worker, counted from 1.
        """
        checkpoint = Checkpoint(self._call("load_other", number))
        self._call("read_other", number, checkpoint.places)
        return checkpoint

    def drop_others(self) -> None:
        """Deletes the checkpoints of other numbers of workers."""
        self._call("drop_others")

    def settle(self) -> bool:
        """Waits for the save under way, and reports it.

        Returns:
            Whether the last save is committed.

        Raises:
            KerasBackupError: It failed, where that is to end training.
        """
        return bool(self._call("settle"))

    def _find(self, verified: bool) -> "Checkpoint | None":
        found = self._call("load", verified)
        return None if found is None else Checkpoint(found)

    def _read(self, checkpoint: "Checkpoint") -> bool:
        return bool(self._call("read", checkpoint.places))

    def note_cache_locks(self, paths: list[str]) -> None:
        """Notes lock files of `tf.data`'s caches as this training's own."""
        self._call("note_cache_locks", paths)

    def r_seed(self) -> str:
        """The state of R's random number generator; empty where it has none."""
        return self._call("r_seed")

    def set_r_seed(self, seed: str) -> None:
        """Puts back what `r_seed()` gave."""
        self._call("set_r_seed", seed)

    def notify(self, kind: str, lines: list[str]) -> None:
        """Tells the user.

        Args:
            kind: `"notes"`: what is no longer as it was. `"unsaved"`: what
                could not be saved. `"auto"`: how often is saved. And others,
                see `training_messages` in `R/conditions.R`.
            lines: List of strings.
        """
        table = [json.dumps(changes.table(lines))] if lines else []
        lines = [changes.readable(line) for line in lines]
        self._call("notify", kind, lines, *(table if kind == "notes" else []))

    def resume(self, place: str) -> None:
        """Tells the user that training resumes.

        Args:
            place: String, how far it had come.
        """
        self._call("resume", place)

    def progress(self, done: int | None, total: int | None) -> None:
        """Shows how far a replay of data is; `None, None`: it has ended."""
        self._call("progress", done, total)

    def watch(self) -> tuple[int, int]:
        """Where signals that come set bits of a C int, and the bits to look at.
        They are watched as long as the directory is open."""
        found = self._call("watch")
        return int(found["address"]), int(found["bits"])

    def is_saved(self) -> bool:
        """Whether the newest save is committed; waits for it."""
        return bool(self._call("is_saved"))

    def preempt(self) -> str:
        """As `close()`, of a training that stops for a signal.

        Returns:
            What to say about it.
        """
        return self._call("preempt")

    def has_made_parent(self) -> bool:
        """Whether this training has made the directory that the directories of
        several workers are in."""
        return bool(self._call("has_made_parent"))

    def finish(self, removes_parent: bool = False) -> None:
        """Ends a complete training: deletes the checkpoint if asked to.

        Args:
            removes_parent: Whether to delete the directory above, too, if
                nothing else is in it.
        """
        self._activity = None
        self._call("finish", *([True] if removes_parent else []))

    def leave(self, kind: str, lines: list[str]) -> None:
        """As `close()`, and tells why training is incomplete and from which
        checkpoint it goes on.

        Args:
            kind, lines: See `notify()`.
        """
        self._activity = None
        self._call("leave", kind, lines)

    def close(self) -> None:
        """Ends an incomplete training: every checkpoint stays. Idempotent."""
        self._activity = None
        self._call("close")

    def _call(self, name: str, *args: Any) -> Any:
        result = self._functions[name](*args)
        if "error" in result:
            raise errors.BY_R_CLASS[result["error"]](result["message"])
        return result["value"]


class Checkpoint:
    """A loaded and verified checkpoint.

    Attributes:
        path: String, the file.
        metadata: Dict of strings.
        places: Bytearray, where the bytes of every tensor belong, in file
            order: address and size, native 64-bit integers.
        tensors: Dict from name to `(dtype, shape, bytes)`, in file order. The
            bytes are a 1D NumPy array of uint8.
        workers: Integer, if another number of workers has saved it: how many.
    """

    workers = None

    def __init__(self, found: dict[str, Any]):
        self.path = found["path"]
        # R has looked at the header, but not with this parser.
        try:
            header = json.loads(found["header"])
            self.metadata = header.pop("__metadata__")
            del header["kerasbackup.trailer"]
            self.tensors = {}
            memory = _Memory()
            for name, entry in sorted(header.items(), key=_offsets):
                self.tensors[name] = _tensor(name, entry, memory)
            self.places = bytearray(memory.places.tobytes())
        except errors.DAMAGE as e:
            raise errors.corrupt(self.path, f"{type(e).__name__}: {e}") from e
        except MemoryError as e:
            raise errors.StorageError(
                f"There is too little memory to restore '{self.path}': {e}. "
                "Free some, or train where there is more; the checkpoint "
                "stays as it is."
            ) from e


def _offsets(item):
    return item[1]["data_offsets"]


def _tensor(name, entry, memory):
    # Raises where it is no text: half of a pair of surrogates.
    name.encode("utf-8")
    begin, end = entry["data_offsets"]
    # 1.0 is a whole number to some parsers.
    if not all(type(n) is int for n in (begin, end, *entry["shape"])):
        raise TypeError(f"{name} has sizes that are no integers")
    if not memory.taken == begin <= end:
        raise ValueError(f"{name} does not follow its neighbour")
    return entry["dtype"], entry["shape"], memory.take(end - begin)


class _Memory:
    """Memory that becomes the variables': aligned as JAX and TensorFlow ask
    for, to take it as it is. Large tensors have one piece each, small ones
    share some: each lives as long as the last variable that has a part of it.

    Attributes:
        taken: Integer, how many bytes.
        places: Array of integers, address and size of each part.
    """

    def __init__(self):
        self.taken = 0
        self.places = array.array("Q")
        self._piece = np.empty(0, np.uint8)
        self._address = 0
        self._at = 0

    def take(self, size: int) -> np.ndarray:
        """So many more bytes."""
        if self._at + size > len(self._piece):
            # The system gives large pages to what is at least so large.
            self._piece = np.empty(max(size, PIECE) + ALIGNMENT, np.uint8)
            self._address = self._piece.__array_interface__["data"][0]
            self._at = -self._address % ALIGNMENT
        found = self._piece[self._at : self._at + size]
        self.places.append(self._address + self._at)
        self.places.append(size)
        self.taken += size
        self._at += size + -size % ALIGNMENT
        return found
