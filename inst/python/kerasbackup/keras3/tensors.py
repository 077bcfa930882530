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


def local_values(variable: Any) -> list[np.ndarray]:
    """The values of those parts of a variable that are in this process. Several
    processes of JAX's may hold a variable together."""
    value = getattr(variable, "_value", None)
    if getattr(value, "is_fully_addressable", True):
        return [to_numpy(variable)]
    return [np.asarray(shard.data) for shard in value.addressable_shards]


def from_numpy(array: np.ndarray) -> Any:
    """A tensor with the value of an array."""
    return keras.ops.convert_to_tensor(array)
