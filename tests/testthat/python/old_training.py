"""The training of which a checkpoint of every schema is kept. It stays as it
is."""

import hashlib

import keras
import numpy as np


def model():
    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    made.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return made


class Counter(keras.callbacks.Callback):
    """Has state that is no number."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.level = {"rate": 1.0}

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(epoch)
        self.level["rate"] *= 0.5


def interruption():
    """Comes in the middle of the third epoch."""
    epochs = []

    def on_train_batch_end(batch, logs):
        if (len(epochs), batch) == (3, 6):
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epochs.append(epoch),
        on_train_batch_end=on_train_batch_end,
    )


def fit(made, *callbacks):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(96, 4)).astype("float32")
    y = x @ np.array([[1], [-2], [3], [0.5]], "float32")
    counter = Counter()
    history = made.fit(
        x,
        y,
        epochs=5,
        batch_size=8,
        validation_split=0.25,
        verbose=0,
        callbacks=[
            counter,
            keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=10.0),
            keras.callbacks.EarlyStopping(
                patience=9, restore_best_weights=True
            ),
            *callbacks,
        ],
    )
    return counter, history


def interrupted(callback):
    try:
        fit(model(), callback, interruption())
    except KeyboardInterrupt:
        return
    raise AssertionError("training was not interrupted")


def resumed(callback):
    """What is left of a resumed training, in bits; which epochs it ran; and
    what the callback has counted."""
    made = model()
    counter, history = fit(made, callback)
    digest = hashlib.sha256()
    for variable in [*made.variables, *made.optimizer.variables]:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    return digest.hexdigest(), history.epoch, counter.seen, counter.level
