"""State in unusual places, for tests that train."""

import keras
import numpy as np


class Average(keras.callbacks.Callback):
    """Averages the weights in a variable, and counts in a callback of its
    own that Keras knows nothing of."""

    def __init__(self):
        super().__init__()
        self.average = keras.Variable(0.0)
        self.counter = Counter()

    def on_train_batch_end(self, batch, logs=None):
        _ = self.model  # on JAX, brings the variables up to date
        mean = keras.ops.mean(self.model.trainable_variables[0])
        self.average.assign(0.9 * self.average + mean / 10)
        self.counter.count += 1

    def state(self):
        average = keras.ops.convert_to_numpy(self.average)
        return [average.tobytes().hex(), self.counter.count]


class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count = 0


class CountingCalls(keras.layers.Layer):
    """Counts in an attribute that is no variable, and makes a generator that
    was not there when training began."""

    def __init__(self):
        super().__init__(name="counting_calls")
        self.count = 0

    def call(self, inputs):
        self.count += 1
        self.late = np.random.default_rng(self.count)
        return inputs


def eager_model():
    """Its layer counts every batch."""
    model = keras.Sequential(
        [keras.Input((4,)), CountingCalls(), keras.layers.Dense(1)]
    )
    model.compile(loss="mse", run_eagerly=True)
    return model


def torch_model():
    """Has statistics that are no variables of Keras'."""
    import torch

    keras.utils.set_random_seed(1)
    norm = torch.nn.BatchNorm1d(4)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.TorchModuleWrapper(norm, output_shape=(None, 4)),
            keras.layers.Dense(1),
        ]
    )
    model.compile(loss="mse")
    return model


def torch_statistics(model):
    state = model.layers[0].module.state_dict()
    return [value.numpy().tobytes().hex() for value in state.values()]
