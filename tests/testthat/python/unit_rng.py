"""rng.py: what is captured is drawn again."""

import json
import random
import sys
import unittest

import keras
import numpy as np

from kerasbackup.parts.random import rng


class FakeStore:
    """R's generator, as far as rng.py sees it."""

    def __init__(self):
        # As long as that of Mersenne Twister.
        self.seed = ",".join(map(str, [10403, 624, *range(624)]))

    def r_seed(self):
        return self.seed

    def set_r_seed(self, seed):
        self.seed = seed


def seed():
    keras.utils.set_random_seed(1)
    # Keras seeds torch only where it is the backend.
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(1)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # It is older than the seed.
        tf.random.get_global_generator().reset_from_seed(1)


def draw():
    """One draw from each generator."""
    drawn = {
        "python": (random.random(), random.gauss(0, 1)),
        "numpy": (np.random.rand(), np.random.randn()),
        "keras": keras.ops.convert_to_numpy(
            keras.random.uniform((2,))
        ).tolist(),
    }
    if "torch" in sys.modules:
        drawn["torch"] = sys.modules["torch"].rand(2).tolist()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        drawn["tensorflow"] = (
            tf.random.get_global_generator().uniform((2,)).numpy().tolist(),
            tf.random.uniform((2,)).numpy().tolist(),
        )
    return drawn


class Capturing(unittest.TestCase):
    def setUp(self):
        self.store = FakeStore()
        self.generators = rng.Generators(self.store)
        seed()
        # One of a pair of normal deviates is kept for the next draw.
        draw()

    def test_that_r_draws_in_pairs_is_told(self):
        for kind, expected in ((10403, 0), (10203, 1), (203, 1)):
            with self.subTest(kind=kind):
                states = self.generators.capture()
                states["r"] = f"{kind},1,2"
                notes = self.generators.expect(states)
                self.assertEqual(len(notes), expected)
        states["r"] = ""
        self.assertEqual(self.generators.expect(states), [])
        del states["r"]
        self.assertEqual(self.generators.expect(states), [])

    def test_all_are_drawn_again(self):
        states = json.loads(json.dumps(self.generators.capture()))
        first = draw()
        self.assertNotEqual(draw(), first)
        seed = self.store.seed
        self.store.seed = "another"
        self.generators.restore(states)
        self.assertEqual(draw(), first)
        self.assertEqual(self.store.seed, seed)

    def test_capturing_draws_nothing(self):
        states = self.generators.capture()
        first = draw()
        self.generators.restore(states)
        self.generators.capture()
        self.assertEqual(draw(), first)

    def test_the_same_state_is_equal(self):
        before = self.generators.capture()
        self.assertEqual(self.generators.capture(), before)
        random.random()
        self.assertNotEqual(self.generators.capture(), before)

    def test_only_those_that_are_named(self):
        states = self.generators.capture()
        first = draw()
        second = draw()
        self.generators.restore(states, only=("numpy",))
        now = draw()
        self.assertEqual(now["numpy"], first["numpy"])
        self.assertNotIn(now["python"], (first["python"], second["python"]))
        self.assertNotEqual(now["keras"], first["keras"])

    def test_one_that_was_not_captured_is_left_alone(self):
        states = self.generators.capture()
        first = draw()
        del states["python"]
        random.seed(7)
        expected = (random.random(), random.gauss(0, 1))
        random.seed(7)
        self.generators.restore(states)
        now = draw()
        self.assertEqual(now["python"], expected)
        self.assertEqual(now["numpy"], first["numpy"])

    def test_a_library_that_is_not_loaded_is_not_asked_for(self):
        states = self.generators.capture()
        loaded = sys.modules.pop("torch", None)
        states["torch"] = {"cpu": ""}
        try:
            self.generators.restore(states)
            self.assertNotIn("torch", sys.modules)
        finally:
            if loaded is not None:
                sys.modules["torch"] = loaded

    def test_every_name_is_known(self):
        self.assertLessEqual(
            set(self.generators.capture()), set(self.generators.names)
        )

    def test_those_that_belong_to_nobody_are_among_them(self):
        owned, free = (keras.random.SeedGenerator(n) for n in (1, 2))
        generators = rng.Generators(self.store, [owned.state])

        def draw_both():
            return [
                keras.ops.convert_to_numpy(
                    keras.random.uniform((2,), seed=one)
                ).tolist()
                for one in (owned, free)
            ]

        draw_both()
        states = json.loads(json.dumps(generators.capture()))
        self.assertLessEqual(set(states), set(generators.names))
        rng.check(states)
        following = draw_both()
        generators.restore(states)
        now = draw_both()
        self.assertEqual(now[1], following[1])
        self.assertNotEqual(now[0], following[0])
        # The same again, as a resume finds it.
        generators = rng.Generators(self.store, [owned.state])
        self.assertEqual(generators.expect(states), [])
        generators.restore(states)
        self.assertEqual(draw_both()[1], following[1])
        (name,) = set(states) - set(self.generators.names)
        states[name]["state"] = None
        with self.assertRaises(TypeError):
            rng.check(states)

    def test_some_are_left_to_others(self):
        free = np.random.default_rng(5)
        in_use = {"numpy"}
        some = rng.IdleGenerators(self.generators, lambda: in_use)
        draw()
        states = some.capture()
        self.assertNotIn("numpy", states)
        first, second = draw(), draw()
        some.restore(states)
        now = draw()
        self.assertEqual(now["python"], first["python"])
        self.assertNotIn(now["numpy"], (first["numpy"], second["numpy"]))
        # One that had not moved when the states were captured.
        self.generators = rng.Generators(self.store)
        some = rng.IdleGenerators(self.generators, lambda: in_use)
        states = some.capture()
        drawn = free.normal()
        self.generators.capture()
        in_use |= set(self.generators.names) - {"python"}
        some.restore(states)
        self.assertNotEqual(free.normal(), drawn)
        in_use.clear()
        some.restore(states)
        self.assertEqual(free.normal(), drawn)
