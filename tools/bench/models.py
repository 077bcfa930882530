"""Owns: what is compared on a model: Keras' own callback and ours.

Both save and restore the same `keras.Model` with Adam.
"""

import keras
import numpy as np
from systems import Ours
from systems import System


class _Weights(keras.layers.Layer):
    """Nothing but weights."""

    def __init__(self, count, size):
        super().__init__()
        self._count, self._size = count, size

    def build(self, _):
        for i in range(self._count):
            self.add_weight(shape=(self._size,), name=f"w{i}")

    def call(self, x):
        return x


def model_of(size, tensors):
    """A model with Adam's two moments for each weight: three tensors."""
    count = max(1, tensors // 3)
    layer = _Weights(count, max(1, size // (4 * 3 * count)))
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


class KerasBackup(System):
    """Keras' BackupAndRestore, as `fit()` would call it."""

    name = "Keras BackupAndRestore"

    def __init__(self, folder, model):
        super().__init__(folder, None)
        self._model = model
        self._callback = keras.callbacks.BackupAndRestore(str(self.folder))
        self._callback.set_model(model)

    def save(self, lap):
        self._callback.on_epoch_end(0)
        lap("save")

    def load(self):
        self._callback.on_train_begin()
        # What `save_weights()` holds; the rest is not restored.
        variables = [*self._model.weights, *self._model.optimizer.variables]
        return [np.array(variable) for variable in variables]

    def restore(self, lap):
        self._callback.on_train_begin()
        lap("restore")


class OursOnModel(Ours):
    """kerasbackup on the variables of a model."""

    name = "kerasbackup, a model's variables"

    def __init__(self, folder, model, functions, prepares=True):
        from kerasbackup.parts.variables import Variables

        self._variables = Variables(model)
        shapes = [shape for _, _, shape in self._variables.spec]
        super().__init__(
            folder,
            [np.empty(shape, np.float32) for shape in shapes],
            functions,
            prepares,
        )
        self.arrays = None
        self.operations = [self.save, self.restore]

    def _spec(self):
        return self._variables.spec

    def save(self, lap):
        from array import array

        places, owners = self._variables.locate()
        addresses = bytearray(array("Q", places).tobytes())
        self._store.save(addresses, {"epoch": "1"})
        del owners
        self._committed(lap("stall"), lap)

    def restore(self, lap):
        checkpoint = self._store.load()
        partners = self._variables.check(checkpoint)
        self._variables.assign(checkpoint, partners, copies=False)
        lap("restore, verified")
