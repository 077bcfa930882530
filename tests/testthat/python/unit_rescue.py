"""rescue.py: what is restored outside of `fit()`, and what is refused."""

import unittest
from unittest import mock

import asking
import keras
import numpy as np
from unit_variables import saved

from kerasbackup.checkpoint import rescue
from kerasbackup.parts.variables import Variables
from kerasbackup.store import errors

VERSIONS = {"R": "4.2.2"}


def setUpModule():
    asking.refuse_none()


def built(optimizer="adam", rate=0.01, units=1):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
    if optimizer is not None:
        model.compile(optimizer, "mse", metrics=["mae"])
        model.optimizer.learning_rate = rate
    return model


def trained(**settings):
    model = built(**settings)
    model.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)
    return model


def values_of(variables):
    return [keras.ops.convert_to_numpy(one).tolist() for one in variables]


class Restoring(unittest.TestCase):
    """With a checkpoint that has all variables of a training."""

    def restore(self, model, checkpoint, what="weights", parts=None):
        """`parts`: what the checkpoint says beside its tensors."""
        found = mock.Mock(
            checkpoint=checkpoint,
            versions={keras.backend.backend(): "1"},
            shards={},
            saved={"optimizers": None, "script": {}, "drift": []}
            | (parts or {}),
        )
        with (
            mock.patch.object(rescue.Store, "load", lambda self: checkpoint),
            mock.patch.object(
                rescue, "Restored", return_value=found
            ) as restored,
        ):
            result = rescue.restore_model(model, {}, what, VERSIONS)
        if checkpoint is not None:
            # All versions, also those of Keras and its backend.
            restored.assert_called_once_with(
                checkpoint, rescue.Script(model, VERSIONS).versions
            )
        return result

    def test_the_weights_need_no_compiled_model(self):
        before = trained()
        model = built(optimizer=None)
        self.assertEqual(self.restore(model, saved(before)), {"value": True})
        self.assertEqual(
            values_of(model.variables), values_of(before.variables)
        )

    def test_the_weights_leave_the_optimizer_alone(self):
        model = trained(rate=0.5)
        optimizer = values_of(model.optimizer.variables)
        before = trained()
        self.restore(model, saved(before))
        self.assertEqual(
            values_of(model.variables), values_of(before.variables)
        )
        self.assertEqual(values_of(model.optimizer.variables), optimizer)

    def test_all_is_also_an_optimizer_that_has_made_no_step(self):
        before = trained()
        for optimizers in (None, {"": self.names(before)}):
            model = built(rate=0.5)
            self.restore(
                model, saved(before), "all", {"optimizers": optimizers}
            )
            self.assertEqual(
                values_of(model.optimizer.variables),
                values_of(before.optimizer.variables),
            )
            self.assertEqual(
                values_of(model.variables), values_of(before.variables)
            )

    def names(self, model):
        return [f"variables/{one.path}" for one in model.trainable_variables]

    def test_another_model_is_a_mismatch_and_nothing_is_assigned(self):
        model = built(units=2)
        before = values_of(model.variables)
        result = self.restore(model, saved(trained()))
        self.assertEqual(result["error"], "kerasbackup_error_mismatch")
        self.assertIn("float32 (2, 2) in the model", result["message"])
        self.assertIn("as for the training that saved", result["message"])
        self.assertEqual(
            result["differences"]["script"], ["float32 (2, 2)", "float32 (2)"]
        )
        self.assertEqual(values_of(model.variables), before)

    def test_another_optimizer_matters_only_where_it_is_restored(self):
        checkpoint = saved(trained())
        other = {"script": {"optimizer": "keras.Other"}}
        result = self.restore(built(), checkpoint, "all", other)
        self.assertEqual(result["error"], "kerasbackup_error_mismatch")
        self.assertIn("keras.Other", result["message"])
        self.assertEqual(
            self.restore(built(), checkpoint, "weights", other),
            {"value": True},
        )

    def test_metrics_do_not_count(self):
        before = trained()
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        self.assertEqual(
            self.restore(model, saved(before), "all"), {"value": True}
        )

    def test_there_may_be_no_checkpoint(self):
        self.assertEqual(self.restore(built(), None), {"value": False})

    def test_what_cannot_be_restored_is_refused_before_anything_is_read(self):
        for model, what, error, words in (
            (keras.Sequential(), "weights", "argument", "not built"),
            (built(None), "all", "argument", "not compiled"),
            (object(), "weights", "unsupported", "class `builtins.object`"),
        ):
            with (
                self.subTest(words),
                mock.patch.object(
                    rescue.Store, "load", side_effect=AssertionError
                ),
            ):
                result = rescue.restore_model(model, {}, what, {})
            self.assertEqual(result["error"], f"kerasbackup_error_{error}")
            self.assertIn(words, result["message"])

    def test_a_failure_of_r_is_handed_back(self):
        def load(verified):
            return {"error": "kerasbackup_error_corrupt", "message": "bad"}

        self.assertEqual(
            rescue.restore_model(built(), {"load": load}, "weights", {}),
            {"error": "kerasbackup_error_corrupt", "message": "bad"},
        )


class Compiled(unittest.TestCase):
    """A function that is compiled already has derived values of layers in it as
    constants."""

    def test_functions_are_made_anew_for_layers_with_derived_values(self):
        plain = built()
        derived = keras.Sequential(
            [keras.Input((2,)), keras.layers.Normalization()]
        )
        for model, is_new in ((plain, False), (derived, True)):
            self.assertIsNone(model.predict_function)
            rescue.renew_compiled(model)
            self.assertIsNone(model.predict_function)
            model.predict(np.ones((1, 2)), verbose=0)
            before = model.predict_function
            rescue.renew_compiled(model)
            self.assertEqual(model.predict_function is not before, is_new)
            self.assertIsNone(model.test_function)


class Groups(unittest.TestCase):
    def test_only_the_variables_of_a_group_count(self):
        model = trained()
        groups = {
            what: {name.split("/")[0] for name, _, _ in one.spec}
            for what, one in (
                ("weights", Variables(model, ("variables",))),
                ("all", Variables(model, ("variables", "optimizer"))),
                ("fit", Variables(model)),
            )
        }
        self.assertEqual(groups["weights"], {"variables"})
        self.assertEqual(groups["all"], {"variables", "optimizer"})
        self.assertEqual(groups["fit"], {"variables", "optimizer", "metrics"})

    def test_a_mismatch_lists_nothing_else(self):
        checkpoint = saved(trained())
        with self.assertRaises(errors.MismatchError) as raised:
            Variables(built(None, units=2), ("variables",)).check(checkpoint)
        self.assertNotIn("optimizer/", str(raised.exception))
        self.assertNotIn("metrics/", str(raised.exception))
