"""object_kinds.py: what objects are, and what they are made of."""

import collections
import datetime
import decimal
import enum
import fractions
import io
import operator
import random
import sys
import threading
import types
import typing
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.keras3 import tensors
from kerasbackup.parts.objects import object_kinds

Point = collections.namedtuple("Point", "x y")


class Kind(enum.Enum):
    WARM = "a"


class Plain:
    def __init__(self, **fields):
        vars(self).update(fields)


class Named(Point):
    """May do anything when it is made."""


class Pair(tuple):
    __slots__ = ()


class Chain(collections.deque):
    pass


class Words(dict):
    pass


class Names(set):
    pass


class Whole(int):
    pass


class Dice(random.Random):
    pass


class States(np.random.RandomState):
    pass


class ArrayLike:
    def __array__(self):
        return np.zeros(1)


class Borrowing:
    """Shows a method of another class's as its own."""

    describe = object.__repr__


class Lending:
    """A method of C's may keep a state that no attribute shows."""

    measure = len


class _XSlots_:
    """Its name ends and begins with what a private name is made of."""

    __slots__ = ("__dunder__", "__hidden", "shown", "unset")

    def __init__(self):
        self.__hidden, self.shown, self.__dunder__ = 1, 2, 3


class Alone:
    __slots__ = "alone"

    def __init__(self):
        self.alone = 1


class Shared:
    __marks__: typing.ClassVar = []
    __level__ = 1
    losses: typing.ClassVar = []
    count = 0
    pair = (1, 2)

    def method(self):
        pass

    @property
    def level(self):
        return 1


def of_module(module, name="Thing", **fields):
    """An object of a class that a module defines."""
    return type(name, (), {"__module__": module, **fields})()


class Kinds(unittest.TestCase):
    def test_each_kind(self):
        for kind, things in {
            "leaf": [None, True, 1, 1.5, "a", b"a", 1j, Whole(3), np.int64(3)]
            + [datetime.timedelta(1)],
            "function": [np.less, np.greater],
            "member": [Kind.WARM],
            "sequence": [[1], (1,), Chain(), Pair(), Named(1, 2)],
            "mapping": [{}, Words(), collections.Counter()],
            "set": [set(), frozenset(), Names()],
            "bytes": [bytearray(b"a")],
            "row": [Point(1, 2)],
            "array": [np.zeros(2)],
            "tensor": [keras.ops.zeros(2)],
            "generator": [random.Random(1), np.random.default_rng(1)],
            "object": [
                Plain(),
                Borrowing(),
                of_module("torch.nn.modules"),
                of_module("torch.optim.sgd"),
                of_module("torch.utils.data.sampler"),
            ],
            "value": [
                fractions.Fraction(1, 2),
                decimal.Decimal(1),
                datetime.date(2020, 1, 1),
                range(2),
            ],
            "fixed": [
                len,
                np.add,
                threading.Lock(),
                threading.RLock(),
                keras.metrics.Mean(),
                keras.Variable(1.0),
                of_module("tqdm.std"),
                # These can be called, and have no attributes.
                operator.itemgetter(1),
            ],
            "moving": [
                iter([1]),
                Dice(1),
                States(1),
                ArrayLike(),
                of_module("jax.random", "Generator"),
                of_module("jax.numpy", __array__=None),
                of_module("jax.numpy", __next__=None),
                of_module("jax.numpy", __setitem__=None),
            ],
            "opaque": [
                object(),
                io.StringIO(),
                io.BytesIO(),
                # A class of C's without any method.
                io.BytesIO(b"a").getbuffer().obj,
                Lending(),
                *map(
                    of_module,
                    ("jax.a", "jaxlib.a", "keras.a", "numpy.a")
                    + ("tensorflow.a", "torch.a", "torch.nn"),
                ),
            ],
        }.items():
            for thing in things:
                with self.subTest(kind=kind, type=type(thing)):
                    self.assertEqual(object_kinds.kind_of(thing), kind)

    def test_a_class_of_a_name_that_generators_have_is_the_scripts(self):
        thing = of_module("script", "Generator")
        self.assertEqual(object_kinds.kind_of(thing), "object")

    def test_a_tensor_is_the_backends_or_torchs(self):
        tensor = keras.ops.zeros(2)
        for module, name in (
            (object_kinds, "is_of_torch"),
            (tensors, "is_tensor"),
        ):
            is_torch = keras.backend.backend() == "torch"
            if module is tensors and not is_torch:
                continue
            with mock.patch.object(module, name, lambda one: False):
                self.assertEqual(object_kinds.kind_of(tensor), "tensor")

    def test_a_variable_of_tensorflow_is_one_on_every_backend(self):
        tensorflow = types.SimpleNamespace(Variable=Plain)
        with mock.patch.dict(sys.modules, tensorflow=tensorflow):
            self.assertTrue(object_kinds.is_of_keras(Plain()))
            self.assertFalse(object_kinds.is_of_keras(Borrowing()))
        self.assertTrue(object_kinds.is_variable(keras.Variable(1.0)))

    def test_what_another_part_of_a_checkpoint_has(self):
        data = Plain()
        for kind, value, is_captured, is_nested, expected in (
            ("generator", None, None, True, "fixed"),
            ("generator", None, None, False, "generator"),
            ("object", data, None, True, "object"),
            ("object", data, lambda one: one is data, True, "fixed"),
            ("object", data, lambda one: False, True, "object"),
            ("moving", data, lambda one: one is data, False, "fixed"),
            ("moving", data, lambda one: False, False, "moving"),
            ("generator", data, lambda one: one is data, False, "fixed"),
            ("generator", data, lambda one: False, False, "moving"),
            ("sequence", [], lambda one: True, False, "sequence"),
        ):
            found = object_kinds.kind_without(
                kind, value, is_captured, is_nested
            )
            self.assertEqual(found, expected)


class Fields(unittest.TestCase):
    def test_slots_are_attributes(self):
        self.assertEqual(
            object_kinds.fields(_XSlots_()),
            {"_XSlots___hidden": 1, "shown": 2, "__dunder__": 3},
        )
        self.assertEqual(object_kinds.fields(Alone()), {"alone": 1})

    def test_those_of_a_class_are_the_scripts(self):
        self.assertEqual(object_kinds.of_class(Shared), {"losses": []})
        self.assertEqual(object_kinds.leaves_of_class(Shared), {"count": 0})
        library = type(of_module("keras.a", losses=[], count=0))
        self.assertEqual(object_kinds.of_class(library), {})
        self.assertEqual(object_kinds.leaves_of_class(library), {})

    def test_what_all_share_can_become_the_own_of_one(self):
        one = Shared()
        one.losses = []
        object_kinds.set_field(one, "losses", Shared.losses)
        self.assertIs(vars(one)["losses"], Shared.losses)
        other = Shared()
        object_kinds.set_field(other, "losses", Shared.losses)
        self.assertEqual(vars(other), {})

    def test_no_name_of_the_program_is_state(self):
        for name in ("method", "level", "__own", "__class__", "__marks__"):
            self.assertFalse(object_kinds.is_state(Shared, name), name)
            self.assertFalse(object_kinds.can_have(Shared(), name), name)
        for name in ("losses", "count", "other"):
            self.assertTrue(object_kinds.can_have(Shared(), name), name)
        self.assertTrue(object_kinds.can_have(Alone(), "alone"))
        self.assertFalse(object_kinds.can_have(Alone(), "other"))

    def test_the_steps_to_parts(self):
        for value, kind, expected in (
            ([5], "sequence", [(0, 5)]),
            (Point(5, 6), "row", [(0, 5), (1, 6)]),
            ({"a": 5, (1,): 6}, "mapping", [("a", 5), ("key #1", 6)]),
            (Plain(a=5), "object", [("a", 5)]),
            ({5}, "set", []),
        ):
            self.assertEqual(object_kinds.parts(value, kind), expected)

    def test_more_than_a_thousand_items_are_many(self):
        for make in (list, set, dict.fromkeys, collections.deque):
            self.assertTrue(object_kinds.is_large(make(range(1001))))
            self.assertFalse(object_kinds.is_large(make(range(1000))))
        self.assertFalse(object_kinds.is_large("a" * 1001))


class OfKeras(unittest.TestCase):
    """Which variables a callback has, and what they are called."""

    def found(self, value):
        return [place for place, _ in object_kinds.of_keras(value)]

    def test_their_places(self):
        one = keras.Variable(1.0)
        found = object_kinds.of_keras
        self.assertEqual(list(found(one, "held")), [("held", one)])
        self.assertEqual(self.found(one), [""])
        self.assertEqual(
            self.found([one, {"a": one}, Point(one, 1), Plain(b=one)]),
            ["[0]", "[1]['a']", "[2][0]", "[3].b"],
        )
        self.assertEqual(
            self.found([keras.metrics.Mean(), keras.optimizers.SGD()]),
            ["[0]", "[1]"],
        )

    def test_three_levels_are_searched(self):
        one = keras.Variable(1.0)
        self.assertEqual(self.found([[[one]]]), ["[0][0][0]"])
        self.assertEqual(self.found([[[[one]]], one]), ["[1]"])

    def test_each_container_is_searched_once(self):
        shared = [keras.Variable(1.0)]
        shared.append(shared)
        self.assertEqual(self.found([shared, shared]), ["[0][0]"])

    def test_containers_with_data_are_not_searched(self):
        one = keras.Variable(1.0)
        for make in (
            lambda items: items,
            lambda items: dict(enumerate(items)),
            lambda items: collections.namedtuple(
                "Long", [f"a{i}" for i in range(len(items))]
            )(*items),
        ):
            self.assertEqual(self.found(make([one] + [0] * 999)), ["[0]"])
            long = make([one] + [0] * 1000)
            self.assertEqual(self.found([long, [one]]), ["[1][0]"])
