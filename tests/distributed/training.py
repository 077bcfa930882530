"""One worker of a training: joins the others, trains, and says what it ends
with. Started by worker.R.

A strategy is `ENGINE NAME`: a file `engine_*.py`, and a function there that
joins the workers and returns a model. What a worker ends with is a checksum of
every part of every variable that it holds, and the logs of its epochs.
"""

import faulthandler
import hashlib
import importlib
import json
import os
import signal
import sys
import time

import numpy as np

# R has imported this file alone.
sys.path.append(os.environ["DISTRIBUTED_HOME"])

import values

BATCH, BATCHES, EPOCHS = 8, 5, 4
# Their number may change to any that divides this one.
MOST_WORKERS = 6

# How this process is interrupted: not in attributes of the callback, which a
# checkpoint would have. `at` is a pair of epoch and batch, both counted from 0,
# or "end", or None; `how` is "kill" or "signal".
PLAN = {"at": None, "how": None}


def rows(is_same, rank, count, total):
    """The rows of one of so many workers: each other ones, or all.

    Args:
        total: For how many workers there are rows.
    """
    rs = np.random.RandomState(0)
    x = rs.randn(total * BATCH * BATCHES, 6).astype("float32")
    noise = 0.1 * rs.randn(len(x), 6)
    y = (x @ rs.randn(6, 6) + noise).astype("float32")
    return (x, y) if is_same else (x[rank::count], y[rank::count])


def data(kind, x, y):
    """The arguments of `fit()` for the data.

    Args:
        kind: String, `"arrays"`, `"validated"` (arrays, with others for the
            validation) or `"tf.data"`.
        x, y: What `rows()` gives.
    """
    batch = len(x) // BATCHES
    if kind == "arrays":
        return {"x": x, "y": y, "batch_size": batch}
    if kind == "validated":
        validation_data = -x[::2], y[::2]
        return data("arrays", x, y) | {"validation_data": validation_data}
    import tensorflow as tf

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    found = tf.data.Dataset.from_tensor_slices((x, y))
    return {
        "x": found.shuffle(len(x), seed=3).batch(batch).with_options(options)
    }


def interrupting(keras, progress):
    """A callback that tells how far training is, and interrupts it as planned.

    Args:
        keras: The module of the Keras that trains.
        progress: String, a file that grows with each batch.
    """

    class Interrupt(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_begin(self, batch, logs=None):
            with open(progress, "a") as file:
                file.write(f"{self.epoch} {batch}\n")
            if PLAN["at"] == [self.epoch, batch]:
                interrupt(PLAN["how"])

        def on_train_end(self, logs=None):
            if PLAN["at"] == "end":
                interrupt(PLAN["how"])

    found = Interrupt()
    # It does not look at logs, which may be in other processes.
    found._supports_tf_logs = True
    return found


def interrupt(how):
    number = signal.SIGKILL if how == "kill" else signal.SIGTERM
    os.kill(os.getpid(), number)


def kill_in_save(at, is_before):
    """Kills this process when it hands over a save.

    Args:
        at: Integer, which save.
        is_before: Whether to do it before: the save is never made. Otherwise a
            thread has just begun to write it.
    """
    from kerasbackup.store.client import Store

    save, number = Store.save, [0]

    def killed(self, *args, **kwargs):
        number[0] += 1
        if is_before and number[0] == at:
            interrupt("kill")
        saved = save(self, *args, **kwargs)
        if number[0] == at:
            interrupt("kill")
        return saved

    Store.save = killed


def train(
    strategy, kind, rank, count, ports, backup, progress, at, how, watched=None
):
    """Trains until the end, or until it is interrupted.

    Args:
        strategy: String.
        kind: See `data()`.
        rank, count: Integers, which worker this is of how many.
        ports: List of integers, where the workers meet.
        backup: The callback to test.
        progress: See `interrupting()`.
        at, how: See `PLAN`. `how` may be `"save"` or `"before"`, see
            `kill_in_save()`: `at` is then the number of the save.
        watched: `folder` and `is_resumed` of `values.watching()`; `None` where
            all trainings have the same number of workers.

    Returns:
        String, JSON: what this worker ends with.
    """
    # The signal by which processes.R asks where a training hangs.
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    engine, name = engine_of(strategy)
    if how in ("save", "before"):
        kill_in_save(at, how == "before")
    else:
        PLAN.update(at=at, how=how)
    model = engine.STRATEGIES[name](rank, count, ports)
    if model is None:
        serve(progress)
        return ""
    engine.compile(model)
    total = count if watched is None else MOST_WORKERS
    x, y = rows(name in engine.SAME_ROWS, rank, count, total)
    watching = []
    if watched is not None:
        watching.append(values.watching(engine.keras, engine, *watched, rank))
    history = model.fit(
        **engine.adapted(model, lambda: data(kind, x, y)),
        epochs=EPOCHS,
        verbose=0,
        callbacks=[
            interrupting(engine.keras, progress),
            *engine.others(),
            *watching,
            backup,
        ],
    )
    logs = {
        name: [float(one) for one in values]
        for name, values in history.history.items()
    }
    found = {"variables": checksums(engine, model), "logs": logs}
    for one in watching:
        found.update(compared=one.compared, differ=one.differ)
    return json.dumps(found)


def serve(progress):
    """Waits in a process that does not train until the first one has ended, or
    until it has come to where this process is interrupted."""
    place = os.path.dirname(progress)
    until = PLAN["at"] and " ".join(map(str, PLAN["at"]))
    while not os.path.exists(os.path.join(place, "result-1")):
        time.sleep(0.1)
        with open(os.path.join(place, "progress-1"), "a+") as file:
            file.seek(0)
            if until in file.read().splitlines():
                interrupt(PLAN["how"])


def engine_of(strategy):
    """The module of a strategy's engine, and its name there."""
    engine, name = strategy.split(" ", 1)
    return importlib.import_module(f"engine_{engine}"), name


def checksums(engine, model):
    optimizer = model.optimizer.variables
    metrics = [one for metric in model.metrics for one in metric.variables]
    found = {}
    for variable in (
        *model.variables,
        *(optimizer() if callable(optimizer) else optimizer),
        *metrics,
    ):
        name = getattr(variable, "path", variable.name)
        for place, part in engine.parts(variable).items():
            key = f"{name} {place}"
            while key in found:
                key += "~"
            content = np.ascontiguousarray(part).tobytes()
            found[key] = hashlib.sha256(content).hexdigest()
    return found


def leave(strategy):
    """To be called when all is done."""
    engine_of(strategy)[0].leave()
