"""generator_kinds.py: each kind of generator goes on from its state, and what
is no state is refused."""

import copy
import random
import unittest

import keras
import numpy as np

from kerasbackup.parts.random import generator_kinds
from kerasbackup.store import errors


def of_numpy(kind):
    return lambda: np.random.Generator(getattr(np.random, kind)(7))


def of_keras():
    return keras.random.SeedGenerator(7)


MAKERS = {
    "Random": lambda: random.Random(7),
    "RandomState": lambda: np.random.RandomState(7),
    "SeedGenerator": of_keras,
} | {kind: of_numpy(kind) for kind in generator_kinds.BIT_GENERATORS}


def draw(generator):
    if isinstance(generator, random.Random):
        # A gauss() leaves another, which is state.
        return [generator.random(), generator.gauss(0, 1)]
    if isinstance(generator, keras.random.SeedGenerator):
        drawn = keras.random.normal((2,), seed=generator)
        return keras.ops.convert_to_numpy(drawn).tolist()
    # Philox keeps the half of what it computed.
    return [
        generator.normal(),
        generator.random(dtype="float32")
        if isinstance(generator, np.random.Generator)
        else generator.normal(),
    ]


class States(unittest.TestCase):
    def test_each_kind_goes_on_from_its_state(self):
        for kind, make in MAKERS.items():
            with self.subTest(kind=kind):
                one, other = make(), make()
                self.assertEqual(generator_kinds.kind_of(one), kind)
                draw(one)
                state = generator_kinds.state_of(one, kind)
                before = copy.deepcopy(state)
                generator_kinds.check(kind, state)
                following = [draw(one), draw(one)]
                generator_kinds.put(other, kind, state)
                self.assertEqual([draw(other), draw(other)], following)
                # It is a copy: no draw changes it.
                self.assertEqual(str(state), str(before))

    def test_other_generators_are_of_no_kind(self):
        class OfNumpy(np.random.MT19937):
            pass

        class OfPython(random.Random):
            pass

        for one in (
            np.random.Generator(OfNumpy(7)),
            np.random.RandomState(np.random.PCG64(7)),
            OfPython(7),
            random.SystemRandom(),
            7,
        ):
            with self.subTest(one=one):
                self.assertIsNone(generator_kinds.kind_of(one))


def keys(count=624, dtype="uint32"):
    return np.ones(count, dtype)


class Damage(unittest.TestCase):
    def refused(self, kind, *states):
        for state in states:
            with self.subTest(kind=kind, state=state):
                with self.assertRaises(errors.DAMAGE):
                    generator_kinds.check(kind, state)

    def taken(self, kind, *states):
        for state in states:
            with self.subTest(kind=kind, state=state):
                generator_kinds.check(kind, state)

    def test_what_only_names_a_kind(self):
        for kind in ("BitGenerator", "", "default_rng"):
            self.refused(kind, {}, {"bit_generator": kind})

    def test_of_python(self):
        self.taken(
            "Random",
            [3, keys(), 0, None],
            [3, keys(), 624, 0.5],
        )
        self.refused(
            "Random",
            [9, keys(), 0, None],
            [3, keys(), 0, "a"],
            [3, keys(), 0, 1],
            [3, keys(), -1, None],
            [3, keys(), 625, None],
            [3, keys(), True, None],
            [3, keys(), 0.0, None],
            [3, keys(623), 0, None],
            [3, keys(625), 0, None],
            [3, keys(dtype="int32"), 0, None],
            [3, keys().reshape(2, 312), 0, None],
            [3, keys(), 0],
        )

    def test_of_numpy_before(self):
        self.taken(
            "RandomState",
            [keys(), 0, 0, 0.0],
            [keys(), 624, 1, 0.5],
        )
        self.refused(
            "RandomState",
            [keys(), 0, 2, 0.0],
            [keys(), 0, -1, 0.0],
            [keys(), 0, 0, 0],
            [keys(), 625, 0, 0.0],
            [keys(623), 0, 0, 0.0],
            [keys(), 0, 0],
        )

    def test_of_keras(self):
        self.taken("SeedGenerator", np.ones(2, "uint32"), np.ones(2, "int64"))
        self.refused(
            "SeedGenerator",
            np.ones(3, "uint32"),
            np.ones((2, 1), "uint32"),
            np.ones(2, "float32"),
            np.ones(2, "bool"),
            None,
        )

    def test_of_numpy(self):
        for kind in generator_kinds.BIT_GENERATORS:
            state = generator_kinds.state_of(MAKERS[kind](), kind)
            self.taken(kind, state)
            self.refused(
                kind,
                None,
                {},
                state | {"bit_generator": "another"},
                {name: state[name] for name in state if name != "state"},
                state | {"state": {}},
            )
        state = generator_kinds.state_of(MAKERS["PCG64"](), "PCG64")
        # NumPy's own errors do not say what is damaged.
        for odd in ({"inc": 2**128, "state": 1}, {"inc": 1}):
            with self.assertRaisesRegex(ValueError, "state of a generator"):
                generator_kinds.check("PCG64", state | {"state": odd})

    def test_numpy_is_not_made_to_read_outside_of_its_memory(self):
        state = generator_kinds.state_of(MAKERS["MT19937"](), "MT19937")
        for key, place, taken in (
            (keys(), 0, True),
            (keys(), 624, True),
            (keys(), 625, False),
            (keys(), -1, False),
            (keys(623), 0, False),
        ):
            one = state | {"state": {"key": key, "pos": place}}
            (self.taken if taken else self.refused)("MT19937", one)
        state = generator_kinds.state_of(MAKERS["Philox"](), "Philox")
        for place, taken in (
            (0, True),
            (4, True),
            (5, False),
            (-1, False),
            (True, False),
        ):
            one = state | {"buffer_pos": place}
            (self.taken if taken else self.refused)("Philox", one)
