"""The attributes of a script's `PyDataset`: which are state, and which of the
others differ from before.

A dataset that shuffles itself keeps its order in an attribute. Attributes that
did not change are its configuration or its data, and are neither copied nor
saved.
"""

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasbackup.anykeras import data_adapters
from kerasbackup.parts.objects import object_builds
from kerasbackup.parts.objects.object_states import ObjectStates
from kerasbackup.parts.objects.object_states import with_place
from kerasbackup.parts.random import generator_kinds
from kerasbackup.store import values
from kerasbackup.store.values import Tagged

# The first item of the place of an object.
OWNER = "data"

# A value beyond the first two is not saved, and an array or a list of numbers
# beyond the third has no checksum.
MOST_BYTES = 16 * 2**20
MOST_ITEMS = 2**16
MOST_COMPARED = 2**20


class DatasetAttributes:
    """The attributes of one dataset.

    Args:
        dataset: A `keras.utils.PyDataset`, as it is when training begins.
    """

    def __init__(self, dataset):
        self._name = type(dataset).__name__
        self._dataset = dataset
        self._states = states_of({OWNER: dataset}, _own)
        # Checksums, which another process can compare. `None` has none.
        self._base = {
            name: _digest(value) for name, value in _own(dataset).items()
        }

    @property
    def not_saved(self) -> list[str]:
        """What had changed at the last capture and could not be copied."""
        return [f"{self._name}.{name}" for name in self._states.unsaved[OWNER]]

    def capture(self) -> dict[str, Any]:
        """A copy of each changed attribute, for `values.Encoder`."""
        return self._states.capture()[OWNER]

    def unchanged(self) -> dict[str, str]:
        """The checksum of each attribute that had not changed at the last
        capture, where there is one."""
        return {
            name: digest
            for name, digest in self._base.items()
            if digest is not None and not self._states.has_changed(OWNER, name)
        }

    def differing(self, unchanged: dict[str, str]) -> list[str]:
        """Names of the attributes whose checksums differ from those that
        `unchanged()` gave."""
        return [
            name
            for name, digest in unchanged.items()
            if self._base.get(name) not in (None, digest)
        ]

    def restore(self, captured: dict[str, Any]) -> list[str]:
        """Puts back what `capture()` gave. An attribute that the dataset does
        not have is left alone.

        Returns:
            The names of those that could not be put back.
        """
        known = {
            name: value
            for name, value in captured.items()
            if name in self._base
        }
        failed = self._states.restore({OWNER: known}, {OWNER: OWNER})
        return [name for _, name in failed]

    def as_in(self, captured: dict[str, Any]) -> Any:
        """A copy of this dataset with the attributes that `capture()` gave."""
        other = object.__new__(type(self._dataset))
        vars(other).update(vars(self._dataset))
        vars(other).update(self._states.build_apart(OWNER, captured))
        return other


def states_of(
    owners: dict[str, Any], fields: Callable[[Any], dict[str, Any]]
) -> ObjectStates:
    """The `ObjectStates` of what a script wrote for its data.

    Args:
        owners: Dict from name to object.
        fields: Callable that gives the attributes of one that count.
    """
    return ObjectStates(
        owners,
        fields,
        most_bytes=MOST_BYTES,
        most_items=MOST_ITEMS,
        copies=True,
    )


def _own(dataset: Any) -> dict[str, Any]:
    kept = data_adapters.kept_of_py_dataset(dataset)
    # A copy: a thread of tf.data may add attributes meanwhile.
    return {
        name: value
        for name, value in dict(vars(dataset)).items()
        if name not in kept
    }


def generators_of(data: Any) -> list[Any]:
    """The random number generators in attributes of a `PyDataset`; none for
    any other data. They are part of the state of the dataset."""
    if not data_adapters.is_py_dataset(data):
        return []
    return [
        value
        for value in vars(data).values()
        if generator_kinds.kind_of(value) is not None
    ]


def check(captured: Any) -> None:
    """Raises if it is not what `capture()` gives. The content of arrays is not
    checked.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    for name, value in captured.items():
        if not isinstance(name, str):
            raise TypeError("an attribute of the data has no name")
        object_builds.check(value)


def from_first_version(captured: Any) -> dict[str, Any]:
    """Converts a state of the first version of this package to what `capture()`
    gives now. That version had for each attribute its kind, a copy, and whether
    it is the same object as when training began.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is none.
    """
    found = {}
    for name, (kind, state, is_same) in captured.items():
        if not isinstance(is_same, bool):
            raise TypeError(f"{name} is the same or not")
        place = [OWNER, name]
        if kind == "list":
            if state.dtype.name not in ("int64", "float64") or state.ndim != 1:
                raise TypeError(f"{name} is no list")
            state = state.tolist()
        elif kind != "value":
            state = Tagged(
                "box", [None, place, Tagged("generator", [kind, state])]
            )
        found[name] = with_place(place, state) if is_same else state
    return found


def _numbers(value: Any) -> np.ndarray | None:
    """A list of numbers as an array, which is quicker to compare; `None` of
    anything else. A dataset that shuffles itself has its order in such a
    list."""
    if type(value) is not list or not value or len(value) > MOST_COMPARED // 8:
        return None
    for kind, dtype in ((int, "int64"), (float, "float64")):
        if all(type(one) is kind for one in value):
            try:
                return np.array(value, dtype)
            except OverflowError:
                return None
    return None


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
        elif data_adapters.is_tensor(one):
            size += 8 * math.prod(one.shape)
        if items > MOST_ITEMS or size > MOST_BYTES:
            return False
    return True


# Comparing ------------------------------------------------------------------


def _digest(value: Any) -> str | None:
    """What most likely differs if the value does, and is the same in another
    process; `None` where there is no such text."""
    kind = generator_kinds.kind_of(value)
    of = kind or type(value).__name__
    if kind is not None:
        value = generator_kinds.state_of(value, kind)
    numbers = _numbers(value)
    if numbers is not None:
        value = numbers
    try:
        if getattr(value, "nbytes", 0) > MOST_COMPARED or not _is_small(value):
            return None
        encoder = values.Encoder()
        text = of + json.dumps(encoder.encode(value, "digest"))
    except (values.Unsaveable, RuntimeError):
        # Of unknown contents, or a thread of tf.data changes it.
        return None
    if "$set" in text:
        # A set has another order in every process.
        return None
    digest = hashlib.sha256(text.encode())
    for array in encoder.arrays.values():
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]
