"""Guides and examples about images."""

import keras
import numpy as np
from keras import layers

from guides.numbers import BATCH
from guides.numbers import N
from guides.numbers import images


def transfer_learning(out):
    """A base that is frozen but for nothing, with its own statistics, behind
    layers that augment."""
    x, y = images()
    base = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
        ],
        name="base",
    )
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    h = layers.RandomFlip("horizontal")(inputs)
    h = layers.RandomRotation(0.1)(h)
    h = base(layers.Rescaling(2.0, offset=-1)(h), training=False)
    h = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(h))
    model = keras.Model(inputs, layers.Dense(1)(h))
    model.compile(
        keras.optimizers.Adam(),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy()],
    )
    data = {"x": x, "y": (y > 1).astype("float32")}
    return model, {**data, "batch_size": BATCH}, []


def fine_tuning(out):
    """The second half of that guide: all is trained, at a low rate."""
    model, data, callbacks = transfer_learning(out)
    model.get_layer("base").trainable = True
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy()],
    )
    return model, data, callbacks


def image_classification_from_scratch(out):
    """Layers that augment, in a pipeline of tf.data."""
    import tensorflow as tf

    x, y = images()
    augment = [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)]

    def augmented(image, label):
        for layer in augment:
            image = layer(image)
        return image, label

    train = (
        tf.data.Dataset.from_tensor_slices((x, (y > 1).astype("float32")))
        .shuffle(N)
        .batch(BATCH)
        .map(augmented)
        .prefetch(2)
    )
    inputs = keras.Input((8, 8, 1))
    h = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    h = layers.Activation("relu")(layers.BatchNormalization()(h))
    residual = layers.Conv2D(4, 1)(h)
    h = layers.SeparableConv2D(4, 3, padding="same")(h)
    h = layers.GlobalAveragePooling2D()(layers.add([h, residual]))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dropout(0.25)(h)))
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="acc")],
    )
    # Builds the metrics. Else Keras draws from the pipeline to do so, and how
    # far is chance: see `case_models.evaluated()`.
    model.evaluate(x[:BATCH], y[:BATCH] > 1, verbose=0)
    return model, {"x": train}, []


def mixup(out):
    """Two shuffled pipelines in one, and numbers drawn in it."""
    import tensorflow as tf

    x, y = images()
    labels = np.eye(3, dtype="float32")[y]

    def one():
        return (
            tf.data.Dataset.from_tensor_slices((x, labels))
            .shuffle(N)
            .batch(BATCH)
        )

    def mix(first, second):
        part = tf.random.uniform((BATCH, 1))
        image = part[..., None, None]
        return (
            first[0] * image + second[0] * (1 - image),
            first[1] * part + second[1] * (1 - part),
        )

    train = tf.data.Dataset.zip((one(), one())).map(mix)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model, {"x": train}, []


def autoencoder(out):
    """Denoising: noisy images in, clean ones out, shuffled in batches."""
    x, _ = images()
    noise = np.random.RandomState(7).normal(0, 0.2, x.shape)
    inputs = keras.Input((8, 8, 1))
    h = layers.Conv2D(4, 3, activation="relu", padding="same")(inputs)
    h = layers.MaxPooling2D(2, padding="same")(h)
    h = layers.Conv2DTranspose(
        4, 3, strides=2, activation="relu", padding="same"
    )(h)
    h = layers.Conv2D(1, 3, activation="sigmoid", padding="same")(h)
    model = keras.Model(inputs, h)
    model.compile("adam", "binary_crossentropy")
    noisy = np.clip(x + noise, 0, 1).astype("float32")
    data = {"x": noisy, "y": x, "validation_data": (noisy[:16], x[:16])}
    return model, {**data, "batch_size": BATCH, "shuffle": "batch"}, []


VISION = {
    one.__name__: one
    for one in (
        transfer_learning,
        fine_tuning,
        image_classification_from_scratch,
        mixup,
        autoencoder,
    )
}
