"""One worker of a training: joins the others, trains, and says what it ends
with. Started by worker.R.

A strategy is a function that joins the workers and returns a model. What a
worker ends with is a checksum of every shard of every variable that it holds,
and the logs of its epochs.
"""

import faulthandler
import hashlib
import json
import os
import signal

import keras
import numpy as np

BATCH, BATCHES, EPOCHS = 8, 5, 4


def data(strategy, rank, count):
    """The rows of one of so many workers: each other ones, except where all
    train the same rows with a part of the model each."""
    if strategy == "jax ModelParallel":
        rank, count = 0, 1
    rs = np.random.RandomState(0)
    x = rs.randn(count * BATCH * BATCHES, 6).astype("float32")
    noise = 0.1 * rs.randn(len(x), 2)
    y = (x @ rs.randn(6, 2) + noise).astype("float32")
    return x[rank::count], y[rank::count]


def layers():
    return [
        keras.layers.Dense(8, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(2),
    ]


def join_jax(rank, count, port):
    import jax

    jax.distributed.initialize(f"127.0.0.1:{port}", count, rank)
    return keras.distribution.list_devices()


def jax_data_parallel(rank, count, port):
    devices = join_jax(rank, count, port)
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(
            devices=devices, auto_shard_dataset=False
        )
    )
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((6,)), *layers()])


def jax_model_parallel(rank, count, port):
    devices = join_jax(rank, count, port)
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
    return keras.Sequential([keras.Input((6,)), *layers()])


def join_torch(rank, count, port):
    from torch import distributed

    distributed.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=count,
    )
    # The ranks draw other numbers, and DDP gives them the first one's weights.
    keras.utils.set_random_seed(1 + rank)


def torch_ddp(rank, count, port):
    from torch.nn.parallel import DistributedDataParallel

    join_torch(rank, count, port)

    class Through(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
            # In a tuple, or Keras would count its weights a second time.
            self.through = (DistributedDataParallel(inner),)

        def call(self, x, training=None):
            return self.through[0](x, training=training)

    model = Through(keras.Sequential([keras.Input((6,)), *layers()]))
    model.build((None, 6))
    return model


def torch_alone(rank, count, port):
    join_torch(rank, count, port)
    return keras.Sequential([keras.Input((6,)), *layers()])


STRATEGIES = {
    "jax DataParallel": jax_data_parallel,
    "jax ModelParallel": jax_model_parallel,
    "torch DistributedDataParallel": torch_ddp,
    "torch without DDP": torch_alone,
}


# How this process is interrupted: not in attributes of the callback, which a
# checkpoint would have. `at` is a pair of epoch and batch, both counted from 0,
# or "end", or None; `how` is "kill" or "signal".
PLAN = {"at": None, "how": None}


class Interrupt(keras.callbacks.Callback):
    """Tells how far training is, and interrupts it as planned.

    Args:
        progress: String, a file that grows with each batch.
    """

    def __init__(self, progress):
        super().__init__()
        self.progress = progress
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        with open(self.progress, "a") as file:
            file.write(f"{self.epoch} {batch}\n")
        if PLAN["at"] == [self.epoch, batch]:
            interrupt(PLAN["how"])

    def on_train_end(self, logs=None):
        if PLAN["at"] == "end":
            interrupt(PLAN["how"])


def interrupt(how):
    number = signal.SIGKILL if how == "kill" else signal.SIGTERM
    os.kill(os.getpid(), number)


def kill_in_save(at):
    """Kills this process when it has just handed over a save, which a thread
    is writing then.

    Args:
        at: Integer, which save.
    """
    from kerasbackup.store.client import Store

    save, number = Store.save, [0]

    def killed(self, *args, **kwargs):
        saved = save(self, *args, **kwargs)
        number[0] += 1
        if number[0] == at:
            interrupt("kill")
        return saved

    Store.save = killed


def train(strategy, rank, count, port, backup, progress, at, how):
    """Trains until the end, or until it is interrupted.

    Args:
        strategy: String, one of `STRATEGIES`.
        rank, count: Integers, which worker this is of how many.
        port: Integer, where the workers meet.
        backup: The callback to test.
        progress: See `Interrupt`.
        at, how: See `PLAN`. `how` may be `"save"`: `at` is then the number of
            the save.

    Returns:
        String, JSON: what this worker ends with.
    """
    # The signal by which processes.R asks where a training hangs.
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    model = STRATEGIES[strategy](rank, count, port)
    model.compile("adam", "mse", metrics=["mae"])
    if how == "save":
        kill_in_save(at)
    else:
        PLAN.update(at=at, how=how)
    x, y = data(strategy, rank, count)
    history = model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[
            Interrupt(progress),
            *others(),
            backup,
        ],
    )
    return json.dumps({"variables": checksums(model), "logs": history.history})


def others():
    """Callbacks with a state. The logs of torch's ranks differ, so what follows
    them would change the learning rate on some ranks only."""
    if keras.backend.backend() == "torch":
        return [keras.callbacks.LearningRateScheduler(lambda _, rate: rate / 2)]
    return [
        keras.callbacks.ReduceLROnPlateau("loss", patience=1),
        keras.callbacks.EarlyStopping("loss", patience=9),
    ]


def checksums(model):
    found = {}
    groups = model.variables, model.optimizer.variables, model.metrics_variables
    for variable in (one for group in groups for one in group):
        value = variable.value
        if hasattr(value, "addressable_shards"):
            parts = {
                str(one.index): one.data for one in value.addressable_shards
            }
        else:
            parts = {"": keras.ops.convert_to_numpy(value)}
        for place, part in parts.items():
            content = np.ascontiguousarray(part).tobytes()
            name = f"{variable.path} {place}"
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def leave():
    """To be called when all is done."""
    if keras.backend.backend() == "jax":
        import jax

        jax.distributed.shutdown()
    else:
        from torch import distributed

        distributed.barrier()
        distributed.destroy_process_group()
