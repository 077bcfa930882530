"""script.py: equal for equal scripts, and naming what is not equal."""

import json
import time
import types
import unittest
from unittest import mock

import asking
import keras
import numpy as np

from kerasbackup.parts import script
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training
from kerasbackup.store import errors


def setUpModule():
    asking.refuse_none()


def model(units=3, activation="relu", optimizer="adam", loss="mse"):
    made = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units, activation=activation),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    made.compile(optimizer, loss)
    return made


def described(versions=None, **kwargs):
    return script.Script(model(**kwargs), versions or {}).describe()


class Describing(unittest.TestCase):
    def test_the_same_script_twice_is_equal(self):
        # Layers have other numbers, initializers other seeds.
        self.assertEqual(described(), described())

    def test_training_does_not_change_it(self):
        made = model()
        before = script.Script(made, {}).describe()
        made.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
        made.optimizer.learning_rate = 0.5
        self.assertEqual(script.Script(made, {}).describe(), before)

    def test_a_setting_more_is_another_text(self):
        texts = {
            script.brief(value)
            for value in (
                None,
                True,
                1,
                1.5,
                "a",
                [1, 2],
                {"a": 1},
                np.zeros(2),
                np.ones(2),
                keras.regularizers.L2(0.1),
                keras.regularizers.L2(0.2),
                keras.regularizers.L1(0.1),
                "x" * 1000,
                "y" * 1000,
            )
        }
        self.assertEqual(len(texts), 14)
        self.assertLess(max(map(len, texts)), script.LONGEST + 1)

    def test_what_a_setting_is(self):
        """Names count over the life of a process, seeds may be random."""
        thing = types.SimpleNamespace(
            name="dense_3",
            seed=5,
            built=True,
            training=True,
            _private=1,
            begun_at=time.time(),
            units=3,
            after=None,
        )
        expected = {"units": "3", "after": "None"}
        self.assertEqual(script.settings(thing), expected)
        # These two are saved where training changes them.
        self.assertEqual(script._settings_not_saved(thing), {})
        inner = types.SimpleNamespace(unknown=object())
        vars(inner).update(vars(thing))
        expected = {"unknown": "object"}
        self.assertEqual(script._settings_not_saved(inner), expected)
        layer = types.SimpleNamespace(
            regularizer=keras.regularizers.L2(0.1), function=np.mean, a=1
        )
        expected = {"regularizer": "L2", "function": "mean"}
        self.assertEqual(script._settings_not_saved(layer), expected)

    def test_a_constant_tensor_of_one_number_is_that_number(self):
        constant = keras.ops.convert_to_tensor
        for value, text in (
            (constant(0.5), "0.5"),
            (constant(3), "3"),
            (constant([0.5]), type(constant([0.5])).__name__),
            (keras.Variable(0.5), None),
        ):
            found = script.settings(types.SimpleNamespace(a=value))["a"]
            with self.subTest(value=value):
                self.assertEqual(found, text or script.brief(value))
        if keras.backend.backend() == "torch":
            learned = constant(0.5).requires_grad_()
            found = script.settings(types.SimpleNamespace(a=learned))["a"]
            self.assertEqual(found, "Tensor")

    def test_a_function_is_told_by_its_name(self):
        self.assertEqual(script.brief(np.mean), "mean")

    def test_what_stands_in_a_message(self):
        for value, text in (
            (None, "None"),
            (True, "True"),
            (1.5, "1.5"),
            (np.float32(1.5), "1.5"),
            ("X", "X"),
            (object(), "object"),
            # As long as can be.
            (198 * "x", 198 * "x"),
            ({"a": (1, None)}, '{"a": [1, null]}'),
        ):
            with self.subTest(text):
                self.assertEqual(script.brief(value), text)
        for value, pattern in (
            (199 * "x", "^str [0-9a-f]{16}$"),
            (100 * [1], "^list [0-9a-f]{16}$"),
            (np.zeros((2, 1)), r'^\["array", \[2, 1\], "[0-9a-f]{16}"\]$'),
            (keras.regularizers.L2(0.5), r'^\["L2", {.*0\.5.*}\]$'),
        ):
            with self.subTest(pattern):
                self.assertRegex(script.brief(value), pattern)

    def test_each_learning_rate_stands_by_its_optimizer(self):
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5))
        for optimizer, expected in (
            (keras.optimizers.SGD(0.5), {"learning_rate": "0.5"}),
            (
                scaled,
                {
                    "learning_rate": "0.0",  # Keras' own, which nothing uses
                    "inner_optimizer.learning_rate": "0.5",
                },
            ),
        ):
            found = described(optimizer=optimizer)
            self.assertEqual(found["learning_rates"], expected)
            self.assertEqual(found["optimizer"], script.classes_of(optimizer))

    def test_a_model_without_an_optimizer(self):
        bare = types.SimpleNamespace(
            _flatten_layers=lambda include_self=True: []
        )
        one = script.Script(bare, {})
        self.assertEqual(one.describe()["learning_rates"], {})
        self.assertEqual(one.drift(), [])
        self.assertFalse(one.is_compiled_otherwise())


class Shared(keras.optimizers.SGD):
    """Shares the layers out among several optimizers."""

    def __init__(self, several, by_name, **kwargs):
        super().__init__(**kwargs)
        self.several = several
        self._by_name = by_name


def shared(first=0.1, second=0.2, third=0.3, momentum=0.0):
    return Shared(
        [keras.optimizers.Adam(first)],
        {
            "head": keras.optimizers.LossScaleOptimizer(
                keras.optimizers.SGD(second, momentum=momentum)
            ),
            "rest": (keras.optimizers.SGD(third),),
        },
    )


class InnerOptimizers(unittest.TestCase):
    def changes(self, before, now):
        before = described(optimizer=before)
        one = script.Script(model(optimizer=now), {})
        return one.changes(before, one.versions)

    def test_the_same_are_equal(self):
        self.assertEqual(self.changes(shared(), shared()), [])

    def test_their_learning_rates_are_told(self):
        suffix = (
            " in the checkpoint: the checkpoint's is used (a callback can set "
            "another)"
        )
        self.assertEqual(
            self.changes(shared(), shared(0.5, 0.6, 0.7)),
            [
                "several[0].learning_rate is 0.5 in the script and "
                f"0.1{suffix}",
                "_by_name['head'].inner_optimizer.learning_rate is 0.6 in the "
                f"script and 0.2{suffix}",
                "_by_name['rest'][0].learning_rate is 0.7 in the script and "
                f"0.3{suffix}",
            ],
        )
        loss_scaled = [
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate))
            for rate in (0.1, 0.2)
        ]
        self.assertEqual(
            self.changes(*loss_scaled),
            [
                "inner_optimizer.learning_rate is 0.2 in the script and "
                f"0.1{suffix}"
            ],
        )

    def test_those_after_one_that_is_equal_are_told(self):
        (note,) = self.changes(shared(), shared(third=0.7))
        self.assertRegex(note, "^_by_name.*0.7 in the script and 0.3 in")
        what = "_by_name['rest'][0].learning_rate"
        self.assertEqual(note.rows, [(what, "0.7", "0.3")])

    def test_the_rate_that_is_used_is_what_the_next_resume_compares(self):
        first = described(optimizer=keras.optimizers.SGD(0.1))
        second = script.Script(model(optimizer=keras.optimizers.SGD(0.2)), {})
        second.versions_before = second.versions
        for look in (second.script_changes, second.restore):
            self.assertEqual(len(look(first, None)), 1)
        third = script.Script(model(optimizer=keras.optimizers.SGD(0.2)), {})
        before = second.describe()
        self.assertEqual(len(third.changes(before, third.versions)), 1)
        again = script.Script(model(optimizer=keras.optimizers.SGD(0.1)), {})
        self.assertEqual(again.changes(before, again.versions), [])

    def test_their_settings_are_told(self):
        self.assertEqual(
            self.changes(shared(), shared(momentum=0.9)),
            [
                "_by_name['head'].inner_optimizer.momentum was 0.0 when the "
                "checkpoint was made and is 0.9 now"
            ],
        )

    def test_those_of_other_attributes_of_the_model_are_told(self):
        before, now = model(), model()
        before.critic = [keras.optimizers.Adam(0.1)]
        now.critic = [keras.optimizers.Adam(0.2)]
        saved = script.Script(before, {}).describe()
        one = script.Script(now, {})
        (note,) = one.changes(saved, one.versions)
        self.assertRegex(
            note,
            r"^model.critic\[0\].learning_rate is 0.2 in the script and 0.1",
        )

    def test_one_of_another_class_is_refused(self):
        one = script.Script(model(optimizer=shared()), {})
        other = shared()
        other.several = [keras.optimizers.AdamW(0.1)]
        self.assertRegex(
            one.other_optimizer(described(optimizer=other)),
            "Shared of AdamW, .*, not Shared of Adam, ",
        )


class Drifting(unittest.TestCase):
    def setUp(self):
        self.model = model()
        self.script = script.Script(self.model, {})
        self.script.describe()

    def test_training_alone_is_no_drift(self):
        self.model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
        self.model.optimizer.learning_rate = 0.5
        self.assertEqual(self.script.drift(), [])

    def test_what_a_callback_sets_is_named(self):
        before = self.script.describe()
        self.model.layers[0].trainable = False
        self.model.optimizer.beta_1 = 0.5
        # The optimizer's number is saved: it is not lost.
        expected = ["the settings of layer dense changed"]
        self.assertEqual(self.script.drift(), expected)
        self.assertEqual(self.script.drift(), expected)
        self.model.layers[0].trainable = True
        self.assertEqual(self.script.drift(), [])
        # What the script had decided is as it was.
        self.assertEqual(self.script.describe(), before)

    def test_compile_is_named_and_what_it_made_is_described(self):
        self.model.compile(self.model.optimizer, "mse")
        self.assertEqual(self.script.drift(), [])
        self.model.compile("sgd", "mse")
        self.assertIn("the model was compiled again", self.script.drift())
        self.assertEqual(self.script.describe()["optimizer"], "SGD")

    def test_what_is_saved_of_a_layer_is_not_named(self):
        dense, dropout, _ = self.model.layers
        dropout.rate = 0.25
        self.assertEqual(self.script.drift(), [])
        dense.activation = keras.activations.tanh
        expected = ["the settings of layer dense changed"]
        self.assertEqual(self.script.drift(), expected)
        dense.activation = keras.activations.relu
        self.assertEqual(self.script.drift(), [])
        dense.kernel_initializer = keras.initializers.Zeros()
        self.assertEqual(self.script.drift(), expected)

    def test_attributes_of_the_users_layers_may_be_no_settings(self):
        class Own(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.a = np.zeros(3)
                self.function = np.mean

        layer = Own()
        one = script.Script(keras.Sequential([keras.Input((1,)), layer]), {})
        one.describe()
        layer.a = np.ones(3)
        layer.function = np.sum
        self.assertEqual(one.drift(), [])

    def test_the_new_loss_is_named(self):
        self.model.compile(self.model.optimizer, "mae")
        self.assertEqual(
            self.script.drift(),
            ["loss changed from mean_squared_error to mean_absolute_error"],
        )

    def test_a_save_within_an_epoch_does_not_look_again(self):
        place = Place()
        drift = script.Drift(self.script, place)
        self.assertEqual(drift.capture(None), [])
        self.model.layers[0].trainable = False
        self.assertEqual(drift.capture(None), [])
        place.epoch = 1
        self.assertEqual(len(drift.capture(None)), 1)
        self.model.layers[0].trainable = True
        self.assertEqual(len(drift.capture(None)), 1)
        (note,) = drift.restore(["the loss changed"], None)
        self.assertRegex(note, "the loss changed: this is not saved")

    def test_metrics_that_stay_are_no_others(self):
        self.model.compile("adam", "mse", metrics=["mae"])
        one = script.Script(self.model, {})
        self.model.compile("adam", "mse", metrics=["mae"])
        self.assertFalse(one.is_compiled_otherwise())
        self.model.compile("adam", "mse", metrics=["mape"])
        self.assertTrue(one.is_compiled_otherwise())

    def test_compile_with_another_optimizer_or_metrics_is_noticed(self):
        self.script.describe()
        self.assertFalse(self.script.is_compiled_otherwise())
        kind = type(self.model.optimizer)
        self.model.compile(kind(), "mae")
        self.assertFalse(self.script.is_compiled_otherwise())
        for again in (
            {"optimizer": "sgd"},
            {"optimizer": kind(clipnorm=1.0)},
            {"optimizer": kind(), "metrics": ["mape"]},
        ):
            with self.subTest(again):
                self.model.compile(**again, loss="mse")
                self.assertTrue(self.script.is_compiled_otherwise())


class Comparing(unittest.TestCase):
    def changes(self, before, versions=None, **kwargs):
        now = script.Script(model(**kwargs), {"R": "4.2.2"})
        return now.changes(before, {**now.versions, **(versions or {})})

    def test_nothing_is_told_of_the_same(self):
        self.assertEqual(self.changes(described()), [])

    def test_nothing_is_told_where_nothing_is_known(self):
        now = script.Script(model(), {})
        self.assertEqual(now.changes({}, {}), [])

    def test_a_restore_tells_them(self):
        now = script.Script(model(), {"R": "4.2.2"})
        before = described(loss="mae")
        # Of which versions it was is not known.
        notes = now.restore(before, None)
        note = script.was_and_is(
            "loss", "mean_absolute_error", "mean_squared_error"
        )
        self.assertEqual(notes, [note])
        now.versions_before = now.versions | {"R": "4.1.0"}
        self.assertEqual(
            now.restore(before, None),
            [script.was_and_is("R", "4.1.0", "4.2.2"), note],
        )

    def test_layers_that_came_or_went_are_counted(self):
        before = described()
        one = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        one.compile("adam", "mse")
        now = script.Script(one, {})
        was, is_now = (len(one["layers"]) for one in (before, now.describe()))
        (note,) = now.changes(before, now.versions)
        self.assertEqual(
            note, f"the model had {was} layers and has {is_now} now"
        )
        self.assertEqual(
            note.rows, [("number of layers", str(is_now), str(was))]
        )

    def test_layers_are_named(self):
        (note,) = self.changes(described(), activation="tanh")
        self.assertEqual(
            note,
            "the settings of layer dense differ from those when the "
            "checkpoint was made",
        )
        # They have no words of their own.
        self.assertEqual(note.rows, [("settings of layer dense", None, None)])

    def test_the_strength_of_a_regularizer_is_a_setting_in_a_tensor_too(self):
        for kind in (keras.regularizers.L1, keras.regularizers.L2):
            before, same, other = (
                keras.Sequential(
                    [
                        keras.Input((2,)),
                        keras.layers.Dense(
                            1, kernel_regularizer=kind(strength)
                        ),
                    ]
                )
                for strength in (0.1, 0.1, 0.2)
            )
            saved = script.Script(before, {}).describe()
            for made, number in ((same, 0), (other, 1)):
                one = script.Script(made, {})
                with self.subTest(kind=kind, number=number):
                    notes = one.changes(saved, one.versions)
                    self.assertEqual(len(notes), number)

    def compiled(self, **kwargs):
        made = model()
        made.compile(**{"optimizer": "adam", "loss": "mse", **kwargs})
        return script.Script(made, {"R": "4.2.2"})

    def test_what_compile_is_given_is_named(self):
        before = self.compiled(jit_compile=False).describe()
        for name, value, was, now in (
            ("loss", "mae", "mean_squared_error", "mean_absolute_error"),
            ("loss", np.mean, "mean_squared_error", "mean"),
            ("loss_weights", [0.5], "None", "[0.5]"),
            ("run_eagerly", True, "False", "True"),
            ("jit_compile", True, "False", "True"),
        ):
            kwargs = {"jit_compile": False, name: value}
            one = self.compiled(**kwargs)
            with self.subTest(name):
                self.assertEqual(
                    one.changes(before, one.versions),
                    [script.was_and_is(name, was, now)],
                )

    def test_a_loss_is_told_by_its_class_and_parameters(self):
        def huber(delta, reduction="sum"):
            return keras.losses.Huber(delta, reduction=reduction)

        before = self.compiled(loss=[huber(0.25)]).describe()
        text = before["fit"]["loss"]
        self.assertRegex(text, r"Huber \(.*delta 0\.25.*reduction sum.*\)")
        same, *others = (
            self.compiled(loss=[loss]).describe()["fit"]["loss"]
            for loss in (
                huber(0.25),
                huber(0.5),
                huber(0.25, "sum_over_batch_size"),
                keras.losses.LogCosh(reduction="sum"),
            )
        )
        self.assertEqual(same, text)
        self.assertEqual(len({text, *others}), 4)

    def test_a_schedule_is_the_scripts(self):
        def rate(rate):
            return self.compiled(optimizer=keras.optimizers.SGD(rate))

        schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9)
        before, now = rate(0.1).describe(), rate(schedule)
        is_now = now.describe()["learning_rates"]["learning_rate"]
        self.assertIn("ExponentialDecay", is_now)
        self.assertEqual(
            now.changes(before, now.versions),
            [script.was_and_is("learning_rate", "0.1", is_now)],
        )
        again, before = rate(0.1), rate(schedule).describe()
        self.assertEqual(
            again.changes(before, again.versions),
            [script.was_and_is("learning_rate", is_now, "0.1")],
        )

    def test_an_optimizer_that_is_gone_has_no_learning_rate(self):
        before = model()
        before.critic = [keras.optimizers.Adam(0.1)]
        saved = script.Script(before, {}).describe()
        now = script.Script(model(), {})
        self.assertEqual(now.changes(saved, now.versions), [])

    def test_a_layer_is_its_class_and_settings(self):
        class One(keras.layers.Layer):
            def __init__(self, **kwargs):
                super().__init__(name="one")
                vars(self).update(kwargs)

        class Other(One):
            pass

        def notes(*pair):
            before, now = (
                keras.Sequential([keras.Input((1,)), layer]) for layer in pair
            )
            saved = script.Script(before, {}).describe()
            one = script.Script(now, {})
            return one.changes(saved, one.versions)

        # A model is what its layers are.
        inner = [
            keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            for _ in range(3)
        ]
        inner[1].note, inner[2].layers[0].note = "a", "b"
        self.assertEqual(notes(One(a=1, b=2), One(b=2, a=1)), [])
        self.assertEqual(notes(inner[0], inner[1]), [])
        for before, now in (
            (One(), Other()),
            (One(a=1), One(a=2)),
            (inner[0], inner[2]),
        ):
            self.assertRegex(" ".join(notes(before, now)), "settings of layer ")

    def test_of_many_layers_the_first_are_named(self):
        def notes(count):
            before, now = (
                keras.Sequential(
                    [
                        keras.Input((1,)),
                        *(
                            keras.layers.Dense(units, name=name)
                            for name in "abcdefg"[:count]
                        ),
                    ]
                )
                for units in (1, 2)
            )
            saved = script.Script(before, {}).describe()
            one = script.Script(now, {})
            (note,) = one.changes(saved, one.versions)
            return note.removesuffix(f" differ from those {script.THEN}")

        for count, whose in (
            (1, "layer a"),
            (2, "layers a, b"),
            (5, "layers a, b, c, d, e"),
            (6, "layers a, b, c, d, e and 1 more"),
            (7, "layers a, b, c, d, e and 2 more"),
        ):
            with self.subTest(count):
                self.assertEqual(notes(count), f"the settings of {whose}")

    def test_the_versions_are_those_that_the_model_runs_on(self):
        made = model()
        with mock.patch.object(
            script.backend, "versions", lambda one: {"keras": one.name}
        ):
            one = script.Script(made, {"R": "4.2.2"})
        self.assertEqual(
            one.versions,
            {"R": "4.2.2", "keras": made.name, "numpy": np.__version__},
        )

    def test_layers_are_not_compared_across_versions_of_keras(self):
        notes = self.changes(
            described(), versions={"keras": "3.0.0"}, activation="tanh"
        )
        self.assertEqual(
            notes, [script.was_and_is("keras", "3.0.0", keras.__version__)]
        )

    def test_versions_of_what_is_in_one_only_are_none(self):
        self.assertEqual(self.changes(described(), {"other": "1"}), [])

    def test_another_optimizer_is_refused(self):
        now = script.Script(model(), {})
        self.assertIsNone(now.other_optimizer(described()))
        line = now.other_optimizer(described(optimizer="sgd"))
        self.assertEqual(line, "another optimizer: SGD, not Adam")
        self.assertEqual(line.rows, [("class of the optimizer", "Adam", "SGD")])

    def test_settings_of_the_optimizer_are_compared_by_themselves(self):
        sgd = keras.optimizers.SGD(momentum=0.9)
        one = script.Script(model(optimizer=keras.optimizers.SGD()), {})
        (line,) = one.other_settings(described(optimizer=sgd))
        self.assertEqual(line, script.was_and_is("momentum", "0.9", "0.0"))
        self.assertEqual(line.rows, [("momentum", "0.0", "0.9")])
        self.assertEqual(one.other_settings({}), [])

    def test_an_optimizer_in_another_one_counts(self):
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
        self.assertIn(
            "LossScaleOptimizer of Adam, not Adam",
            script.Script(model(), {}).other_optimizer(
                described(optimizer=scaled)
            ),
        )

    def test_another_backend_is_known_by_the_versions(self):
        backend = keras.backend.backend()
        one = model()
        self.assertFalse(script.is_other_backend(one, {backend: "1"}))
        self.assertTrue(script.is_other_backend(one, {"other": "1"}))
        self.assertFalse(script.is_other_backend(one, {}))


class Beginning(unittest.TestCase):
    """The description is that of the beginning, if it can be made then."""

    def test_a_model_that_is_built_is_described(self):
        one = model()
        made = script.Script(one, {})
        training = Training(one, Place(epoch=2), made={"script": made})
        self.assertIs(script.Script.begin(training), made)
        one.layers[0].trainable = False
        self.assertEqual(len(made.drift()), 1)
        training.made["script"] = made
        drift = script.Drift.begin(training)
        self.assertEqual(len(drift.capture(None)), 1)
        one.layers[0].trainable = True
        training.place.epoch = 3
        self.assertEqual(drift.capture(None), [])

    def test_another_one_is_described_with_the_first_save(self):
        one = keras.Sequential([keras.layers.Dense(1)])
        one.compile("adam", "mse")
        made = script.Script(one, {})
        script.Script.begin(Training(one, Place(), made={"script": made}))
        one.layers[0].trainable = False
        one.build((None, 1))
        self.assertEqual(made.capture(None), made.describe())
        self.assertEqual(made.drift(), [])


class Checking(unittest.TestCase):
    def test_what_has_changed_is_a_list_of_texts(self):
        for fine in ([], ["a", "b"]):
            script.Drift.check(fine, [], Place())
        for hostile in (None, "a", ["a", 1], {"a": "b"}):
            with self.subTest(hostile), self.assertRaises(errors.DAMAGE):
                script.Drift.check(hostile, {}, Place())

    def test_what_is_no_description_is_refused(self):
        known = json.loads(json.dumps(described()))
        for fine in ({}, known):
            script.Script.check(fine, {}, Place())
        for hostile in (
            [],
            {"optimizer": 1},
            {"learning_rates": {"learning_rate": 0.5}},
            {"optimizer_settings": {"momentum": None}},
            {"fit": {"loss": 1}},
            {"layers": 1},
            {"layers": ["dense"]},
            {"layers": [["dense", 1]]},
        ):
            with self.subTest(hostile), self.assertRaises(errors.DAMAGE):
                script.Script.check(hostile, {}, Place())
