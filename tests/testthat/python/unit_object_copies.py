"""object_copies.py: what is copied for a checkpoint, and how much of it."""

import argparse
import collections
import enum
import random
import unittest

import keras
import numpy as np
from object_helpers import Owner
from object_helpers import lost
from object_helpers import put_back
from object_helpers import resume
from object_helpers import unsaved

from kerasbackup.parts.objects import object_kinds
from kerasbackup.parts.objects.object_copies import Copier
from kerasbackup.parts.objects.object_snapshots import Snapshots
from kerasbackup.parts.objects.object_states import ObjectStates
from kerasbackup.store.number_lists import Rows
from kerasbackup.store.values import Unsaveable

on_torch = unittest.skipIf(
    keras.backend.backend() != "torch", "tensors never change"
)


class Ramp:
    def __init__(self, top=None):
        self.top = top
        self.calls = 0

    def reset(self):
        self.calls = 0


class Words(dict):
    pass


class Flags(enum.Flag):
    A = 1
    B = 2


def setting(value):
    return lambda owner: setattr(owner, "held", value)


class Limits(unittest.TestCase):
    """What is too large is told, and no longer saved."""

    def assert_takes(self, value, limit, most):
        train = setting(value)
        self.assertEqual(unsaved(Owner, train, **{limit: most}), [])
        self.assertEqual(unsaved(Owner, train, **{limit: most - 1}), ["held"])

    def test_bytes(self):
        tensor = keras.ops.zeros(10)
        for value, size in (
            ("x" * 100, 100),
            (b"x" * 100, 100),
            (bytearray(100), 100),
            (np.zeros(10), 80),
            # A tensor without `nbytes` counts as float64.
            (tensor, 40 if hasattr(tensor, "nbytes") else 80),
            ([1, 2, 3], 24),
            (["ab", b"cd", 1], 28),
            ([[1], ["abc"]], 35),
            ({1, 2}, 16),
            ({"ab": "cd"}, 4),
            ([i / 7 for i in range(40)], 320),
            ([(i, i / 7) for i in range(32)], 3 * 256),
            ([(i, "ab") for i in range(32)], 3 * 256 + 64),
            ([{"a": i, "b": i / 7} for i in range(32)], 3 * 256),
            (collections.deque((i, i / 7) for i in range(32)), 3 * 256),
        ):
            with self.subTest(value=value):
                self.assert_takes(value, "most_bytes", size)

    def test_items(self):
        for value, count in (
            ([1, 2, 3], 3),
            ({"a": 1, "b": 2}, 2),
            ([[1], [2]], 4),
        ):
            with self.subTest(value=value):
                self.assert_takes(value, "most_items", count)
        # Lists of numbers have no items.
        for value in (
            [i / 7 for i in range(40)],
            [(i, i / 7) for i in range(40)],
        ):
            train = setting(value)
            self.assertEqual(unsaved(Owner, train, most_items=0), [])

    def test_fifteen_levels(self):
        def levels(wrap, count):
            value = 0
            for _ in range(count):
                value = wrap(value)
            return value

        for wrap in (
            lambda inner: [inner],
            lambda inner: (inner,),
            lambda inner: {"a": inner},
        ):
            # The outermost is an attribute itself.
            train = setting(levels(wrap, 16))
            self.assertEqual(resume(Owner, train).held, levels(wrap, 16))
            train = setting(levels(wrap, 17))
            self.assertEqual(unsaved(Owner, train), ["held"])
        key = levels(lambda inner: (inner,), 15)
        self.assertEqual(resume(Owner, setting({key: 1})).held, {key: 1})
        self.assertEqual(unsaved(Owner, setting({(key,): 1})), ["held"])

    def test_fifteen_levels_of_objects(self):
        def make(levels):
            ramp = Ramp()
            for _ in range(levels):
                ramp = Ramp(ramp)
            return Owner(held=ramp)

        def train(owner):
            ramp = owner.held
            while ramp.top is not None:
                ramp = ramp.top
            ramp.calls = 3

        self.assertEqual(unsaved(lambda: make(15), train), [])
        self.assertEqual(unsaved(lambda: make(16), train), ["held"])

        def deepen(owner):
            owner.held.top = [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]

        self.assertEqual(unsaved(lambda: make(0), deepen), ["held"])


class Refused(unittest.TestCase):
    def refused(self, value, train=None):
        """What is said of it, where training changes what was there."""
        snapshots = Snapshots()
        if train is not None:
            snapshots.add(("owner", "held"), value, object_kinds.kind_of(value))
            train(value)
        copier = Copier(snapshots, {}, None, 1000, False, {})
        with self.assertRaises(Unsaveable) as raised:
            copier.copy_one(value)
        return str(raised.exception)

    def test_what_cannot_be_saved_is_named_by_its_class(self):
        for value, name in (
            (object(), "object"),
            (Ramp(), "Ramp"),
            (random.Random(1), "Random"),
            (Flags.A | Flags.B, "Flags"),
            (Flags.A, "Flags"),
            (collections.namedtuple("Point", "x")(1), "Point"),
            (np.ma.masked_array([1.0]), "MaskedArray"),
            (Words(), "Words"),
            (1j, "complex"),
            ([iter([1])], "list_iterator"),
        ):
            with self.subTest(name=name):
                self.assertEqual(self.refused(value), name)
        for value, train, name in (
            # What a library's objects do when they are written to is theirs.
            (
                argparse.Namespace(),
                lambda one: vars(one).update(a=1),
                "Namespace",
            ),
            (Ramp(), lambda one: vars(one).update(reset=3), "Ramp"),
        ):
            with self.subTest(name=name):
                self.assertEqual(self.refused(value, train), name)

    @on_torch
    def test_what_of_torch_cannot_be_saved(self):
        import torch

        new = torch.nn.Parameter(torch.zeros(2))
        self.assertEqual(self.refused(new), "Parameter")
        self.assertEqual(self.refused(torch.zeros(2) * 1j), "Tensor")

    def test_an_attribute_itself(self):
        for value in (1j, np.zeros(1, [("a", "i4")])[0]):
            self.assertEqual(unsaved(Owner, setting(value)), ["held"])


class Copied(unittest.TestCase):
    def test_functions_that_are_known_by_name(self):
        again = resume(lambda: Owner(held=np.less), setting(np.greater))
        self.assertIs(again.held, np.greater)

    def test_of_an_object_only_what_changed(self):
        captured = lost(
            lambda: Owner(held=Ramp("old")),
            lambda owner: setattr(owner.held, "calls", 3),
        )
        again = Owner(held=Ramp("new"))
        self.assertEqual(put_back(captured, again), [])
        self.assertEqual(vars(again.held), {"top": "new", "calls": 3})

    def test_rows_are_packed_in_lists_alone(self):
        rows = [(i, i / 7) for i in range(40)]
        for make in (list, collections.deque):
            states = ObjectStates({"owner": (one := Owner())})
            one.held = make(rows)
            (box,) = states.capture()["owner"].values()
            self.assertEqual(isinstance(box.items[2], Rows), make is list)
            again = resume(Owner, setting(make(rows)))
            self.assertEqual(again.held, make(rows))
        again = resume(Owner, setting(tuple(rows)))
        self.assertEqual(again.held, tuple(rows))

    def test_of_a_long_list_of_numbers_what_was_appended(self):
        """It has a place of its own, in which its numbers stay."""

        def arrays(states):
            captured = states.capture()["owner"]
            return [box.items[2].numbers for box in captured.values()]

        one = Owner(a=[], b=[], short=[])
        states = ObjectStates({"owner": one})
        one.a += [i / 7 for i in range(4100)]
        one.b += [i / 3 for i in range(4100)]
        one.short += [i / 3 for i in range(4000)]
        before = arrays(states)
        for numbers in vars(one).values():
            numbers.append(0.5)
        for kept, now, numbers in zip(
            before, arrays(states), vars(one).values()
        ):
            self.assertEqual(kept is now, numbers is not one.short)
            self.assertEqual(now[: len(numbers)].tolist(), numbers)

    @on_torch
    def test_a_tensor_of_torch(self):
        import torch

        for copies in (False, True):
            one = Owner(held=torch.zeros(2, requires_grad=True))
            states = ObjectStates({"owner": one}, copies=copies)
            with torch.no_grad():
                one.held += 1
            (box,) = states.capture()["owner"].values()
            with torch.no_grad():
                one.held += 1
            self.assertFalse(box.items[2].requires_grad)
            expected = [1.0, 1.0] if copies else [2.0, 2.0]
            self.assertEqual(box.items[2].tolist(), expected)
