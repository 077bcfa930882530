"""Examples about tables and recommendation."""

import keras
import numpy as np
from keras import layers
from keras import ops

from guides.numbers import BATCH
from guides.numbers import N


class RecommenderNet(keras.Model):
    """Embeddings of users and things, made without an input's shape."""

    def __init__(self, users, things, size):
        super().__init__()
        regularizer = keras.regularizers.l2(1e-6)
        self.user = layers.Embedding(
            users, size, embeddings_regularizer=regularizer
        )
        self.user_bias = layers.Embedding(users, 1)
        self.thing = layers.Embedding(things, size)
        self.thing_bias = layers.Embedding(things, 1)

    def call(self, inputs):
        user, thing = inputs[:, 0], inputs[:, 1]
        product = ops.sum(self.user(user) * self.thing(thing), 1, keepdims=True)
        bias = self.user_bias(user) + self.thing_bias(thing)
        return ops.sigmoid(product + bias)


def collaborative_filtering_for_movie_recommendations(out):
    rs = np.random.RandomState(5)
    x = rs.randint(7, size=(N, 2))
    model = RecommenderNet(7, 7, 3)
    model.compile(
        loss=keras.losses.BinaryCrossentropy(),
        optimizer=keras.optimizers.Adam(learning_rate=0.01),
    )
    y = rs.rand(N).astype("float32")
    data = {"x": x, "y": y, "validation_data": (x[:9], y[:9])}
    return model, {**data, "batch_size": BATCH}, []


def structured_data_classification_from_scratch(out):
    """Columns with names, one of them of words, a weight for each class."""
    rs = np.random.RandomState(6)
    age = rs.randn(N, 1).astype("float32") * 10 + 50
    thal = rs.randint(3, size=(N, 1)).astype("int32")
    y = (age[:, 0] > 50).astype("float32")
    inputs = {
        "age": keras.Input((1,), name="age"),
        "thal": keras.Input((1,), name="thal", dtype="int32"),
    }
    scale = layers.Normalization()
    scale.adapt(age)
    encoded = [
        scale(inputs["age"]),
        layers.CategoryEncoding(3)(inputs["thal"]),
    ]
    h = layers.Dense(8, activation="relu")(layers.concatenate(encoded))
    h = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(h))
    model = keras.Model(inputs, h)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    data = {"x": {"age": age, "thal": thal}, "y": y}
    return model, {**data, "class_weight": {0: 1.0, 1: 2.0}}, []


class GradientCentralizedRMSprop(keras.optimizers.RMSprop):
    """An optimizer of one's own."""

    def apply(self, grads, trainable_variables=None):
        centred = [
            g - ops.mean(g, axis=tuple(range(len(g.shape) - 1)), keepdims=True)
            if len(g.shape) > 1
            else g
            for g in grads
        ]
        return super().apply(centred, trainable_variables)


def gradient_centralization(out):
    from guides.numbers import images

    x, y = images()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        GradientCentralizedRMSprop(0.003), "sparse_categorical_crossentropy"
    )
    return model, {"x": x, "y": y, "batch_size": BATCH}, []


TABLES = {
    one.__name__: one
    for one in (
        collaborative_filtering_for_movie_recommendations,
        structured_data_classification_from_scratch,
        gradient_centralization,
    )
}
