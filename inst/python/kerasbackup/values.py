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

# Functions that callbacks keep, by name: loading a checkpoint looks names up
# here and imports nothing.
FUNCTIONS = {
    "keras.ops.less": keras.ops.less,
    "keras.ops.greater": keras.ops.greater,
    "numpy.less": np.less,
    "numpy.greater": np.greater,
}


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
        encoded = _encode(value, name, found)
        self.arrays.update(found)
        return encoded


def decode(value: Any, arrays) -> Any:
    """What was encoded.

    Args:
        value: What `Encoder.encode()` gave.
        arrays: Callable from tensor name to a new `numpy.ndarray`.
    """
    if isinstance(value, list):
        return [decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    return _DECODERS[kind](inner, arrays)


def _encode(value, name, arrays):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int) and type(value) is int:
        return value
    if isinstance(value, float) and type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if type(value) is list:
        return [
            _encode(item, f"{name}/{i}", arrays) for i, item in enumerate(value)
        ]
    for kind, cls in (("$tuple", tuple), ("$set", set), ("$bytes", bytes)):
        if type(value) is cls:
            items = list(value)
            return {kind: _encode(items, name, arrays)}
    if isinstance(value, dict):
        items = [[key, item] for key, item in value.items()]
        return {"$dict": _encode(items, name, arrays)}
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


_DECODERS = {
    "$float": lambda inner, arrays: float(inner),
    "$tuple": lambda inner, arrays: tuple(decode(inner, arrays)),
    "$set": lambda inner, arrays: set(decode(inner, arrays)),
    "$bytes": lambda inner, arrays: bytes(decode(inner, arrays)),
    "$dict": lambda inner, arrays: {
        (tuple(key) if isinstance(key, list) else key): item
        for key, item in decode(inner, arrays)
    },
    "$function": lambda inner, arrays: FUNCTIONS[inner],
    "$scalar": lambda inner, arrays: arrays(inner)[()],
    "$array": lambda inner, arrays: arrays(inner),
    "$tensor": lambda inner, arrays: keras.ops.convert_to_tensor(arrays(inner)),
}
