"""Tensors and variables of TensorFlow: what they are, and their values."""

from typing import Any

import numpy as np
import tensorflow as tf


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
    """The value of a tensor or a variable."""
    return np.asarray(tensor)


def local_values(variable: Any) -> list[np.ndarray]:
    """The values of those parts of a variable that are in this process: all."""
    return [to_numpy(variable)]


def from_numpy(array: np.ndarray) -> Any:
    """A tensor with the value of an array."""
    return tf.convert_to_tensor(array)
