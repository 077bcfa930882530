"""A training of JAX in one process that goes on with other devices.

The number of devices is decided when a process begins, so each test has one of
its own.
"""

import os
import pathlib
import subprocess
import sys
import unittest

import keras

import kerasbackup

SCRIPT = """
import sys

import keras
import numpy as np
from memory_store import MemoryStore

from kerasbackup.callback import BackupAndRestore


class Stop(Exception):
    pass


# When training is to stop, and the values that its first step begins with. Not
# in attributes of the callback, which a checkpoint would have.
plan = {}


class Watch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == plan["epochs"]:
            raise Stop

    def on_train_batch_begin(self, batch, logs=None):
        plan.setdefault("first", values(self.model))


def values(model):
    model.jax_state_sync()
    every = [*model.variables, *model.optimizer.variables]
    return [np.asarray(one.value).tobytes() for one in every]


def built(shape):
    devices = keras.distribution.list_devices()[: shape[0] * shape[1]]
    mesh = keras.distribution.DeviceMesh(shape, ["batch", "model"], devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*dense.*kernel.*"] = (None, "model")
    layout[".*dense.*bias.*"] = ("model",)
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(
            layout_map=layout, batch_dim_name="batch"
        )
    )
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(4),
        ]
    )
    model.compile("adam", "mse")
    return model


def train(shape, epochs):
    model = built(shape)
    plan.clear()
    plan["epochs"] = epochs
    x = np.random.RandomState(0).randn(48, 4).astype("float32")
    try:
        model.fit(
            x,
            x,
            batch_size=8,
            epochs=4,
            verbose=0,
            callbacks=[Watch(), BackupAndRestore(store.functions, "a")],
        )
        is_complete = True
    except Stop:
        is_complete = False
    kernel = model.layers[0].kernel.value
    assert len(kernel.sharding.device_set) == shape[0] * shape[1], kernel
    piece = kernel.addressable_shards[0].data
    assert piece.shape == (4, 8 // shape[1]), (shape, kernel.sharding)
    return plan["first"], values(model), is_complete


store = MemoryStore()
shapes = [(1, 2), (1, 4), (2, 2), (1, 1)]
before = None
for epochs, shape in enumerate(shapes, 1):
    first, end, is_complete = train(shape, epochs)
    assert is_complete == (epochs == len(shapes))
    assert before is None or first == before, shape
    before = end
assert len(store.saved) == 4
print("equal")
"""


@unittest.skipUnless(keras.backend.backend() == "jax", "they are JAX's")
class Devices(unittest.TestCase):
    def test_values_are_exact_with_other_devices(self):
        devices = "--xla_force_host_platform_device_count=4"
        # R adds these to `sys.path` only while it imports from them.
        here = pathlib.Path(__file__).parent
        package = pathlib.Path(kerasbackup.__file__).parents[1]
        found = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={
                **os.environ,
                "XLA_FLAGS": devices,
                "PYTHONPATH": os.pathsep.join(
                    [str(here), str(package), *sys.path]
                ),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        # Libraries may print before it.
        said = found.stdout.splitlines()[-1:]
        self.assertEqual(said, ["equal"], found.stderr[-3000:])


if __name__ == "__main__":
    unittest.main()
