"""Owns the view of R's store from Python.

Calls the functions that `R/bridge.R` hands over and turns the failures that
they return into exceptions. May not touch Keras, files or the layout of a
checkpoint.
"""

import ctypes
import json
from collections.abc import Callable
from typing import Any

from kerasbackup import errors


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

    def open(self, is_running: Callable[[], bool]) -> None:
        """Locks the directory and opens it; creates it where it is missing.

        Args:
            is_running: Tells whether the training that opens it goes on. A
                later training in the same process may take the directory over
                where it does not.
        """
        # Belongs to R, as long as the store is open; ctypes only looks at it.
        address = int(self._call("open", is_running))
        self._activity = (ctypes.c_uint64 * 2).from_address(address)

    def writing_time(self) -> float | None:
        """How many seconds it took to write the last checkpoint that was
        written in the background; `None` while one is. No call into R."""
        is_writing, nanoseconds = self._activity
        return None if is_writing else nanoseconds * 1e-9

    def plan(self, spec: list[tuple[str, str, list[int]]]) -> None:
        """Announces the tensors, in file order: name, dtype, shape."""
        self._call("plan", json.dumps(spec))

    def prepare(self, size: int) -> None:
        """Announces about how many bytes a checkpoint will have."""
        # An integer beyond 32 bits would arrive in R as another one.
        self._call("prepare", float(size))

    def save(self, addresses: bytearray, metadata: dict[str, str]) -> bool:
        """Commits one checkpoint, or hands it over to who will.

        Args:
            addresses: Native 64-bit address of every tensor's bytes, in file
                order. The memory must stay as it is until this returns.
            metadata: What is not a tensor.

        Returns:
            Whether the checkpoint is committed, or will be in the background.
            Where it is not, the user was warned and the last one is untouched.
        """
        metadata = {"kerasbackup": "1", **metadata}
        text = json.dumps(metadata, separators=(",", ":"), ensure_ascii=False)
        return bool(self._call("save", addresses, text))

    def load(self) -> "Checkpoint | None":
        """Loads the newest checkpoint that verifies in full.

        Returns:
            A `Checkpoint`, or `None` where the directory has none. Its bytes
            are valid until `release()`.
        """
        loaded = self._call("load")
        return None if loaded is None else Checkpoint(loaded)

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
                see `bridge_notify()` in `R/bridge.R`.
            lines: List of strings.
        """
        # A name from a checkpoint may have what is no text to R.
        lines = [
            line.encode("utf-8", "backslashreplace").decode() for line in lines
        ]
        self._call("notify", kind, lines)

    def progress(self, done: int | None, total: int | None) -> None:
        """Shows how far a replay of data is; `None, None`: it has ended."""
        self._call("progress", done, total)

    def release(self) -> None:
        """Frees the bytes of the loaded checkpoint."""
        self._call("release")

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

    def finish(self) -> None:
        """Ends a complete training: deletes the checkpoint if asked to."""
        self._activity = None
        self._call("finish")

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
        tensors: Dict from name to `(dtype, shape, memoryview of the bytes)`,
            in file order.
    """

    def __init__(self, loaded: dict[str, Any]):
        self.path = loaded["path"]
        size = int(loaded["data_bytes"])  # without the integrity trailer
        # The buffer belongs to R; ctypes only looks at it.
        block = (ctypes.c_char * size).from_address(int(loaded["address"]))
        data = memoryview(block).cast("B")
        # R has looked at the header, but not with this parser.
        try:
            header = json.loads(loaded["header"])
            self.metadata = header.pop("__metadata__")
            del header["kerasbackup.trailer"]
            self.tensors = {
                name: _tensor(name, entry, data)
                for name, entry in header.items()
            }
        except errors.DAMAGE as e:
            raise errors.corrupt(self.path, f"{type(e).__name__}: {e}") from e


def _tensor(name, entry, data):
    # Raises where it is no text: half of a pair of surrogates.
    name.encode("utf-8")
    begin, end = entry["data_offsets"]
    # 1.0 is a whole number to some parsers.
    if not all(type(n) is int for n in (begin, end, *entry["shape"])):
        raise TypeError(f"{name} has sizes that are no integers")
    if not 0 <= begin <= end <= len(data):
        raise ValueError(f"{name} is not in the file")
    return entry["dtype"], entry["shape"], data[begin:end]
