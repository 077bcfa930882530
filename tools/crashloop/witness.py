"""Owns what a training notes for whoever kills it: where it is, and its bits.

Each note is one line of a file, "WHAT EPOCH BATCH DIGEST", written whole.
"""

import hashlib

import keras
from cases import variable_lines


class Notes:
    """A file of notes.

    Args:
        path: String, the file.
        whole: Boolean, whether the digest is of all variables: or of the
            weights and the optimizer alone.
    """

    def __init__(self, path, whole=True):
        self._path = path
        self._whole = whole

    def add(self, what, epoch, batch, model):
        text = "\n".join(variable_lines(self._variables(model)))
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        with open(self._path, "ab", buffering=0) as file:
            file.write(f"{what} {epoch} {batch} {digest}\n".encode())

    def _variables(self, model):
        if not self._whole:
            return [*model.weights, *model.optimizer.variables]
        return [
            *model.variables,
            *model.optimizer.variables,
            *model.metrics_variables,
        ]


class Witness(keras.callbacks.Callback):
    """Notes the state before the first batch that a process trains on.

    Args:
        notes: `Notes`.
        every: Boolean, whether before all others too.
    """

    def __init__(self, notes, every):
        super().__init__()
        self._notes = notes
        self._every = every
        self._seen = False
        self._epoch = 0

    # What it has noted is this process' and not the training's: no state.
    def get_state(self):
        return {}

    def set_state(self, state):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self._every or not self._seen:
            self._seen = True
            self._notes.add("batch", self._epoch, batch, self.model)
