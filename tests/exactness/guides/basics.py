"""Guides with what every Keras user meets first."""

import keras
import numpy as np
from keras import layers
from keras import ops

from guides.numbers import BATCH
from guides.numbers import images
from guides.numbers import tokens
from guides.numbers import vectors


def sequential_model(out):
    x, y = images()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        "rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model, {"x": x, "y": y, "batch_size": BATCH}, []


def functional_api(out):
    """Two inputs, two outputs, a shared layer, a weight for each loss."""
    x, _ = tokens()
    shared = layers.Embedding(20, 4)
    title, body = (
        keras.Input((6,), name="title"),
        keras.Input((6,), name="body"),
    )
    features = layers.concatenate(
        [layers.LSTM(4)(shared(title)), layers.LSTM(6)(shared(body))]
    )
    priority = layers.Dense(1, name="priority")(features)
    department = layers.Dense(4, name="department")(features)
    model = keras.Model([title, body], [priority, department])
    model.compile(
        keras.optimizers.RMSprop(1e-2),
        {
            "priority": keras.losses.BinaryCrossentropy(from_logits=True),
            "department": keras.losses.CategoricalCrossentropy(
                from_logits=True
            ),
        },
        loss_weights={"priority": 1.0, "department": 0.2},
    )
    data = {
        "x": {"title": x, "body": x[::-1]},
        "y": {
            "priority": (x[:, :1] > 9).astype("float32"),
            "department": np.eye(4, dtype="float32")[x[:, 1] % 4],
        },
    }
    return model, {**data, "batch_size": BATCH}, []


class CategoricalTruePositives(keras.metrics.Metric):
    def __init__(self, name="categorical_true_positives", **kwargs):
        super().__init__(name=name, **kwargs)
        self.true_positives = self.add_variable(
            shape=(), name="ctp", initializer="zeros"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        hits = ops.equal(
            ops.cast(ops.reshape(y_true, (-1,)), "int32"),
            ops.cast(ops.argmax(y_pred, axis=1), "int32"),
        )
        hits = ops.cast(hits, "float32")
        if sample_weight is not None:
            hits = hits * ops.cast(sample_weight, "float32")
        self.true_positives.assign_add(ops.sum(hits))

    def result(self):
        return self.true_positives.value

    def reset_state(self):
        self.true_positives.assign(0.0)


class ActivityRegularization(layers.Layer):
    def call(self, inputs):
        self.add_loss(ops.mean(inputs**2) * 0.1)
        return inputs


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.per_batch_losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.per_batch_losses.append(float(logs["loss"]))


def training_with_built_in_methods(out):
    """A metric, a layer with a loss and a callback of one's own, weights, a
    schedule, part of the data for validation."""
    x, y = images()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            ActivityRegularization(),
            layers.Dense(3),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(
        0.01, decay_steps=7, decay_rate=0.96, staircase=True
    )
    model.compile(
        keras.optimizers.RMSprop(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[CategoricalTruePositives()],
    )
    data = {
        "x": x,
        "y": y,
        "sample_weight": np.where(y == 2, 2.0, 1.0).astype("float32"),
        "validation_split": 0.2,
        "batch_size": BATCH,
    }
    return model, data, [LossHistory()]


class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
    def __init__(self, patience=0):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = np.inf

    def on_epoch_end(self, epoch, logs=None):
        current = logs.get("loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            self.model.set_weights(self.best_weights)


class CustomLearningRateScheduler(keras.callbacks.Callback):
    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        rate = self.model.optimizer.learning_rate
        self.model.optimizer.learning_rate = self.schedule(epoch, float(rate))


def writing_your_own_callbacks(out):
    x, y = vectors()
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile(keras.optimizers.RMSprop(0.1), "mse", metrics=["mae"])
    schedule = {1: 0.05, 2: 0.01, 3: 0.005}
    callbacks = [
        EarlyStoppingAtMinLoss(patience=2),
        CustomLearningRateScheduler(lambda e, rate: schedule.get(e, rate)),
    ]
    return model, {"x": x, "y": y, "batch_size": BATCH}, callbacks


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(
            ops.shape(z_mean), seed=self.seed_generator
        )
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


class Encoder(layers.Layer):
    def __init__(self, latent_dim, intermediate_dim, **kwargs):
        super().__init__(**kwargs)
        self.proj = layers.Dense(intermediate_dim, activation="relu")
        self.dense_mean = layers.Dense(latent_dim)
        self.dense_log_var = layers.Dense(latent_dim)
        self.sampling = Sampling()

    def call(self, inputs):
        x = self.proj(inputs)
        z_mean, z_log_var = self.dense_mean(x), self.dense_log_var(x)
        return z_mean, z_log_var, self.sampling((z_mean, z_log_var))


class VariationalAutoEncoder(keras.Model):
    def __init__(self, original_dim, intermediate_dim, latent_dim, **kwargs):
        super().__init__(**kwargs)
        self.encoder = Encoder(latent_dim, intermediate_dim)
        self.decoder = keras.Sequential(
            [
                layers.Dense(intermediate_dim, activation="relu"),
                layers.Dense(original_dim, activation="sigmoid"),
            ]
        )

    def call(self, inputs):
        z_mean, z_log_var, z = self.encoder(inputs)
        kl_loss = -0.5 * ops.mean(
            z_log_var - ops.square(z_mean) - ops.exp(z_log_var) + 1
        )
        self.add_loss(kl_loss)
        return self.decoder(z)


def making_new_layers_and_models_via_subclassing(out):
    x = images()[0].reshape(-1, 64)
    model = VariationalAutoEncoder(64, 16, 4)
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.MeanSquaredError())
    return model, {"x": x, "y": x, "batch_size": BATCH}, []


def intro_to_keras_for_engineers(out):
    """Checkpoints and early stopping, and a dataset of tf.data."""
    import tensorflow as tf

    x, y = images()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, kernel_size=3, activation="relu"),
            layers.Conv2D(4, kernel_size=3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-2),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
    )
    callbacks = [
        keras.callbacks.ModelCheckpoint(
            f"{out}/best.weights.h5",
            save_weights_only=True,
            save_best_only=True,
        ),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=2),
    ]
    train = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(72).batch(BATCH)
    test = tf.data.Dataset.from_tensor_slices((x[:16], y[:16])).batch(BATCH)
    return model, {"x": train, "validation_data": test}, callbacks


BASICS = {
    one.__name__: one
    for one in (
        sequential_model,
        functional_api,
        training_with_built_in_methods,
        writing_your_own_callbacks,
        making_new_layers_and_models_via_subclassing,
        intro_to_keras_for_engineers,
    )
}
