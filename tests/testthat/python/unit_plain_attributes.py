"""plain_attributes.py: what training changed is saved and put back."""

import json
import unittest
from unittest import mock

import asking
import keras
import numpy as np

from kerasbackup.anykeras import own_attributes
from kerasbackup.parts import plain_attributes
from kerasbackup.parts import script
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training
from kerasbackup.parts.plain_attributes import PlainAttributes
from kerasbackup.store import errors
from kerasbackup.store import values


def setUpModule():
    asking.refuse_none()


class Counting(keras.layers.Layer):
    """Counts in attributes of all kinds."""

    calls = 0
    ready = False
    makes = list

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.counter = 0
        self.unset = None
        self.limit = float("nan")
        self.phases = ["warm", {"beta": 0.1}]
        self._hidden = 0

    def call(self, inputs):
        return inputs


class Measure(keras.metrics.MeanAbsoluteError):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = 0


class Weighted(keras.Loss):
    def __init__(self):
        super().__init__()
        self.beta = 0.1

    def call(self, y_true, y_pred):
        return self.beta * keras.ops.mean(y_pred)


def built():
    layer = Counting(name="counting")
    dense = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1))
    model = keras.Sequential([keras.Input((2,)), layer, dense])
    model.compile("sgd", Weighted(), metrics=["mae", Measure(name="measure")])
    model.optimizer.build(model.trainable_variables)
    return model, layer, dense


def change(model, layer, dense):
    """What callbacks do."""
    layer.counter += 1
    layer.calls += 1  # had been the class's
    layer.unset = 0.5
    layer.late = np.float32(3)
    layer.ready = True
    layer.phases[1]["beta"] = 0.3
    layer.phases.append("more")
    layer._hidden = 7
    model.steps = 1
    model._compile_metrics._user_metrics[1].seen = 3
    model.loss.beta = 0.7
    dense.kernel_regularizer.l2 = 0.2
    model.optimizer.momentum = 0.25


def look(model, layer, dense):
    return [
        layer.counter,
        layer.calls,
        layer.unset,
        layer.late,
        layer.ready,
        layer.phases,
        layer._hidden,
        model.steps,
        model._compile_metrics._user_metrics[1].seen,
        model.loss.beta,
        dense.kernel_regularizer.l2,
        model.optimizer.momentum,
    ]


def captured(attributes):
    """What a checkpoint would have, and how its arrays are found."""
    encoder = values.Encoder()
    saved = json.loads(json.dumps(attributes.capture(encoder)))
    return saved, encoder.arrays.__getitem__


class Attributes(unittest.TestCase):
    def test_nothing_is_saved_where_nothing_changed(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
        layer.trainable = False
        layer.limit = float("nan")
        layer.counter = 0.0
        model.stop_training = True
        self.assertEqual(captured(attributes)[0], {})

    def test_what_changed_comes_back_in_another_model(self):
        parts = built()
        attributes = PlainAttributes(parts[0])
        change(*parts)
        saved, arrays = captured(attributes)
        others = built()
        phases = others[1].phases
        one = PlainAttributes(others[0])
        self.assertEqual(one.restore(saved, arrays), [])
        self.assertEqual(look(*others), look(*parts))
        # In place: whoever shares it sees it.
        self.assertIs(others[1].phases, phases)
        # Also what is in the script by now is state, in the next checkpoint.
        self.assertEqual(captured(one)[0].keys(), saved.keys())

    def test_what_is_saved_is_not_told_as_lost(self):
        parts = built()
        told = script.Script(parts[0], {})
        told.describe()
        change(*parts)
        self.assertEqual(told.drift(), [])
        parts[2].trainable = False
        self.assertEqual(told.drift(), ["the settings of layer dense changed"])

    def test_what_others_share_stays_shared(self):
        for before, now in (([1], [1, 2]), ({"a": 1}, {"b": 2})):
            model, layer, _ = built()
            # Keras would wrap it.
            vars(layer)["held"] = before
            attributes = PlainAttributes(model)
            encoded = values.Encoder().encode([now, now], "held")
            attributes.restore({"layer Counting": {"held": encoded}}, None)
            self.assertIs(layer.held, before)
            self.assertEqual(before, now)

    def test_an_owner_that_is_gone_is_told(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        layer.counter = 2
        saved, arrays = captured(attributes)
        other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        (note,) = PlainAttributes(other).restore(saved, arrays)
        self.assertRegex(note, "^layer Counting is missing .* its counter$")

    def test_those_after_an_owner_that_is_gone_come_back(self):
        model, layer, _ = built()
        saved = {"layer Gone": {"a": [1, 0], "b": [1, 0]}}
        saved |= {"layer Counting": {"counter": [3, 0]}}
        notes = PlainAttributes.begin(Training(model, Place())).restore(
            saved, None
        )
        self.assertEqual(
            notes,
            ["layer Gone is missing now; training had changed its a, b"],
        )
        self.assertEqual(layer.counter, 3)

    def test_what_is_reset_when_an_epoch_begins_is_put_back_again(self):
        self.assertTrue(PlainAttributes(built()[0]).is_put_again)

    def test_none_and_what_came_later_are_values_too(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        layer.unset, layer.limit, layer.late = 0.5, None, 7
        layer.calls += 1  # had been the class's
        saved, _ = captured(attributes)
        names = saved["layer Counting"]
        self.assertEqual(names["unset"], [0.5, None])
        self.assertIsNone(names["limit"][0])
        # A step would have been traced with it.
        self.assertEqual(names["late"], [7, 7])
        self.assertEqual(names["calls"], [1, 0])
        layer.unset, layer.limit, layer.calls = None, float("nan"), 0
        self.assertEqual(attributes.swap_traced(), [])
        self.assertEqual(layer.late, 7)

    def test_what_is_back_was_traced_with_another_value(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        layer.counter, layer.unset = 1, 5
        attributes.note_traced()
        layer.counter, layer.unset = 0, None
        saved, _ = captured(attributes)
        expected = {"counter": [0, 1], "unset": [None, 5]}
        self.assertEqual(saved, {"layer Counting": expected})

    def test_what_keras_makes_late_is_not_the_scripts(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        used = own_attributes.used_names(Counting) - own_attributes.kept(layer)
        name = min(
            name
            for name in used - set(vars(layer))
            if name.isidentifier() and name[0] != "_"
        )
        vars(layer)[name] = 3
        layer.late = 4
        saved, _ = captured(attributes)
        self.assertEqual(saved, {"layer Counting": {"late": [4, 4]}})

    def test_a_value_of_another_kind_takes_the_place(self):
        for before, now in (
            ([1], None),
            (None, [1]),
            ({"a": 1}, 2),
            (2, {"a": 1}),
            ([1], {"a": 1}),
            ({"a": 1}, [1]),
            ([1], (2,)),
        ):
            model, layer, _ = built()
            layer.held = before
            attributes = PlainAttributes(model)
            layer.held = now
            encoder = values.Encoder()
            saved = attributes.capture(encoder)
            model, layer, _ = built()
            layer.held = before
            attributes = PlainAttributes(model)
            attributes.restore(saved, encoder.arrays.__getitem__)
            with self.subTest(before=before, now=now):
                self.assertEqual(layer.held, now)
                self.assertEqual(isinstance(layer.held, tuple), now == (2,))

    def test_what_a_loss_has_is_known_from_the_beginning(self):
        """It is never built, unlike a layer."""
        model, _, _ = built()
        model.loss.beta = None
        attributes = PlainAttributes(model)
        model.loss.beta = 0.5
        # Everything is looked at once more.
        model.compile("adam", model.loss)
        saved, _ = captured(attributes)
        self.assertEqual(saved["loss Weighted"], {"beta": [0.5, None]})

    def test_a_layer_learns_only_when_it_is_built(self):
        layer = Counting(name="counting")
        model = keras.Sequential([layer, keras.layers.Dense(3)])
        model.compile("sgd", "mse")
        attributes = PlainAttributes(model)
        layer.counter = 5
        model.build((None, 2))
        expected = {"counter": [5, 0]}
        self.assertEqual(captured(attributes)[0], {"layer Counting": expected})
        layer.counter, layer.unset = 0, 2
        for optimizer in ("adam", "sgd"):
            model.compile(optimizer, "mse")
            saved, _ = captured(attributes)
            self.assertEqual(saved, {"layer Counting": {"unset": [2, None]}})

    def test_each_thing_that_compile_makes_is_looked_for(self):
        def compiled():
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            model.compile("sgd", Weighted())
            return model

        model = compiled()
        attributes = PlainAttributes(model)
        model.compile(model.optimizer, Weighted())
        captured(attributes)
        model.loss.beta = 0.6
        self.assertIn("loss Weighted", captured(attributes)[0])
        model = compiled()
        attributes = PlainAttributes(model)
        model.compile("adam", model.loss)
        captured(attributes)
        model.optimizer.beta_1 = 0.5
        self.assertEqual(list(captured(attributes)[0]), ["optimizer"])
        model = compiled()
        attributes = PlainAttributes(model)
        measure = Measure()
        model.compile(model.optimizer, model.loss, metrics=[measure])
        captured(attributes)
        measure.seen = 3
        saved, _ = captured(attributes)
        self.assertEqual(saved, {"metric Measure": {"seen": [3, 0]}})

    def test_what_a_layer_learns_when_it_is_built_is_no_state(self):
        layer = Counting(name="counting")
        model = keras.Sequential([layer, keras.layers.Dense(3)])
        attributes = PlainAttributes(model)
        model.build((None, 2))
        layer.unset = 2
        self.assertEqual(captured(attributes)[0], {})
        layer.counter += 1
        saved, _ = captured(attributes)
        self.assertEqual(list(saved["layer Counting"]), ["counter"])

    def test_traced_values_are_swapped_in_and_out(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        layer.counter = 1
        attributes.note_traced()
        layer.counter = 2
        saved, arrays = captured(attributes)
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        attributes.restore(saved, arrays)
        layer._hidden = 5
        swapped = attributes.swap_traced()
        self.assertEqual((layer.counter, layer._hidden), (1, 0))
        layer.counter += 10  # when it is traced
        attributes.swap_back(swapped)
        self.assertEqual((layer.counter, layer._hidden), (2, 5))

    def test_where_nothing_differs_nothing_is_swapped(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        self.assertEqual(attributes.swap_traced(), [])
        layer.counter = 1
        attributes.note_traced()
        self.assertEqual(attributes.swap_traced(), [])
        self.assertEqual(layer.counter, 1)

    def test_each_owner_has_a_name_that_is_the_same_in_every_process(self):
        layers = [Counting(), Counting(), Counting()]
        dense = keras.layers.Dense(
            1, kernel_regularizer=keras.regularizers.L2(0.1)
        )
        model = keras.Sequential([keras.Input((2,)), *layers, dense])
        model.compile("sgd", Weighted(), metrics=[Measure(), Measure()])
        model.optimizer.penalty = keras.regularizers.L1(0.1)
        attributes = PlainAttributes(model)
        metrics = model._compile_metrics._user_metrics
        owners = {
            "model": model,
            "layer Counting": layers[0],
            "layer Counting~1": layers[1],
            "layer Counting~2": layers[2],
            "layer Dense": dense,
            "layer Dense.kernel_regularizer": dense.kernel_regularizer,
            "optimizer": model.optimizer,
            "optimizer.penalty": model.optimizer.penalty,
            "metric Measure": metrics[0],
            "metric Measure~1": metrics[1],
            "loss Weighted": model.loss,
        }
        for number, owner in enumerate(owners.values()):
            owner.number = number
        saved, _ = captured(attributes)
        expected = {
            label: {"number": [number, number]}
            for number, label in enumerate(owners)
        }
        # It is an attribute of the model as well.
        expected["layer Sequential.loss"] = expected["loss Weighted"]
        self.assertEqual(saved, expected)

    def test_a_save_looks_at_all_layers_only_after_compile(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        with mock.patch.object(
            plain_attributes, "_owners", wraps=plain_attributes._owners
        ) as owners:
            layer.counter = 2
            self.assertTrue(captured(attributes)[0])
            owners.assert_not_called()
            model.compile("sgd", "mse")
            captured(attributes)
            captured(attributes)
            owners.assert_called_once_with(model)

    def test_what_compile_makes_later_is_looked_at(self):
        model, layer, _ = built()
        attributes = PlainAttributes(model)
        layer.counter = 2
        model.compile("adam", Weighted())
        self.assertEqual(list(captured(attributes)[0]), ["layer Counting"])
        model.optimizer.beta_1 = 0.5
        model.loss.beta = 0.6
        saved, arrays = captured(attributes)
        self.assertEqual(
            set(saved),
            {
                "layer Counting",
                "optimizer",
                "loss Weighted",
                "layer Sequential.loss",
            },
        )
        self.assertEqual(saved["loss Weighted"], {"beta": [0.6, 0.1]})
        other, layer, _ = built()
        one = PlainAttributes(other)
        other.compile("adam", Weighted())
        self.assertEqual(one.restore(saved, arrays), [])
        found = layer.counter, other.optimizer.beta_1, other.loss.beta
        self.assertEqual(found, (2, 0.5, 0.6))

    def test_large_values_are_arrays_of_their_own(self):
        model, layer, _ = built()
        layer.phases = [float(n) for n in range(999)]
        attributes = PlainAttributes(model)
        layer.phases[0] = 0.5
        encoder = values.Encoder()
        saved = attributes.capture(encoder)
        self.assertEqual(
            list(encoder.arrays),
            [
                f"attributes/layer Counting/phases/{which}/numbers"
                for which in ("now", "traced")
            ],
        )
        tensors = {
            name: ("F64", list(one.shape), memoryview(one.tobytes()))
            for name, one in encoder.arrays.items()
        }
        PlainAttributes.check(saved, tensors, None)
        with self.assertRaises(errors.DAMAGE):
            PlainAttributes.check(saved, {}, None)
        again, layer, _ = built()
        one = PlainAttributes(again)
        one.restore(saved, encoder.arrays.__getitem__)
        self.assertEqual(layer.phases[:2], [0.5, 1.0])
        self.assertTrue(one.swap_traced())
        self.assertEqual(layer.phases[:2], [0.0, 1.0])

    def test_what_is_another_value(self):
        for before, now, is_other in (
            (1, 1.0, False),
            (True, 1, False),
            (1, 2, True),
            ("a", "b", True),
            ("1", 1, True),
            (None, 0, True),
            (float("nan"), float("nan"), False),
            (float("nan"), 1.0, True),
            (1.0, float("nan"), True),
            (np.float32(1), 1.0, False),
            ([1, 2], (1, 2), False),
            ([1], [1, 2], True),
            ([1, 2], [1, 3], True),
            ([1], 1, True),
            (np.float32(1), [1.0], True),
            ({"a": 1}, {"a": 1.0}, False),
            ({"a": 1}, {"a": 2}, True),
            ({"a": 1}, {"b": 1}, True),
            ({"a": 1}, ["a"], True),
            # These are no plain values.
            (1, object(), False),
            (1, [object()], False),
            (1, np.ones(2), False),
        ):
            model, layer, _ = built()
            layer.held = before
            attributes = PlainAttributes(model)
            layer.held = now
            with self.subTest(before=before, now=now):
                self.assertIs(bool(captured(attributes)[0]), is_other)
                self.assertIs(
                    bool(attributes.swap_traced()),
                    is_other,
                )

    def test_values_may_be_nested_as_deeply_as_they_can_be_saved(self):
        def nested(depth, around):
            return around(nested(depth - 1, around)) if depth else 1

        most = values.MOST_NESTED
        for around in (
            lambda one: [one],
            lambda one: (one,),
            lambda one: {"a": one},
        ):
            for depth, is_plain in ((most + 1, True), (most + 2, False)):
                value = nested(depth, around)
                self.assertIs(plain_attributes.is_plain(value), is_plain)
                key = {nested(depth - 1, lambda one: (one,)): 1}
                self.assertIs(plain_attributes.is_plain(key), is_plain)

    def test_what_is_no_state_is_refused(self):
        good = {"layer Counting": {"counter": [1, 0]}}
        plain_attributes.check(good, {})
        attributes = PlainAttributes(built()[0])
        attributes.check_owners(good)
        for name in ("call", "trainable", "variables", "makes"):
            with self.subTest(name=name), self.assertRaises(ValueError):
                attributes.check_owners({"layer Counting": {name: [1, 0]}})
        for saved in (
            [],
            {"model": []},
            {"model": {"stop_training": [True, False]}},
            {"model": {"__class__": [1, 2]}},
            {"model": {"steps": [1]}},
            {"model": {"steps": [1, 2, 3]}},
            {"model": {"": [1, 2]}},
            {"model": {"__mine": [1, 2]}},
            {"model": {"steps": [{"$function": "numpy.less"}, 1]}},
            # It can be saved elsewhere, and is no plain value.
            {"model": {"steps": [{"$set": [1]}, 1]}},
            {"model": {"steps": [1, {"$set": [1]}]}},
        ):
            with self.subTest(saved=saved), self.assertRaises(errors.DAMAGE):
                plain_attributes.check(saved, {})
