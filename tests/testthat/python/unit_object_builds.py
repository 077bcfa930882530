"""object_builds.py: what was saved is put into the objects of today."""

import collections
import enum
import random
import sys
import types
import unittest
from unittest import mock

from object_helpers import Owner
from object_helpers import lost
from object_helpers import put_back
from object_helpers import resume

from kerasbackup.parts.objects import object_builds
from kerasbackup.parts.objects.object_states import ObjectStates
from kerasbackup.parts.objects.object_states import with_place
from kerasbackup.store import errors
from kerasbackup.store.values import Tagged

Point = collections.namedtuple("Point", "x y")


class Kind(enum.Enum):
    WARM = "a"
    HOT = "b"


class Ramp:
    def __init__(self):
        self.calls = 0


def program():
    return 1


def script(**classes):
    """The module of the script, where classes of today are looked up."""
    kept = {"Owner": Owner, **classes}
    return mock.patch.dict(
        sys.modules, {Owner.__module__: types.SimpleNamespace(**kept)}
    )


class Sharing(unittest.TestCase):
    def test_an_object_that_two_have(self):
        def make():
            ramp = Ramp()
            return Owner(ramp=ramp, alias=ramp, list=[ramp])

        again = resume(make, lambda owner: setattr(owner.ramp, "calls", 3))
        self.assertEqual(again.ramp.calls, 3)
        self.assertIs(again.alias, again.ramp)
        self.assertIs(again.list[0], again.ramp)

    def test_a_generator_of_random_numbers(self):
        def make():
            return Owner(dice=random.Random(1))

        expected = make()
        expected.dice.random()
        dice = (again := make()).dice
        captured = lost(make, lambda owner: owner.dice.random())
        self.assertEqual(put_back(captured, again), [])
        self.assertIs(again.dice, dice)
        self.assertEqual(dice.random(), expected.dice.random())

    def test_what_was_put_back_stays_state(self):
        """Also where it is what the script made."""

        def train(owner):
            owner.outer["seen"].append(1)

        captured = lost(lambda: Owner(outer={"seen": []}), train)
        states = ObjectStates({"owner": Owner(outer={"seen": [1]})})
        states.restore(captured, {"owner": "owner"})
        last = Owner(outer={"seen": [5]})
        put_back(states.capture(), last)
        self.assertEqual(last.outer, {"seen": [1]})

    def test_a_tuple_of_what_changes_is_the_scripts_if_it_is_equal(self):
        def train(owner):
            owner.pair[0].append(1)
            owner.best.x.append(2)

        def make(second):
            return Owner(pair=([], second), best=Point([], second))

        captured = lost(lambda: make(1), train)
        alike, other = make(1), make(2)
        for again in (alike, other):
            begun = vars(again).copy()
            self.assertEqual(put_back(captured, again), [])
            self.assertEqual((again.pair, again.best), (([1], 1), ([2], 1)))
            self.assertIs(type(again.best), Point)
            self.assertIs(again.pair[0], begun["pair"][0])
            self.assertIs(again.best.x, begun["best"].x)
            self.assertEqual(again.pair is begun["pair"], again is alike)
            self.assertEqual(again.best is begun["best"], again is alike)

    def test_without_writing_to_what_is_there(self):
        def train(owner):
            owner.first.append(1)
            owner.kind = Kind.HOT
            owner.outer["new"] = 1

        def make():
            first, inner = [], []
            return Owner(
                first=first, alias=[first], kind=Kind.WARM, outer={"a": inner}
            )

        with script(Kind=Kind):
            captured = lost(make, train)
            again = make()
            states = ObjectStates({"owner": again})
        built = states.build_apart("owner", captured["owner"])
        self.assertEqual(again.first, [])
        self.assertEqual(built["first"], [1])
        self.assertIs(built["alias"][0], built["first"])
        self.assertIs(built["kind"], Kind.HOT)
        # What did not change is the script's own.
        self.assertEqual(built["outer"], {"a": [], "new": 1})
        self.assertIs(built["outer"]["a"], again.outer["a"])


class Containers(unittest.TestCase):
    def test_what_training_made_does_what_it_did(self):
        def train(owner):
            owner.last = collections.deque([1, 2], maxlen=2)
            owner.lists = collections.defaultdict(list, a=[1])

        again = resume(Owner, train)
        again.last.append(3)
        self.assertEqual(list(again.last), [2, 3])
        again.lists["b"].append(2)
        self.assertEqual(again.lists, {"a": [1], "b": [2]})

    def test_one_that_is_another_today_stays_as_it_is(self):
        def make(last):
            return Owner(last=last)

        captured = lost(
            lambda: make(collections.deque([1], maxlen=2)),
            lambda owner: owner.last.append(2),
        )
        for today in (collections.deque([5], maxlen=3), [5], None):
            again = make(today)
            self.assertEqual(put_back(captured, again), [])
            self.assertEqual(again.last, collections.deque([1, 2]))
            self.assertEqual(again.last.maxlen, 2)
            self.assertIn(today, (collections.deque([5]), [5], None))

    def test_one_in_what_the_first_version_wrote(self):
        saved = with_place(
            ("owner", "seen"), [collections.deque([1, 2], maxlen=2)]
        )
        again = Owner(seen=[])
        self.assertEqual(put_back({"owner": {"seen": saved}}, again), [])
        again.seen[0].append(3)
        self.assertEqual(list(again.seen[0]), [2, 3])


class Today(unittest.TestCase):
    """What the script has no more is told, and nothing is written to."""

    def assert_told(self, captured, again, *names):
        before = {name: repr(value) for name, value in vars(again).items()}
        failed = put_back(captured, again)
        self.assertEqual(failed, [("owner", name) for name in names])
        for name in names:
            self.assertEqual(repr(getattr(again, name)), before[name])

    def test_an_object_in_whose_place_is_another(self):
        captured = lost(
            lambda: Owner(ramp=Ramp()),
            lambda owner: setattr(owner.ramp, "calls", 3),
        )
        self.assert_told(captured, Owner(ramp=program), "ramp")
        self.assertFalse(hasattr(program, "calls"))

    def test_a_member_or_a_class_that_is_gone(self):
        def make():
            return Owner(kind=None, best=None)

        def train(owner):
            owner.kind, owner.best = Kind.HOT, Point(1, 2)

        class Fewer(enum.Enum):
            WARM = "a"

        with script(Kind=Kind, Point=Point):
            captured = lost(make, train)
        Fewer.__qualname__ = "Kind"
        other = collections.namedtuple("Point", "x y z")
        for classes in (
            {},
            {"Kind": Fewer, "Point": other},
            {
                "Kind": collections.namedtuple("Kind", "HOT"),
                "Point": enum.Enum("Point", "x y"),
            },
        ):
            with self.subTest(classes=classes), script(**classes):
                self.assert_told(captured, make(), "kind", "best")
        with script(Kind=Kind, Point=Point):
            again = make()
            self.assertEqual(put_back(captured, again), [])
        self.assertIs(again.kind, Kind.HOT)
        self.assertIs(type(again.best), Point)


class Damage(unittest.TestCase):
    def test_what_no_training_leaves_is_refused_at_any_depth(self):
        bad = Tagged("same", [-1])
        for value in (
            bad,
            [bad],
            {"a": bad},
            {bad: "a"},
            collections.deque([bad]),
            (bad,),
            Tagged("box", [0, None, [bad]]),
            Tagged("object", [{"a": bad}, []]),
            Tagged("row", ["Point", [bad]]),
            Tagged("row", ["Point", (1,)]),
            Tagged("row", [3, []]),
            Tagged("at", ["ab"]),
            Tagged("at", [["a"]]),
            Tagged("at", [("a", "b")]),
            Tagged("box", [0, "ab", []]),
            Tagged("box", [0, None, Tagged("at", [["a", "b"]])]),
        ):
            with self.subTest(value=value), self.assertRaises(errors.DAMAGE):
                object_builds.check(value)
