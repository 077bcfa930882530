"""Owns how Python values become JSON and arrays, and come back. No pickle.

What JSON has not is written as an object with one key that begins with "$".
Arrays do not go into the JSON: they are tensors of the checkpoint, and the JSON
has their names. What can be neither is reported, never guessed.

May not touch hooks, callbacks or files.
"""

import math
from typing import Any

import keras
import numpy as np

from kerasbackup.variables import DTYPES
from kerasbackup.variables import numpy_dtype

# Functions that callbacks keep, by name: loading a checkpoint looks names up
# here and imports nothing.
FUNCTIONS = {
    "keras.ops.less": keras.ops.less,
    "keras.ops.greater": keras.ops.greater,
    "numpy.less": np.less,
    "numpy.greater": np.greater,
}

# What is nested deeper is not saved, so that what is read can be refused before
# Python's own limit.
MOST_NESTED = 100


class Unsaveable(TypeError):
    """A value that is neither JSON nor an array."""


class Encoder:
    """Encodes values and collects their arrays.

    Attributes:
        arrays: Dict from tensor name to `numpy.ndarray`.
    """

    def __init__(self):
        self.arrays = {}

    def encode(self, value: Any, name: str) -> Any:
        """A value as JSON has it.

        Args:
            value: What to encode.
            name: String, unique; the arrays in `value` are named after it.

        Raises:
            Unsaveable: `value`, or a part of it, cannot be encoded. No array
                of it was collected.
        """
        found = {}
        encoded = _encode(value, name, found, 0)
        self.arrays.update(found)
        return encoded


def decode(value: Any, arrays) -> Any:
    """What was encoded.

    Args:
        value: What `Encoder.encode()` gave.
        arrays: Callable from tensor name to a new `numpy.ndarray`.
    """
    return _Decoder(arrays, keras.ops.convert_to_tensor).decode(value)


def check(value: Any, tensors: dict[str, tuple]) -> Any:
    """Decodes without making arrays: they are views of a single zero.

    Args:
        value: What `Encoder.encode()` may have given.
        tensors: Dict from name to `(dtype, shape, bytes)`, those there are.

    Returns:
        What `decode()` would, but for the arrays' content.

    Raises:
        KeyError, TypeError, ValueError: `decode()` would fail.
    """

    def lookalike(name):
        dtype, shape, _ = tensors[name]
        return np.broadcast_to(np.zeros((), numpy_dtype(dtype)), shape)

    return _Decoder(lookalike, lambda array: array).decode(value)


def _encode(value, name, arrays, depth):
    if depth > MOST_NESTED:
        raise Unsaveable("nested too deeply")
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int) and type(value) is int:
        return value
    if isinstance(value, float) and type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if type(value) is list:
        return [
            _encode(item, f"{name}/{i}", arrays, depth + 1)
            for i, item in enumerate(value)
        ]
    for kind, cls in (("$tuple", tuple), ("$set", set), ("$bytes", bytes)):
        if type(value) is cls:
            items = list(value)
            return {kind: _encode(items, name, arrays, depth + 1)}
    if isinstance(value, dict):
        items = [[key, item] for key, item in value.items()]
        return {"$dict": _encode(items, name, arrays, depth + 1)}
    for known, function in FUNCTIONS.items():
        if value is function:
            return {"$function": known}
    if isinstance(value, np.generic):
        arrays[name] = _array(value)
        return {"$scalar": name}
    if isinstance(value, np.ndarray):
        arrays[name] = _array(value)
        return {"$array": name}
    if keras.ops.is_tensor(value):
        arrays[name] = _array(keras.ops.convert_to_numpy(value))
        return {"$tensor": name}
    raise Unsaveable(type(value).__name__)


def _array(value):
    array = np.array(value, order="C")
    if array.dtype.name not in DTYPES:
        raise Unsaveable(f"array of {array.dtype.name}")
    return array


class _Decoder:
    """Decodes, and takes nothing for what it is not."""

    def __init__(self, arrays, tensor):
        self._arrays = arrays
        self._tensor = tensor

    def decode(self, value, depth=0):
        if depth > MOST_NESTED:
            raise ValueError("nested too deeply")
        if isinstance(value, list):
            return [self.decode(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        ((kind, inner),) = value.items()
        if kind in _OF_LISTS:
            items = self.decode(_of_type(inner, list), depth + 1)
            return _OF_LISTS[kind](items)
        return getattr(self, _OF_TEXTS[kind])(_of_type(inner, str))

    def _float(self, text):
        return float(text)

    def _function(self, name):
        return FUNCTIONS[name]

    def _array(self, name):
        return self._arrays(name)

    def _as_tensor(self, name):
        return self._tensor(self._arrays(name))

    def _scalar(self, name):
        array = self._arrays(name)
        if array.shape:
            raise ValueError(f"{name} is no scalar")
        return array[()]


def _of_type(value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def _dict(pairs):
    return {
        (tuple(key) if isinstance(key, list) else key): item
        for key, item in (_of_type(pair, list) for pair in pairs)
    }


# What is made of a list of decoded items, and of a text.
_OF_LISTS = {"$tuple": tuple, "$set": set, "$bytes": bytes, "$dict": _dict}
_OF_TEXTS = {
    "$float": "_float",
    "$function": "_function",
    "$scalar": "_scalar",
    "$array": "_array",
    "$tensor": "_as_tensor",
}


def is_count(value: Any) -> bool:
    """Whether a value that was read counts something; a flag does not."""
    return type(value) is int and value >= 0
