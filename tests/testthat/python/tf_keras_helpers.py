"""Trainings with tf_keras: the same model and data in every process."""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from kerasbackup.anykeras import model_parts
from kerasbackup.anykeras import optimizer_parts

BATCH, BATCHES, EPOCHS = 8, 5, 4


class Killed(Exception):
    """Stands for what ends a process."""


class KillAt(tf_keras.callbacks.Callback):
    """Ends training after a batch of an epoch, or after the epoch."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.at = epoch, batch
        self._epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self._epoch, batch) == self.at:
            raise Killed

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.at:
            raise Killed


class SeeLogs(tf_keras.callbacks.Callback):
    """Keeps the logs of all batches and epochs. They come back with a
    checkpoint."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append([batch, sorted(logs.items())])

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append([f"epoch {epoch}", sorted(logs.items())])


class Shuffled(tf_keras.utils.Sequence):
    """Takes another order at the end of each epoch."""

    def __init__(self):
        self.order = np.arange(BATCH * BATCHES)

    def __len__(self):
        return BATCHES

    def __getitem__(self, place):
        rows = self.order[place * BATCH : (place + 1) * BATCH]
        return tuple(one[rows] for one in arrays())

    def on_epoch_end(self):
        np.random.shuffle(self.order)


class Growing(tf_keras.utils.Sequence):
    """Has one batch more in each epoch."""

    def __init__(self):
        self.batches = BATCHES - 2

    def __len__(self):
        return self.batches

    def __getitem__(self, place):
        rows = slice(place * BATCH, (place + 1) * BATCH)
        return tuple(one[rows] for one in arrays())

    def on_epoch_end(self):
        self.batches = min(self.batches + 1, BATCHES)


def arrays():
    draw = np.random.RandomState(1)
    x = draw.normal(size=(BATCH * BATCHES, 6)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


def pipeline():
    return tf.data.Dataset.from_tensor_slices(arrays())


def begin(seed=7):
    """As in a new process."""
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(int(seed))


def model(optimizer=None, **kwargs):
    """Everything that training changes: weights, slots, moving statistics, the
    generator of a random layer, metrics."""
    made = tf_keras.Sequential(
        [
            tf_keras.Input((6,)),
            layers.Dense(12, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    return compiled(made, optimizer, **kwargs)


def unbuilt():
    """A model that does not know its input yet."""
    return compiled(
        tf_keras.Sequential(
            [layers.Dense(4), layers.Dropout(0.3), layers.Dense(1)]
        )
    )


def compiled(made, optimizer=None, **kwargs):
    made.compile(
        optimizer or tf_keras.optimizers.Adam(0.01),
        "mse",
        metrics=["mae"],
        **kwargs,
    )
    return made


def fit(made, callbacks, **kwargs):
    """Trains on arrays, if there are no other data among the arguments."""
    x, y = arrays()
    given = {"x": x, "y": y, "batch_size": BATCH, "epochs": EPOCHS}
    if "x" in kwargs:
        given = {"epochs": EPOCHS}
    plateau = tf_keras.callbacks.ReduceLROnPlateau(
        "loss", patience=1, min_delta=10.0
    )
    return made.fit(
        **(given | kwargs), verbose=0, callbacks=[plateau, *callbacks]
    )


def train(callback, kill=None, build=None, others=list, **data):
    """Trains as one process does.

    Args:
        callback: The one that makes the backup.
        kill: The arguments of `KillAt`.
        build: Callable that makes the model.
        others: Callable that makes a list of further callbacks.
        data: Callables that make arguments of `fit()`.

    Returns:
        The variables at the end, and the logs of all steps, as texts.
    """
    begin()
    made = (build or model)()
    see = SeeLogs()
    killers = [] if kill is None else [KillAt(*kill)]
    arguments = {name: make() for name, make in data.items()}
    fit(made, [see, callback, *others(), *killers], **arguments)
    return [*state(made), repr(see.logs)]


def state(made):
    """The bytes of all variables, in order, as texts."""
    found = [
        *model_parts.variables(made),
        *optimizer_parts.variables(made.optimizer),
        *model_parts.metrics_variables(made),
    ]
    return [one.numpy().tobytes().hex() for one in found]
