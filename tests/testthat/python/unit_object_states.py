"""object_states.py: which attributes are state, and what is told of them."""

import collections
import enum
import gc
import types
import unittest
import weakref

import numpy as np
from object_helpers import Owner
from object_helpers import lost
from object_helpers import put_back
from object_helpers import resume
from object_helpers import unsaved

from kerasbackup.parts.objects.object_states import ObjectStates
from kerasbackup.parts.objects.object_states import with_place


class Ramp:
    def __init__(self):
        self.calls = 0


def nested(inner, levels):
    """Lists in lists, so many above the inner one."""
    for _ in range(levels):
        inner = [inner]
    return inner


def innermost(value):
    while value and type(value[0]) is list:
        value = value[0]
    return value


class Changed(unittest.TestCase):
    def test_one_that_is_new_and_none(self):
        again = resume(Owner, lambda owner: setattr(owner, "new", None))
        self.assertIsNone(again.new)

    def test_one_that_changed_is_state_though_it_is_as_at_the_beginning(self):
        states = ObjectStates({"owner": (one := Owner(count=0))})
        one.count = 3
        states.capture()
        self.assertTrue(states.has_changed("owner", "count"))
        one.count = 0
        captured = states.capture()
        again = Owner(count=5)
        self.assertEqual(put_back(captured, again), [])
        self.assertEqual(again.count, 0)

    def test_a_function_of_the_script_in_another_place(self):
        def make():
            return Owner(now=len, warm=sum)

        again = resume(make, lambda owner: setattr(owner, "now", owner.warm))
        self.assertIs(again.now, sum)

    def test_those_that_are_gone_are_removed_where_they_are(self):
        captured = lost(
            lambda: Owner(first=1, second=2, third=3),
            lambda owner: vars(owner).clear(),
        )
        again = Owner(second=2, third=3)
        self.assertEqual(put_back(captured, again), [])
        self.assertEqual(vars(again), {})

    def test_numbers_of_a_class_are_told_where_they_are_others(self):
        class Counting(Owner):
            unset = float("nan")
            count = 3
            rate = 0.5

        def train(owner):
            Counting.rate = float("0.5")
            Counting.count += 1

        self.assertEqual(unsaved(Counting, train), ["count"])
        self.assertEqual(unsaved(Counting, lambda owner: None), [])

    def test_arrays_are_copied_where_they_are_written_later(self):
        for copies in (False, True):
            one = Owner(array=np.zeros((2, 3), order="F"))
            states = ObjectStates({"owner": one}, copies=copies)
            one.array[0, 1] = 1
            (box,) = states.capture()["owner"].values()
            array = box.items[2]
            self.assertEqual(np.shares_memory(array, one.array), not copies)
            self.assertEqual(array.flags.c_contiguous, copies)
            self.assertEqual(array.tolist(), one.array.tolist())
        # By default nothing is copied, as it is written at once.
        states = ObjectStates({"owner": one})
        one.array[0, 1] = 2
        (box,) = states.capture()["owner"].values()
        self.assertIs(box.items[2], one.array)


class Restored(unittest.TestCase):
    def test_what_is_missing_keeps_nothing_else_from_coming_back(self):
        def make(ramp):
            shared = []
            return {
                "left": Owner(a=Ramp(), b=1, list=shared),
                "kept": Owner(a=ramp, b=1, list=shared),
            }

        def train(owners):
            for one in owners.values():
                one.a.calls = 3
                one.b = 2
                one.list.append(4)

        captured = lost(lambda: make(Ramp()), train)
        del (owners := make(None))["left"]
        states = ObjectStates(owners)
        failed = states.restore(captured, {"kept": "kept"})
        self.assertEqual(failed, [("kept", "a")])
        self.assertEqual((owners["kept"].b, owners["kept"].list), (2, [4, 4]))

    def test_what_was_put_back_is_state_though_the_script_has_it_so(self):
        captured = lost(
            lambda: Owner(count=0), lambda owner: setattr(owner, "count", 3)
        )
        states = ObjectStates({"owner": Owner(count=3)})
        states.restore(captured, {"owner": "owner"})
        self.assertEqual(states.capture(), {"owner": {"count": 3}})

    def test_a_capture_is_put_back_into_the_same_objects_too(self):
        states = ObjectStates({"owner": (one := Owner(seen=[], other={}))})
        one.seen.append(1)
        captured = states.capture()
        seen, one.seen = one.seen, None
        seen.append(2)
        states.restore(captured, {"owner": "owner"})
        self.assertIs(one.seen, seen)
        self.assertEqual(seen, [1])

    def test_what_another_part_has_is_left_to_it(self):
        """Also where it was none's before, and a restore has written to it."""
        captured = lost(
            lambda: Owner(data=Ramp()),
            lambda owner: setattr(owner.data, "calls", 3),
        )
        again = Owner(data=Ramp())
        states = ObjectStates(
            {"owner": again}, is_captured=lambda one: one is again.data
        )
        states.restore(captured, {"owner": "owner"})
        captured = states.capture()["owner"]
        self.assertEqual(states.unsaved, {"owner": []})
        self.assertEqual(captured["data"].tag, "at")

    def test_what_the_first_version_wrote_goes_into_what_is_there(self):
        for then, now in (
            ([1], [0]),
            ({"a": 1}, {"a": 0}),
            ({1}, {0}),
            (bytearray(b"a"), bytearray(b"b")),
            (np.ones(2), np.zeros(2)),
        ):
            with self.subTest(type=type(then)):
                saved = with_place(("owner", "held"), then)
                again = Owner(held=now)
                self.assertEqual(
                    put_back({"owner": {"held": saved}}, again), []
                )
                self.assertIs(again.held, now)
                np.testing.assert_equal(now, then)
        for value in ((1, 2), frozenset({1}), 3, None):
            self.assertIs(with_place(("owner", "held"), value), value)


class Looked(unittest.TestCase):
    """What is known of the objects when training begins."""

    def test_many_objects_are_known(self):
        def make():
            return Owner(lists=[[] for _ in range(5000)])

        captured = lost(make, lambda owner: owner.lists[-1].append(1))
        last = (again := make()).lists[-1]
        self.assertEqual(put_back(captured, again), [])
        self.assertEqual(last, [1])

    def test_fifteen_levels_below_an_attribute_are_known(self):
        def make(levels):
            return Owner(held=nested([0], levels))

        def train(owner):
            innermost(owner.held).append(1)

        def nothing(owner):
            pass

        captured = lost(lambda: make(15), train)
        inner = innermost((again := make(15)).held)
        self.assertEqual(put_back(captured, again), [])
        self.assertEqual(inner, [0, 1])
        self.assertEqual(unsaved(lambda: make(15), nothing), [])
        # Nobody knows whether what is below them changes.
        self.assertEqual(unsaved(lambda: make(16), nothing), ["held"])
        self.assertEqual(unsaved(lambda: make(16), train), ["held"])

    def test_what_cannot_be_looked_at_hides_nothing_else(self):
        def make():
            return Owner(moving=iter([1]), seen=[])

        states = ObjectStates({"owner": (one := make())})
        one.seen.append(1)
        captured = states.capture()
        self.assertEqual(states.unsaved, {"owner": ["moving"]})
        seen = (again := make()).seen
        self.assertEqual(put_back(captured, again), [])
        self.assertIs(again.seen, seen)
        self.assertEqual(seen, [1])

    def test_what_has_itself_in_it(self):
        def make():
            seen = []
            seen.append(seen)
            return Owner(seen=seen)

        self.assertEqual(lost(make, lambda owner: None), {"owner": {}})
        again = resume(make, lambda owner: owner.seen.append(1))
        self.assertIs(again.seen[0], again.seen)
        self.assertEqual(again.seen[1], 1)

    def test_classes_of_what_is_there(self):
        """They need not be those of the owner's module."""
        kind = enum.Enum("Kind", "warm hot")
        point = collections.namedtuple("Point", "x y")

        def make():
            return Owner(kind=kind.warm, best=point(0, 0))

        def train(owner):
            owner.kind, owner.best = kind.hot, point(1, 2)

        again = resume(make, train)
        self.assertIs(again.kind, kind.hot)
        self.assertEqual(again.best, (1, 2))
        self.assertIs(type(again.best), point)

    def test_an_owner_of_no_module(self):
        cls = types.new_class("Lone", (Owner,))
        cls.__module__ = "a module that is gone"
        again = resume(lambda: cls(a=1), lambda owner: setattr(owner, "a", 2))
        self.assertEqual(again.a, 2)


class Kept(unittest.TestCase):
    def test_what_nobody_has_any_more_is_let_go(self):
        states = ObjectStates({"owner": (one := Owner(held={"a": Ramp()}))})
        ramp = weakref.ref(one.held["a"])
        one.held.clear()
        one.held = {}
        states.capture()
        gc.collect()
        self.assertIsNone(ramp())

    def test_what_could_not_be_looked_at_is_known_later(self):
        def make():
            return Owner(seen=[[1], [2]])

        states = ObjectStates({"owner": (one := make())})
        one.seen.insert(0, object())
        states.capture()
        self.assertEqual(states.unsaved, {"owner": ["seen"]})
        del one.seen[0]
        one.seen[1].append(3)
        captured = states.capture()
        self.assertEqual(states.unsaved, {"owner": []})
        inner = (again := make()).seen[1]
        self.assertEqual(put_back(captured, again), [])
        self.assertIs(again.seen[1], inner)
        self.assertEqual(again.seen, [[1], [2, 3]])

    def test_what_failed_leaves_what_is_saved_whole(self):
        """No part of what is saved is in what is not."""

        def train(owner):
            shared, earlier = [1], [2]
            owner.earlier = earlier
            owner.failed = [earlier, shared, object()]
            owner.later = [shared, earlier]

        states = ObjectStates({"owner": (one := Owner())})
        train(one)
        captured = states.capture()
        self.assertEqual(states.unsaved, {"owner": ["failed"]})
        self.assertEqual(put_back(captured, again := Owner()), [])
        self.assertEqual(again.later, [[1], [2]])
        self.assertIs(again.later[1], again.earlier)
