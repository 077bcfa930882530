"""Records what objects were like when training began.

With this record an object is recognized, by identity and by its place, and a
change is detected. The record of a container is a copy of its references, and
that of an array is a checksum.
"""

import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasbackup.parts.objects import fingerprints
from kerasbackup.parts.objects import object_kinds
from kerasbackup.parts.objects.object_kinds import kind_of
from kerasbackup.parts.random import generator_kinds
from kerasbackup.store import number_lists

# Bytes of arrays that are compared whole, a few milliseconds a save. Of the
# others a sample is compared.
MOST_COMPARED = 64 * 2**20


class Missing(Exception):
    """The script does not have something any more, or as another kind."""


GONE = object()


class _Weak(weakref.ref):
    """An array: it may be large, and is not kept when nobody else does."""


def hold(value: Any) -> Any:
    kind = kind_of(value)
    return _Weak(value) if kind in ("array", "tensor") else value


def held(value: Any) -> Any:
    """What was held; `GONE` where that is an array that nobody has any more."""
    if type(value) is not _Weak:
        return value
    array = value()
    return GONE if array is None else array


# What was there when training began -----------------------------------------


class One:
    """One object, as it was.

    Attributes:
        place: Tuple: the owner's name, the attribute, and steps from there.
        kind: See `kind_of()`.
        content: What tells whether it has changed.
        is_flat: Whether it is a sequence of leaves.
        has_moved: Whether it had changed when it was last looked at, or it was
            written to by a restore.
    """

    __slots__ = ("content", "has_moved", "held", "is_flat", "kind", "place")

    def __init__(self, place, kind, held):
        self.place = place
        self.kind = kind
        self.held = held
        self.content = None
        self.is_flat = False
        self.has_moved = False


class Snapshots:
    """Objects by identity and by place."""

    def __init__(self):
        self._by_id = {}
        self._by_place = {}
        self._left = MOST_COMPARED
        self.begin()

    def __len__(self):
        return len(self._by_id)

    def begin(self) -> None:
        """Forgets what the last comparison found."""
        self._compared = set()
        self._reached = set()

    def add(self, place, value, kind) -> One:
        self._by_id[id(value)] = one = One(place, kind, hold(value))
        self._by_place[place] = one
        if kind in ("sequence", "row"):
            items = object_kinds.items_of(value)
            one.is_flat = object_kinds.is_flat(items)
            one.content = items if one.is_flat else list(map(hold, items))
        elif kind == "mapping":
            copied = dict(value)
            one.content = list(copied), list(map(hold, copied.values()))
        elif kind == "object":
            copied = object_kinds.fields(value)
            one.content = {name: hold(part) for name, part in copied.items()}
        elif kind in ("array", "tensor"):
            compare = fingerprints.sample
            if _can_change(value) and value.nbytes <= self._left:
                self._left -= value.nbytes
                compare = fingerprints.whole
            one.content = compare, _print(value, compare)
        else:
            one.content = _snapshot(value, kind)
        return one

    def find(self, value: Any) -> One | None:
        """The one that it is; `None` where it was not there."""
        one = self._by_id.get(id(value))
        if one is None or held(one.held) is not value:
            return None
        self._reached.add(id(value))
        return one

    def at(self, place: tuple) -> Any:
        """The object that was there.

        Raises:
            Missing: None was, or it is no more.
        """
        one = self._by_place.get(place)
        value = GONE if one is None else held(one.held)
        if value is GONE:
            raise Missing(place)
        return value

    def mark(self, value: Any) -> None:
        """It is written to, and so has changed."""
        one = self.find(value)
        if one is not None:
            one.has_moved = True

    def forget_unreached(self) -> None:
        """What nobody has any more need not be kept."""
        self._by_id = {
            key: one for key, one in self._by_id.items() if key in self._reached
        }
        self._by_place = {one.place: one for one in self._by_id.values()}

    def differs(self, before: Any, now: Any) -> bool:
        """Whether a value is another, or the same object and has changed."""
        if before is now:
            one = self.find(now)
            return one is not None and self.has_moved(one, now)
        return not self._is_equal(before, now)

    def _is_equal(self, before, now) -> bool:
        """Whether two objects are equal and can never change, or are arrays."""
        if type(before) is not type(now):
            return False
        kind = kind_of(now)
        if kind == "leaf":
            return _is_same_leaf(before, now)
        if kind in ("array", "tensor"):
            # A checksum of all only where a sample is equal.
            return all(
                _print(before, compare) == _print(now, compare)
                for compare in (fingerprints.sample, fingerprints.whole)
            )
        if kind == "row" or type(now) is tuple:
            return len(before) == len(now) and not any(
                map(self.differs, before, now)
            )
        if kind == "value":
            return bool(before == now)
        return type(now) is frozenset and before == now

    def has_moved(self, one: One, value: Any) -> bool:
        """Whether an object, or a part of it, is not as it was."""
        if one.has_moved:
            # Its parts are reached as it is copied.
            return True
        if id(value) not in self._compared:
            # Before its parts, as it may be one of them.
            self._compared.add(id(value))
            one.has_moved = self._compare(one, value)
        return one.has_moved

    def _compare(self, one, value) -> bool:
        if one.kind in ("sequence", "row"):
            items = object_kinds.items_of(value)
            if one.is_flat and number_lists.are_equal(one.content, items):
                # Where one was replaced by an equal one, it may be of another
                # type. Long lists are not looked through for that.
                return len(items) <= object_kinds.MOST_SEARCHED and any(
                    map(self._is_other, one.content, items)
                )
            return self._differ(one.content, items)
        if one.kind == "mapping":
            copied = dict(value)
            keys, items = one.content
            return not number_lists.are_equal(
                keys, list(copied)
            ) or self._differ(items, list(copied.values()))
        if one.kind == "object":
            copied = object_kinds.fields(value)
            return copied.keys() != one.content.keys() or any(
                self.differs(held(one.content[name]), part)
                for name, part in copied.items()
            )
        if one.kind in ("array", "tensor"):
            compare, content = one.content
            return _print(value, compare) != content
        return _snapshot(value, one.kind) != one.content

    def _differ(self, before: list, now: list) -> bool:
        return len(before) != len(now) or any(
            self.differs(held(b), n) for b, n in zip(before, now)
        )

    def _is_other(self, before, now) -> bool:
        return before is not now and not _is_same_leaf(before, now)


def _is_same_leaf(before: Any, now: Any) -> bool:
    """Whether two are the same to the bit."""
    if type(before) is not type(now):
        return False
    if isinstance(now, (float, complex, np.generic)):
        return np.asarray(before).tobytes() == np.asarray(now).tobytes()
    return bool(before == now)


def _can_change(array: Any) -> bool:
    return isinstance(array, np.ndarray) or object_kinds.is_of_torch(array)


def _print(array: Any, compare: Callable) -> Any:
    """What differs where an array, or a tensor, does."""
    if not _can_change(array):
        return id(array)
    if isinstance(array, np.ndarray):
        return (fingerprints.sample if array.dtype.hasobject else compare)(
            array
        )
    kind = array.dtype, tuple(array.shape)
    if compare is fingerprints.sample:
        # Of elements, as most bytes of numbers such as 1 and 2 are equal.
        step = -(-array.numel() // fingerprints.SAMPLED) or 1
        return kind, _to_numpy(array.detach().reshape(-1)[::step]).tobytes()
    return kind, compare(_to_numpy(array))


def _to_numpy(tensor: Any) -> np.ndarray:
    """A tensor of torch's, of any dtype, as its bytes."""
    torch = sys.modules["torch"]
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy()


def _snapshot(value: Any, kind: str) -> Any:
    if kind == "set":
        return frozenset(value)
    if kind == "bytes":
        return bytes(value)
    if isinstance(value, object_kinds.TEXTS):
        return None if value.closed else (value.tell(), value.getvalue())
    if kind == "generator":
        found = generator_kinds.kind_of(value)
        return found, _flat(generator_kinds.state_of(value, found))
    return None


def _flat(state: Any) -> Any:
    if isinstance(state, dict):
        return [(key, _flat(item)) for key, item in state.items()]
    if isinstance(state, (list, tuple)):
        return [_flat(item) for item in state]
    return state.tobytes() if isinstance(state, np.ndarray) else state
