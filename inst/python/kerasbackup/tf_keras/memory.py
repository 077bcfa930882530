"""The memory in which TensorFlow keeps a variable's bytes."""

from typing import Any

import numpy as np
import tensorflow as tf

from kerasbackup.store import errors
from kerasbackup.store.dtypes import DTYPES
from kerasbackup.store.dtypes import numpy_view
from kerasbackup.store.places import part_name
from kerasbackup.tf_keras import random_layers
from kerasbackup.tf_keras.distribution import begins
from kerasbackup.tf_keras.distribution import components
from kerasbackup.tf_keras.distribution import is_divided
from kerasbackup.tf_keras.model_parts import layers_of


def is_lost(model: Any) -> bool:
    """Whether variables have lost their memory: none does."""
    return False


def value_of(variable: Any) -> Any:
    """TensorFlow's own object behind a variable: itself."""
    return variable


def read(variable: Any) -> np.ndarray:
    """The value of a variable, its own copy; if the variable has several
    components, their values in one array, with an axis more."""
    found = [one.numpy() for one in components(variable)]
    return np.array(found if len(found) > 1 else found[0], order="C")


def write(variable: Any, value: np.ndarray) -> None:
    """Assigns what `read()` has returned."""
    found = components(variable)
    for one, part in zip(found, value if len(found) > 1 else [value]):
        one.assign(part)


class _Host:
    """The way to a variable's bytes."""

    def __init__(self):
        # By the id of a part of a divided variable: its place there.
        self._places = {}

    def parts(self, name: str, variable: Any) -> list[tuple[str, Any]]:
        found = components(variable)
        if len(found) == 1:
            return [(name, found[0])]
        if not is_divided(variable):
            return [(f"{name}@{i}", one) for i, one in enumerate(found)]
        named = []
        for begin, one in zip(begins(variable), found):
            end = [a + n for a, n in zip(begin, one.shape)]
            place = {"shape": [*variable.shape], "begin": begin}
            self._places[id(one)] = place
            named.append((part_name(name, begin, end), one))
        return named

    def has_lost(self, part: Any) -> bool:
        """Whether a part has lost its memory, see `is_lost()`."""
        return False

    def place_of(self, part: Any) -> dict[str, Any] | None:
        """Where a part is in its variable: the variable's `shape`, and where
        the part `begin`s in each dimension; `None` of one that is all of it, as
        the component of each replica is."""
        return self._places.get(id(part))

    def buffers(self, model: Any, own: set[int]) -> tuple[list, list[str]]:
        """The state that is in no variable.

        Args:
            model: The model.
            own: Set of ids, those of its variables.

        Returns:
            An empty list, and the names of what cannot be saved.
        """
        return [], [
            f"layer {name}: its random generator is in kernels of TensorFlow"
            for name in random_layers.unreadable(layers_of(model))
        ]

    def describe(self, name: str, part: Any) -> tuple[str, list[int], int]:
        kind = part.dtype.base_dtype.name
        if kind not in DTYPES:
            raise errors.UnsupportedError(
                f"The variable `{name}` cannot be saved: its dtype is {kind}. "
                f"Known: {', '.join(DTYPES)}."
            )
        return DTYPES[kind], list(part.shape), part.dtype.size

    def locate(self, part: Any) -> tuple[int, Any]:
        value = tf.raw_ops.ReadVariableOp(
            resource=part.handle, dtype=part.dtype
        )
        if value.shape.rank == 0 and value.dtype == tf.bfloat16:
            # NumPy would be given a number, and needs an array.
            value = value.numpy()
        value = np.asarray(value)
        if not value.flags.c_contiguous:
            value = value.copy(order="C")
        return value.__array_interface__["data"][0], value

    def assign(self, part, dtype, shape, data, copies: bool) -> None:
        # TensorFlow may keep the array's memory instead of its own.
        value = numpy_view(dtype, shape, data)
        part.assign(value.copy() if copies else value)


def of_backend(model: Any) -> _Host:
    """The host for the backend that a model is computed with."""
    return _Host()
