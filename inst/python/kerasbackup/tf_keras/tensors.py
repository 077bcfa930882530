"""Tensors and variables of TensorFlow: what they are, and their values."""

from typing import Any

import numpy as np
import tensorflow as tf

from kerasbackup.tf_keras.distribution import components


def is_tensor(one: Any) -> bool:
    """Whether it is a tensor."""
    return tf.is_tensor(one)


def is_float(variable: Any) -> bool:
    """Whether its elements are floating point numbers."""
    return variable.dtype.is_floating


def dtype_of(tensor: Any) -> str | None:
    """The name of a tensor's dtype; `None` where its elements are no
    numbers."""
    kind = tensor.dtype
    return kind.name if kind.is_numpy_compatible else None


def to_numpy(tensor: Any) -> np.ndarray:
    """The value of a tensor or a variable. If a variable has several
    components, it is that of the first one. In weights of the model or the
    optimizer all have the same."""
    return np.asarray(components(tensor)[0])


def local_values(variable: Any) -> list[np.ndarray]:
    """The values of those components of a variable that are in this process."""
    return [np.asarray(one) for one in components(variable)]


def from_numpy(array: np.ndarray) -> Any:
    """A tensor with the value of an array."""
    return tf.convert_to_tensor(array)
