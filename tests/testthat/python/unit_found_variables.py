"""found_variables.py: variables that are nobody's are found, saved and put
back; those of others are left alone."""

import functools
import importlib.util
import sys
import unittest
from unittest import mock

import asking
import keras
import numpy as np

import __main__
from kerasbackup.parts import first_steps
from kerasbackup.parts import found_variables
from kerasbackup.parts.found_variables import FoundVariables
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training
from kerasbackup.store import errors
from kerasbackup.store import values


def setUpModule():
    asking.refuse_none()


BACKEND = keras.backend.backend()

GLOBAL = keras.Variable(4.0)


def raise_global():
    return [lambda: GLOBAL.assign(1.0)]


class Held(keras.callbacks.Callback):
    def __init__(self, variable):
        super().__init__()
        self.variable = variable


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, step):
        return 0.01 * self.scale


class Penalty:
    def __init__(self, beta):
        self.settings = {"betas": [beta]}

    def __call__(self, y_true, y_pred):
        return keras.ops.mean(y_pred) * self.settings["betas"][0]


class Own(keras.Sequential):
    used_by_step = None

    def train_step(self, *args):
        self.used_by_step()
        return super().train_step(*args)


def built(loss="mse", rate=0.01, cls=keras.Sequential):
    model = cls([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), loss)
    model.optimizer.build(model.trainable_variables)
    return model


def moved(loose, *variables):
    """The paths that a checkpoint has when these were moved."""
    for one in variables:
        one.assign(one + 1)
    encoder = values.Encoder()
    saved = loose.capture(encoder)
    return saved, encoder.arrays.__getitem__


class Finding(unittest.TestCase):
    def paths(self, model, *variables, callbacks=(), names=None):
        return list(
            moved(FoundVariables(model, callbacks, names), *variables)[0]
        )

    def test_in_closures_of_the_loss(self):
        beta, still = keras.Variable(0.1), keras.Variable(0.2)
        model = built(lambda y, p: keras.ops.mean(p) * beta * still)
        self.assertEqual(self.paths(model, beta), ["loss.beta"])
        model = built(
            functools.partial(lambda y, p, by: keras.ops.mean(p) * by, by=beta)
        )
        self.assertEqual(self.paths(model, beta), ["loss['by']"])

    def test_in_fields_of_objects(self):
        beta = keras.Variable(0.1)
        self.assertEqual(
            self.paths(built(Penalty(beta)), beta),
            ["loss.settings['betas'][0]"],
        )
        scale = keras.Variable(1.0)
        self.assertEqual(
            self.paths(built(rate=Rate(scale)), scale), ["learning rate .scale"]
        )

    def test_in_globals_that_a_function_names(self):
        callback = keras.callbacks.LambdaCallback(on_epoch_end=raise_global)
        (path,) = self.paths(built(), GLOBAL, callbacks=[callback])
        self.assertTrue(path.startswith("callback 0"), path)
        self.assertTrue(path.endswith(".GLOBAL"), path)

    def test_in_the_steps_of_a_model(self):
        beta = keras.Variable(0.1)

        class Stepping(keras.Sequential):
            def train_step(self, *args):
                return beta, super().train_step(*args)

        (path,) = self.paths(built(cls=Stepping), beta)
        self.assertTrue(path.endswith(".train_step.beta"), path)

    def test_in_its_own_layers_and_in_no_others(self):
        class Scaled(keras.layers.Dense):
            def __init__(self, beta):
                super().__init__(1)
                self.penalty = Penalty(beta)

        class Scheduled(keras.optimizers.SGD):
            def __init__(self, beta):
                super().__init__()
                self.penalty = Penalty(beta)

        beta, foreign = keras.Variable(0.1), keras.Variable(0.1)
        model = keras.Sequential([keras.Input((2,)), Scaled(beta)])
        model.compile("sgd", "mse")
        others = {"a": Scaled(foreign), "b": Scheduled(foreign)}
        (path,) = self.paths(model, beta, foreign, names=others)
        self.assertTrue(path.endswith(".penalty.settings['betas'][0]"), path)
        self.assertTrue(path.startswith("model."), path)

    def test_among_the_names_of_the_script(self):
        beta = keras.Variable(0.1)
        with mock.patch.object(__main__, "beta", beta, create=True):
            self.assertEqual(self.paths(built(), beta), ["__main__.beta"])
        self.assertEqual(
            self.paths(built(), beta, names={"R beta": beta}), ["R beta"]
        )

    def test_what_somebody_has_is_left_to_it(self):
        model, other = built(), built()
        held = keras.Variable(1.0)
        names = {
            "other": other,
            "kernel": other.layers[0].kernel,
            "own": model.layers[0].kernel,
            "rate": other.optimizer._learning_rate,
        }
        everything = [
            held,
            *model.trainable_variables,
            *other.trainable_variables,
            other.optimizer._learning_rate,
        ]
        found = self.paths(
            model, *everything, callbacks=[Held(held)], names=names
        )
        self.assertEqual(found, [])

    def test_what_a_callback_has_too_is_traced_with_the_loss(self):
        beta = keras.Variable(0.1)
        model = built(lambda y, p: keras.ops.mean(p) * beta)
        self.assertEqual(
            self.paths(model, beta, callbacks=[Held(beta)]), ["loss.beta"]
        )

    @unittest.skipIf(BACKEND != "torch", "the backend has none")
    def test_parameters_of_torch(self):
        import torch

        beta = torch.nn.Parameter(torch.tensor([0.5]))
        loose = FoundVariables(built(Penalty(beta)), [])
        with torch.no_grad():
            beta.add_(1)
        saved, arrays = moved(loose)
        other = torch.nn.Parameter(torch.tensor([0.5]))
        again = FoundVariables(built(Penalty(other)), [])
        self.assertEqual(again.restore(saved, arrays), [])
        self.assertEqual(other.tolist(), [1.5])


class Asking(unittest.TestCase):
    def test_it_is_made_from_a_training(self):
        beta, named = keras.Variable(0.1), keras.Variable(0.2)
        held = keras.Variable(0.3)
        found = FoundVariables.begin(
            Training(
                built(Penalty(beta)),
                Place(),
                callbacks=[Held(held)],
                names={"R named": named},
            )
        )
        for one, is_found in (
            (beta, True),
            (named, True),
            (held, False),
            (keras.Variable(0.1), False),
        ):
            self.assertIs(found.has(one), is_found)
        # Older checkpoints have them under this name.
        self.assertEqual(found.name, "loose")
        # A callback that sets one when the epoch begins would be undone.
        self.assertTrue(found.is_put_again)

    def test_which_objects_are_variables(self):
        for one, expected in (
            (keras.Variable(0.1), True),
            (0.1, False),
            (np.zeros(2), False),
            (keras.ops.zeros((2,)), False),
        ):
            self.assertIs(found_variables.is_variable(one), expected)
        if importlib.util.find_spec("tensorflow"):
            import tensorflow as tf

            self.assertTrue(found_variables.is_variable(tf.Variable(0.1)))
            self.assertFalse(found_variables.is_variable(tf.constant(0.1)))
        # A backend that is not loaded has none.
        missing = {"tensorflow": None, "torch": None}
        with mock.patch.dict(sys.modules, missing):
            self.assertFalse(found_variables.is_variable(0.1))

    def test_one_without_a_value_is_not_found(self):
        beta, empty = keras.Variable(0.1), keras.Variable(0.2)
        to_numpy = found_variables.tensors.to_numpy
        for error in (RuntimeError, TypeError, ValueError):

            def read(one, error=error):
                if one is empty:
                    raise error("it has no value")
                return to_numpy(one)

            with mock.patch.object(found_variables.tensors, "to_numpy", read):
                found = FoundVariables(built(), [], {"a": empty, "b": beta})
            self.assertEqual((found.has(empty), found.has(beta)), (False, True))

    def test_the_bytes_are_in_the_order_of_the_elements(self):
        """So a save can take them as they are."""
        transposed = np.arange(6.0).reshape(2, 3).T
        one = found_variables.FoundVariable(transposed)
        self.assertTrue(one.read().flags.c_contiguous)
        self.assertEqual(one.read().tolist(), transposed.tolist())
        self.assertFalse(np.shares_memory(one.read(), transposed))


class Restoring(unittest.TestCase):
    def test_where_a_step_is_traced_it_is_with_the_values_of_then(self):
        def loose(beta, still, on="jax"):
            model = built(lambda y, p: keras.ops.mean(p) * beta * still)

            def name(one=None):
                return on if one is model else "torch"

            with mock.patch.object(found_variables.backend, "name", name):
                return FoundVariables(model, [])

        def of(number):
            # As large as a tensor of its own.
            return keras.Variable(np.full(100, number, "float32"))

        def number_of(one):
            (number,) = {*keras.ops.convert_to_numpy(one).tolist()}
            return number

        beta, still = of(0.5), of(3.0)
        lost = loose(beta, still)
        beta.assign(np.full(100, 0.75))
        lost.note_traced()
        beta.assign(np.full(100, 1.75))
        encoder = values.Encoder()
        saved = lost.capture(encoder)
        self.assertEqual(list(saved), ["loss.beta"])
        self.assertEqual(
            {name: number_of(one) for name, one in encoder.arrays.items()},
            {"loose/0/now": 1.75, "loose/0/traced": 0.75},
        )
        tensors = {name: ("F32", [100], b"\0" * 400) for name in encoder.arrays}
        FoundVariables.check(saved, tensors, None)
        with self.assertRaises(errors.DAMAGE):
            FoundVariables.check(saved, {}, None)
        for on, traced in (("jax", 0.75), ("tensorflow", 1.75)):
            beta = of(0.5)
            again = loose(beta, still, on)
            again.restore(saved, encoder.arrays.__getitem__)
            swapped = again.swap_traced()
            self.assertEqual(len(swapped), on == "jax")
            self.assertEqual(number_of(beta), traced)
            again.swap_back(swapped)
            self.assertEqual(number_of(beta), 1.75)

    def test_those_after_one_that_is_gone_come_back(self):
        names = {"a": keras.Variable(1.0), "b": keras.Variable(2.0)}
        saved, arrays = moved(
            FoundVariables(built(), [], names), *names.values()
        )
        other = keras.Variable(2.0)
        again = FoundVariables(built(), [], {"b": other})
        self.assertEqual(
            again.restore(saved, arrays),
            [
                "variable a, which training had changed, was not found: it has "
                "the script's value"
            ],
        )
        self.assertEqual(float(other.value), 3.0)

    def test_one_of_another_dtype_is_another(self):
        saved, arrays = moved(
            FoundVariables(built(), [], {"a": (one := keras.Variable(1.0))}),
            one,
        )
        other = keras.Variable(1, dtype="int32", trainable=False)
        again = FoundVariables(built(), [], {"a": other})
        self.assertEqual(len(again.restore(saved, arrays)), 1)
        self.assertEqual(int(other.value), 1)

    def test_the_one_on_the_same_path_takes_the_value(self):
        beta = keras.Variable(0.5)
        loose = FoundVariables(built(Penalty(beta)), [])
        beta.assign(0.75)
        loose.note_traced()
        saved, arrays = moved(loose, beta)
        other = keras.Variable(0.5)
        again = FoundVariables(built(Penalty(other)), [])
        self.assertEqual(again.restore(saved, arrays), [])
        self.assertEqual(float(other.value), 1.75)
        # It is state from now on, also where it is back at the script's value.
        other.assign(0.5)
        self.assertEqual(list(moved(again)[0]), list(saved))
        other.assign(1.75)
        swapped = again.swap_traced()
        traced = 0.75 if BACKEND == "jax" else 1.75
        self.assertEqual(float(other.value), traced)
        again.swap_back(swapped)
        self.assertEqual(float(other.value), 1.75)

    def test_one_that_is_gone_or_another_is_told(self):
        beta = keras.Variable(0.5)
        loose = FoundVariables(built(Penalty(beta)), [])
        saved, arrays = moved(loose, beta)
        for loss in ("mse", Penalty(keras.Variable(np.zeros(3)))):
            again = FoundVariables(built(loss), [])
            (note,) = again.restore(saved, arrays)
            self.assertRegex(note, "variable loss.settings.* was not found")

    def test_what_is_no_state_is_refused(self):
        for saved in ([], {"loss": [1, 2]}, {"loss": []}, {"loss": 1}):
            with self.subTest(saved=saved), self.assertRaises(errors.DAMAGE):
                found_variables.check(saved, {})


class Places:
    """What a step reads when it is traced."""

    def __init__(self):
        self.calls = []
        self.differs = True

    def note_traced(self):
        self.calls.append("note")

    def swap_traced(self):
        self.calls.append("swap")
        return [1] if self.differs else []

    def swap_back(self, swapped):
        self.calls.append("back")


class FirstSteps(unittest.TestCase):
    def steps(self, is_resumed, differs=True, is_traced=True):
        model = keras.Sequential()
        places = Places()
        places.differs = differs
        model.train_function = model.test_function = lambda: (
            places.calls.append("step")
        )
        with mock.patch.object(
            first_steps, "is_traced", lambda model: is_traced
        ):
            first = first_steps.FirstSteps(model, [places])
        first.begin(is_resumed)
        model.train_function()
        model.train_function()
        first.on_test_begin()
        model.test_function()
        model.test_function()
        first.end()
        model.train_function()
        model.test_function()
        return places.calls

    def test_a_fresh_run_notes_what_is_traced(self):
        self.assertEqual(self.steps(False), ["note", *["step"] * 6])

    def test_a_resumed_run_swaps_for_an_epoch(self):
        self.assertEqual(
            self.steps(True), [*["swap", "step", "back"] * 4, "step", "step"]
        )

    def test_where_nothing_differs_it_looks_once(self):
        self.assertEqual(
            self.steps(True, differs=False),
            ["swap", "step", "back", *["step"] * 5],
        )

    def test_what_is_not_traced_is_left_alone(self):
        self.assertEqual(self.steps(True, is_traced=False), ["step"] * 6)

    def test_which_models_are_traced(self):
        model = built()
        self.assertEqual(first_steps.is_traced(model), BACKEND != "torch")
        model.run_eagerly = True
        self.assertFalse(first_steps.is_traced(model))
