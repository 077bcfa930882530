"""Owns: what is compared: the machine's limits and ways to save arrays.

Each class saves and restores the same list of numpy arrays in `folder`;
`load()` gives them, in their order. `missing()` says why a system cannot take
part, or nothing.
"""

import os
import shutil
from array import array
from pathlib import Path

import numpy as np

WHOLE = 1 << 20
# Whether the system can be told that a file will not be read again.
_CAN_FORGET = hasattr(os, "posix_fadvise")


class System:
    """One way to save. `operations` are measured in this order."""

    def __init__(self, folder, arrays):
        self.folder = Path(folder) / type(self).__name__
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = str(self.folder / "state")
        self.arrays = arrays
        self.operations = [self.save, self.restore]

    @staticmethod
    def missing():
        return None

    def load(self):
        raise NotImplementedError

    def restore(self, lap):
        self.load()
        lap("restore")

    def files(self):
        """The files that hold what was saved."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def forget(self):
        """Has the system drop what it keeps in memory of these files."""
        files = self.files()
        assert files, f"{self.name} has saved nothing in {self.folder}"
        for path in files:
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Limits(System):
    """What no system can beat: copy, write and flush, read.

    Args:
        most: Bytes of memory that it takes twice; of a larger state, the same
            memory is copied, written and read into several times.
    """

    name = "limit"

    def __init__(self, folder, arrays, most=None):
        super().__init__(folder, arrays)
        self._size = sum(one.nbytes for one in arrays)
        size = min(self._size, most or self._size)
        self._bytes = np.ones(size, dtype=np.uint8)
        self._other = np.ones(size, dtype=np.uint8)
        self.operations = [self.copy, self.save, self.restore, self.restore_new]
        if hasattr(os, "posix_fallocate"):
            self.operations.insert(2, self.save_reserved)
        if _CAN_FORGET:
            self.operations.append(self.restore_cold)

    def copy(self, lap):
        for size in self._pieces(len(self._bytes)):
            np.copyto(self._other[:size], self._bytes[:size])
        lap("memcpy")

    def save(self, lap):
        self._write(lap, "write + fsync")

    def save_reserved(self, lap):
        self._write(lap, "reserve + write + fsync", reserve=True)

    def _write(self, lap, name, reserve=False):
        # A new file, as a safe save must have; the old one goes afterwards.
        fd = os.open(self.file + ".new", os.O_WRONLY | os.O_CREAT, 0o666)
        if reserve:
            os.posix_fallocate(fd, 0, self._size)
        view = memoryview(self._bytes)
        for size in self._pieces(len(view)):
            for at in range(0, size, WHOLE):
                os.write(fd, view[at : min(at + WHOLE, size)])
        os.fsync(fd)
        os.close(fd)
        lap(name)
        os.replace(self.file + ".new", self.file)

    def restore(self, lap):
        self._read(self._other)
        lap("read, cached")

    def restore_new(self, lap):
        self._read(np.empty_like(self._other))
        lap("read, cached, into new memory")

    def restore_cold(self, lap):
        self._read(self._other)
        lap("read, cold")

    restore_cold.forgets = True

    def _read(self, into):
        with open(self.file, "rb", buffering=0) as file:
            view = memoryview(into)
            for size in self._pieces(len(view)):
                at = 0
                while at < size:
                    at += file.readinto(view[at : min(at + WHOLE, size)])

    def _pieces(self, most):
        for at in range(0, self._size, most):
            yield min(most, self._size - at)


class Ours(System):
    """kerasbackup, through the functions that Python has from R.

    Args:
        prepares: Whether memory for a copy is made ready, as `fit()` has it
            done after it has restored.
    """

    name = "kerasbackup"

    def __init__(self, folder, arrays, functions, prepares=True):
        from kerasbackup.store.client import Store

        super().__init__(folder, arrays)
        self._wait = functions["wait"]
        self._store = Store(functions)
        self._store.open(lambda: True)
        self._count = len(arrays)
        if prepares:
            self._store.prepare(sum(one.nbytes for one in arrays))
            self._store.plan(self._spec())
        if _CAN_FORGET:
            self.operations.append(self.restore_cold)

    def _spec(self):
        return [
            (f"t{i}", "F32", list(one.shape))
            for i, one in enumerate(self.arrays)
        ]

    def save(self, lap):
        places = [one.__array_interface__["data"][0] for one in self.arrays]
        addresses = bytearray(array("Q", places).tobytes())
        self._store.save(addresses, {"epoch": "1"})
        self._committed(lap("stall"), lap)

    def _committed(self, stall, lap):
        # The old checkpoint goes after the new one is committed: not counted.
        lap("save, committed", stall + self._wait())

    def load(self):
        checkpoint = self._store.load()
        return [
            data.view(np.float32).reshape(shape)
            for _, shape, data in checkpoint.tensors.values()
        ]

    def restore(self, lap):
        self._restore(lap, "restore, verified")

    def restore_cold(self, lap):
        self._restore(lap, "restore, verified, cold")

    restore_cold.forgets = True

    def _restore(self, lap, name):
        arrays = self.load()
        lap(name)
        assert len(arrays) == self._count

    def files(self):
        return [one for one in super().files() if one.suffix == ".safetensors"]

    def close(self):
        self._store.close()


class OursWaiting(Ours):
    """The same with `async = FALSE`."""

    name = "kerasbackup, async = FALSE"

    def __init__(self, folder, arrays, functions):
        super().__init__(folder, arrays, functions)
        self.operations = [self.save]

    def _committed(self, stall, lap):
        lap("save, committed", self._wait())


class Safetensors(System):
    name = "safetensors"

    @staticmethod
    def missing():
        return _import("safetensors")

    def __init__(self, folder, arrays):
        super().__init__(folder, arrays)
        self._named = {f"t{i}": one for i, one in enumerate(arrays)}
        self.operations = [self.save, self.save_synced, self.restore]

    def _write(self):
        from safetensors.numpy import save_file

        save_file(self._named, self.file)

    def save(self, lap):
        self._write()
        lap("save")

    def save_synced(self, lap):
        self._write()
        _flush(self.file)
        lap("save + fsync")

    def load(self):
        from safetensors.numpy import load_file

        loaded = load_file(self.file)
        return [loaded[name] for name in self._named]


class Torch(System):
    name = "torch.save"

    @staticmethod
    def missing():
        return _import("torch")

    def __init__(self, folder, arrays):
        import torch

        super().__init__(folder, arrays)
        self._torch = torch
        self._named = {
            f"t{i}": torch.from_numpy(one) for i, one in enumerate(arrays)
        }
        self.operations = [self.save, self.save_synced, self.restore]

    def save(self, lap):
        self._torch.save(self._named, self.file)
        lap("save")

    def save_synced(self, lap):
        self._torch.save(self._named, self.file)
        _flush(self.file)
        lap("save + fsync")

    def load(self):
        loaded = self._torch.load(self.file)
        return [loaded[name].numpy() for name in self._named]


class Orbax(System):
    name = "Orbax"

    @staticmethod
    def missing():
        return _import("orbax.checkpoint")

    def __init__(self, folder, arrays):
        import orbax.checkpoint as orbax

        super().__init__(folder, arrays)
        self._named = {f"t{i}": one for i, one in enumerate(arrays)}
        handler = orbax.PyTreeCheckpointHandler
        self._waiting = orbax.Checkpointer(handler())
        self._background = orbax.AsyncCheckpointer(handler())
        self.operations = [self.save, self.restore, self.save_async]

    def _fresh(self):
        shutil.rmtree(self.file, ignore_errors=True)

    def save(self, lap):
        self._fresh()
        self._waiting.save(self.file, self._named)
        lap("save")

    def save_async(self, lap):
        self._fresh()
        self._background.save(self.file, self._named)
        lap("asynchronous, stall")
        self._background.wait_until_finished()
        lap("asynchronous, complete")

    def load(self):
        loaded = self._waiting.restore(self.file)
        return [np.asarray(loaded[name]) for name in self._named]


PEERS = [Safetensors, Torch, Orbax]


def _import(name):
    try:
        __import__(name)
    except ImportError:
        return f"{name.split('.')[0]} is not installed"


def _flush(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
