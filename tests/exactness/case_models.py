"""Owns the rows' models, compiled."""

import keras
from case_data import BATCH
from keras import layers


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


class OwnStep(keras.Model):
    """Has a `train_step()` of its own, which scales what it is given."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.out = layers.Dense(1)

    def call(self, x, training=False):
        return self.out(self.norm(self.hidden(x), training=training))

    def train_step(self, *args):
        # With JAX, the state comes first.
        *state, (x, y) = args
        return super().train_step(*state, (x * 0.5, y))


class OwnLogs(OwnStep):
    """Its steps tell what is no metric: an epoch has the last one's."""

    def train_step(self, *args):
        result = super().train_step(*args)
        logs, *state = result if isinstance(result, tuple) else (result,)
        *_, (x, _) = args
        logs = {**logs, "first": x[0, 0]}
        return (logs, *state) if state else logs


def mirrored():
    """On two devices, each with its own moving statistics."""
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        return dense()


def data_parallel():
    """On two devices that share the variables."""
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    return dense()


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
    "own-step": lambda: compiled(OwnStep()),
    "own-logs": lambda: compiled(OwnLogs()),
    "mirrored": mirrored,
    "data-parallel": data_parallel,
    "steps-per-execution": lambda: dense({"steps_per_execution": 4}),
    "jit": lambda: dense({"jit_compile": True}),
    "no-jit": lambda: dense({"jit_compile": False}),
    "eager": lambda: dense({"run_eagerly": True}),
}
