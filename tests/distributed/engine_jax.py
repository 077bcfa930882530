"""Processes that `jax.distributed` joins, and a model over their devices."""

import jax
import keras
import numpy as np
from models import layers


def join(rank, count, ports):
    jax.distributed.initialize(f"127.0.0.1:{ports[0]}", count, rank)
    return keras.distribution.list_devices()


def data_parallel(rank, count, ports):
    devices = join(rank, count, ports)
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(
            devices=devices, auto_shard_dataset=False
        )
    )
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((6,)), *layers(keras)])


def model_parallel(rank, count, ports):
    devices = join(rank, count, ports)
    mesh = keras.distribution.DeviceMesh(
        (1, count), ["batch", "model"], devices
    )
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*dense[^_]*kernel.*"] = (None, "model")
    layout[".*dense[^_]*bias.*"] = ("model",)
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(
            layout_map=layout,
            batch_dim_name="batch",
            auto_shard_dataset=False,
        )
    )
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((6,)), *layers(keras)])


STRATEGIES = {"DataParallel": data_parallel, "ModelParallel": model_parallel}
# All train the same rows with a part of the model each.
SAME_ROWS = ("ModelParallel",)


def compile(model):
    model.compile("adam", "mse", metrics=["mae"])


def adapted(model, data):
    """The arguments of `fit()` that a function gives for the data."""
    return data()


def parts(variable):
    """What this process holds of a variable, by name."""
    shards = variable.value.addressable_shards
    return {str(one.index): np.asarray(one.data) for one in shards}


def pieces(model):
    """What this process holds of all variables: arrays, by the name of the
    variable and where in it they begin."""
    found = {}
    every = (
        *model.variables,
        *model.optimizer.variables,
        *model.metrics_variables,
    )
    for i, variable in enumerate(every):
        for one in variable.value.addressable_shards:
            begin = tuple(place.start or 0 for place in one.index)
            # Layers may be numbered otherwise.
            found[f"{i} {variable.name}", begin] = np.asarray(one.data)
    return found


def others():
    return [
        keras.callbacks.ReduceLROnPlateau("loss", patience=1),
        keras.callbacks.EarlyStopping("loss", patience=9),
    ]


def leave():
    jax.distributed.shutdown()
