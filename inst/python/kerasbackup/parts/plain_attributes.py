"""Saves the numbers, texts and flags that training changes in attributes of the
model, its layers, optimizers, metrics, losses and regularizers. Examples are a
loss weight that a callback raises each epoch, and a counter of a layer.

Attributes that training did not change are configuration, which the script
sets.
"""

import inspect
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import nested
from kerasbackup.anykeras import own_attributes
from kerasbackup.anykeras.model_parts import compiled_metrics
from kerasbackup.anykeras.model_parts import given_metric_objects
from kerasbackup.anykeras.model_parts import layers_of
from kerasbackup.parts.optimizers import optimizers_of
from kerasbackup.parts.part import Part
from kerasbackup.store import values

SIMPLE = (bool, int, float, str, type(None), np.number, np.bool_)
ABSENT = object()


class PlainAttributes(Part):
    """The plain attributes of one training. To be made when it begins.

    Args:
        model: The `keras.Model` being trained.
    """

    name = "attributes"
    is_put_again = True

    def __init__(self, model):
        self._model = model
        self._owners = {}
        # What `compile()` had made at the last look.
        self._made = None
        self._look()

    @classmethod
    def begin(cls, training) -> "PlainAttributes":
        return cls(training.model)

    def note_traced(self) -> None:
        """Notes their values, before the first step is traced."""
        self._look()
        for one in self._owners.values():
            one.traced = one.read()

    def capture(self, encoder: values.Encoder) -> dict[str, Any]:
        """The attributes that training changed, by owner and name: their values
        now and when the first step was traced."""
        self._look()
        captured = {}
        for label, one in self._owners.items():
            changed = {
                name: [
                    encoder.encode(value, f"attributes/{label}/{name}/{which}")
                    for which, value in (("now", now), ("traced", traced))
                ]
                for name, now, traced in one.changed()
            }
            if changed:
                captured[label] = changed
        return captured

    @staticmethod
    def check(saved, tensors, place) -> None:
        check(saved, tensors)

    def check_owners(self, saved: dict[str, Any]) -> None:
        """Raises `ValueError` if a name is a method or property of its owner,
        which training cannot have made a plain value."""
        for label, attributes in saved.items():
            if label in self._owners:
                kind = type(self._owners[label].owner)
                for name in attributes:
                    known = inspect.getattr_static(kind, name, None)
                    if callable(known) or hasattr(known, "__get__"):
                        raise ValueError(f"{label}.{name} is no state")

    def script_changes(self, saved: dict[str, Any], arrays) -> list[str]:
        self._look()
        return [
            f"{label} is missing now; training had changed its "
            f"{', '.join(attributes)}"
            for label, attributes in saved.items()
            if label not in self._owners
        ]

    def restore(self, saved: dict[str, Any], arrays) -> list[str]:
        """Restores their values.

        Args:
            saved: What `capture()` returned.
            arrays: Callable from tensor name to a new array.

        Returns:
            Lines about the attributes whose owner does not exist any more.
        """
        notes = self.script_changes(saved, arrays)
        for label, attributes in saved.items():
            one = self._owners.get(label)
            if one is None:
                continue
            for name, encoded in attributes.items():
                now, traced = (values.decode(e, arrays) for e in encoded)
                one.put(name, now)
                one.traced[name] = traced
        return notes

    def swap_traced(self) -> list[tuple[Any, str, Any]]:
        """Gives each the value that the first step was traced with.

        Returns:
            The argument of `swap_back()`; empty if all had that value.
        """
        self._look()
        swapped = []
        for one in self._owners.values():
            for name, value in one.read().items():
                traced = one.traced.get(name, value)
                if not _equal(value, traced):
                    swapped.append((one, name, value))
                    one.put(name, traced)
        return swapped

    def swap_back(self, swapped: list[tuple[Any, str, Any]]) -> None:
        for one, name, value in swapped:
            one.put(name, value)

    def _look(self) -> None:
        """Finds owners that are new or were not built before. It looks at all
        layers only if `compile()` made something new, because a look takes as
        long as a small save."""
        made = [
            getattr(self._model, "optimizer", None),
            self._model.loss,
            compiled_metrics(self._model),
        ]
        if self._made is not None and all(map(operator.is_, made, self._made)):
            return
        self._made = made if self._model.built else None
        for label, owner in _owners(self._model):
            known = self._owners.get(label)
            if known is None or known.owner is not owner:
                self._owners[label] = _Owner(owner)
            else:
                known.look_again()


class _Owner:
    """An object with attributes.

    Attributes:
        owner: The object.
        traced: Dict from name to the value when the first step was traced.
    """

    def __init__(self, owner: Any):
        self.owner = owner
        self._used_by_keras = own_attributes.used_names(type(owner))
        self._kept_by_keras = own_attributes.kept(owner)
        self._begun = self.read()
        self._was_built = getattr(owner, "built", True)
        self.traced = dict(self._begun)

    def look_again(self) -> None:
        """Notes values again that a layer did not know before it was built, or
        knew otherwise: tf_keras makes a list of positions of `axis = -1`."""
        if not self._was_built and self.owner.built:
            self._was_built = True
            for name, value in self.read().items():
                begun = self._begun.get(name)
                is_of_keras = name in self._used_by_keras
                if begun is None or (
                    is_of_keras and type(value) is not type(begun)
                ):
                    self._begun[name] = self.traced[name] = value

    def read(self) -> dict[str, Any]:
        """Copies of its plain attributes."""
        found = {
            name: self._read_one(name, value)
            for name, value in vars(self.owner).items()
        }
        return {k: value for k, value in found.items() if value is not ABSENT}

    def _read_one(self, name: str, value: Any) -> Any:
        """A copy, or `ABSENT` if it does not count."""
        if not isinstance(value, (*SIMPLE, np.generic, list, tuple, dict)):
            return ABSENT
        is_private = name[0] == "_" and name in self._used_by_keras
        if name in self._kept_by_keras or is_private:
            return ABSENT
        try:
            return _copy(value)
        except values.Unsaveable:
            return ABSENT

    def changed(self) -> Iterator[tuple[str, Any, Any]]:
        """The name, value, and value when the first step was traced, of each
        attribute that has changed since training began."""
        for name, value in vars(self.owner).items():
            begun = self._begun.get(name, ABSENT)
            if value is begun and self.traced.get(name) is begun:
                # This is the case of nearly all that are no containers.
                continue
            now = self._read_one(name, value)
            if now is ABSENT:
                continue
            if begun is ABSENT:
                if name in self._used_by_keras:
                    # Keras' own layers may learn their sizes late.
                    continue
                # The class may have its first value.
                begun = inspect.getattr_static(type(self.owner), name, ABSENT)
            traced = self.traced.get(name, now if begun is ABSENT else begun)
            if not (_equal(now, begun) and _equal(traced, begun)):
                yield name, now, traced

    def put(self, name: str, value: Any) -> None:
        """Sets an attribute. A list or dict is changed in place, because other
        objects may share it."""
        before = vars(self.owner).get(name)
        if isinstance(before, list) and type(value) is list:
            before[:] = value
        elif isinstance(before, dict) and type(value) is dict:
            before.clear()
            before.update(value)
        elif not _equal(before, value):
            setattr(self.owner, name, value)


def check(saved: Any, tensors: dict[str, tuple]) -> None:
    """Validates a result of `PlainAttributes.capture()` that was read.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is invalid.
    """
    kept = own_attributes.kept_by_all()
    for attributes in saved.values():
        for name, encoded in attributes.items():
            if name in kept or not name or name.startswith("__"):
                raise ValueError(f"{name} is no state")
            found = values.check(encoded, tensors)
            if not isinstance(found, list) or len(found) != 2:
                raise ValueError(f"{name} has not two values")
            for one in found:
                _copy(one)


def _owners(model) -> Iterator[tuple[str, Any]]:
    """The objects whose attributes count, by names that are the same in every
    process."""
    counts = {}
    for kind, owner in _all_owners(model):
        number = counts[kind] = counts.get(kind, -1) + 1
        yield (f"{kind}~{number}" if number else kind), owner


def _all_owners(model) -> Iterator[tuple[str, Any]]:
    yield "model", model
    for layer in layers_of(model):
        kind = f"layer {type(layer).__name__}"
        if layer is not model:
            yield kind, layer
        yield from _parts(kind, layer)
    for path, optimizer in optimizers_of(model).items():
        kind = f"optimizer {path}".strip()
        yield kind, optimizer
        yield from _parts(kind, optimizer)
    for metric in given_metric_objects(model):
        yield f"metric {type(metric).__name__}", metric
    for loss in nested.flatten(model.loss):
        if kinds.is_loss(loss):
            yield f"loss {type(loss).__name__}", loss


def _parts(kind: str, owner: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(owner).items():
        if is_part(value):
            yield f"{kind}.{name}", value


def is_part(value: Any) -> bool:
    """Whether it is an object with settings of its own that a layer or an
    optimizer may have in an attribute."""
    return kinds.is_component(value) or kinds.is_loss(value)


def _copy(value: Any, depth: int = 0) -> Any:
    """A copy of a plain value, in plain containers.

    Raises:
        Unsaveable: It is not plain.
    """
    if type(value) in SIMPLE or isinstance(value, np.generic):
        return value
    if depth > values.MOST_NESTED:
        raise values.Unsaveable("nested too deeply")
    # Keras makes the lists and dicts of a layer objects of subclasses.
    if isinstance(value, list):
        return [_copy(item, depth + 1) for item in value]
    if type(value) is tuple:
        return tuple(_copy(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return {
            _copy(key, depth + 1): _copy(item, depth + 1)
            for key, item in value.items()
        }
    raise values.Unsaveable("not plain")


def is_plain(value: Any) -> bool:
    """Whether it is saved if it is an attribute."""
    try:
        _copy(value)
    except values.Unsaveable:
        return False
    return True


def _equal(one: Any, other: Any) -> bool:
    """Whether they are equal; NaN is equal to NaN."""
    if one is other:
        return True
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _equal(item, other[key]) for key, item in one.items()
        )
    if isinstance(one, SIMPLE) and isinstance(other, SIMPLE):
        return bool(one == other or (one != one and other != other))
    return False
