"""model_variables.py: when variables are made, paired and assigned again."""

import types
import unittest
from unittest import mock

import keras
import numpy as np
from unit_further_optimizers import Pair
from unit_variables import saved

from kerasbackup.parts import model_variables
from kerasbackup.parts import variables
from kerasbackup.parts.part import Place
from kerasbackup.store import errors


def built(optimizer="adam", metrics=None):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=metrics)
    model.optimizer.build(model.trainable_variables)
    return model


def part_of(model, on=None, batch=0):
    """A part of a training on a backend, without data."""
    known = on or keras.backend.backend()
    with mock.patch.object(
        model_variables.backend,
        "name",
        lambda one=None: known if one is model else None,
    ):
        return model_variables.ModelVariables(
            model, "iterator", Place(batch=batch)
        )


def pair():
    """Two models that are trained by a step of their own."""
    made = Pair()
    made.built = True
    return made


def values_of(model):
    found = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(one).tolist() for one in found]


def trained():
    model = built()
    model.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)
    return model


class Building(unittest.TestCase):
    def test_with_the_least_that_makes_all_variables(self):
        class OwnStep(keras.Sequential):
            def train_step(self, data):
                return {}

        plain, own = keras.Sequential(), OwnStep()
        for model in (plain, own):
            model.compile("adam", "mse")
        fewer, more = {}, dict.fromkeys(map("variables/{}".format, range(9)))
        known = {"": ["variables/1"]}
        for on, model, tensors, was_trained, expected in (
            ("jax", plain, None, None, ("build", False)),
            ("jax", plain, more, None, ("build", False)),
            ("jax", own, more, known, ("build", False)),
            ("tensorflow", plain, None, None, ("build", False)),
            ("tensorflow", plain, fewer, None, ("build", False)),
            ("tensorflow", plain, more, known, ("build", True)),
            # Any train_step() will do, as long as it makes all there is.
            ("tensorflow", own, None, None, None),
            ("tensorflow", own, fewer, known, None),
            ("tensorflow", own, more, known, ("build_by_step",)),
            # Of a version that did not say what the optimizers train.
            ("tensorflow", own, more, None, ("build", True)),
        ):
            part = part_of(model, on)
            with (
                self.subTest(on=on, own=model is own, tensors=tensors),
                mock.patch.object(model_variables, "building") as building,
                mock.patch.object(model_variables, "Variables") as found,
                mock.patch.object(model_variables, "build_optimizers") as build,
                mock.patch.object(model_variables, "describe_optimizers"),
            ):
                if tensors is None:
                    part.capture(None)
                else:
                    checkpoint = types.SimpleNamespace(tensors=tensors)
                    found.return_value.fitted.return_value = tensors, {}
                    part.load(checkpoint, was_trained, False, None, False)
                calls = [] if expected is None else [expected]
                self.assertEqual(
                    [
                        (name, *args[2:])
                        for name, args, _ in building.mock_calls
                        if args[:2] == (model, "iterator")
                    ],
                    calls,
                )
                self.assertEqual(len(building.mock_calls), len(calls))
                self.assertEqual(
                    [one.args for one in build.mock_calls],
                    []
                    if was_trained is None
                    else [(model, was_trained, [*tensors])],
                )

    def test_what_waits_for_a_batch(self):
        for metrics, is_built in ((None, True), (["mae"], False)):
            model = built(metrics=metrics)
            self.assertIs(part_of(model, "torch").is_built(), is_built)
            self.assertTrue(part_of(model, "tensorflow").is_built())


class Capturing(unittest.TestCase):
    def test_what_further_optimizers_train_is_described(self):
        two, with_critic = pair(), built()
        two.train()
        with_critic.critic = [keras.optimizers.SGD()]
        for model in (two, with_critic):
            found = part_of(model).capture(None)
            self.assertEqual(found, variables.describe_optimizers(model))
            self.assertTrue(found)
        self.assertIsNone(part_of(built()).capture(None))

    def test_variables_are_found_once_and_again_when_compiled(self):
        model = built()
        part = part_of(model)
        self.assertEqual(part.not_saved, [])
        part.capture(None)
        first = part.all
        part.capture(None)
        self.assertIs(part.all, first)
        model.compile("sgd", "mse")
        part.capture(None)
        self.assertLess(len(part.all.spec), len(first.spec))

    def test_what_was_left_out_is_told(self):
        part = part_of(built())
        part.all = types.SimpleNamespace(unsaved=["buffer a"])
        self.assertEqual(part.not_saved, ["buffer a"])


class Restoring(unittest.TestCase):
    def loaded(self, model, checkpoint, was_trained=None, batch=0):
        part = part_of(model, batch=batch)
        part.load(checkpoint, was_trained, False, None, False)
        return part

    def test_further_optimizers_go_on(self):
        before, now = pair(), pair()
        before.train()
        before.optimizer.build(before.trainable_variables)
        for one in before.both():
            one.iterations.assign(5)
        description = variables.describe_optimizers(before)
        checkpoint = saved(before)
        self.loaded(now, checkpoint, description).restore(None, None)
        self.assertEqual([int(o.iterations) for o in now.both()], [5, 5])
        self.assertTrue(all(one.built for one in now.both()))

    def test_those_that_a_callback_compiled_are_restored(self):
        before, now = trained(), built()
        part = self.loaded(now, saved(before))
        now.compile("adam", "mse")
        part.restore(None, None)
        self.assertEqual(values_of(now), values_of(before))
        # A later compile() has nothing of the checkpoint.
        part.release()
        now.compile("sgd", "mse")
        self.assertIsNone(part.capture(None))

    def test_another_optimizer_of_a_callback_is_refused(self):
        now = built()
        part = self.loaded(now, saved(trained()))
        now.compile("sgd", "mse")
        before = values_of(now)
        with self.assertRaises(errors.MismatchError) as e:
            part.restore(None, None)
        self.assertIn(variables.ADVICE, str(e.exception))
        self.assertEqual(values_of(now)[:2], before[:2])

    @unittest.skipIf(
        keras.backend.backend() == "tensorflow", "TensorFlow needs no batch"
    )
    def test_metrics_that_wait_for_a_batch_cannot_be_restored(self):
        now = built()
        part = self.loaded(now, saved(trained()))
        before = values_of(now)
        now.compile(now.optimizer, "mse", metrics=["mae"])
        with self.assertRaisesRegex(errors.UnsupportedError, "next batch"):
            part.restore(None, None)
        self.assertEqual(values_of(now), before)

    def test_only_the_last_time_is_the_memory_given_away(self):
        for batch, expected in ((0, [False]), (1, [True, False, False])):
            part = self.loaded(built(), saved(built()), batch=batch)
            part.all.assign = mock.Mock()
            copies = []
            for _ in expected:
                self.assertEqual(part.restore(None, None), [])
                copies.append(part.all.assign.call_args.kwargs["copies"])
            self.assertEqual(copies, expected)
