"""optimizers.py: which optimizers a model has, and under which names."""

import types
import unittest

import asking
import keras

from kerasbackup.parts import optimizers


def setUpModule():
    asking.refuse_none()


class Holding(keras.optimizers.SGD):
    """Has others in its attributes."""

    def __init__(self, **held):
        super().__init__()
        vars(self).update(held)


def sgd():
    return keras.optimizers.SGD()


class Children(unittest.TestCase):
    def paths(self, **attributes):
        found = optimizers.children(types.SimpleNamespace(**attributes))
        return [path for path, _ in found]

    def test_they_are_found_in_attributes_and_containers(self):
        found = dict(
            optimizers.children(
                types.SimpleNamespace(
                    number=3,
                    one=(one := sgd()),
                    many=[1, second := sgd(), (third := sgd(),)],
                    named={"a": "b", "c": (fourth := sgd()), 5: [sgd()]},
                )
            )
        )
        self.assertEqual(
            list(found),
            ["one", "many[1]", "many[2][0]", "named['c']", "named[5][0]"],
        )
        self.assertIs(found["one"], one)
        self.assertIs(found["many[1]"], second)
        self.assertIs(found["many[2][0]"], third)
        self.assertIs(found["named['c']"], fourth)

    def test_each_is_found_once(self):
        one, other = sgd(), sgd()
        self.assertEqual(
            self.paths(first=one, again=[one], other=other, more=(other, one)),
            ["first", "other"],
        )

    def test_what_tensorflow_tracks_is_not_looked_at(self):
        """It lists the same objects once more, before their own places."""
        self.assertEqual(
            self.paths(_self_tracked=[one := sgd()], _self=sgd(), own=one),
            ["_self", "own"],
        )

    def test_nothing_else_is_one(self):
        self.assertEqual(
            self.paths(a="sgd", b=keras.optimizers.SGD, c=[{}]), []
        )
        self.assertEqual(list(optimizers.children(None)), [])


class OfAModel(unittest.TestCase):
    def model(self, optimizer=None):
        model = keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1, name="dense")]
        )
        if optimizer is not None:
            model.compile(optimizer, "mse")
        return model

    def test_its_own_comes_first_and_each_stands_once(self):
        inner = Holding(deep=[sgd()])
        own = Holding(inner=inner, again=inner)
        model = self.model(own)
        model.critic = {"a": own, "b": (other := Holding(inner=sgd()))}
        model.layers[0].helper = (last := sgd())
        found = optimizers.optimizers_of(model)
        self.assertEqual(
            list(found),
            [
                "",
                "inner",
                "inner.deep[0]",
                "model.critic['b']",
                "model.critic['b'].inner",
                "layer dense.helper",
            ],
        )
        self.assertIs(found[""], own)
        self.assertIs(found["inner"], inner)
        self.assertIs(found["model.critic['b']"], other)
        self.assertIs(found["layer dense.helper"], last)

    def test_there_may_be_none(self):
        self.assertEqual(optimizers.optimizers_of(self.model()), {})

    def test_their_classes_are_named(self):
        nested = Holding(one=Holding(two=sgd()), three=keras.optimizers.Adam())
        for optimizer, text in (
            (sgd(), "SGD"),
            (nested, "Holding of Holding of SGD, Adam"),
            (None, "NoneType"),
        ):
            self.assertEqual(optimizers.classes_of(optimizer), text)
