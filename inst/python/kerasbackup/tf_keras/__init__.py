"""All that is private to tf_keras, which computes with TensorFlow."""

from kerasbackup.store import values
from kerasbackup.tf_keras import tensors

# `values` imports no Keras, so that one process can have tensors of several.
values.register_tensors(tensors)
