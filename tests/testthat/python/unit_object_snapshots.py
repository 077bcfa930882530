"""object_snapshots.py: what has changed since training began."""

import collections
import fractions
import gc
import io
import random
import unittest
import weakref
from unittest import mock

import keras
import numpy as np
from object_helpers import Owner
from object_helpers import lost
from object_helpers import resume
from object_helpers import unsaved

from kerasbackup.parts.objects import object_snapshots
from kerasbackup.parts.objects.object_states import ObjectStates

Point = collections.namedtuple("Point", "x y")

on_torch = unittest.skipIf(
    keras.backend.backend() != "torch", "tensors never change"
)


def changed(owner, train, **options):
    """The attributes that are saved, as a training changed them."""
    return set(lost(lambda: owner, train, **options)["owner"])


def setting(value):
    """A training that sets another object."""
    return lambda owner: setattr(owner, "held", value)


def nothing(owner):
    pass


class Equal(unittest.TestCase):
    """What did not change is the script's, even if it is another object."""

    def test_what_is_as_it_was(self):
        for value in (
            [1, 2],
            {"a": [1]},
            {1, 2},
            frozenset({1}),
            bytearray(b"a"),
            Point([1], 2),
            random.Random(1),
            np.random.default_rng(1),
            np.array([None, "a"]),
            np.zeros(0),
        ):
            with self.subTest(type=type(value)):
                self.assertEqual(changed(Owner(held=value), nothing), set())

    def test_an_equal_one_in_its_place(self):
        for make in (
            lambda: int("1000000"),
            lambda: float("nan"),
            lambda: "".join(["a", "bc"]),
            lambda: (1, "".join(["a", "b"])),
            lambda: Point(*[1, 2]),
            lambda: frozenset([1, 2]),
            lambda: fractions.Fraction(1, 2),
            lambda: np.arange(3.0),
        ):
            kept = make()
            with self.subTest(type=type(kept)):
                owner = Owner(held=kept)
                self.assertEqual(changed(owner, setting(make())), set())

    def test_another_one_in_its_place(self):
        for before, now in (
            ((1, 2), (1, 2, 3)),
            (Point(1, 2), Point(1, 3)),
            (frozenset([1]), frozenset([2])),
            (np.zeros(3), np.ones(3)),
            (np.zeros(3), np.zeros(3, "float32")),
            (np.array([None]), np.array(["a"], object)),
            (keras.ops.zeros(3), keras.ops.ones(3)),
        ):
            with self.subTest(type=type(before)):
                names = set()
                states = ObjectStates({"owner": (one := Owner(held=before))})
                one.held = now
                names.update(states.capture()["owner"])
                names.update(states.unsaved["owner"])
                self.assertEqual(names, {"held"})

    def test_an_equal_item_in_its_place(self):
        def train(owner):
            owner.held[0] = float("0.1")
            owner.held[1] = "".join(["a", "b"])

        self.assertEqual(changed(Owner(held=[0.1, "ab"]), train), set())

    def test_an_item_of_another_type_in_a_thousand(self):
        def train(owner):
            owner.held[7] = 7.0

        self.assertEqual(
            changed(Owner(held=list(range(1000))), train), {"held"}
        )

    def test_a_row_of_what_changes(self):
        again = resume(
            lambda: Owner(best=Point([1], 2)),
            lambda owner: owner.best.x.append(3),
        )
        self.assertEqual(again.best, ([1, 3], 2))


class Arrays(unittest.TestCase):
    def noticed(self, make, most):
        """Which of three, with one changed element, are noticed where so many
        bytes of them are compared."""
        owner = Owner(a=make(), b=make(), c=make())

        def train(owner):
            for array in vars(owner).values():
                array[1] = 1

        with mock.patch.object(object_snapshots, "MOST_COMPARED", most):
            return changed(owner, train)

    def test_those_beyond_a_limit_are_sampled(self):
        def make():
            return np.zeros(5000)

        size = make().nbytes
        self.assertEqual(self.noticed(make, 3 * size), {"a", "b", "c"})
        self.assertEqual(self.noticed(make, 2 * size), {"a", "b"})
        self.assertEqual(self.noticed(make, 0), set())

    def test_a_sample_shows_what_changes_everywhere(self):
        def train(owner):
            owner.held += 1

        with mock.patch.object(object_snapshots, "MOST_COMPARED", 0):
            owner = Owner(held=np.zeros(5000))
            self.assertEqual(changed(owner, train), {"held"})

    def test_one_that_nobody_has_is_let_go(self):
        for make in (
            lambda: np.arange(3.0),
            lambda: keras.ops.convert_to_tensor([1.0, 2.0, 3.5]),
        ):
            owner = Owner(held=make(), inner=[make()], names={"a": make()})
            kept = [owner.held, *owner.inner, *owner.names.values()]
            found = list(map(weakref.ref, kept))
            states = ObjectStates({"owner": owner})
            del kept
            owner.held = owner.inner[0] = owner.names["a"] = None
            gc.collect()
            self.assertEqual([one() for one in found], [None] * 3)
            self.assertEqual(
                set(states.capture()["owner"]), {"held", "inner", "names"}
            )


@on_torch
class OfTorch(unittest.TestCase):
    def test_those_beyond_a_limit_are_sampled(self):
        import torch

        def make():
            return torch.zeros(5000)

        size = make().nbytes
        noticed = Arrays.noticed
        self.assertEqual(noticed(self, make, 3 * size), {"a", "b", "c"})
        self.assertEqual(noticed(self, make, 2 * size), {"a", "b"})
        self.assertEqual(noticed(self, make, 0), set())

    def test_a_sample_shows_what_changes_everywhere(self):
        import torch

        def train(owner):
            owner.held += 1

        for make in (
            lambda: torch.zeros(5000),
            lambda: torch.zeros(5000, 2).T,
            lambda: torch.zeros(2, 3, dtype=torch.bfloat16),
        ):
            with mock.patch.object(object_snapshots, "MOST_COMPARED", 0):
                self.assertEqual(changed(Owner(held=make()), nothing), set())
                self.assertEqual(changed(Owner(held=make()), train), {"held"})

    def test_an_equal_one_is_the_scripts(self):
        import torch

        for make in (lambda: torch.arange(3.0), lambda: torch.zeros(0, 2)):
            owner = Owner(held=make(), kept=None)
            owner.kept = owner.held
            self.assertEqual(changed(owner, setting(make())), set())
        for before, now in (
            (torch.zeros(3), torch.ones(3)),
            (torch.zeros(3), torch.zeros(3, dtype=torch.int32)),
            (torch.zeros(2, 3), torch.zeros(3, 2)),
            (torch.zeros(0, 2), torch.zeros(0, 3)),
        ):
            owner = Owner(held=before, kept=before)
            self.assertEqual(changed(owner, setting(now)), {"held"})


class Files(unittest.TestCase):
    def test_one_in_memory_that_is_closed(self):
        closed = io.StringIO("a")
        closed.close()
        self.assertEqual(unsaved(lambda: Owner(held=closed), nothing), [])
        self.assertEqual(
            unsaved(
                lambda: Owner(held=io.StringIO("a")),
                lambda owner: owner.held.close(),
            ),
            ["held"],
        )
