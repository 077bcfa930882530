"""Owns the rows' other callbacks, and the one that kills."""

import collections
import enum
import glob
import os
import random
import signal
import time

import case_data
import numpy as np
from which_keras import keras


class Drawing(keras.callbacks.Callback):
    """Draws a learning rate, as many schedules that people write do."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_epoch_begin(self, epoch, logs=None):
        self.rates.append(random.random())
        self.model.optimizer.learning_rate = 0.01 * (0.5 + self.rates[-1])


class DrawingBatches(keras.callbacks.Callback):
    """Draws in every batch, from the generators that data draw from too."""

    def on_train_batch_end(self, batch, logs=None):
        random.random()
        np.random.rand()


class Protocol(keras.callbacks.Callback):
    """Tells its state by methods."""

    def __init__(self):
        super().__init__()
        self._hidden = object()
        self.total = 0.0

    def on_epoch_end(self, epoch, logs=None):
        self.total += logs["loss"]
        if self.total > 3:
            self.model.optimizer.learning_rate = 0.001

    def get_state(self):
        return {"total": self.total, "array": np.arange(3)}

    def set_state(self, state):
        assert state["array"].tolist() == [0, 1, 2]
        self.total = state["total"]


# What these watch gets better in every epoch. A state counts only where an old
# value does: so an improvement is never enough, or the worst is the best.
def early():
    return keras.callbacks.EarlyStopping(
        "mae", patience=2, min_delta=10, restore_best_weights=True
    )


def plateau():
    return keras.callbacks.ReduceLROnPlateau(
        "mae", factor=0.5, patience=1, cooldown=1, min_delta=10
    )


class LikeOurs(keras.callbacks.Callback):
    """What people wrote before: keeps weights, puts the worst ones back."""

    def __init__(self):
        super().__init__()
        self.worst = float("-inf")
        self.weights = None
        self.since = {"epochs": 0, "batches": 0}

    def on_train_batch_end(self, batch, logs=None):
        self.since["batches"] += 1

    def on_epoch_end(self, epoch, logs=None):
        self.since["epochs"] += 1
        if logs["loss"] > self.worst:
            self.worst = logs["loss"]
            self.weights = self.model.get_weights()
            self.since = {"epochs": 0, "batches": 0}
        elif self.since["epochs"] >= 2:
            self.model.set_weights(self.weights)


class Phase(enum.Enum):
    """What a callback of a script's keeps."""

    WARM = "warm"
    COLD = "cold"


Best = collections.namedtuple("Best", "epoch loss")


class Ramp:
    """A schedule that is an object one can call, and counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, epoch, rate):
        self.calls += 1
        return 0.01 / self.calls


class OwnObjects(keras.callbacks.Callback):
    """Keeps its state in objects of several classes.

    Args:
        seen: List that the script has, too.
    """

    def __init__(self, seen):
        super().__init__()
        self.seen = seen
        self.phase = Phase.WARM
        self.best = Best(0, float("inf"))
        self.batches = collections.defaultdict(list)
        self.last = collections.deque(maxlen=2)
        self.counts = collections.Counter()

    def on_train_batch_end(self, batch, logs=None):
        self.batches[batch].append(1)
        self.counts.update([batch])

    def on_epoch_end(self, epoch, logs=None):
        self.last.append(logs["loss"])
        self.seen.append(sum(self.last) / len(self.last))
        if self.phase is Phase.WARM and epoch:
            self.phase = Phase.COLD
        if logs["loss"] < self.best.loss:
            self.best = self.best._replace(epoch=epoch, loss=logs["loss"])
        if self.phase is Phase.COLD and self.counts["none"] == 0:
            rate = 0.001 * len(self.seen) * len(self.batches[0])
            self.model.optimizer.learning_rate = rate


def own_objects():
    """A list is the script's, too: a function of it reads the list."""
    seen = []
    return [
        keras.callbacks.LearningRateScheduler(Ramp()),
        keras.callbacks.LearningRateScheduler(
            lambda epoch, rate: rate * (1 + len(seen))
        ),
        OwnObjects(seen),
    ]


class Reweighting(keras.callbacks.Callback):
    """Writes into the very sample weights that `fit()` was given, as `fit()`
    goes on; and has validation data, which it only reads."""

    def __init__(self):
        super().__init__()
        self.weights = case_data.SHARED["sample_weight"]
        self.held = case_data.arrays(20)

    def on_epoch_end(self, epoch, logs=None):
        factor = 1 + logs["loss"] % 1 + float(self.held[1].mean())
        self.weights[:] = np.roll(self.weights, 5) * np.float32(factor)


class WrittenInR(keras.callbacks.Callback):
    """Its hook is a function of R's, its fields are its own."""

    def __init__(self, hook):
        super().__init__()
        self._hook = hook
        self.seen = 0.0
        self.rates = []

    def on_epoch_begin(self, epoch, logs=None):
        self._hook(self, epoch)


def by_lambda():
    """A function that keeps its state where the callback has it."""
    callback = keras.callbacks.LambdaCallback()
    callback.seen = 0

    def on_epoch_end(epoch, logs):
        callback.seen += 1
        callback.model.optimizer.learning_rate = 0.01 / (1 + callback.seen)

    callback.on_epoch_end = on_epoch_end
    return callback


class Kill(keras.callbacks.Callback):
    """Ends the process by SIGKILL, or asks it to end by SIGTERM.

    It keeps nothing in attributes: those would be in checkpoints, and the
    resumed run, which has no such callback, would tell that they are not used.

    Args:
        event: `"batch"`: before that batch. `"validation"`: before the second
            batch of that epoch's validation. `"epoch-end"`: at its end.
            `"end"`: after the last epoch. `"signal"`: SIGTERM before that
            batch.
        epoch: Integer, the first is 0.
        batch: Integer, the first is 0.
        directory: String, where there must be a checkpoint first: it is made in
            the background. Empty: there need be none.
    """

    def __init__(self, event, epoch, batch, directory=""):
        super().__init__()
        running = 0
        was_asked = False

        def begin(epoch):
            nonlocal running
            running = epoch

        def hear(what, which=batch):
            nonlocal was_asked
            if what != event or (running, which) < (epoch, batch):
                return
            if event != "signal":
                _kill(directory)
            elif not was_asked:
                was_asked = True
                os.kill(os.getpid(), signal.SIGTERM)

        self._begin, self._hear = begin, hear

    def on_epoch_begin(self, epoch, logs=None):
        self._begin(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        self._hear("batch", batch)
        self._hear("signal", batch)

    def on_test_batch_begin(self, batch, logs=None):
        self._hear("validation", batch)

    def on_epoch_end(self, epoch, logs=None):
        self._hear("epoch-end")

    def on_train_end(self, logs=None):
        self._hear("end")


def _kill(directory):
    # A minute at most: then there will never be one, which is told.
    for _ in range(6000):
        if not directory or glob.glob(
            os.path.join(glob.escape(directory), "*.safetensors")
        ):
            break
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


CALLBACKS = {
    "none": lambda out: [],
    "early-stopping": lambda out: [early()],
    "plateau": lambda out: [plateau()],
    "scheduler": lambda out: [
        keras.callbacks.LearningRateScheduler(lambda e, lr: lr * 0.8)
    ],
    "checkpoint": lambda out: [
        keras.callbacks.ModelCheckpoint(
            os.path.join(out, "best.weights.h5"),
            monitor="mae",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
        )
    ],
    "csv": lambda out: [
        keras.callbacks.CSVLogger(os.path.join(out, "log.csv"))
    ],
    "swap-ema": lambda out: [
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    ],
    "terminate": lambda out: [keras.callbacks.TerminateOnNaN()],
    "tensorboard": lambda out: [
        keras.callbacks.TensorBoard(
            os.path.join(out, "board"), update_freq=2, write_graph=False
        )
    ],
    "lambda": lambda out: [by_lambda()],
    "like-ours": lambda out: [LikeOurs()],
    "start-from-epoch": lambda out: [
        keras.callbacks.EarlyStopping(
            "mae", patience=2, min_delta=10, start_from_epoch=1
        )
    ],
    "checkpoint-freq": lambda out: [
        keras.callbacks.ModelCheckpoint(
            os.path.join(out, "last.weights.h5"),
            save_freq=7,
            save_weights_only=True,
        )
    ],
    # Written in R: it comes from cases.R.
    "r-callback": lambda out: [],
    "drawing": lambda out: [Drawing()],
    "drawing-batches": lambda out: [DrawingBatches()],
    "protocol": lambda out: [Protocol()],
    "own-objects": lambda out: own_objects(),
    "reweighting": lambda out: [Reweighting()],
    "several": lambda out: [early(), plateau(), Drawing()],
}
