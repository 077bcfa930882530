"""not_saved.py: what of a model's state is in no checkpoint has a name."""

import gc
import importlib.util
import json
import random
import types
import unittest
import weakref
from unittest import mock

import asking
import keras
import numpy as np

from kerasbackup.checkpoint import training_state
from kerasbackup.parts import not_saved
from kerasbackup.parts.found_variables import FoundVariables
from kerasbackup.parts.not_saved import UnseenState
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training


def setUpModule():
    asking.refuse_none()


BACKEND = keras.backend.backend()


class Counting(keras.layers.Layer):
    def __init__(self, held=None, **kwargs):
        super().__init__(**kwargs)
        self.held = held

    def call(self, inputs):
        return inputs


class Trainer(keras.Sequential):
    def __init__(self, layers):
        super().__init__(layers)
        self.first = None
        self.several = {}


def built(**settings):
    layer = Counting(name="counting")
    model = Trainer([keras.Input((2,)), layer, keras.layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **settings})
    model.optimizer.build(model.trainable_variables)
    return model, layer


class Objects(unittest.TestCase):
    def found(self, value, where="layer"):
        model, layer = built()
        unseen = UnseenState(model)
        if where == "layer":
            layer.held = value
        else:
            model.first = value
        return unseen.find()

    def test_further_optimizers_of_layers(self):
        model, layer = built()
        unseen = UnseenState(model)
        # Those of models are saved.
        model.first = keras.optimizers.Adam()
        model.several = {"d": keras.optimizers.SGD(), "model": model.optimizer}
        layer.several = {"d": keras.optimizers.SGD(), "model": model.optimizer}
        self.assertEqual(unseen.find(), [f"layer {layer.name}.several['d']"])

    def test_the_models_own_optimizer_is_not(self):
        inner = keras.optimizers.SGD()
        outer = keras.optimizers.LossScaleOptimizer(inner)
        model, layer = built(optimizer=outer)
        model.first = inner
        layer.held = [outer, inner]
        self.assertEqual(UnseenState(model).find(), [])

    def test_one_of_an_inner_model_only_where_it_is_trained(self):
        inner, _ = built()
        model = keras.Sequential([keras.Input((2,)), inner])
        model.compile(optimizer="sgd", loss="mse")
        unseen = UnseenState(model)
        self.assertEqual(unseen.find(), [])
        inner.optimizer.iterations.assign(3)
        self.assertEqual(unseen.find(), [f"layer {inner.name}.optimizer"])

    def test_what_an_inner_model_has_trained_before_is_no_state(self):
        inner, _ = built()
        inner.optimizer.iterations.assign(3)
        model = keras.Sequential([keras.Input((2,)), inner])
        model.compile(optimizer="sgd", loss="mse")
        self.assertEqual(UnseenState(model).find(), [])
        unseen = UnseenState(model)
        # Before the first look.
        inner.optimizer.iterations.assign(4)
        self.assertEqual(unseen.find(), [f"layer {inner.name}.optimizer"])

    def test_the_models_own_counter_of_steps_is_not_read(self):
        """On JAX, an interrupted training leaves it without a value."""
        model, _ = built()
        with mock.patch.object(
            not_saved.tensors, "to_numpy", side_effect=RuntimeError
        ):
            self.assertEqual(UnseenState(model).find(), [])

    def test_an_owner_that_is_gone_gives_its_id_to_no_other(self):
        model, _ = built()
        unseen = UnseenState(model)
        gone = weakref.ref(model.optimizer)
        model.compile("sgd", "mse")
        gc.collect()
        self.assertIsNotNone(gone())
        del unseen
        gc.collect()
        self.assertIsNone(gone())

    def test_generators_of_random_numbers(self):
        for one in (
            np.random.default_rng(1),
            np.random.RandomState(1),
            random.Random(1),
        ):
            with self.subTest(kind=type(one)):
                self.assertEqual(self.found(one), ["layer counting.held"])
                self.assertEqual(self.found([one]), ["layer counting.held[0]"])
                self.assertEqual(self.found(one, "model"), ["model.first"])

    def test_those_that_are_captured_are_saved(self):
        held, other = np.random.default_rng(1), np.random.default_rng(2)
        model, layer = built()
        layer.held = [held, other]
        unseen = UnseenState(model, lambda one: one is held)
        self.assertEqual(unseen.find(), ["layer counting.held[1]"])

    def test_keras_own_are_saved(self):
        for one in (
            keras.random.SeedGenerator(1),
            keras.Variable(1.0),
            keras.layers.Dense(2),
        ):
            with self.subTest(kind=type(one)):
                model = keras.Sequential([keras.Input((2,)), Counting(one)])
                self.assertEqual(UnseenState(model).find(), [])

    @unittest.skipUnless(
        importlib.util.find_spec("tensorflow"), "there is no TensorFlow"
    )
    def test_tensorflows(self):
        import tensorflow as tf

        for one in (tf.Variable(1.0), tf.random.Generator.from_seed(1)):
            self.assertEqual(self.found(one), ["layer counting.held"])
        model, layer = built()
        layer.held = model.layers[1].kernel.value
        self.assertEqual(UnseenState(model).find(), [])

    @unittest.skipIf(BACKEND != "torch", "the backend has none")
    def test_torchs(self):
        import torch

        self.assertEqual(self.found(torch.Generator()), ["layer counting.held"])

    def test_all_objects_that_a_model_has_are_looked_at(self):
        metric = keras.metrics.MeanAbsoluteError(name="error")
        model, layer = built(metrics=[metric])
        unseen = UnseenState(model)
        for owner in (model, layer, model.optimizer, metric):
            owner.held = np.random.default_rng(1)
        layer.pairs = {"a": 1, "b": np.random.default_rng(2)}
        layer.again = layer.held, layer.held
        # Keras' own lists are private.
        layer._private = [np.random.default_rng(1)]
        self.assertEqual(
            unseen.find(),
            [
                "model.held",
                "layer counting.held",
                "layer counting.pairs['b']",
                "layer counting.again[0]",
                "layer counting.again[1]",
                "optimizer.held",
                "metric error.held",
            ],
        )

    def test_a_model_that_comes_with_a_trained_optimizer_is_no_news(self):
        model = keras.Sequential([Counting()])
        model.compile("sgd", "mse")
        unseen = UnseenState(model)
        inner, _ = built()
        inner.optimizer.iterations.assign(3)
        model.add(inner)
        self.assertEqual(unseen.find(), [])
        inner.optimizer.iterations.assign(4)
        self.assertEqual(unseen.find(), [f"layer {inner.name}.optimizer"])


class AsAPart(unittest.TestCase):
    def part(self):
        self.model, self.layer = built()
        self.place = Place()
        found = types.SimpleNamespace(has=lambda one: one is self.layer.found)
        self.layer.found = np.random.default_rng(1)
        self.layer.drawn = np.random.default_rng(2)
        training = Training(
            self.model,
            self.place,
            made={FoundVariables.name: found},
            is_generator=lambda one: one is self.layer.drawn,
        )
        return not_saved.ModelState.begin(training)

    def test_what_other_parts_have_is_saved(self):
        part = self.part()
        self.assertEqual(part.not_saved, [])
        part.capture(None)
        self.assertEqual(part.not_saved, [])

    def test_it_is_looked_for_once_an_epoch(self):
        part = self.part()
        # No field of a checkpoint.
        self.assertEqual(part.capture(None), part.missing)
        self.assertIsNone(part.missing)
        self.assertEqual(part.name, "model_state")
        self.layer.held = np.random.default_rng(3)
        part.capture(None)
        self.assertEqual(part.not_saved, [])
        self.place.epoch = 1
        for _ in range(2):
            part.capture(None)
            self.assertEqual(part.not_saved, ["layer counting.held"])
        self.layer.held = None
        part.capture(None)
        self.assertEqual(part.not_saved, ["layer counting.held"])
        self.assertEqual(part.restore(None, None), [])


class Metadata(unittest.TestCase):
    def test_it_is_in_the_checkpoint_with_the_callbacks(self):
        """Never a wrong resume in silence."""

        class Odd(keras.callbacks.Callback):
            secret = 1

        model, layer = built()
        one = training_state.TrainingState(model, None, {}, {}, {})
        data = types.SimpleNamespace(
            capture=lambda *args: {},
            not_saved=["data.order"],
            written_by_user=None,
            may_end_early=False,
            passed=0,
            use=None,
        )
        odd = Odd()
        training = Training(
            model, one.place, callbacks=[odd], position=data, validation=data
        )
        one.begin(training)
        layer.held = np.random.default_rng(1)
        odd.secret = object()
        unsaved = ["Odd.secret", "data.order", "layer counting.held"]
        metadata = one.capture(0, 3).metadata
        self.assertEqual(json.loads(metadata["unsaved"]), unsaved)
        self.assertEqual(one.not_saved, unsaved)
