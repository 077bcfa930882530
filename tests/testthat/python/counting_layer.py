"""A layer that tells on how many batches it was trained."""

import keras


class CountingLayer(keras.layers.Layer):
    """Counts its calls in a variable, which a checkpoint must bring back."""

    def build(self, input_shape):
        self.calls = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", trainable=False
        )

    def call(self, inputs):
        self.calls.assign(self.calls + 1)
        return inputs


def counting_model():
    """A small model that counts, built and compiled."""
    model = keras.Sequential(
        [keras.Input((3,)), CountingLayer(), keras.layers.Dense(1)]
    )
    model.compile(loss="mse", optimizer="sgd", metrics=["mse"])
    return model


def trained_batches(model):
    return int(model.layers[0].calls.value)
