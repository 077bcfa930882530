"""Puts back what `object_copies.Copier` made: into the objects that are there
today, as far as there are any.
"""

import collections
from typing import Any

import numpy as np

from kerasbackup.parts.objects import object_kinds
from kerasbackup.parts.objects.object_kinds import kind_of
from kerasbackup.parts.objects.object_snapshots import Missing
from kerasbackup.parts.objects.object_snapshots import Snapshots
from kerasbackup.parts.random import generator_kinds
from kerasbackup.store import values
from kerasbackup.store.values import Tagged

CONTAINERS = (
    list,
    set,
    bytearray,
    collections.deque,
    dict,
    collections.OrderedDict,
    collections.Counter,
    collections.defaultdict,
)


class Builder:
    """Makes the objects of one restore.

    Args:
        snapshots: Those of today, of when training began.
        partners: Dict from an owner's name then to its name now.
        classes: Dict from name to class, of enumerations and named tuples.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        partners: dict[str, str],
        classes: dict[str, type],
    ):
        self._snapshots = snapshots
        self._partners = partners
        self._classes = classes
        self._boxes = {}

    def build_one(self, value: Any) -> Any:
        """One attribute: all of it is put back, or nothing.

        Raises:
            Missing: It needs what is not there today, or is of another kind.
        """
        before = set(self._boxes)
        self._fills = []
        try:
            built = self._build(value)
        except (Missing, TypeError) as e:
            # Something that is no key today, say.
            for number in set(self._boxes) - before:
                del self._boxes[number]
            raise Missing from e
        for fill, current, content in self._fills:
            self._snapshots.mark(current)
            fill(current, content)
        return built

    def _build(self, value):
        kind = type(value)
        if kind is Tagged:
            return getattr(self, f"_build_{value.tag}")(*value.items)
        if kind is list and object_kinds.is_flat(value):
            return value
        if kind in CONTAINERS or kind in (tuple, frozenset):
            return self._copy(value)
        return value

    def _build_gone(self):
        # Only an attribute itself can be.
        raise Missing

    def _build_at(self, place):
        return self._at(place)

    def _build_same(self, number):
        if number not in self._boxes:
            raise Missing
        return self._boxes[number]

    def _build_member(self, name, member):
        kind = self._classes.get(name)
        if not hasattr(kind, "__members__") or member not in kind.__members__:
            raise Missing
        return kind.__members__[member]

    def _build_row(self, name, items):
        kind = self._classes.get(name)
        items = self._build(items)
        if not object_kinds.is_row(kind or object) or (
            len(kind._fields) != len(items)
        ):
            raise Missing
        # Not what a class of its own makes of them.
        return tuple.__new__(kind, items)

    def _build_box(self, number, place, content):
        try:
            current = None if place is None else self._at(place)
        except Missing:
            current = None
        if type(content) in (tuple, frozenset) or _is_row(content):
            built = self._build(content)
            is_same = type(current) is type(built) and (
                list(map(id, current)) == list(map(id, built))
            )
            return current if is_same else built
        if type(content) is Tagged:
            return self._fill_tagged(number, current, content)
        if type(content) not in CONTAINERS:
            return self._keep(number, self._fill_array(current, content))
        if not _fits(current, content):
            current = _empty(content)
        # Before its items: it may be one of them.
        self._keep(number, current)
        self._fills.append((_fill, current, self._copy(content)))
        return current

    def _fill_tagged(self, number, current, content):
        if current is None or kind_of(current) != content.tag:
            raise Missing
        self._keep(number, current)
        if content.tag == "object":
            self._build_fields(current, *content.items)
        else:
            kind, state = content.items
            if generator_kinds.kind_of(current) != kind:
                raise Missing
            self._fills.append((_put, current, (kind, state)))
        return current

    def _build_fields(self, current, changed, gone):
        built = {}
        for name, value in changed.items():
            if not object_kinds.can_have(current, name):
                raise Missing
            built[name] = self._build(value)
        self._fills.append((_set_fields, current, (built, gone)))

    def _fill_array(self, current, content):
        if isinstance(content, np.ndarray):
            is_alike = (
                isinstance(current, np.ndarray)
                and (current.dtype, current.shape)
                == (content.dtype, content.shape)
                and current.flags.writeable
            )
        else:
            is_alike = (
                object_kinds.is_of_torch(current)
                and (current.dtype, current.shape)
                == (content.dtype, content.shape)
                and not current.is_inference()
            )
        if not is_alike:
            return content
        self._fills.append((_write, current, content))
        return current

    def _copy(self, value):
        """A container, with what its items are today."""
        if isinstance(value, dict):
            made = _empty(value)
            for key, item in value.items():
                made[self._build(key)] = self._build(item)
            return made
        if isinstance(value, bytearray):
            return value
        if isinstance(value, collections.deque):
            return collections.deque(map(self._build, value), value.maxlen)
        return type(value)(map(self._build, value))

    def _keep(self, number, value):
        if number is not None:
            self._boxes[number] = value
        return value

    def _at(self, place):
        owner, *steps = place
        if owner not in self._partners:
            raise Missing
        return self._snapshots.at((self._partners[owner], *steps))


class ApartBuilder(Builder):
    """Makes them beside the objects of today, which stay as they are."""

    def _build_box(self, number, place, content):
        return super()._build_box(number, None, content)


def check(value: Any) -> None:
    """Raises where it is not what a `Copier` gives, but for arrays' content.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    if type(value) is Tagged:
        _CHECKS[value.tag](*value.items)
    elif isinstance(value, dict):
        for key, item in value.items():
            check(key)
            check(item)
    elif isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        for item in value:
            check(item)


def _is_row(value: Any) -> bool:
    return type(value) is Tagged and value.tag == "row"


def _check_place(place: Any) -> None:
    if not isinstance(place, list) or len(place) < 2:
        raise TypeError("a place is none")
    hash(tuple(place))


def _check_box(number, place, content):
    if number is not None and not values.is_count(number):
        raise ValueError("an object has no number")
    if place is not None:
        _check_place(place)
    if type(content) is Tagged:
        if content.tag not in ("object", "generator", "row"):
            raise ValueError(f"{content.tag} has no place")
    elif not isinstance(
        content, (*CONTAINERS, tuple, frozenset)
    ) and not hasattr(content, "shape"):
        raise TypeError("an object has no content")
    check(content)


def _check_fields(changed, gone):
    for name, value in changed.items():
        _check_text(name)
        check(value)
    for name in gone:
        _check_text(name)


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError("a name is no text")


def _check_row(name, items):
    _check_text(name)
    if not isinstance(items, list):
        raise TypeError(f"{name} has no items")
    check(items)


def _check_member(name, member):
    _check_text(name)
    _check_text(member)


def _check_same(number):
    if not values.is_count(number):
        raise ValueError("an object has no number")


_CHECKS = {
    "gone": lambda: None,
    "at": _check_place,
    "box": _check_box,
    "same": _check_same,
    "object": _check_fields,
    "generator": generator_kinds.check,
    "member": _check_member,
    "row": _check_row,
}


# Writing in place -------------------------------------------------------------


def _fits(current: Any, content: Any) -> bool:
    """Whether an object of today can be given that content."""
    if type(current) is collections.defaultdict and type(content) is dict:
        # It makes values as the script says.
        return True
    if isinstance(content, collections.deque):
        return type(current) is collections.deque and (
            current.maxlen == content.maxlen
        )
    return type(current) is type(content)


def _empty(content: Any) -> Any:
    if isinstance(content, collections.defaultdict):
        return collections.defaultdict(content.default_factory)
    if isinstance(content, collections.deque):
        return collections.deque(maxlen=content.maxlen)
    return type(content)()


def _fill(current: Any, content: Any) -> None:
    if isinstance(current, (list, bytearray)):
        current[:] = content
        return
    current.clear()
    if isinstance(current, collections.deque):
        current.extend(content)
    else:
        # Empty, a `Counter` adds nothing to what it is given.
        current.update(content)


def _put(generator: Any, content: tuple) -> None:
    generator_kinds.put(generator, *content)


def _set_fields(current: Any, content: tuple) -> None:
    changed, gone = content
    for name in object_kinds.fields(current).keys() & set(gone):
        object.__delattr__(current, name)
    for name, value in changed.items():
        object_kinds.set_field(current, name, value)


def _write(current: Any, content: Any) -> None:
    if isinstance(current, np.ndarray):
        current[...] = content
    else:
        current.detach().copy_(content)
