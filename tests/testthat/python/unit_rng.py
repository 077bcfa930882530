"""rng.py: what is captured is drawn again."""

import json
import random
import sys
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.parts.random import rng
from kerasbackup.store import errors


class FakeStore:
    """R's generator, as far as rng.py sees it."""

    def __init__(self):
        # As long as that of Mersenne Twister.
        self.seed = ",".join(map(str, [10403, 624, *range(624)]))

    def r_seed(self):
        return self.seed

    def set_r_seed(self, seed):
        self.seed = seed


def through_json(states):
    return json.loads(json.dumps(states))


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
        self.assertTrue(generators.has(free))
        self.assertFalse(generators.has(owned))
        others = rng.Generators(self.store, left=[free])
        self.assertFalse(others.has(free))
        self.assertTrue(others.has(owned))

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

    def test_an_order_of_keras_is_drawn_again(self):
        states = rng.Generators.capture_order()
        loaded = [
            name for name in rng.ORDER if name in (*sys.modules, "python")
        ]
        self.assertEqual(list(states), loaded)
        everything = self.generators.capture()
        self.assertEqual(states, {name: everything[name] for name in states})

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

    def test_of_those_that_are_named_the_others_are_left(self):
        some = rng.IdleGenerators(self.generators, lambda: {"numpy"})
        states = self.generators.capture()
        first = draw()
        some.restore(states, only=("numpy", "python"))
        now = draw()
        self.assertEqual(now["python"], first["python"])
        self.assertNotEqual(now["numpy"], first["numpy"])
        self.assertNotEqual(now["keras"], first["keras"])


def encoded(count=624, dtype="uint32"):
    return rng._encode(np.ones(count, dtype))


def of_r(kind, count):
    return ",".join([str(kind), *["1"] * count])


class Damage(unittest.TestCase):
    def taken(self, name, *states):
        for state in states:
            with self.subTest(name=name, state=state):
                rng.check({name: state})

    def refused(self, name, *states):
        for state in states:
            with self.subTest(name=name, state=state):
                with self.assertRaises(errors.DAMAGE):
                    rng.check({name: state})

    def test_of_python(self):
        words = encoded(625)
        self.taken("python", [3, words, None], [3, words, 0.5])
        self.refused(
            "python",
            None,
            [3, words],
            [9, words, None],
            [3, encoded(624), None],
            [3, words, 1],
            [3, words, "a"],
        )
        self.taken("tf_keras", [3, words, None])
        self.refused("tf_keras", [3, words, "a"])

    def test_of_numpy(self):
        words = encoded()
        self.taken(
            "numpy",
            ["MT19937", words, 0, 0, 0.0],
            ["MT19937", words, 624, 1, 0.5],
        )
        self.refused(
            "numpy",
            ["PCG64", words, 0, 0, 0.0],
            ["MT19937", encoded(623), 0, 0, 0.0],
            ["MT19937", encoded(625), 0, 0, 0.0],
            ["MT19937", words, -1, 0, 0.0],
            ["MT19937", words, 625, 0, 0.0],
            ["MT19937", words, True, 0, 0.0],
            ["MT19937", words, 0, 2, 0.0],
            ["MT19937", words, 0, -1, 0.0],
            ["MT19937", words, 0, 0, 0],
            ["MT19937", words, 0, 0],
        )

    def test_of_keras(self):
        self.taken("keras", None, [0, 1], [2**32 - 1, 0])
        self.refused("keras", [1], [0, 1, 2], [-1, 0], [2**32, 0], [0.0, 1])

    def test_of_r(self):
        """Their lengths are those that R's help names."""
        for kind, count in (
            (10400, 3),
            (10401, 2),
            (10402, 2),
            (10403, 625),
            (10404, 101),
            (10406, 101),
            (10407, 6),
        ):
            self.taken("r", of_r(kind, count), of_r(kind - 10400, count))
            self.refused("r", of_r(kind, count + 1), of_r(kind, count - 1))
        # One that the user supplied.
        self.taken("r", "", of_r(10405, 1), of_r(10405, 9))
        self.taken("r", "10401,NA,-2147483647", "999999,1")
        self.refused(
            "r",
            None,
            "10405",
            "a,1",
            "10401,1,",
            "10401,1,a",
            "10401,1,2147483648",
            "10401,1,-2147483648",
            "10401,1,10000000000",
            "9999999,1",
            "1" * 10**6,
        )

    def test_of_tensorflow(self):
        eager = [3, encoded(625), None]
        self.taken(
            "tensorflow",
            {"eager": None, "global": None},
            {"eager": eager, "global": [0, 1]},
            {"eager": None, "global": [-(2**63), 0, 2**63 - 1]},
        )
        self.refused(
            "tensorflow",
            None,
            {"eager": None},
            {"global": None},
            {"eager": [3, "", None], "global": None},
            {"eager": None, "global": [1]},
            {"eager": None, "global": [1, 2, 3, 4]},
            {"eager": None, "global": [0, 2**63]},
            {"eager": None, "global": [0, -(2**63) - 1]},
            {"eager": None, "global": [0, True]},
        )

    @unittest.skipUnless("torch" in sys.modules, "torch is not loaded")
    def test_of_torch(self):
        cpu = rng.encode_torch(sys.modules["torch"].get_rng_state())
        gpu = encoded(3, "uint8")
        self.taken("torch", {"cpu": cpu}, {"cpu": cpu, "cuda": [gpu, gpu]})
        self.refused(
            "torch", None, {}, {"cpu": ""}, {"cpu": cpu, "cuda": ["a"]}
        )

    def test_of_others(self):
        entry = {"kind": "SeedGenerator", "name": "", "first": [1, 0]}
        entry["state"] = [1, 2]
        self.taken("loose 0", entry)
        self.refused("loose 0", entry | {"state": [1]})
        # What a later version may add is not looked at.
        self.taken("another", None)


class TensorFlow(unittest.TestCase):
    def test_both_of_its_generators_come_back(self):
        generators = rng.Generators(FakeStore())
        eager = random.Random(5).getstate()
        for found in ((eager, [1, 2]), (None, None)):
            with (
                mock.patch.dict(sys.modules, {"tensorflow": mock.Mock()}),
                mock.patch.object(
                    rng.global_generators,
                    "tensorflow_states",
                    return_value=found,
                ),
                mock.patch.object(
                    rng.global_generators, "restore_tensorflow"
                ) as restore,
            ):
                state = through_json(generators.capture()["tensorflow"])
                rng.check({"tensorflow": state})
                self.assertEqual(state["global"], found[1])
                self.assertEqual(state["eager"] is None, found[0] is None)
                generators.restore({"tensorflow": state})
            restore.assert_called_once_with(*found)

    def test_where_it_is_not_loaded_nobody_asks_for_it(self):
        generators = rng.Generators(FakeStore())
        with (
            mock.patch.dict(sys.modules),
            mock.patch.object(
                rng.global_generators, "restore_tensorflow"
            ) as restore,
        ):
            sys.modules.pop("tensorflow", None)
            self.assertNotIn("tensorflow", generators.capture())
            generators.restore({"tensorflow": {"eager": None, "global": None}})
        restore.assert_not_called()


class TfKeras(unittest.TestCase):
    def of(self, generator):
        return mock.patch.object(
            rng.global_generators, "tf_keras_generator", lambda: generator
        )

    def test_its_generator_comes_back(self):
        generators = rng.Generators(FakeStore())
        with self.of(random.Random(5)) as before:
            before().random()
            states = through_json(generators.capture())
        rng.check(states)
        with self.of(random.Random(6)) as today:
            generators.restore({"tf_keras": states["tf_keras"]})
        self.assertEqual(today().random(), before().random())

    def test_where_no_seed_was_set_there_is_none(self):
        generators = rng.Generators(FakeStore())
        with self.of(random.Random(5)):
            states = generators.capture()
        with self.of(None):
            self.assertNotIn("tf_keras", generators.capture())
            generators.restore({"tf_keras": states["tf_keras"]})


class Torch(unittest.TestCase):
    def test_the_generators_of_all_gpus_come_back(self):
        asked = {"cpu": "c", "cuda": ["g", "h"]}
        with (
            mock.patch.dict(sys.modules, {"torch": mock.Mock()}),
            mock.patch.object(
                rng.global_generators, "torch_states", return_value=asked
            ),
            mock.patch.object(
                rng.global_generators, "restore_torch"
            ) as restore,
            mock.patch.object(rng, "encode_torch", str.upper),
            mock.patch.object(rng, "decode_torch", str.lower),
        ):
            states = rng.Generators.capture_order()["torch"]
            self.assertEqual(states, {"cpu": "C", "cuda": ["G", "H"]})
            generators = rng.Generators(FakeStore())
            generators.restore({"torch": states})
            generators.restore({"torch": {"cpu": "C"}})
        self.assertEqual(
            restore.call_args_list,
            [mock.call("c", ["g", "h"]), mock.call("c", [])],
        )
