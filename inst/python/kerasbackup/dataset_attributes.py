"""Owns the attributes of a user's `PyDataset`: which of them have changed since
training began, copies of those, and how they are put back.

A dataset that shuffles an index of its own keeps its order there. What did not
change is its configuration or its data: it is neither copied nor saved.

May not draw data, and may not touch variables, callbacks or files.
"""

import hashlib
import io
import json
import math
import types
from typing import Any

import keras
import numpy as np

from kerasbackup import generator_kinds
from kerasbackup import values

OF_KERAS = {
    "_max_queue_size",
    "_use_multiprocessing",
    "_workers",
    "max_queue_size",
    "use_multiprocessing",
    "workers",
}

# What is larger is not saved. An array is compared by a sample, as all that is
# large is, where comparing it whole would cost more than a moment.
MOST_BYTES = 16 * 2**20
MOST_ITEMS = 2**16
MOST_COMPARED = 2**20
SAMPLED = 1024

# Of these classes what changes may do so in place. Of their own only: what a
# class made of them does when it is written to is not known.
SHARED = (np.ndarray, list, dict, set)


class DatasetAttributes:
    """The attributes of one dataset.

    Args:
        dataset: A `keras.utils.PyDataset`, as it is when training begins.

    Attributes:
        unsaved: List of strings, what had changed at the last capture and
            could not be copied.
    """

    def __init__(self, dataset):
        self._dataset = dataset
        # Those that may change in place, as they were made. What is large is
        # not saved, and not kept here when the dataset drops it.
        self._first = {
            name: value
            for name, value in self._own()
            if type(value) in SHARED and _is_saveable(value)
        }
        self._base = {name: _digest(value) for name, value in self._own()}
        # Once changed, it is state: even where it is as at the beginning.
        self._changed = set()
        self.unsaved = []

    def capture(self) -> dict[str, list[Any]]:
        """For each changed attribute what `values.Encoder` takes: its kind, a
        copy, and whether it is the same object as when training began."""
        self.unsaved = []
        captured = {}
        for name, value in self._own():
            if name not in self._changed:
                if self._base.get(name) == _digest(value):
                    continue
                self._changed.add(name)
            copied = _copy(value)
            if copied is None:
                self.unsaved.append(f"{type(self._dataset).__name__}.{name}")
            else:
                is_same = name in self._first and self._first[name] is value
                captured[name] = [*copied, is_same]
        return captured

    def unchanged(self) -> dict[str, str]:
        """For each attribute that had not changed at the last capture what
        tells it from others, where that is known."""
        return {
            name: digest
            for name, digest in self._base.items()
            if name not in self._changed and isinstance(digest, str)
        }

    def differing(self, unchanged: dict[str, str]) -> list[str]:
        """Names of the attributes that are not as `unchanged()` has them."""
        return [
            name
            for name, digest in unchanged.items()
            if isinstance(self._base.get(name), str)
            and self._base[name] != digest
        ]

    def restore(self, captured: dict[str, list[Any]]) -> None:
        """Puts back what `capture()` gave. An attribute that the dataset does
        not have, or not of that kind, is left alone.

        What had changed in place is written in place: another attribute, or a
        variable of the script, may be the same array or list, or a part of it.
        What was made anew is made anew, and the old one is left as it is.
        """
        own = dict(self._own())
        for name, (kind, state, is_same) in captured.items():
            if name not in own:
                continue
            self._changed.add(name)
            if kind in ("value", "list"):
                value = state.tolist() if kind == "list" else state
                if not (is_same and _write_into(own[name], value)):
                    setattr(self._dataset, name, value)
            elif generator_kinds.kind_of(own[name]) == kind:
                generator_kinds.put(own[name], kind, state)

    def _own(self) -> list[tuple[str, Any]]:
        # A copy: a thread of tf.data may add attributes meanwhile.
        return [
            (name, value)
            for name, value in dict(vars(self._dataset)).items()
            if name not in OF_KERAS and not _is_program(value)
        ]


def generators_of(data: Any) -> list[Any]:
    """The generators of random numbers that are attributes of a `PyDataset`,
    whose state they are; of anything else none."""
    if not isinstance(data, keras.utils.PyDataset):
        return []
    return [
        value
        for value in vars(data).values()
        if generator_kinds.kind_of(value) is not None
    ]


def check(captured: Any) -> None:
    """Raises where it is not what `capture()` gives, but for arrays' content.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    for name, (kind, state, is_same) in captured.items():
        if not isinstance(name, str):
            raise TypeError("an attribute of the data has no name")
        if not isinstance(is_same, bool):
            raise TypeError(f"{name} is the same or not")
        if kind == "list":
            if state.dtype.name not in ("int64", "float64") or state.ndim != 1:
                raise TypeError(f"{name} is no list")
        elif kind != "value":
            generator_kinds.check(kind, state)


def _is_program(value: Any) -> bool:
    """Whether a value is part of the program rather than of its state."""
    return (
        callable(value) and not generator_kinds.is_seed_generator(value)
    ) or isinstance(value, (types.ModuleType, io.IOBase, keras.Layer))


# Writing in place -----------------------------------------------------------


def _write_into(current: Any, value: Any) -> bool:
    """Gives an object another's content, all of it or none.

    Returns:
        Whether that can be done.
    """
    if type(current) is not type(value):
        return False
    if isinstance(current, np.ndarray):
        if (
            current.dtype != value.dtype
            or current.shape != value.shape
            or not current.flags.writeable
        ):
            return False
        current[...] = value
    elif isinstance(current, list):
        current[:] = value
    elif isinstance(current, (dict, set)):
        current.clear()
        current.update(value)
    else:
        return False
    return True


# Copying --------------------------------------------------------------------


def _copy(value: Any) -> list[Any] | None:
    """Its kind and a copy; `None` where it cannot be, or is large."""
    kind = generator_kinds.kind_of(value)
    if kind is not None:
        return [kind, generator_kinds.state_of(value, kind)]
    numbers = _numbers(value)
    if numbers is not None:
        return ["list", numbers]
    try:
        if not _is_small(value):
            return None
        encoder = values.Encoder()
        encoded = encoder.encode(value, "copy")
    except (values.Unsaveable, RuntimeError):
        # A thread of tf.data may be changing it: Python says so.
        return None
    return ["value", values.decode(encoded, encoder.arrays.__getitem__)]


def _numbers(value: Any) -> np.ndarray | None:
    """A list of numbers, as one that was shuffled often is, as an array: that
    is quicker, and takes less space."""
    if type(value) is not list or not value or len(value) > MOST_BYTES // 8:
        return None
    for kind, dtype in ((int, "int64"), (float, "float64")):
        if all(type(one) is kind for one in value):
            try:
                return np.array(value, dtype)
            except OverflowError:
                return None
    return None


def _is_saveable(value: Any) -> bool:
    return _numbers(value) is not None or _is_small(value)


def _is_small(value: Any) -> bool:
    pending, items, size = [value], 0, 0
    while pending:
        one = pending.pop()
        items += 1
        if one is None or isinstance(one, (bool, int, float, np.generic)):
            pass
        elif isinstance(one, (str, np.ndarray)):
            size += len(one) if isinstance(one, str) else one.nbytes
        elif isinstance(one, bytes):
            # In JSON each is a number.
            items += len(one)
        elif isinstance(one, (dict, list, tuple, set)):
            if len(one) > MOST_ITEMS:
                return False
            pending += [*one, *one.values()] if isinstance(one, dict) else one
        elif keras.ops.is_tensor(one):
            size += 8 * math.prod(one.shape)
        if items > MOST_ITEMS or size > MOST_BYTES:
            return False
    return True


# Comparing ------------------------------------------------------------------


def _digest(value: Any) -> Any:
    """What differs, most likely, where the value does: a string where it is the
    same in another process."""
    kind = generator_kinds.kind_of(value)
    of = kind or type(value).__name__
    if kind is not None:
        value = generator_kinds.state_of(value, kind)
    numbers = _numbers(value)
    if numbers is not None:
        value = numbers
    try:
        if getattr(value, "nbytes", 0) <= MOST_COMPARED and _is_small(value):
            encoder = values.Encoder()
            text = of + json.dumps(encoder.encode(value, "digest"))
            if "$set" in text:
                # Its order is another in every process.
                return of, text
            digest = hashlib.sha256(text.encode())
            for array in encoder.arrays.values():
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(array.tobytes())
            return digest.hexdigest()[:32]
    except (values.Unsaveable, RuntimeError):
        pass  # What it is made of is not known: see below.
    return of, _sample(value)


def _sample(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        step = -(-value.size // SAMPLED) or 1
        return value.dtype.str, value.shape, value.flat[::step].tobytes()
    if isinstance(value, (list, tuple)):
        step = -(-len(value) // SAMPLED) or 1
        return len(value), [
            one if isinstance(one, (bool, int, float, str)) else id(one)
            for one in value[::step]
        ]
    # torch's tensors change in place; others do not.
    if hasattr(value, "is_contiguous") and value.is_contiguous():
        step = -(-math.prod(value.shape) // SAMPLED) or 1
        sample = keras.ops.convert_to_numpy(value.detach().reshape(-1)[::step])
        return tuple(value.shape), sample.tobytes()
    if isinstance(value, (dict, set)):
        return len(value)
    return id(value)
