"""found_generators.py: the random number generators that a script keeps."""

import copy
import importlib.util
import json
import random
import sys
import tempfile
import types
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.parts.random import found_generators
from kerasbackup.parts.random import generator_holders
from kerasbackup.parts.random import generator_kinds
from kerasbackup.parts.random.found_generators import FoundGenerators
from kerasbackup.store import errors

needs_tensorflow = unittest.skipUnless(
    importlib.util.find_spec("tensorflow"), "there is no tf.data"
)


def draw(generator):
    if isinstance(generator, keras.random.SeedGenerator):
        drawn = keras.random.normal((2,), seed=generator)
    elif isinstance(generator, (np.random.Generator, np.random.RandomState)):
        drawn = generator.normal(size=2)
    elif isinstance(generator, random.Random):
        # A gauss() leaves another, which is state.
        drawn = [generator.random(), generator.gauss(0, 1)]
    else:
        drawn = generator.normal((2,)).numpy()
    return keras.ops.convert_to_numpy(drawn).tolist()


def of_keras(seed=83):
    return keras.random.SeedGenerator(seed)


def of_numpy(seed=83):
    return np.random.default_rng(seed)


def of_tensorflow(seed=83):
    import tensorflow as tf

    return tf.random.Generator.from_seed(seed)


def of_philox(seed=83):
    return np.random.Generator(np.random.Philox(seed))


def of_numpy_before(seed=83):
    return np.random.RandomState(seed)


def of_python(seed=83):
    return random.Random(seed)


MAKERS = [of_keras, of_numpy, of_philox, of_numpy_before, of_python]
if importlib.util.find_spec("tensorflow"):
    MAKERS.append(of_tensorflow)


def through_json(states):
    return json.loads(json.dumps(states))


class Capturing(unittest.TestCase):
    def test_what_has_moved_is_state_and_the_rest_is_not(self):
        for make in MAKERS:
            with self.subTest(make=make.__name__):
                still, moving = make(1), make(2)
                loose = FoundGenerators()
                self.assertEqual(loose.capture(), {})
                draw(moving)
                states = loose.capture()
                self.assertEqual(loose.names, tuple(states))
                self.assertEqual(len(states), 1)
                first, rest = draw(moving), draw(still)
                loose.restore(through_json(states))
                self.assertEqual(draw(moving), first)
                self.assertNotEqual(draw(still), rest)

    def test_before_it_moved_it_was_as_at_the_beginning(self):
        for make in MAKERS:
            with self.subTest(make=make.__name__):
                generator = make()
                loose = FoundGenerators()
                before = loose.capture()
                first = draw(generator)
                loose.capture()
                loose.restore(before)
                self.assertEqual(draw(generator), first)

    def test_only_those_that_are_named(self):
        one, other = of_keras(), of_numpy()
        loose = FoundGenerators()
        draw(one), draw(other)
        states = loose.capture()
        name = next(
            n for n, entry in states.items() if entry["kind"] == "PCG64"
        )
        next_one, next_other = draw(one), draw(other)
        loose.restore(states, only=(name,))
        self.assertEqual(draw(other), next_other)
        self.assertNotEqual(draw(one), next_one)

    def test_others_care_for_some(self):
        owned, generator = of_keras(), of_keras()
        # Made here, where Keras has none.
        keras.random.normal((2,))
        loose = FoundGenerators([owned.state])
        draw(owned)
        keras.random.normal((2,))
        np.random.normal()
        self.assertEqual(loose.capture(), {})
        draw(generator)
        self.assertEqual(len(loose.capture()), 1)

    def test_others_care_for_those_that_they_name(self):
        one, other = np.random.default_rng(5), np.random.default_rng(5)
        loose = FoundGenerators(left=[one])
        draw(one)
        self.assertEqual(loose.capture(), {})
        self.assertFalse(loose.has(one))
        self.assertTrue(loose.has(other))

    def test_not_the_global_ones_of_python_and_numpy(self):
        loose = FoundGenerators()
        random.random(), np.random.normal(), random.SystemRandom().random()
        self.assertEqual(loose.capture(), {})
        self.assertFalse(loose.has(random._inst))
        self.assertFalse(loose.has(np.random.mtrand._rand))

    def test_not_those_that_libraries_draw_from_for_themselves(self):
        names = tempfile._RandomNameSequence()
        next(names)
        of_sympy = types.SimpleNamespace(
            rng=of_python(), _assumptions_rng=of_python()
        )
        symbols = types.SimpleNamespace(
            Dummy=types.SimpleNamespace(_prng=of_python())
        )
        with mock.patch.dict(
            sys.modules,
            {"sympy.core.random": of_sympy, "sympy.core.symbol": symbols},
        ):
            loose = FoundGenerators()
        next(names), draw(of_sympy.rng), draw(of_sympy._assumptions_rng)
        draw(symbols.Dummy._prng)
        self.assertEqual(loose.capture(), {})
        # Another process goes through other names.
        following = copy.deepcopy(names)
        loose.restore({})
        self.assertEqual(next(names), next(following))

    def test_not_those_that_a_second_look_finds_with_a_librarys_thread(self):
        generator = of_philox()
        found = FoundGenerators()
        self.assertTrue(found.has(generator))
        draw(generator)
        with (
            mock.patch.object(
                generator_holders, "has_threads_of_packages", return_value=True
            ),
            mock.patch.object(
                generator_holders, "of", return_value=([[]], {id(generator)})
            ),
        ):
            captured = found.capture()
        self.assertFalse(found.has(generator))
        self.assertEqual(captured, {})

    def test_those_after_one_that_is_a_threads_are_captured(self):
        one, other = of_philox(1), of_philox(2)
        found = FoundGenerators()
        draw(one), draw(other)
        with mock.patch.object(
            found_generators,
            "_is_of_threads_after_all",
            lambda it: it.generator is one,
        ):
            self.assertEqual(list(found.capture()), ["loose 0"])
        self.assertEqual((found.has(one), found.has(other)), (False, True))

    def test_not_those_of_which_the_state_is_not_known(self):
        class Mine(random.Random):
            def getstate(self):
                return "mine"

        others = [
            random.SystemRandom(),
            np.random.RandomState(np.random.PCG64(3)),
            Mine(3),
        ]
        loose = FoundGenerators()
        for other in others:
            other.random() if hasattr(other, "random") else other.normal()
            self.assertFalse(loose.has(other))
        self.assertEqual(loose.capture(), {})

    @needs_tensorflow
    def test_not_the_one_of_tensorflows_context(self):
        from tensorflow.python.eager import context

        context.set_global_seed(5)
        self.assertIsInstance(context.context()._rng, random.Random)
        loose = FoundGenerators()
        context.context()._rng.random()
        self.assertEqual(loose.capture(), {})

    @needs_tensorflow
    def test_not_the_global_one_of_tensorflow(self):
        import tensorflow as tf

        tf.random.get_global_generator()
        loose = FoundGenerators()
        tf.random.get_global_generator().normal((2,))
        self.assertEqual(loose.capture(), {})

    def test_what_cannot_be_read_is_left_alone(self):
        class Unhashable(type):
            def __eq__(self, other):
                raise TypeError("compared")

        strange = Unhashable("Strange", (), {})()
        half_made = keras.random.SeedGenerator.__new__(
            keras.random.SeedGenerator
        )

        class Mine(keras.random.SeedGenerator):
            pass

        generator = Mine(2)
        loose = FoundGenerators()
        self.assertFalse(loose.has(strange) or loose.has(half_made))
        self.assertTrue(loose.has(generator))
        draw(generator)
        (entry,) = loose.capture().values()
        self.assertEqual(entry["first"], [2, 0])

    @unittest.skipUnless(keras.backend.backend() == "jax", "others have one")
    def test_one_without_a_value_is_left_alone(self):
        # As a training of another model leaves it that was interrupted.
        gone, going = of_keras(1), of_keras(2)
        gone.state.value.delete()
        loose = FoundGenerators()
        draw(going)
        states = loose.capture()
        self.assertEqual([one["first"] for one in states.values()], [[2, 0]])
        going.state.value.delete()
        states = loose.capture()
        self.assertEqual([one["state"] for one in states.values()], [[2, 1]])


class Expecting(unittest.TestCase):
    """The generators of a checkpoint among those of another script's run."""

    def lost(self, *generators):
        """Their states when each has drawn, and what comes next."""
        loose = FoundGenerators()
        for generator in generators:
            draw(generator)
        states = through_json(loose.capture())
        return states, [draw(generator) for generator in generators]

    def resumed(self, states, *generators):
        loose = FoundGenerators()
        notes = loose.expect(states)
        loose.restore(states)
        return notes, [draw(generator) for generator in generators]

    def test_one_that_was_made_alike_takes_the_place(self):
        for make in MAKERS:
            with self.subTest(make=make.__name__):
                states, following = self.lost(make(31), make(32))
                # In another order, and beside the old ones.
                other, one = make(32), make(31)
                notes, drawn = self.resumed(states, one, other)
                self.assertEqual((notes, drawn), ([], following))

    def test_the_same_one_goes_on_where_the_session_does(self):
        generator = of_keras(41)
        states, following = self.lost(generator)
        loose = FoundGenerators()
        self.assertEqual(loose.expect(states), [])
        loose.restore(states)
        self.assertEqual([draw(generator)], following)
        # Before it moved it was as the lost run had begun with it.
        loose.restore({})
        first = draw(of_keras(41))
        self.assertEqual(draw(generator), first)

    def test_it_may_have_drawn_to_build_the_model(self):
        for make in (of_keras, of_numpy):
            with self.subTest(make=make.__name__):
                generator = make(42)
                draw(generator)
                states, following = self.lost(generator)
                del generator
                other = make(43)
                notes, drawn = self.resumed(states, other, make(42))
                self.assertEqual((notes, drawn[1:]), ([], following))
                self.assertEqual(drawn[0], draw(make(43)))

    def test_those_that_are_alike_are_taken_in_order(self):
        one, other = of_keras(43), of_keras(43)
        loose = FoundGenerators()
        draw(other)
        loose.capture()
        draw(one), draw(one)
        states = through_json(loose.capture())
        following = [draw(one), draw(other)]
        del one, other, loose
        self.assertEqual(
            self.resumed(states, of_keras(43), of_keras(43)), ([], following)
        )

    def test_one_that_is_left_takes_one_place(self):
        states, following = self.lost(of_keras(47), of_keras(47))
        notes, drawn = self.resumed(states, of_keras(47))
        self.assertEqual(len(notes), 1)
        self.assertIn(drawn[0], following)

    def test_a_name_tells_those_that_are_alike_apart(self):
        def named(seed, name):
            return keras.random.SeedGenerator(seed, name=name)

        states, (following,) = self.lost(named(44, "mine"))
        others = named(44, "one"), named(44, "mine"), named(44, "other")
        notes, drawn = self.resumed(states, *others)
        self.assertEqual((notes, drawn[1]), ([], following))
        self.assertEqual(drawn[0], drawn[2])
        del others
        # The script may give it another seed.
        states, (following,) = self.lost(named(45, "mine"))
        self.assertEqual(
            self.resumed(states, named(46, "mine")), ([], [following])
        )

    def test_where_that_is_not_clear_it_is_told(self):
        for make in MAKERS:
            with self.subTest(make=make.__name__):
                states, _ = self.lost(make(51))
                notes, drawn = self.resumed(states, make(51), make(51))
                self.assertEqual(len(notes), 1)
                self.assertIn("several that are alike", notes[0])
                self.assertEqual(drawn[0], drawn[1])
        # Those without a name have no order either.
        states, _ = self.lost(of_numpy(52), of_numpy(52))
        notes, _ = self.resumed(states, of_numpy(52), of_numpy(52))
        self.assertEqual(len(notes), 2)

    def test_one_that_is_gone_is_told(self):
        for make in MAKERS:
            with self.subTest(make=make.__name__):
                generator = make(61)
                states, _ = self.lost(generator)
                del generator
                other = make(62)
                expected = draw(make(62))
                notes, drawn = self.resumed(states, other)
                self.assertEqual(len(notes), 1)
                self.assertEqual(drawn, [expected])

    def test_a_note_names_the_kind_and_what_keras_calls_it(self):
        for make, which in (
            (lambda: of_numpy(63), "PCG64"),
            (
                lambda: keras.random.SeedGenerator(63, name="mine"),
                "SeedGenerator mine",
            ),
        ):
            generator = make()
            states, _ = self.lost(generator)
            del generator
            (note,) = FoundGenerators().expect(states)
            self.assertRegex(note, f"^the random generator {which}, which ")

    def test_their_numbers_go_on(self):
        first, second, third = of_numpy(1), of_numpy(2), of_numpy(3)
        loose = FoundGenerators()
        self.assertEqual(loose.expect({"python": [1]}), [])
        for number, one in enumerate((first, second)):
            draw(one)
            self.assertEqual(list(loose.capture())[-1], f"loose {number}")
        entry = through_json(loose.capture())["loose 1"]
        loose = FoundGenerators()
        self.assertEqual(loose.expect({"loose 7": entry, "numpy": [1]}), [])
        draw(third)
        self.assertIn("loose 8", loose.capture())

    def test_how_likely_one_is_the_other(self):
        def found(seed, name="", kind=of_keras):
            one = found_generators.FoundGenerator(kind(seed), kind.kind)
            one.name = name
            return one

        of_keras.kind, of_numpy.kind = "SeedGenerator", "PCG64"
        of_philox.kind = "Philox"
        entry = {"kind": "SeedGenerator", "name": "a", "first": [5, 0]}
        for one, expected in (
            (found(5, "a"), 4),
            (found(5, "b"), 3),
            (found(5), 3),
            (found(6, "a"), 1),
            (found(6, "b"), 0),
            (found(5, "a", of_numpy), 0),
        ):
            self.assertEqual(one.likeness(entry), expected)
            # Without names nothing is named alike.
            unnamed = one.likeness(entry | {"name": ""})
            self.assertEqual(unnamed, {4: 3, 1: 0}.get(expected, expected))
        # It has drawn since it was made.
        self.assertEqual(found(5, "a").likeness(entry | {"first": [5, 9]}), 2)
        for make in (of_numpy, of_philox):
            one = found(5, "", make)
            generator = make(5)
            draw(generator)
            first = through_json(
                found_generators.FoundGenerator(generator, make.kind).first
            )
            entry = {"kind": make.kind, "name": "", "first": first}
            self.assertEqual(one.likeness(entry), 2)
            self.assertEqual(found(6, "", make).likeness(entry), 0)

    def test_names_are_sorted_as_people_count(self):
        names = ["b", "a_10", "a_9", "a", "", "a_9_b", "10"]
        self.assertEqual(
            sorted(names, key=found_generators._natural),
            ["", "10", "a", "a_9", "a_9_b", "a_10", "b"],
        )

    def test_those_that_move_later_get_names_of_their_own(self):
        states, _ = self.lost(of_keras(71))
        one, other = of_keras(71), of_keras(72)
        loose = FoundGenerators()
        loose.expect(states)
        draw(other)
        now = loose.capture()
        self.assertEqual(len(now), 2)
        self.assertEqual(now[next(iter(states))]["first"], [71, 0])
        loose.restore(now)
        self.assertNotEqual(draw(one), draw(other))


@needs_tensorflow
class InPipelines(unittest.TestCase):
    def augmented(self):
        import tensorflow as tf

        # On JAX and torch it makes a second one, for TensorFlow.
        layer = keras.layers.RandomBrightness(0.5, seed=3)
        images = np.full((4, 2, 2, 3), 99, "float32")
        return tf.data.Dataset.from_tensor_slices(images).map(layer)

    def drawn(self, dataset):
        return [one.numpy().tolist() for one in dataset]

    def test_that_of_a_layer_is_found(self):
        dataset = self.augmented()
        loose = FoundGenerators()
        first = self.drawn(dataset)
        states = loose.capture()
        second = self.drawn(dataset)
        self.assertNotEqual(second, first)
        loose.restore(states)
        self.assertEqual(self.drawn(dataset), second)
        loose.restore({})
        self.assertEqual(self.drawn(dataset), first)

    def test_it_is_not_the_one_that_the_layer_has_for_itself(self):
        dataset = self.augmented()
        loose = FoundGenerators()
        self.drawn(dataset)
        states = through_json(loose.capture())
        following = self.drawn(dataset)
        again = self.augmented()
        loose = FoundGenerators()
        self.assertEqual(loose.expect(states), [])
        loose.restore(states)
        self.assertEqual(self.drawn(again), following)


class Damage(unittest.TestCase):
    def test_numpy_is_not_made_to_read_beside_its_buffer(self):
        philox = np.random.Generator(np.random.Philox(1))
        state = generator_kinds.state_of(philox, "Philox")
        generator_kinds.check("Philox", state)
        for place in (-1, 5, 10**6, True, 0.5):
            with self.subTest(place=place), self.assertRaises(ValueError):
                generator_kinds.check("Philox", state | {"buffer_pos": place})

    def test_how_long_and_large_a_state_may_be(self):
        for kind, state, is_taken in (
            ("SeedGenerator", [1, 2], True),
            ("SeedGenerator", [1], False),
            ("SeedGenerator", [1, 2, 3], False),
            ("SeedGenerator of tf.data", [1, 2], True),
            ("SeedGenerator of tf.data", [1, 2, 3], False),
            ("tf.random", [1, 2], True),
            ("tf.random", [1, 2, 3], True),
            ("tf.random", [1], False),
            ("tf.random", [1, 2, 3, 4], False),
            ("SeedGenerator", [-(2**63), 2**63 - 1], True),
            ("SeedGenerator", [-(2**63) - 1, 0], False),
            ("SeedGenerator", [0, 2**63], False),
            ("SeedGenerator", [0, True], False),
            ("another", [1, 2], False),
        ):
            good = {"kind": kind, "name": "", "first": [1, 2], "state": [1, 2]}
            for field in ("first", "state"):
                entry = good | {field: state}
                with self.subTest(kind=kind, field=field, state=state):
                    if is_taken:
                        found_generators.check("loose 999999999", entry)
                        continue
                    with self.assertRaises(errors.DAMAGE):
                        found_generators.check("loose 0", entry)
        good = {
            "kind": "tf.random",
            "name": "",
            "first": [1, 2],
            "state": [1, 2],
        }
        with self.assertRaises(errors.DAMAGE):
            found_generators.check("loose 1000000000", good)

    def test_what_is_no_state_is_no_checkpoint(self):
        generators = [make() for make in MAKERS]
        loose = FoundGenerators()
        for generator in generators:
            draw(generator)
        for name, entry in loose.capture().items():
            found_generators.check(name, through_json(entry))
            for number in ("x", "", "\u00b2", "9" * 5000):
                with self.assertRaises(errors.DAMAGE):
                    found_generators.check(f"loose {number}", entry)
            named = through_json(entry) | {"name": "\u00b2"}
            FoundGenerators().expect({name: named})
            for field in entry:
                for wrong in (None, -1, "x", [], {}, [1, 2, 2**70], ["a"] * 3):
                    bad = copy.deepcopy(entry) | {field: wrong}
                    if field == "name" and wrong == "x":
                        continue
                    with self.subTest(field=field, wrong=wrong):
                        with self.assertRaises(errors.DAMAGE):
                            found_generators.check(name, bad)
