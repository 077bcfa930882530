"""Compares the values of variables where training resumes with those that the
workers of the interrupted training had there, however many these were."""

import glob
import os

import numpy as np


def watching(keras, engine, folder, is_resumed, rank):
    """A callback that notes what this worker holds before each batch.

    Args:
        keras: The module of the Keras that trains.
        engine: The module of the engine.
        folder: String, where each worker writes a file for each batch.
        is_resumed: Whether to compare with the files of the interrupted
            training instead.
        rank: Integer, which worker this is.

    Returns:
        A callback with the attributes `compared`, how many pieces of variables
        were compared, and `differ`, the names of those that differ.
    """
    os.makedirs(folder, exist_ok=True)

    class Watching(keras.callbacks.Callback):
        epoch = 0
        compared = 0
        differ = ()

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_begin(self, batch, logs=None):
            place = f"{self.epoch}-{batch}"
            if not is_resumed:
                path = os.path.join(folder, f"{place}-of-{rank}.npz")
                write(path, self.now())
            elif self.compared == 0:
                # The batches that a resume passes over are not announced.
                before = together(glob.glob(f"{folder}/{place}-of-*.npz"))
                self.compare(before)

        def now(self):
            self.model.jax_state_sync()
            return engine.pieces(self.model)

        def compare(self, before):
            for (name, begin), piece in self.now().items():
                end = [a + n for a, n in zip(begin, piece.shape)]
                place = tuple(slice(a, b) for a, b in zip(begin, end))
                if before[name][place].tobytes() != piece.tobytes():
                    self.differ = (*self.differ, name)
                self.compared += 1

    return Watching()


def write(path, pieces):
    np.savez(
        path + ".part",
        **{
            "|".join([name, *map(str, begin)]): piece
            for (name, begin), piece in pieces.items()
        },
    )
    os.rename(path + ".part.npz", path)


def together(paths):
    """Each variable, put together from the files of all workers."""
    found = {}
    for path in paths:
        for key, piece in np.load(path).items():
            name, *begin = key.split("|")
            found.setdefault(name, {})[tuple(map(int, begin))] = piece
    return {name: whole(pieces) for name, pieces in found.items()}


def whole(pieces):
    ends = [np.add(begin, one.shape) for begin, one in pieces.items()]
    shape = np.max(ends, axis=0).astype(int)
    found = np.zeros(shape, next(iter(pieces.values())).dtype)
    for begin, one in pieces.items():
        found[tuple(slice(a, a + n) for a, n in zip(begin, one.shape))] = one
    return found
