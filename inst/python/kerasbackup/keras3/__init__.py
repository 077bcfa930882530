"""All that is private to Keras 3 and its backends."""

import keras

from kerasbackup.keras3 import tensors
from kerasbackup.store import values

# `values` imports no Keras, so that one process can have tensors of several.
values.register_tensors(tensors)
values.register_functions(
    {
        "keras.ops.less": keras.ops.less,
        "keras.ops.greater": keras.ops.greater,
    }
)
