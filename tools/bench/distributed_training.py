"""Owns: one process of JAX in the benchmark of several workers: trains, and
measures how long each save lets the training wait."""

import csv
import os
import shutil
import time

import jax
import keras
import numpy as np
import orbax.checkpoint as orbax

from kerasbackup.fit.helper import Helper


class State(keras.layers.Layer):
    """Holds arrays that no step changes or sends to another process, so that a
    step takes little time and a save much.

    Args:
        size: Bytes.
    """

    TENSORS = 10

    def __init__(self, size):
        super().__init__()
        rows = max(2, int(size / 4 / self.TENSORS / 1000) // 2 * 2)
        for i in range(self.TENSORS):
            self.add_weight(
                (rows, 1000), "ones", trainable=False, name=f"state_{i}"
            )

    def call(self, x):
        return x


def model_of(workers, size, division):
    devices = keras.distribution.list_devices()
    mesh = keras.distribution.DeviceMesh(
        (1, workers) if division == "divided" else (workers, 1),
        ["batch", "model"],
        devices,
    )
    layout = keras.distribution.LayoutMap(mesh)
    if division == "divided":
        # Each process has as much as one that has all of half the state.
        layout[".*state_.*"] = ("model", None)
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(
            layout_map=layout,
            batch_dim_name="batch",
            auto_shard_dataset=False,
        )
    )
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), State(size), keras.layers.Dense(4)]
    )
    model.compile("sgd", "mse")
    return model


class Orbax(keras.callbacks.Callback):
    """Lets Orbax save the same variables at the end of each epoch, before
    kerasbackup does it, and waits until it is done.

    Args:
        folder: String.
        add: Callable that is given the name of a system and its time.
        backup: The callback of kerasbackup, whose save must not be under way.
    """

    def __init__(self, folder, add, backup):
        super().__init__()
        self._folder = folder
        self._checkpointer = orbax.AsyncCheckpointer(
            orbax.PyTreeCheckpointHandler()
        )
        self._add, self._backup = add, backup

    def on_epoch_begin(self, epoch, logs=None):
        if epoch > 0:
            self._backup._store.settle()

    def on_epoch_end(self, epoch, logs=None):
        self.model.jax_state_sync()
        state = {
            f"v{i}": one.value for i, one in enumerate(self.model.variables)
        }
        path = os.path.join(self._folder, f"orbax-{epoch}")
        begin = time.perf_counter()
        self._checkpointer.save(path, state)
        self._add("Orbax", time.perf_counter() - begin)
        self._checkpointer.wait_until_finished()
        del state
        workers = self._backup._workers
        workers.barrier("between two saves")
        if workers.index == 0:
            shutil.rmtree(path)
        workers.barrier("the files are gone")
        begin = time.perf_counter()
        workers.barrier("an exchange")
        self._add("exchange", time.perf_counter() - begin)


def run(rank, workers, port, size, saves, division, folder, backup):
    """Trains so many epochs, and one more that does not count.

    Args:
        rank, workers: Integers, which process this is of how many.
        port: Integer, where they meet.
        size: Bytes of the state.
        saves: Integer.
        division: `"replicated"` or `"divided"`.
        folder: String. Each process writes a file `times-<rank>` there.
        backup: The callback of kerasbackup.
    """
    jax.distributed.initialize(f"127.0.0.1:{port}", workers, rank)
    times = []

    def add(system, seconds):
        times.append((system, seconds))

    save = Helper._save

    def timed(self, *args, **kwargs):
        begin = time.perf_counter()
        saved = save(self, *args, **kwargs)
        add("kerasbackup", time.perf_counter() - begin)
        return saved

    Helper._save = timed
    model = model_of(workers, size, division)
    rows = np.ones((8, 4), "float32")
    model.fit(
        rows,
        rows,
        batch_size=8,
        epochs=saves + 1,
        verbose=0,
        callbacks=[Orbax(folder, add, backup), backup],
    )
    systems = sorted({system for system, _ in times})
    with open(f"{folder}/times-{rank}", "w", newline="") as file:
        write = csv.writer(file).writerow
        write(["system", "save", "seconds"])
        for system in systems:
            found = [taken for name, taken in times if name == system]
            for number, taken in list(enumerate(found))[1:]:
                write([system, number, taken])
    jax.distributed.shutdown()
