"""ending.py: what ends a training, and when it has diverged."""

import math
import unittest

import keras
import numpy as np

from kerasbackup.fit import ending


def callback(**fields):
    made = keras.callbacks.Callback()
    vars(made).update(fields)
    return made


class Complete(unittest.TestCase):
    def test_a_callback_says_so_by_its_attributes(self):
        for fields, expected in (
            ({}, False),
            ({"stopped_epoch": 0}, False),
            ({"stopped_epoch": 3}, True),
            ({"stopped_epoch": 3.0}, True),
            ({"stopped_epoch": None}, False),
            ({"ends_training": False}, False),
            ({"ends_training": True}, True),
        ):
            with self.subTest(fields):
                both = [callback(), callback(**fields)]
                self.assertIs(ending.says_complete(both), expected)

    def test_early_stopping_says_so_when_it_has_stopped(self):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        early = keras.callbacks.EarlyStopping("loss", patience=1)
        early.set_model(model)
        early.on_train_begin()
        for epoch in range(2):
            self.assertFalse(ending.says_complete([early]))
            early.on_epoch_end(epoch, {"loss": 1.0})
        self.assertTrue(model.stop_training)
        self.assertTrue(ending.says_complete([early]))


class Diverged(unittest.TestCase):
    def setUp(self):
        self.model = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)]
        )
        self.told = []
        self.divergence = ending.Divergence(self.model, self.told.append)

    def prevents(self, logs):
        return self.divergence.prevents(1, 2, logs)

    def test_by_its_loss(self):
        tensor = keras.ops.convert_to_tensor
        for logs, expected in (
            (None, False),
            ("no dict", False),
            ({"loss": 0.5, "mae": math.nan, "val_loss": math.inf}, False),
            ({"loss": np.ones(2)}, False),
            ({"loss": math.nan}, True),
            ({"loss": -math.inf}, True),
            ({"loss": tensor(math.nan)}, True),
            ({"d_loss": tensor(0.5), "g_loss": tensor(math.inf)}, True),
        ):
            with self.subTest(logs):
                self.assertIs(self.prevents(logs), expected)
                self.assertIs(self.divergence.is_now, expected)

    def test_by_a_weight_and_it_is_told_once_and_counted(self):
        self.assertFalse(self.prevents({"loss": 0.5}))
        bias = self.model.layers[-1].bias
        bias.assign([math.nan])
        for _ in range(2):
            self.assertTrue(self.prevents({"loss": 0.5}))
        self.assertEqual(
            self.told,
            [[f"after batch 2 of epoch 2, `{bias.path}` is not finite"]],
        )
        self.assertEqual(self.divergence.skipped, 2)
        self.assertFalse(self.divergence.is_overcome())
        bias.assign([0.0])
        self.assertTrue(self.divergence.is_overcome())
        self.assertFalse(self.prevents({"loss": 0.5}))

    def test_a_weight_that_never_was_finite_says_nothing(self):
        self.model.layers[-1].bias.assign([-math.inf])
        self.assertFalse(self.prevents({"loss": 0.5}))

    def test_of_weights_as_small_those_nearest_to_the_loss_are_looked_at(self):
        # Twelve biases of one number each, and eight weights are looked at.
        layers = [keras.layers.Dense(1) for _ in range(12)]
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.compile("sgd", "mse")
        divergence = ending.Divergence(model, self.told.append)
        last = model.layers[-1].bias
        divergence.prevents(0, 1, {"loss": 0.5})
        last.assign([math.nan])
        self.assertTrue(divergence.prevents(0, 2, {"loss": 0.5}))
