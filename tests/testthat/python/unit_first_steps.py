"""first_steps.py: with which values the steps of a resumed training are
traced."""

import types
import unittest
from unittest import mock

from kerasbackup.parts import first_steps


class Place:
    """A number that a step reads when it is traced."""

    def __init__(self, number, traced):
        self.number = number
        self.traced = traced
        self.noted = 0

    def note_traced(self):
        self.noted += 1

    def swap_traced(self):
        if self.number == self.traced:
            return None
        before, self.number = self.number, self.traced
        return {"before": before}

    def swap_back(self, before):
        if before:
            self.number = before["before"]


class Model:
    """Its functions tell what they were called with, and with which numbers."""

    run_eagerly = False
    jit_compile = True

    def __init__(self, *places):
        self.places = places

    def called(self, name, args):
        return (name, args, [place.number for place in self.places])

    def train_function(self, *args):
        return self.called("train", args)

    def test_function(self, *args):
        return self.called("test", args)


def is_traced(model, on):
    def name(one=None):
        return on if one is model else "torch"

    with mock.patch.object(first_steps.backend, "name", name):
        return first_steps.is_traced(model)


class Tracing(unittest.TestCase):
    def test_torch_and_eager_steps_are_not_traced(self):
        for on, settings, expected in (
            ("torch", {"run_eagerly": False, "jit_compile": True}, False),
            ("jax", {"run_eagerly": False, "jit_compile": True}, True),
            ("jax", {"run_eagerly": False, "jit_compile": False}, False),
            ("jax", {"run_eagerly": True, "jit_compile": True}, False),
            ("tensorflow", {"run_eagerly": False, "jit_compile": False}, True),
            ("tensorflow", {"run_eagerly": True, "jit_compile": False}, False),
            # Not compiled.
            ("tensorflow", {}, True),
            ("jax", {}, False),
        ):
            model = types.SimpleNamespace(**settings)
            with self.subTest(on=on, **settings):
                self.assertIs(is_traced(model, on), expected)


class Steps(unittest.TestCase):
    def begun(self, *places, is_resumed=True, on="jax"):
        self.model = Model(*places)

        def name(one=None):
            return on if one is self.model else "torch"

        with mock.patch.object(first_steps.backend, "name", name):
            steps = first_steps.FirstSteps(self.model, list(places))
        if is_resumed is not None:
            steps.begin(is_resumed)
        return steps

    def numbers(self):
        return [place.number for place in self.model.places]

    def test_a_new_training_notes_once_what_it_was_traced_with(self):
        place = Place(3, 1)
        steps = self.begun(place, is_resumed=False)
        steps.on_test_begin()
        for _ in range(2):
            self.assertEqual(
                self.model.train_function("a", "b"), ("train", ("a", "b"), [3])
            )
            self.assertEqual(place.noted, 1)
        # Not even if the epoch begins once more.
        steps.begin(False)
        self.model.train_function()
        self.assertEqual(self.model.test_function("c"), ("test", ("c",), [3]))
        self.assertEqual((place.noted, place.number), (1, 3))

    def test_a_resumed_one_is_traced_with_those_values(self):
        places = Place(3, 1), Place(5, 5)
        steps = self.begun(*places)
        for _ in range(2):
            self.assertEqual(
                self.model.train_function("a", "b"),
                ("train", ("a", "b"), [1, 5]),
            )
            self.assertEqual(self.numbers(), [3, 5])
        steps.on_test_begin()
        for _ in range(2):
            self.assertEqual(
                self.model.test_function("c"), ("test", ("c",), [1, 5])
            )
            self.assertEqual(self.numbers(), [3, 5])
        self.assertEqual([place.noted for place in places], [0, 0])
        steps.end()
        self.assertEqual(self.model.train_function()[2], [3, 5])
        self.assertEqual(self.model.test_function()[2], [3, 5])
        # The epoch after is not the first.
        steps.begin(True)
        steps.on_test_begin()
        self.assertEqual(self.model.train_function()[2], [3, 5])
        self.assertEqual(self.model.test_function()[2], [3, 5])
        self.assertEqual(list(vars(self.model)), ["places"])

    def test_a_validation_that_keeps_its_function_keeps_ours(self):
        place = Place(3, 1)

        class Keeping(Model):
            def make_test_function(self):
                # Once made, it stays.
                vars(self).setdefault(
                    "test_function", lambda *args: self.called("test", args)
                )
                return self.test_function

        patched = mock.patch.object(
            first_steps.steps, "keeps_test_function", lambda model: True
        )
        with patched, mock.patch(f"{__name__}.Model", Keeping):
            steps = self.begun(place)
            # Of two validations in the epoch, one may be of a callback.
            for _ in range(2):
                kept = self.model.make_test_function()
                steps.on_test_begin()
                for _ in range(3):
                    self.assertEqual(kept("c"), ("test", ("c",), [1]))
                    self.assertEqual(self.numbers(), [3])
            steps.end()
            kept = self.model.make_test_function()
            steps.on_test_begin()
            for _ in range(2):
                self.assertEqual(kept("c"), ("test", ("c",), [3]))
            self.assertEqual(
                sorted(vars(self.model)),
                ["places", "test_function", "train_function"],
            )

    def test_it_ends_where_all_values_are_those(self):
        place = Place(1, 1)
        self.begun(place)
        self.assertEqual(self.model.train_function()[2], [1])
        place.number = 3
        self.assertEqual(self.model.train_function()[2], [3])
        self.assertEqual(list(vars(self.model)), ["places"])

    def test_values_come_back_after_a_step_that_raises(self):
        place = Place(3, 1)
        self.begun(place)
        self.model.called = mock.Mock(side_effect=KeyError)
        with self.assertRaises(KeyError):
            self.model.train_function()
        self.assertEqual(place.number, 3)

    def test_nothing_is_replaced_where_nothing_is_traced(self):
        place = Place(3, 1)
        for is_resumed in (True, False):
            self.begun(place, is_resumed=is_resumed, on="torch").on_test_begin()
            self.assertEqual(list(vars(self.model)), ["places"])

    def test_a_validation_before_the_first_epoch_is_no_resumed_one(self):
        self.begun(Place(3, 1), is_resumed=None).on_test_begin()
        self.assertEqual(list(vars(self.model)), ["places"])
