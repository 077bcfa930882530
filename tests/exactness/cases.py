"""Owns the rows of the exactness table: data, models and callbacks.

A row is `data/model/callbacks`. `build()` makes everything anew from a fixed
seed, as a script that is run again does.
"""

import os
import random
import signal

import keras
import numpy as np
from keras import layers

N = 72
BATCH = 8  # 9 batches an epoch
EPOCHS = 5


def arrays(n=N):
    """The same numbers whatever has been drawn before."""
    rs = np.random.RandomState(0)
    x = rs.randn(n, 6).astype("float32")
    y = (x @ rs.randn(6, 1) + 0.1 * rs.randn(n, 1)).astype("float32")
    return x, y


# Data --------------------------------------------------------------------


def data_arrays(**kwargs):
    x, y = arrays()
    return {"x": x, "y": y, "batch_size": BATCH, **kwargs}


class Plain(keras.utils.PyDataset):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.data = arrays()

    def __len__(self):
        return N // BATCH

    def __getitem__(self, i):
        x, y = self.data
        return x[i * BATCH : (i + 1) * BATCH], y[i * BATCH : (i + 1) * BATCH]


class Augmented(Plain):
    """Draws from numpy's global generator in every batch."""

    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x + np.random.randn(*x.shape).astype("float32") * 0.1, y


class Stateful(Plain):
    """Has a state of its own, and tells it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rs = np.random.RandomState(7)
        self.order = np.arange(N)

    def on_epoch_end(self):
        self.order = self.rs.permutation(N)

    def __getitem__(self, i):
        x, y = self.data
        pick = self.order[i * BATCH : (i + 1) * BATCH]
        return x[pick], y[pick]

    def get_state(self):
        kind, keys, position, has_gauss, cached = self.rs.get_state()
        return {
            "keys": keys,
            "rest": (kind, position, has_gauss, cached),
            "order": self.order,
        }

    def set_state(self, state):
        kind, position, has_gauss, cached = state["rest"]
        self.rs.set_state((kind, state["keys"], position, has_gauss, cached))
        self.order = state["order"]


def generator():
    """Draws from numpy's and Python's global generators."""
    x, y = arrays()
    while True:
        pick = np.random.randint(0, N, BATCH)
        yield x[pick] * (1 + 0.1 * random.random()), y[pick]


def counting_generator():
    """Keeps its place in a local variable."""
    x, y = arrays()
    i = 0
    while True:
        pick = (np.arange(BATCH) + i * 5) % N
        i += 1
        yield x[pick], y[pick]


def tf_dataset(
    shuffle=True, seed=None, repeat=False, unknown=False, cache=None
):
    import tensorflow as tf

    ds = tf.data.Dataset.from_tensor_slices(arrays())
    if shuffle:
        ds = ds.shuffle(N, seed=seed, reshuffle_each_iteration=True)
    if cache:
        ds = ds.cache()
    if repeat:
        ds = ds.repeat()
    ds = ds.batch(BATCH)
    if unknown:
        ds = ds.filter(lambda x, y: True)
    return ds


def loader(workers=0, own_generator=False):
    import torch

    x, y = arrays()
    dataset = torch.utils.data.TensorDataset(
        torch.from_numpy(x), torch.from_numpy(y)
    )
    source = None
    if own_generator:
        source = torch.Generator()
        source.manual_seed(3)
    return torch.utils.data.DataLoader(
        dataset,
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        generator=source,
    )


DATA = {
    "arrays": lambda: data_arrays(),
    "arrays-unshuffled": lambda: data_arrays(shuffle=False),
    "arrays-batch-shuffled": lambda: data_arrays(shuffle="batch"),
    "arrays-steps-fewer": lambda: data_arrays(steps_per_epoch=5),
    "arrays-class-weight": lambda: {
        **data_arrays(),
        "y": (arrays()[1] > 0).astype("float32"),
        "class_weight": {0: 1.0, 1: 3.0},
    },
    "arrays-sample-weight": lambda: data_arrays(
        sample_weight=np.linspace(0.1, 1, N).astype("float32")
    ),
    "arrays-validation-split": lambda: data_arrays(validation_split=0.25),
    "arrays-validation-data": lambda: data_arrays(validation_data=arrays(20)),
    "arrays-validation-dataset": lambda: data_arrays(
        validation_data=tf_dataset(shuffle=False)
    ),
    "arrays-validation-generator": lambda: data_arrays(
        validation_data=counting_generator(), validation_steps=3
    ),
    "pydataset": lambda: {"x": Plain()},
    "pydataset-augmented": lambda: {"x": Augmented()},
    "pydataset-workers": lambda: {"x": Plain(workers=2)},
    "pydataset-processes": lambda: {
        "x": Plain(workers=2, use_multiprocessing=True)
    },
    "pydataset-state": lambda: {"x": Stateful()},
    "generator": lambda: {"x": generator(), "steps_per_epoch": 7},
    "generator-counting": lambda: {
        "x": counting_generator(),
        "steps_per_epoch": 7,
    },
    "tfdata": lambda: {"x": tf_dataset()},
    "tfdata-seeded": lambda: {"x": tf_dataset(seed=5)},
    "tfdata-unshuffled": lambda: {"x": tf_dataset(shuffle=False)},
    "tfdata-unknown": lambda: {"x": tf_dataset(unknown=True)},
    "tfdata-infinite": lambda: {
        "x": tf_dataset(repeat=True),
        "steps_per_epoch": 7,
    },
    "tfdata-cached": lambda: {"x": tf_dataset(cache=True)},
    "loader": lambda: {"x": loader()},
    "loader-workers": lambda: {"x": loader(workers=2)},
    "loader-generator": lambda: {"x": loader(own_generator=True)},
}

# Models ------------------------------------------------------------------


def dense(compile_args=None, **kwargs):
    model = keras.Sequential(
        [
            *([keras.Input((6,))] if kwargs.get("input", True) else []),
            layers.Dense(12, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    return compiled(model, **(compile_args or {}))


def compiled(model, optimizer=None, **kwargs):
    model.compile(
        optimizer=optimizer or keras.optimizers.Adam(0.01),
        loss="mse",
        metrics=["mae"],
        **kwargs,
    )
    return model


def recurrent():
    inputs = keras.Input((6,), batch_size=BATCH)
    x = layers.Reshape((3, 2))(inputs)
    x = layers.LSTM(5, stateful=True, dropout=0.2)(x)
    return compiled(keras.Model(inputs, layers.Dense(1)(x)))


def branches():
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="tanh")(inputs)
    left = layers.GaussianNoise(0.1)(x)
    right = layers.Dropout(0.5)(x)
    model = keras.Model(
        inputs, layers.Dense(1)(layers.Concatenate()([left, right]))
    )
    return compiled(model)


def mixed():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return dense()
    finally:
        keras.mixed_precision.set_global_policy("float32")


def frozen():
    model = dense()
    model.layers[0].trainable = False
    return compiled(model)


def schedule():
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
    return dense({"optimizer": keras.optimizers.SGD(rate, momentum=0.9)})


class CustomStep(keras.Model):
    """A model of its own, with a metric that no compile() knows."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.drop = layers.Dropout(0.2)
        self.out = layers.Dense(1)
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x, training=False):
        h = self.hidden(x)
        return self.out(self.drop(h, training=training))

    def compute_loss(self, *args, **kwargs):
        loss = super().compute_loss(*args, **kwargs)
        self.seen.update_state(loss)
        return loss


def adam(**kwargs):
    return lambda: dense({"optimizer": keras.optimizers.Adam(0.01, **kwargs)})


MODELS = {
    "dense": dense,
    "unbuilt": lambda: dense(input=False),
    "recurrent": recurrent,
    "branches": branches,
    "mixed-float16": mixed,
    "ema": adam(use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4),
    "accumulation": adam(gradient_accumulation_steps=3),
    "schedule": schedule,
    "frozen": frozen,
    "subclassed": lambda: compiled(CustomStep()),
    "steps-per-execution": lambda: dense({"steps_per_execution": 4}),
    "jit": lambda: dense({"jit_compile": True}),
    "no-jit": lambda: dense({"jit_compile": False}),
    "eager": lambda: dense({"run_eagerly": True}),
}

# Callbacks ---------------------------------------------------------------


class Drawing(keras.callbacks.Callback):
    """Draws a learning rate, as many schedules that people write do."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_epoch_begin(self, epoch, logs=None):
        self.rates.append(random.random())
        self.model.optimizer.learning_rate = 0.01 * (0.5 + self.rates[-1])


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


def early():
    return keras.callbacks.EarlyStopping(
        "mae", patience=1, min_delta=0.3, restore_best_weights=True
    )


def plateau():
    return keras.callbacks.ReduceLROnPlateau(
        "mae", factor=0.5, patience=1, cooldown=1, min_delta=0.2
    )


class Kill(keras.callbacks.Callback):
    """Ends the process by SIGKILL before a batch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self._at = (epoch, batch)
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self._epoch, batch) >= self._at:
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
    "drawing": lambda out: [Drawing()],
    "protocol": lambda out: [Protocol()],
    "several": lambda out: [early(), plateau(), Drawing()],
}


def build(row, out):
    """A model, the arguments of its `fit()`, and the other callbacks.

    Args:
        row: String, `data/model/callbacks`.
        out: String, a directory for what callbacks write.
    """
    data, model, callbacks = row.split("/")
    keras.utils.set_random_seed(11)
    if keras.backend.backend() != "torch" and data.startswith("loader"):
        import torch

        # set_random_seed() seeds torch only where it is the backend.
        torch.manual_seed(11)
    return MODELS[model](), DATA[data](), CALLBACKS[callbacks](out)


def digest(model, history, out):
    """Everything a run ends with, as text: equal means bitwise equal."""
    import hashlib

    lines = []
    every = list(model.variables) + list(model.optimizer.variables)
    for i, variable in enumerate([*every, *model.metrics_variables]):
        data = np.asarray(keras.ops.convert_to_numpy(variable)).tobytes()
        lines.append(f"variable {i} {hashlib.sha256(data).hexdigest()[:16]}")
    for name, column in sorted(history.history.items()):
        values = " ".join(float(v).hex() for v in column)
        lines.append(f"log {name} {history.epoch} {values}")
    for name in sorted(os.listdir(out)):
        with open(os.path.join(out, name), "rb") as f:
            content = f.read()
        if name.endswith(".h5"):
            # The container has times in it; the weights are variables.
            content = b""
        lines.append(f"file {name} {hashlib.sha256(content).hexdigest()[:16]}")
    return "\n".join(lines)
