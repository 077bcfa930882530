"""Tensors and variables of the backend: what they are, and their values."""

from typing import Any

import keras
import numpy as np


def is_tensor(one: Any) -> bool:
    """Whether it is a tensor of the backend."""
    return keras.ops.is_tensor(one)


def is_float(variable: Any) -> bool:
    """Whether its elements are floating point numbers."""
    return keras.backend.is_float_dtype(variable.dtype)


def dtype_of(tensor: Any) -> str | None:
    """The name of a tensor's dtype; `None` where its elements are no
    numbers."""
    try:
        return keras.backend.standardize_dtype(tensor.dtype)
    except (TypeError, ValueError):
        return None


def to_numpy(tensor: Any) -> np.ndarray:
    """The value of a tensor or a variable."""
    return keras.ops.convert_to_numpy(tensor)


def from_numpy(array: np.ndarray) -> Any:
    """A tensor with the value of an array."""
    return keras.ops.convert_to_tensor(array)
