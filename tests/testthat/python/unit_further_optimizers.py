"""further_optimizers.py: variables of optimizers in a model's attributes."""

import unittest
from unittest import mock

import asking
import keras

from kerasbackup.parts import further_optimizers
from kerasbackup.parts import not_saved
from kerasbackup.parts import variables


def setUpModule():
    asking.refuse_none()


def part(units, features):
    return keras.Sequential(
        [keras.Input((features,)), keras.layers.Dense(units)]
    )


class Pair(keras.Model):
    """Has a `train_step()`, no `call()`, and two optimizers."""

    def __init__(self):
        super().__init__()
        self.first = part(3, 2)
        self.second = part(2, 3)
        self.compile()
        self.by_part = {
            "first": keras.optimizers.Adam(),
            "others": [keras.optimizers.SGD(momentum=0.9)],
        }

    def train_step(self, data):
        return {}

    def both(self):
        return self.by_part["first"], self.by_part["others"][0]

    def train(self):
        """What a first step does to the optimizers."""
        for optimizer, one in zip(self.both(), (self.first, self.second)):
            optimizer.build(one.trainable_variables)


def shapes(model):
    return sorted(
        (dtype, shape) for _, dtype, shape in variables.Variables(model).spec
    )


class Finding(unittest.TestCase):
    def test_in_attributes_and_containers_each_once(self):
        model = Pair()
        model.again = model.both()[0]
        found = further_optimizers.further(model)
        self.assertEqual(
            {id(one) for one in found.values()},
            {id(one) for one in model.both()},
        )
        self.assertEqual(len(found), 2)

    def test_in_models_inside_for_a_step_of_its_own_only(self):
        model = Pair()
        model.first.compile("adam")
        self.assertIn(
            id(model.first.optimizer),
            map(id, further_optimizers.further(model).values()),
        )
        outer = keras.Sequential([keras.Input((2,)), model.first])
        self.assertEqual(further_optimizers.further(outer), {})

    def test_their_names_say_where_they_are(self):
        """Those of an inner model are found behind other layers, too."""
        inner = part(3, 2)
        inner.compile("adam")
        inner.aside = keras.optimizers.SGD()
        outer = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(2), inner]
        )
        outer.compile("sgd")
        outer.critic = [keras.optimizers.SGD()]
        expected = {
            "critic[0]": outer.critic[0],
            f"{inner.name}/aside": inner.aside,
        }
        self.assertEqual(further_optimizers.further(outer), expected)
        # What the outer model has too stands there.
        outer.again = inner.aside
        expected = {"critic[0]": outer.critic[0], "again": inner.aside}
        self.assertEqual(further_optimizers.further(outer), expected)

    def test_a_step_of_its_own(self):
        class Stepping(keras.Sequential):
            def train_step(self, data):
                return {}

        class Bare(keras.Model):
            """Has no `call()`."""

        self.assertTrue(further_optimizers.has_own_step(Pair()))
        self.assertTrue(further_optimizers.has_own_step(Stepping()))
        self.assertTrue(further_optimizers.has_own_step(Bare()))
        self.assertFalse(further_optimizers.has_own_step(part(1, 1)))


class Building(unittest.TestCase):
    def test_built_as_they_were_from_their_names(self):
        trained, fresh = Pair(), Pair()
        trained.train()
        self.assertNotEqual(shapes(fresh), shapes(trained))
        names = [name for name, _, _ in variables.Variables(trained).spec]
        description = variables.describe_optimizers(trained)
        further_optimizers.check(description)
        variables.build_optimizers(fresh, description, names)
        self.assertEqual(shapes(fresh), shapes(trained))
        self.assertFalse(fresh.optimizer.built)

    def test_what_each_is_built_for_is_described(self):
        # Not compiled yet.
        self.assertEqual(further_optimizers.describe(part(1, 1), {}), {})
        model = Pair()
        self.assertEqual(further_optimizers.describe(model, {}), {})
        model.train()
        model.optimizer.build(model.first.trainable_variables)
        names = {
            id(one): f"{part.name}/{one.name}"
            for part in (model.first, model.second)
            for one in part.trainable_variables
        }
        named = {
            names[id(one)]: one
            for part in (model.first, model.second)
            for one in part.trainable_variables
        }
        first, second = (
            [names[id(one)] for one in part.trainable_variables]
            for part in (model.first, model.second)
        )
        self.assertEqual(
            further_optimizers.describe(model, named),
            {
                "": first,
                "by_part['first']": first,
                "by_part['others'][0]": second,
            },
        )
        # One of variables that have no name is left out.
        del named[second[-1]]
        self.assertEqual(
            list(further_optimizers.describe(model, named)),
            ["", "by_part['first']"],
        )

    def test_one_is_built_if_all_of_its_variables_are_there(self):
        model = Pair()
        kernel, bias = model.first.trainable_variables
        first, second = model.both()
        described = {
            "": ["kernel", "bias"],
            "by_part['first']": ["kernel", "gone"],
            "by_part['others'][0]": ["bias"],
            "gone": ["kernel"],
        }
        named = {"kernel": kernel, "bias": bias}
        further_optimizers.build(model, described, named)
        self.assertTrue(model.optimizer.built)
        self.assertFalse(first.built)
        self.assertEqual(list(map(id, second._trainable_variables)), [id(bias)])
        # One that is built stays as it is.
        described["by_part['others'][0]"] = ["kernel"]
        with mock.patch.object(second, "build") as build:
            further_optimizers.build(model, described, named)
        build.assert_not_called()

    def test_variables_are_found_anew_when_one_is_built(self):
        model = Pair()
        found = variables.Variables(model)
        self.assertTrue(found.is_current(model))
        model.train()
        self.assertFalse(found.is_current(model))

    def test_they_are_no_longer_told_as_unsaved(self):
        model = Pair()
        seen = not_saved.UnseenState(model)
        model.train()
        self.assertEqual(seen.find(), [])

    def test_what_is_no_description_is_refused(self):
        for good in (None, {}, {"": [], "a": ["b", "c"]}):
            further_optimizers.check(good)
        for wrong in ([], {"a": "text"}, {"a": [1]}, 3):
            with (
                self.subTest(wrong),
                self.assertRaises((AttributeError, TypeError)),
            ):
                further_optimizers.check(wrong)
