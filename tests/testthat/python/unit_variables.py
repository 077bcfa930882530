"""variables.py: bytes to variables and back, and which tensor is whose."""

import ctypes
import types
import unittest
from unittest import mock

import asking
import keras
import numpy as np

from kerasbackup.keras3 import memory
from kerasbackup.parts import variables
from kerasbackup.store import client
from kerasbackup.store import dtypes
from kerasbackup.store import errors


def setUpModule():
    asking.refuse_none()


class FakeCheckpoint:
    path = "a/file"

    def __init__(self, tensors):
        self.tensors = tensors


def wrapped(*found):
    """As much of a model as `Variables` looks at."""

    return types.SimpleNamespace(
        variables=list(found), optimizer=None, metrics_variables=[]
    )


def saved(model):
    """What a checkpoint of the model would have: the bytes at the addresses."""
    one = variables.Variables(model)
    addresses, owners = one.locate()
    tensors = {}
    for address, (name, dtype, shape) in zip(addresses, one.spec):
        width = dtypes.numpy_dtype(dtype).itemsize
        size = int(np.prod(shape, dtype=int)) * width
        # Aligned as a checkpoint's: so a backend could take it as it is.
        data = client._Memory().take(size)
        data[:] = np.frombuffer(ctypes.string_at(address, size), np.uint8)
        tensors[name] = dtype, shape, data
    del owners
    return FakeCheckpoint(tensors)


def variable(value, dtype, name="v"):
    return keras.Variable(value, dtype=dtype, name=name, trainable=False)


def values_of(model):
    floats = (keras.ops.cast(one.value, "float32") for one in model.variables)
    return [keras.ops.convert_to_numpy(one).tolist() for one in floats]


class Bytes(unittest.TestCase):
    def test_each_dtype_and_shape_comes_back(self):
        for dtype in dtypes.DTYPES:
            if dtype in ("float8_e5m2", "float8_e4m3fn", "float64"):
                # Keras has no arithmetic in the first two; JAX makes the third
                # a float32 unless it is told otherwise.
                continue
            if keras.backend.backend() == "torch" and dtype.startswith("uint"):
                if dtype != "uint8":
                    continue
            for value in (1, [1, 0, 1], [[1], [0]], np.zeros((0, 3))):
                with self.subTest(dtype=dtype, shape=np.shape(value)):
                    model = wrapped(variable(value, dtype))
                    before = values_of(model)
                    checkpoint = saved(model)
                    model.variables[0].assign(np.zeros(np.shape(value)))
                    one = variables.Variables(model)
                    partners = one.check(checkpoint)
                    one.assign(checkpoint, partners, copies=False)
                    self.assertEqual(values_of(model), before)

    def test_normalization_computes_with_what_was_restored(self):
        def adapted(scale):
            layer = keras.layers.Normalization()
            layer.adapt(scale * np.arange(6.0).reshape(3, 2))
            model = keras.Sequential([keras.Input((2,)), layer])
            model.compile(loss="mse")
            return model, model.predict(np.ones((1, 2)), verbose=0).tolist()

        model, before = adapted(1.0)
        checkpoint = saved(model)
        other, differs = adapted(2.0)
        self.assertNotEqual(differs, before)
        one = variables.Variables(other)
        one.assign(checkpoint, one.check(checkpoint), copies=True)
        # Compiled before, it would go on with the old ones.
        other.predict_function = None
        now = other.predict(np.ones((1, 2)), verbose=0).tolist()
        self.assertEqual(now, before)

    def test_where_it_is_put_back_once_more_the_bytes_stay(self):
        """Between the two a callback may write to the variables."""
        model = wrapped(variable([1.0] * 1000, "float32"))
        checkpoint = saved(model)
        ((name, (_, _, data)),) = checkpoint.tensors.items()
        before = values_of(model)
        bytes_before = data.tobytes()
        one = variables.Variables(model)
        one.assign(checkpoint, [name], copies=True)
        model.variables[0].assign_add([1.0] * 1000)
        self.assertEqual(data.tobytes(), bytes_before)
        # Nor do the variables follow what becomes of the bytes.
        one.assign(checkpoint, [name], copies=True)
        data[:] = 0
        self.assertEqual(values_of(model), before)

    def test_they_are_no_longer_the_models_when_it_was_compiled_anew(self):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        one = variables.Variables(model)
        self.assertTrue(one.is_current(model))
        optimizer = model.optimizer
        model.optimizer = keras.optimizers.SGD()
        self.assertFalse(one.is_current(model))
        model.optimizer = optimizer
        self.assertTrue(one.is_current(model))
        # Metrics count too.
        model.compile(optimizer, "mse", metrics=["mae"])
        self.assertFalse(one.is_current(model))

    def test_the_widest_elements_come_first(self):
        model = wrapped(
            variable([1], "uint8", "a"),
            variable([1], "int32", "b"),
            variable([1], "float16", "c"),
            variable([1], "float32", "d"),
        )
        names = [name for name, _, _ in variables.Variables(model).spec]
        self.assertEqual(
            names, [f"variables/{name}" for name in ("b", "d", "c", "a")]
        )
        # Those that are as wide stay in the order of Keras.
        model = wrapped(*(variable([1], "int32", name) for name in "bca"))
        names = [name for name, _, _ in variables.Variables(model).spec]
        self.assertEqual(names, [f"variables/{name}" for name in "bca"])

    def test_states_of_recurrent_layers_are_among_them(self):
        """Keras' `variables` leaves them out."""
        layer = keras.layers.SimpleRNN(2, stateful=True)
        model = keras.Sequential([keras.Input(batch_shape=(4, 3, 1)), layer])
        model.compile("sgd", "mse")
        names = [name for name, _, _ in variables.Variables(model).spec]
        ours = [name for name in names if name.startswith("variables/")]
        self.assertEqual(len(ours), len(model.variables) + 1)

    def test_a_variable_counts_once_and_names_are_unique(self):
        one, other = variable(1, "float32"), variable(2, "float32")
        names = [
            name
            for name, _, _ in variables.Variables(wrapped(one, other, one)).spec
        ]
        self.assertEqual(names, ["variables/v", "variables/v~1"])
        others = [variable(n, "float32") for n in range(3)]
        model = wrapped(one, one, *others)
        self.assertEqual(
            [name for name, _, _ in variables.Variables(model).spec],
            ["variables/v", *(f"variables/v~{n}" for n in (1, 2, 3))],
        )

    def test_how_many_bytes_there_are(self):
        model = wrapped(
            variable(np.zeros((3, 5)), "float32", "a"),
            variable([1, 0], "bool", "b"),
            variable([1], "float16", "c"),
            variable([1, 2, 3], "int8", "d"),
        )
        count = variables.count_bytes(model)
        self.assertEqual(count, 3 * 5 * 4 + 2 + 2 + 3)
        # It stands in messages.
        self.assertIs(type(count), int)

    def test_elements_of_an_unknown_size_count_as_one_byte(self):
        model = wrapped(variable([1, 2, 3], "float32"))
        with mock.patch.object(variables.tensors, "dtype_of", lambda one: None):
            self.assertEqual(variables.count_bytes(model), 3)

    def test_a_dtype_that_cannot_be_saved_is_told_by_the_variable(self):
        model = wrapped(variable(1, "float32"))
        with (
            mock.patch.object(memory, "DTYPES", {}),
            self.assertRaisesRegex(errors.UnsupportedError, "`variables/v`"),
        ):
            variables.Variables(model)

    def test_the_memory_is_kept_as_long_as_its_address(self):
        model = wrapped(variable(1, "float32", "a"), variable(2, "float32"))
        addresses, owners = variables.Variables(model).locate()
        self.assertEqual(len(addresses), 2)
        self.assertEqual([float(one) for one in owners], [1.0, 2.0])

    def test_a_backend_is_told_whether_the_bytes_must_stay(self):
        model = wrapped(variable(1, "float32"))
        one = variables.Variables(model)
        tensor = "F32", [], np.zeros(4, "uint8")
        for copies in (True, False):
            with mock.patch.object(one, "_host") as host:
                one.assign(FakeCheckpoint({"v": tensor}), ["v"], copies=copies)
            self.assertEqual(host.assign.call_args.args[1:], (*tensor, copies))

    def test_what_is_the_models_own(self):
        one = variable(1, "float32")
        inside = memory.value_of(one)
        expected = {id(part) for part in (one, inside) if part is not None}
        self.assertEqual(variables.own_variables(wrapped(one)), expected)

    def test_a_checkpoint_may_have_more(self):
        model = wrapped(variable(1, "float32", "a"))
        for saved, lacks in (
            ([], False),
            (["variables/a"], False),
            (["variables/a", "optimizer/b", "callbacks/c"], False),
            (["variables/a", "variables/b"], True),
            (["variables/a", "metrics/b"], True),
        ):
            with self.subTest(saved):
                self.assertIs(variables.lacks_some(model, saved), lacks)

    def test_all_steps_are_done_when_the_counter_is_there(self):
        model = wrapped()
        with mock.patch.object(variables.tensors, "to_numpy") as to_numpy:
            variables.wait_for_steps(model)
            to_numpy.assert_not_called()
            model.optimizer = types.SimpleNamespace(iterations="counter")
            variables.wait_for_steps(model)
            to_numpy.assert_called_once_with("counter")

    def test_each_of_the_metrics_makes_them_others(self):
        model = wrapped(variable(1, "float32"))
        for name in ("compiled_metrics", "loss_tracker"):
            one = variables.Variables(model)
            with mock.patch.object(
                variables.model_parts,
                name,
                lambda asked: object() if asked is model else None,
            ):
                self.assertFalse(one.is_current(model), name)
            self.assertTrue(one.is_current(model))


class Split(memory._Host):
    """A backend that holds every variable in two parts of one number each."""

    def __init__(self):
        self.lost = []
        self.assigned = {}

    def parts(self, name, variable):
        return [(f"{name}@{i}", (name, i)) for i in range(2)]

    def describe(self, name, part):
        return "F32", [1], 4

    def place_of(self, part):
        name, place = part
        if name.endswith("whole"):
            return None
        return {"shape": [2], "begin": [place]}

    def has_lost(self, part):
        return part in self.lost

    def assign(self, part, dtype, shape, data, copies):
        self.assigned[part] = dtype, shape, data, copies


class Parts(unittest.TestCase):
    """Several processes may hold a variable together."""

    def setUp(self):
        self.host = Split()
        model = wrapped(
            variable([1, 2], "float32", "a"),
            variable([1, 2], "float32", "whole"),
        )
        with mock.patch.object(
            variables.memory, "of_backend", lambda asked: self.host
        ):
            self.found = variables.Variables(model)

    def test_each_part_is_a_tensor_with_its_place(self):
        names = [name for name, _, _ in self.found.spec]
        self.assertEqual(
            names,
            [f"variables/{n}" for n in ("a@0", "a@1", "whole@0", "whole@1")],
        )
        self.assertEqual(
            self.found.shards,
            {
                f"variables/a@{place}": {
                    "variable": "variables/a",
                    "shape": [2],
                    "begin": [place],
                }
                for place in range(2)
            },
        )

    def test_only_what_has_lost_its_memory_is_revived(self):
        """Keras looks at it before the checkpoint is restored."""
        names = [name for name, _, _ in self.found.spec]
        tensors = {name: ("F32", [1], name.encode()) for name in names}
        self.host.lost = [("variables/a", 1), ("variables/whole", 0)]
        self.found.revive(FakeCheckpoint(tensors), names)
        self.assertEqual(
            self.host.assigned,
            {
                ("variables/a", 1): ("F32", [1], b"variables/a@1", True),
                ("variables/whole", 0): (
                    "F32",
                    [1],
                    b"variables/whole@0",
                    True,
                ),
            },
        )


class Groups(unittest.TestCase):
    def model(self, units=1):
        model = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(units, name="dense")]
        )
        model.compile(
            keras.optimizers.SGD(momentum=0.5), "mse", metrics=["mae"]
        )
        model.optimizer.build(model.trainable_variables)
        return model

    def groups(self, found):
        return {name.split("/")[0] for name, _, _ in found.spec}

    def test_all_kinds_are_saved_once(self):
        self.assertEqual(
            self.groups(variables.Variables(self.model())),
            {"variables", "optimizer", "metrics"},
        )

    def test_a_model_that_is_not_compiled_has_weights_alone(self):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        self.assertEqual(self.groups(variables.Variables(model)), {"variables"})
        self.assertEqual(variables.count_bytes(model), (2 + 1) * 4)

    def test_weights_alone_are_compared_with_weights_alone(self):
        """As for a model that only predicts."""
        checkpoint = saved(self.model())
        model = self.model()
        model.optimizer = None
        found = variables.Variables(model, ("variables",))
        self.assertEqual(self.groups(found), {"variables"})
        names = found.check(checkpoint)
        found.assign(checkpoint, names, copies=True)
        other = variables.Variables(self.model(units=3), ("variables",))
        with self.assertRaises(errors.MismatchError) as caught:
            other.check(checkpoint)
        self.assertNotIn("optimizer/", str(caught.exception))

    def test_optimizers_are_built_as_in_the_checkpoint(self):
        """Keras' numbers of layers differ in another process."""
        trained, fresh = (
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            for _ in range(2)
        )
        for model in (trained, fresh):
            model.compile("sgd", "mse", metrics=["mae"])
        bias = trained.trainable_variables[1]
        # Its bias alone is trained, as where the kernel is frozen.
        trained.optimizer.build([bias])
        described = variables.describe_optimizers(trained)
        self.assertEqual(described, {"": [f"variables/{bias.path}"]})
        names = [name for name, _, _ in variables.Variables(trained).spec]
        variables.build_optimizers(fresh, described, names)
        self.assertEqual(
            list(map(id, fresh.optimizer._trainable_variables)),
            [id(fresh.trainable_variables[1])],
        )


class Digest(unittest.TestCase):
    """Which weights a training began with; it is in checkpoints."""

    def model(self, *found, trainable=0):
        made = wrapped(*found)
        made.built = True
        made.trainable_weights = list(found[:trainable])
        return made

    def of(self, *found, **kwargs):
        return variables.digest(self.model(*found), **kwargs)

    def test_older_checkpoints_have_the_same(self):
        one = variable([1.0, 2.0], "float32", "a")
        other = variable([[3]], "int32", "b")
        self.assertEqual(
            self.of(one, other), "328433b3bd893a62d65f1367785f3cdb"
        )

    def test_the_first_bytes_of_the_first_variables_count(self):
        numbers = np.arange(1100.0)
        known = self.of(variable(numbers, "float32"))
        for row, counts in ((0, True), (1023, True), (1024, False)):
            changed = numbers.copy()
            changed[row] += 1
            is_other = self.of(variable(changed, "float32")) != known
            self.assertIs(is_other, counts, row)
        small = np.zeros(5000, "uint8")
        known = self.of(variable(small, "uint8"))
        for row, counts in ((4095, True), (4096, False)):
            changed = small.copy()
            changed[row] = 1
            is_other = self.of(variable(changed, "uint8")) != known
            self.assertIs(is_other, counts, row)
        many = [variable(n, "float32") for n in range(33)]
        last, one = variable(7, "float32"), many[0]
        self.assertEqual(self.of(*many), self.of(*many[:32], last))
        self.assertNotEqual(self.of(*many), self.of(*many[:31], last))
        self.assertEqual(self.of(*many, most=1), self.of(one))

    def test_weights_alone_where_states_change_by_themselves(self):
        weight, state, other = (variable(n, "float32") for n in range(3))
        before = self.model(weight, state, trainable=1)
        now = self.model(weight, other, trainable=1)
        self.assertNotEqual(variables.digest(before), variables.digest(now))
        self.assertEqual(
            variables.digest(before, trainable=True),
            variables.digest(now, trainable=True),
        )

    def test_there_is_none_of_weights_that_have_no_value(self):
        """On JAX, an interrupted training leaves some."""
        model = self.model(variable(1, "float32"))
        for error in (RuntimeError, TypeError):
            with mock.patch.object(
                variables.memory, "of_backend"
            ) as of_backend:
                of_backend.return_value.parts.side_effect = error
                self.assertIsNone(variables.digest(model))

    def test_there_is_none_without_weights(self):
        model = self.model(variable(1, "float32"))
        model.built = False
        self.assertIsNone(variables.digest(model))


class Matching(unittest.TestCase):
    def model(self, *names):
        return wrapped(*(variable([1.0], "float32", name) for name in names))

    def partners(self, now, before):
        one = variables.Variables(self.model(*now))
        return one.check(saved(self.model(*before)))

    def test_by_name_where_all_agree(self):
        self.assertEqual(
            self.partners(["b", "a"], ["a", "b"]),
            ["variables/b", "variables/a"],
        )

    def test_else_without_keras_numbers_in_order(self):
        self.assertEqual(
            self.partners(["dense_2", "dense_3"], ["dense", "dense_1"]),
            ["variables/dense", "variables/dense_1"],
        )

    def test_all_differences_are_listed(self):
        model = self.model("a", "b", "c")
        checkpoint = saved(
            wrapped(
                variable([1.0, 2.0], "float32", "a"),
                variable([1], "int32", "b"),
                variable([1.0], "float32", "d"),
            )
        )
        with self.assertRaises(errors.MismatchError) as caught:
            variables.Variables(model).check(checkpoint)
        for line in (
            "variables/a: float32 (1) in the model, float32 (2) in the",
            "variables/b: float32 (1) in the model, int32 (1) in the",
            "variables/c: float32 (1) in the model, missing in the",
            "variables/d: missing in the model, float32 (1) in the",
            "a/file",
        ):
            self.assertIn(line, str(caught.exception))
        names = [f"variables/{name}" for name in "abcd"]
        self.assertEqual(
            caught.exception.differences,
            {
                "what": names,
                "script": ["float32 (1)", "float32 (1)", "float32 (1)", None],
                "checkpoint": [
                    "float32 (2)",
                    "int32 (1)",
                    None,
                    "float32 (1)",
                ],
            },
        )

    def test_a_setting_of_the_optimizer_is_named_instead_of_a_layer(self):
        model = self.model("a")
        checkpoint = saved(model)
        checkpoint.tensors["optimizer/a_momentum"] = ("F32", [1], None)
        with self.assertRaises(errors.MismatchError) as caught:
            variables.Variables(model).check(
                checkpoint, settings=["momentum was 0.9", "x was y"]
            )
        self.assertIn("changed: momentum was 0.9; x", str(caught.exception))
        self.assertNotIn("`trainable`", str(caught.exception))

    def test_a_layer_that_was_frozen_is_thought_of(self):
        model = self.model("a")
        checkpoint = saved(model)
        one = variables.Variables(model)
        checkpoint.tensors["optimizer/a_momentum"] = ("F32", [1], None)
        with self.assertRaisesRegex(
            errors.MismatchError,
            "is of another optimizer, or of other trainable (?s:.*)`trainable`",
        ):
            one.check(checkpoint)
        with self.assertRaises(errors.MismatchError) as caught:
            one.check(checkpoint, other="X", advice="Y")
        self.assertEqual(str(caught.exception).splitlines()[2:], ["Y"])
        checkpoint.tensors["metrics/mae"] = ("F32", [1], None)
        with self.assertRaisesRegex(errors.MismatchError, "of another model"):
            one.check(checkpoint)
        checkpoint.tensors["variables/b"] = ("F32", [1], None)
        with self.assertRaises(errors.MismatchError) as caught:
            one.check(checkpoint)
        self.assertNotIn("`trainable`", str(caught.exception))

    def test_what_is_known_to_be_another_is_refused_by_its_name(self):
        """AdamW has the variables of Adam."""
        one = variables.Variables(self.model("a"))
        with self.assertRaisesRegex(
            errors.MismatchError, "'a/file' is of X"
        ) as caught:
            one.check(saved(self.model("a")), other="X")
        self.assertEqual(caught.exception.differences["what"], ["X"])

    def test_other_metrics_are_no_other_model(self):
        checkpoint = saved(self.model("a"))
        checkpoint.tensors["metrics/mae/total"] = "F32", [], None
        one = variables.Variables(self.model("a"))
        with self.assertRaisesRegex(
            errors.MismatchError, "is of this model compiled with other metrics"
        ):
            one.check(checkpoint)
        checkpoint.tensors["variables/b"] = "F32", [1], None
        with self.assertRaisesRegex(errors.MismatchError, "of another model"):
            one.check(checkpoint)

    def test_many_differences_are_counted(self):
        checkpoint = saved(self.model("a"))
        one = variables.Variables(self.model("a"))
        for number in range(35):
            checkpoint.tensors[f"metrics/m{number}"] = "F32", [], None
        checkpoint.tensors["variables/b"] = "F32", [1], None
        with self.assertRaises(errors.MismatchError) as caught:
            one.check(checkpoint)
        lines = [
            line
            for line in str(caught.exception).splitlines()
            if line.startswith("* ")
        ]
        self.assertEqual(len(lines), 11)
        self.assertIn("variables/b", lines[0])
        self.assertEqual(lines[-1], "* and 26 more: see `cnd$differences`")
        self.assertEqual(len(caught.exception.differences["what"]), 36)

    def test_those_that_are_just_as_many_are_all_listed(self):
        one_more = "* and 1 more: see `cnd$differences`"
        for count, more in ((10, []), (11, [one_more])):
            one = variables.Variables(self.model(*"abcdefghijk"[:count]))
            with self.assertRaises(errors.MismatchError) as caught:
                one.check(FakeCheckpoint({}))
            first, *lines = str(caught.exception).splitlines()
            self.assertIn("another model", first)
            self.assertEqual(lines[10:], [*more, variables.ADVICE])
            self.assertIn("variables/j: float32 (1) in the model", lines[9])

    def test_one_layer_more_is_one_difference(self):
        """By order it would be two."""
        sizes = {"v": [1.0], "v_1": [1.0, 2.0], "v_2": [1.0, 2.0, 3.0]}
        model = wrapped(*(variable(v, "float32", n) for n, v in sizes.items()))
        checkpoint = saved(model)
        del checkpoint.tensors["variables/v_1"]
        with self.assertRaises(errors.MismatchError) as caught:
            variables.Variables(model).check(checkpoint)
        self.assertEqual(str(caught.exception).count("* "), 1)
        self.assertIn("variables/v_1: float32 (2) in", str(caught.exception))

    def test_so_it_is_between_backends(self):
        """Which may have another dtype for each integer."""
        sizes = {"v": [1], "v_1": [1, 2], "v_2": [1, 2, 3]}
        here, there = (
            wrapped(*(variable(v, dtype, n) for n, v in sizes.items()))
            for dtype in ("int32", "uint8")
        )
        checkpoint = saved(there)
        del checkpoint.tensors["variables/v_1"]
        with self.assertRaises(errors.MismatchError) as caught:
            variables.Variables(here).check(checkpoint, other_backend=True)
        self.assertEqual(
            caught.exception.differences["what"], ["variables/v_1"]
        )

    def test_an_optimizer_in_another_one_is_known_by_its_ends(self):
        for name, before, expected in (
            ("optimizer/two/v_1", "optimizer/one/v", "optimizer/one/v"),
            ("variables/two/v", "variables/one/v", None),
        ):
            self.assertEqual(variables._pair([name], [before]), [expected])

    def test_no_tensor_is_two_variables(self):
        with self.assertRaisesRegex(errors.MismatchError, "missing in the"):
            self.partners(["v", "v_1", "v_2"], ["v", "v_2"])

    def test_integers_are_alike_between_backends_only(self):
        one = variables.Variables(wrapped(variable([1], "int32")))
        checkpoint = saved(wrapped(variable([1], "uint8")))
        self.assertEqual(one.check(checkpoint, True), ["variables/v"])
        for dtype in ("float32", "bool"):
            other = saved(wrapped(variable([1], dtype)))
            with self.assertRaises(errors.MismatchError):
                one.check(other, True)
            with self.assertRaises(errors.MismatchError):
                variables.Variables(wrapped(variable([1], dtype))).check(
                    checkpoint, True
                )
        with self.assertRaises(errors.MismatchError):
            one.check(checkpoint)

    def test_what_belongs_to_others_is_no_variable(self):
        model = self.model("a")
        checkpoint = saved(model)
        checkpoint.tensors["callbacks/x"] = "F32", [1], np.zeros(4, np.uint8)
        variables.Variables(model).check(checkpoint)

    def test_a_dtype_that_the_format_lacks_is_refused(self):
        with self.assertRaisesRegex(errors.UnsupportedError, "complex64"):
            memory._dtype("v", "complex64")


@unittest.skipIf(keras.backend.backend() != "torch", "the backend has none")
class Buffers(unittest.TestCase):
    """What torch's modules keep beside their parameters is saved."""

    def model(self):
        import torch

        module = torch.nn.Sequential(
            torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2)
        )
        module.register_buffer("passing", torch.ones(1), persistent=False)
        module.register_buffer("odd", torch.ones(1, dtype=torch.complex64))
        layer = keras.layers.TorchModuleWrapper(module, name="wrapper")
        model = keras.Sequential(
            [keras.Input((2,)), layer, keras.layers.Dense(1)]
        )
        model.compile(loss="mse")
        return model, module

    def test_they_come_back(self):
        import torch

        model, module = self.model()
        module.train()
        for _ in range(3):
            module(torch.rand(4, 2))
        before = {k: v.clone() for k, v in module.state_dict().items()}
        checkpoint = saved(model)
        names = [n for n in checkpoint.tensors if "wrapper/module" in n]
        self.assertEqual(
            sorted(names),
            [
                f"variables/wrapper/module/0/{name}"
                for name in (
                    "num_batches_tracked",
                    "running_mean",
                    "running_var",
                )
            ],
        )
        again, module = self.model()
        one = variables.Variables(again)
        one.assign(checkpoint, one.check(checkpoint), copies=False)
        for name, value in module.state_dict().items():
            self.assertTrue(torch.equal(value, before[name]), name)

    def test_what_has_no_dtype_is_named(self):
        model, _ = self.model()
        self.assertEqual(
            variables.Variables(model).unsaved,
            ["wrapper/module/odd (complex64)"],
        )

    def test_one_put_in_its_place_is_looked_at(self):
        """No address is of memory that was let go."""
        import torch

        model, module = self.model()
        one = variables.Variables(model)
        norm = module[0]
        norm.running_mean = torch.full((2,), 7.0)
        self.assertTrue(one.is_current(model))
        addresses, _ = one.locate()
        self.assertIn(norm.running_mean.data_ptr(), addresses)
        norm.running_mean = torch.ones(3)
        self.assertFalse(one.is_current(model))

    def test_names_are_unique(self):
        import torch

        class Twice(torch.nn.Module):
            def __init__(self, value):
                super().__init__()
                self.register_buffer("value", torch.tensor(value))

        layers = [
            keras.layers.TorchModuleWrapper(Twice(value), name="same")
            for value in (1.0, 2.0)
        ]
        model = keras.Sequential([keras.Input((2,))])
        model._layers += layers
        model.compile(loss="mse")
        names = [name for name, _, _ in variables.Variables(model).spec]
        self.assertEqual(
            [name for name in names if "same" in name],
            ["variables/same/module/value", "variables/same/module/value~1"],
        )
