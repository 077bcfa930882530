"""Saves what training changes in the attributes of objects, and puts it back.

The objects are callbacks and datasets. What did not change is configuration,
for which the script's value counts. What changed is saved. An object that
existed when training began is identified by its place, such as attribute
`seen`, item 3. If it changed, it is written to in place, because a variable of
the script or another attribute may be the same object. If it did not change but
is part of something that did, only its place is saved.
"""

import contextlib
import enum
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from kerasbackup.parts.objects import object_kinds
from kerasbackup.parts.objects.object_builds import ApartBuilder
from kerasbackup.parts.objects.object_builds import Builder
from kerasbackup.parts.objects.object_copies import MOST_NESTED
from kerasbackup.parts.objects.object_copies import Copier
from kerasbackup.parts.objects.object_kinds import kind_of
from kerasbackup.parts.objects.object_kinds import kind_without
from kerasbackup.parts.objects.object_snapshots import Missing
from kerasbackup.parts.objects.object_snapshots import Snapshots
from kerasbackup.parts.objects.object_snapshots import held
from kerasbackup.parts.objects.object_snapshots import hold
from kerasbackup.store.values import Tagged

# Objects that are looked at; those nearest to the owners come first.
MOST_SEEN = 2**15

# Of an attribute that is not there.
ABSENT = object()


class ObjectStates:
    """The attributes of some objects, and of what they consist of.

    Args:
        owners: Dict from name to object, as training begins.
        fields: Callable that gives the attributes of one that count, a dict.
        is_captured: Whether somebody else cares for an object, a generator of
            random numbers or a dataset; `None`: nobody does, and the states of
            generators are part of this.
        most_bytes: Integer, the bytes of an attribute that is saved, at most;
            `None`: any number.
        most_items: Integer, likewise the items of its containers.
        copies: Whether arrays are copied at a capture: where what it gives is
            encoded later.

    Attributes:
        unsaved: Dict from owner to list of strings, the attributes that could
            not be saved at the last capture.
    """

    def __init__(
        self,
        owners: dict[str, Any],
        fields: Callable[[Any], dict[str, Any]] = object_kinds.fields,
        is_captured: Callable[[Any], bool] | None = None,
        most_bytes: int | None = None,
        most_items: int = 2**20,
        copies: bool = False,
    ):
        self._owners = owners
        self._fields = fields
        self._is_captured = is_captured
        self._limits = most_bytes, most_items, copies
        self._snapshots = Snapshots()
        self._classes = {}
        # By owner: what its attributes were, and which have changed since.
        # Once changed, one is state, even where it is as at the beginning.
        self._begun = {
            name: {
                attribute: hold(value)
                for attribute, value in fields(owner).items()
            }
            for name, owner in owners.items()
        }
        self._changed = {name: set() for name in owners}
        self._of_classes = {
            name: object_kinds.leaves_of_class(type(owner))
            for name, owner in owners.items()
        }
        self._hidden = set()
        self._growing = {}
        self.unsaved = {name: [] for name in owners}
        self._look()

    @property
    def owners(self) -> list[str]:
        """Their names."""
        return list(self._owners)

    def has_changed(self, owner: str, attribute: str) -> bool:
        """Whether it had at the last capture."""
        return attribute in self._changed[owner]

    def capture(self) -> dict[str, dict[str, Any]]:
        """By owner, for each changed attribute what `values.Encoder` takes."""
        self._snapshots.begin()
        copier = Copier(
            self._snapshots,
            self._classes,
            *self._limits,
            self._growing,
        )
        captured = {}
        for name, owner in self._owners.items():
            now = self._fields(owner)
            captured[name] = {}
            self.unsaved[name] = [
                attribute
                for attribute, value in now.items()
                if not self._capture_one(
                    name, attribute, value, copier, captured[name]
                )
            ]
            self.unsaved[name] += self._changed_of_class(name)
            for attribute in sorted(self._begun[name].keys() - now.keys()):
                captured[name][attribute] = Tagged("gone", [])
        copier.finish()
        self._growing = {
            key: growing
            for key, growing in self._growing.items()
            if key in copier.grown
        }
        if not any(self.unsaved.values()):
            self._snapshots.forget_unreached()
        return captured

    def _changed_of_class(self, name: str) -> list[str]:
        """Numbers in attributes of an owner's class, as in `Class.n += 1`."""
        before = self._of_classes[name]
        now = object_kinds.leaves_of_class(type(self._owners[name]))
        return [
            attribute
            for attribute, value in now.items()
            if attribute in before
            and value is not before[attribute]
            and value != before[attribute]
        ]

    def _capture_one(self, name, attribute, value, copier, captured) -> bool:
        """Captures an attribute if it has changed.

        Returns:
            Whether nothing of it is lost.
        """
        try:
            if not self._has_changed(name, attribute, value):
                return (name, attribute) not in self._hidden
            if not object_kinds.is_state(type(self._owners[name]), attribute):
                return False
            captured[attribute] = copier.copy_one(value)
        except Exception:
            # A thread of tf.data may be changing it, or an object of a script's
            # own may raise whatever it likes when it is looked at. It is told
            # as not saved: that is no reason to end training.
            return False
        return True

    def _has_changed(self, name, attribute, value) -> bool:
        if attribute in self._changed[name]:
            return True
        before = held(self._begun[name].get(attribute, ABSENT))
        if not self._snapshots.differs(before, value):
            return False
        if kind_of(value) == "fixed" and self._snapshots.find(value) is None:
            # Part of the program, such as a function that is made anew.
            return False
        self._changed[name].add(attribute)
        return True

    def restore(
        self, captured: dict[str, dict[str, Any]], partners: dict[str, str]
    ) -> list[tuple[str, str]]:
        """Puts back what `capture()` gave.

        Args:
            captured: From `capture()`, in the same order.
            partners: Dict from an owner's name then to its name now. Others
                are left out.

        Returns:
            Owner and attribute of what could not be put back: it consists of
            what the script does not have any more.
        """
        builder = Builder(self._snapshots, partners, self._classes)
        failed = []
        for then, attributes in captured.items():
            name = partners.get(then)
            for attribute, value in attributes.items():
                if type(value) is Tagged and value.tag == "gone":
                    if name is not None:
                        vars(self._owners[name]).pop(attribute, None)
                    continue
                try:
                    built = builder.build_one(value)
                except Missing:
                    if name is not None:
                        failed.append((name, attribute))
                    continue
                if name is None:
                    continue
                self._changed[name].add(attribute)
                object_kinds.set_field(self._owners[name], attribute, built)
        return failed

    def build_apart(
        self, owner: str, captured: dict[str, Any]
    ) -> dict[str, Any]:
        """What `capture()` gave of an owner, made anew as far as that can be
        done: nothing that is there today is written to."""
        builder = ApartBuilder(self._snapshots, {owner: owner}, self._classes)
        built = {}
        for attribute, value in captured.items():
            with contextlib.suppress(Missing):
                built[attribute] = builder.build_one(value)
        return built

    def _look(self) -> None:
        """Notes everything there is, the owners' own attributes first."""
        pending = deque()
        for name, owner in self._owners.items():
            self._add_classes(owner)
            for attribute, value in self._begun[name].items():
                pending.append(((name, attribute), held(value)))
        while pending and len(self._snapshots) < MOST_SEEN:
            place, value = pending.popleft()
            kind = kind_without(
                kind_of(value), value, self._is_captured, len(place) > 2
            )
            if kind in ("leaf", "function"):
                continue
            if kind in ("member", "row"):
                self._add_class(type(value))
            if kind == "moving" or len(place) > MOST_NESTED + 2:
                self._hidden.add(place[:2])
                continue
            if self._snapshots.find(value) is not None:
                continue
            one = self._snapshots.add(place, value, kind)
            if not one.is_flat:
                pending.extend(
                    ((*place, step), part)
                    for step, part in object_kinds.parts(value, kind)
                    if type(part) not in object_kinds.PLAIN_LEAVES
                )

    def _add_classes(self, owner) -> None:
        """The classes of the module in which an owner's class is."""
        module = sys.modules.get(type(owner).__module__)
        for one in list(vars(module).values()) if module else []:
            if isinstance(one, type) and (
                object_kinds.is_row(one) or issubclass(one, enum.Enum)
            ):
                self._add_class(one)

    def _add_class(self, kind: type) -> None:
        """Of two classes of one name none can be told by it."""
        name = kind.__qualname__
        if self._classes.setdefault(name, kind) is not kind:
            self._classes[name] = None


def with_place(place: tuple, value: Any) -> Any:
    """A value that was saved without one, to be written into what is at a place
    where that can be done."""
    kind = kind_of(value)
    if kind not in ("sequence", "mapping", "set", "bytes", "array"):
        return value
    if type(value) in (tuple, frozenset):
        return value
    return Tagged("box", [None, list(place), value])
