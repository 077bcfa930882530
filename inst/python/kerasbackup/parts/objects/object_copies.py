"""Copies the contents of objects for a checkpoint.

For an object that existed when training began, its place is noted, and its
content only if that has changed. An object that is in several places is copied
once.
"""

import collections
import datetime
import math
import sys
from typing import Any

import numpy as np

from kerasbackup.anykeras import tensors
from kerasbackup.parts.objects import object_kinds
from kerasbackup.parts.objects.object_kinds import kind_of
from kerasbackup.parts.objects.object_snapshots import One
from kerasbackup.parts.objects.object_snapshots import Snapshots
from kerasbackup.parts.objects.object_snapshots import held
from kerasbackup.parts.random import generator_kinds
from kerasbackup.store import number_lists
from kerasbackup.store import values
from kerasbackup.store.dtypes import DTYPES
from kerasbackup.store.values import Tagged
from kerasbackup.store.values import Unsaveable

# Objects that are nested more deeply are not saved. Each level takes several
# levels of JSON.
MOST_NESTED = 15

# For longer lists of numbers, only the appended numbers are packed again.
GROWING = 4096


class Copier:
    """Makes the copies of one capture.

    Args:
        snapshots: The `Snapshots` of when training began.
        classes: Dict from name to class, of enumerations and named tuples.
        most_bytes: Integer, the maximal size of one copy in bytes; `None` for
            any size.
        most_items: Integer, the maximal number of items in its containers.
        copies: Whether arrays are copied, too.
        growing: Dict from id to a list of numbers and its `GrowingList`. Lists
            are added to it.

    Attributes:
        grown: Set of ids, the entries of `growing` that were used.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        classes: dict[str, type],
        most_bytes: int | None,
        most_items: int,
        copies: bool,
        growing: dict[int, tuple],
    ):
        self._snapshots = snapshots
        self._classes = classes
        self._most = most_bytes, most_items
        self._copies = copies
        self._growing = growing
        self.grown = set()
        # By id, the object and its box. The object is kept so that no other
        # object gets its id.
        self._boxes = {}
        self._shared = set()

    def copy_one(self, value: Any) -> Any:
        """One attribute.

        Raises:
            Unsaveable: It cannot be copied, or is too large.
        """
        self._bytes_left, self._items_left = self._most
        before = set(self._boxes)
        try:
            return self._copy(value, 0)
        except Exception:
            # Nothing refers to the boxes that it began.
            for key in set(self._boxes) - before:
                del self._boxes[key]
            raise

    def finish(self) -> None:
        """Removes the numbers of objects that are in one place only."""
        for key, (_, box) in self._boxes.items():
            if key not in self._shared:
                box.items[0] = None

    def _copy(self, value, depth):
        kind = kind_of(value)
        if kind in ("leaf", "function"):
            return self._copy_leaf(value, kind)
        if depth > MOST_NESTED:
            raise Unsaveable("nested too deeply")
        if kind == "member":
            return self._copy_member(value)
        one = self._snapshots.find(value)
        # One that another part has is fixed, though a restore may write to it.
        if one is not None and (
            one.kind == "fixed" or not self._snapshots.has_moved(one, value)
        ):
            return Tagged("at", [list(one.place)])
        # A class that a file names is never instantiated.
        if kind in ("object", "generator") and one is None:
            raise Unsaveable(type(value).__name__)
        if kind == "object" and not object_kinds.may_be_written(value):
            raise Unsaveable(type(value).__name__)
        if kind == "row" or type(value) in (tuple, frozenset):
            copied = self._copy_fixed(value, kind, depth)
            # Its place is noted, because a part of it has changed.
            return copied if one is None else _box(None, one, copied)
        if id(value) in self._boxes:
            self._shared.add(id(value))
            return Tagged("same", [self._boxes[id(value)][1].items[0]])
        box = _box(len(self._boxes), one, None)
        self._boxes[id(value)] = value, box
        box.items[2] = self._copy_content(value, kind, one, depth)
        return box

    def _copy_fixed(self, value, kind, depth):
        if kind != "row":
            return type(value)(self._copy_items(value, depth))
        name = self._name(type(value))
        return Tagged("row", [name, self._copy_items(value, depth)])

    def _copy_leaf(self, value, kind):
        if type(value) in (str, bytes):
            self._count(len(value))
        elif kind == "leaf" and type(value) not in object_kinds.PLAIN_LEAVES:
            _check_dtype(value)
        return value

    def _copy_member(self, value):
        if type(value).__members__.get(value.name) is not value:
            raise Unsaveable(type(value).__qualname__)
        return Tagged("member", [self._name(type(value)), value.name])

    def _name(self, kind: type) -> str:
        """The name by which a class is found at a restore."""
        if self._classes.get(kind.__qualname__) is not kind:
            raise Unsaveable(kind.__qualname__)
        return kind.__qualname__

    def _copy_content(self, value, kind, one, depth):
        if kind == "generator":
            found = generator_kinds.kind_of(value)
            state = generator_kinds.state_of(value, found)
            return Tagged("generator", [found, state])
        if kind == "object":
            return self._copy_fields(value, one, depth)
        if kind == "tensor":
            return self._copy_tensor(value, one)
        if kind == "array":
            if type(value) is not np.ndarray:
                raise Unsaveable(type(value).__name__)
            _check_dtype(value)
            self._count(value.nbytes)
            return np.array(value, order="C") if self._copies else value
        if type(value) not in object_kinds.EXACT:
            raise Unsaveable(type(value).__name__)
        if kind == "bytes":
            self._count(len(value))
            return bytearray(value)
        if kind == "mapping":
            return self._copy_mapping(value, depth)
        copied = self._copy_items(value, depth)
        if type(value) is list:
            return copied
        if kind == "set":
            return set(copied)
        return collections.deque(copied, value.maxlen)

    def _copy_items(self, value, depth):
        items = list(value)
        self._count(8 * len(items))
        if type(value) is list:
            packed = (
                self._growing_of(value).pack(items)
                if len(items) >= GROWING
                else number_lists.pack(items)
            )
            if packed is not None:
                return packed
        rows = number_lists.pack_rows(items) if _are_own(items) else None
        if rows is not None:
            self._count(8 * len(items) * len(rows.columns))
            self._count(
                sum(
                    sum(map(len, column))
                    for column in rows.columns
                    if type(column) is list
                )
            )
            return rows if type(value) is list else items
        self._count_items(len(items))
        if object_kinds.is_flat(items):
            texts = (len(i) for i in items if type(i) in (str, bytes))
            self._count(sum(texts))
            return items
        return [self._copy(item, depth + 1) for item in items]

    def _growing_of(self, value):
        key = id(value)
        if key not in self._growing:
            self._growing[key] = value, number_lists.GrowingList()
        self.grown.add(key)
        return self._growing[key][1]

    def _copy_mapping(self, value, depth):
        if type(value) is collections.defaultdict:
            return self._copy_default(value, depth)
        made = type(value)()
        # The `update()` of a `Counter` would add.
        for key, item in self._copy_pairs(value, depth):
            made[key] = item
        return made

    def _copy_default(self, value, depth):
        pairs = dict(self._copy_pairs(value, depth))
        factory = value.default_factory
        known = (None, *values.FACTORIES.values())
        if any(factory is one for one in known):
            return collections.defaultdict(factory, pairs)
        if self._snapshots.find(value) is None:
            raise Unsaveable("defaultdict with a factory of its own")
        # They will be written into the existing one.
        return pairs

    def _copy_pairs(self, value, depth):
        copied = dict(value)
        self._count_items(len(copied))
        return [
            (self._copy(key, depth + 1), self._copy(item, depth + 1))
            for key, item in copied.items()
        ]

    def _copy_tensor(self, value, one):
        if (
            not tensors.is_tensor(value)
            or tensors.dtype_of(value) not in DTYPES
        ):
            raise Unsaveable(type(value).__name__)
        # TensorFlow's tensors have no `nbytes`.
        self._count(getattr(value, "nbytes", 8 * math.prod(value.shape)))
        if not object_kinds.is_of_torch(value):
            # Tensors of other backends do not change.
            return value
        if one is None and type(value) is not sys.modules["torch"].Tensor:
            raise Unsaveable(type(value).__name__)
        return value.detach().clone() if self._copies else value.detach()

    def _copy_fields(self, value, one, depth):
        now = object_kinds.fields(value)
        before = one.content
        changed = {
            name: self._copy(part, depth + 1)
            for name, part in now.items()
            if name not in before
            or self._snapshots.differs(held(before[name]), part)
        }
        if not all(
            object_kinds.is_state(type(value), name) for name in changed
        ):
            raise Unsaveable(type(value).__name__)
        gone = [name for name in before if name not in now]
        return Tagged("object", [changed, gone])

    def _count(self, more: int) -> None:
        if self._bytes_left is not None:
            self._bytes_left -= more
            if self._bytes_left < 0:
                raise Unsaveable("too large")

    def _count_items(self, more: int) -> None:
        self._items_left -= more
        if self._items_left < 0:
            raise Unsaveable("too large")


def _are_own(items: list) -> bool:
    """Whether all are tuples, or dicts that nothing else refers to. Such items
    need not be looked at one by one if they hold numbers."""
    if not items or type(items[0]) is not dict:
        return True
    # The usual count is that of a dict in two lists, as all of them are.
    one = {}
    lists = [one], [one]
    del one
    (usual,) = map(sys.getrefcount, lists[0])
    return set(map(sys.getrefcount, items)) == {usual}


def _box(number: int | None, one: One | None, content: Any) -> Tagged:
    place = None if one is None else list(one.place)
    return Tagged("box", [number, place, content])


def _check_dtype(value: Any) -> None:
    if type(value) is datetime.timedelta:
        return
    if not isinstance(value, (np.generic, np.ndarray)):
        raise Unsaveable(type(value).__name__)
    if value.dtype.name not in DTYPES:
        raise Unsaveable(f"array of {value.dtype.name}")
