"""reachable.py: which objects belong to a training, by which path."""

import functools
import types
import unittest

import keras

import __main__
from kerasbackup.parts.objects import reachable


class Wanted:
    pass


WANTED = Wanted()


class Empty:
    __slots__ = ()


class Script:
    def method(self):
        return WANTED


class Static:
    @staticmethod
    def made():
        return WANTED


class OfClass:
    @classmethod
    def made(cls):
        return WANTED


def uses(default=None):
    return WANTED


def found(root, **options):
    """The paths of those that are wanted."""

    def is_wanted(one):
        return isinstance(one, Wanted)

    return list(reachable.walk({"": root}, is_wanted, **options))


def nested(inner, levels):
    for _ in range(levels):
        inner = [inner]
    return inner


def of_library(thing):
    thing.__module__ = "keras.src.layers"
    return thing


def two_cells():
    def inner():
        return first, second

    # So `first` never gets a value.
    second = Wanted()
    if second is None:
        first = 1
    return inner


def held_by_method():
    held = Wanted()

    class Base:
        def method(self):
            return held

    return Base


class Walk(unittest.TestCase):
    def test_paths(self):
        one = Wanted()
        script = Script()
        script.held = one
        for root, paths in (
            (one, [""]),
            ([one, {"a": [one]}, Wanted()], ["[0]", "[2]"]),
            ({"a": one, 3: Wanted()}, ["['a']", "[3]"]),
            (script, [".held", ".method.WANTED"]),
            (script.method, [".held", ".method.WANTED"]),
            (
                functools.partial(uses, one, a=Wanted()),
                [".WANTED", "[0]", "['a']"],
            ),
            (uses, [".WANTED"]),
            (types.MethodType(uses, Empty()), [".WANTED"]),
            (two_cells(), [".second"]),
            (Static(), [".made.WANTED"]),
            (OfClass(), [".made.WANTED"]),
            (Empty(), []),
        ):
            with self.subTest(root=root):
                self.assertEqual(found(root), paths)

    def test_a_method_has_the_path_of_its_object(self):
        self.assertEqual(found([Script().method]), ["[0].method.WANTED"])
        self.assertEqual(found([functools.partial(uses)]), ["[0].WANTED"])

    def test_twelve_levels(self):
        self.assertEqual(len(found(nested(Wanted(), 12))), 1)
        self.assertEqual(found(nested(Wanted(), 13)), [])

    def test_containers_with_data_are_not_searched(self):
        self.assertEqual(found([*range(999), Wanted()]), ["[999]"])
        self.assertEqual(found([*range(1000), Wanted()]), [])

    def test_of_a_set_a_single_item(self):
        """The order of several is arbitrary."""
        self.assertEqual(found({Wanted()}), ["[0]"])
        self.assertEqual(found({Wanted(), Wanted()}), [])

    def test_what_is_closed_is_not_searched(self):
        closed = [Wanted()]
        paths = found([closed, [Wanted()]], is_closed=lambda o: o is closed)
        self.assertEqual(paths, ["[1][0]"])

    def test_what_is_of_a_library_is_not_searched(self):
        library = of_library(type("Library", (), {}))()
        library.held = Wanted()
        self.assertEqual(found(library), [])
        self.assertEqual(found(of_library(lambda: WANTED)), [])
        derived = type("Derived", (of_library(held_by_method()),), {})
        self.assertEqual(found(derived()), [])
        # Only what it was given is the script's.
        given = of_library(lambda one=WANTED: one)
        self.assertEqual(found(given), ["[0]"])
        self.assertEqual(found(held_by_method()()), [".method.held"])


class Libraries(unittest.TestCase):
    def test_their_names(self):
        for name in (
            ("PIL", "absl", "grain", "jax", "jaxlib", "keras", "kerasbackup")
            + ("matplotlib", "numpy", "pandas", "rpytools", "scipy", "sklearn")
            + ("tensorflow", "torch", "tqdm", "collections", "builtins")
        ):
            cls = type("Thing", (), {"__module__": f"{name}.inner"})
            self.assertTrue(reachable.is_of_library(cls), name)
        for name in ("script", "__main__", "kerastuner", "torchling"):
            cls = type("Thing", (), {"__module__": f"{name}.inner"})
            self.assertFalse(reachable.is_of_library(cls), name)

    def test_a_class_without_a_module_is_the_scripts(self):
        cls = eval("type('Thing', (), {})", {})
        self.assertFalse(reachable.is_of_library(cls))


class Parts(unittest.TestCase):
    def test_those_of_a_training(self):
        def rate():
            return 0.5

        def measure(y_true, y_pred):
            return 0.0

        def loss(y_true, y_pred):
            return 0.0

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        callback = keras.callbacks.Callback()
        self.assertIsNone(reachable.parts_of(model, [])["loss"])
        self.assertIsNone(reachable.parts_of(None, [])["loss"])
        model.compile(keras.optimizers.SGD(rate), loss, metrics=[measure])
        parts = reachable.parts_of(model, [callback])
        for name, one in {
            "loss": loss,
            "learning rate ": rate,
            "model": model,
            "layer 0": model,
            "callback 0": callback,
        }.items():
            self.assertIs(parts[name], one)
        self.assertIn(model.layers[0], parts.values())
        self.assertEqual(parts["metrics_user_metrics"], [measure])
        of_script = {
            f"__main__.{name}"
            for name in vars(__main__)
            if not name.startswith("__")
        }
        names = {name for name in parts if name.startswith("__main__")}
        self.assertEqual(names, of_script)
