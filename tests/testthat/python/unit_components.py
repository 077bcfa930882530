"""memory.py of both Kerases: a variable that has a component for each replica
is read and written one by one. A strategy is stood for by what it offers:
variables that are `DistributedValues` and have `values`, as those of
MirroredStrategy and TPUStrategy."""

import importlib.util
import unittest

import keras
import numpy as np

IS_TENSORFLOW = keras.backend.backend() == "tensorflow"
HAS_TF_KERAS = IS_TENSORFLOW and importlib.util.find_spec("tf_keras")
if IS_TENSORFLOW:
    import tensorflow as tf

    from kerasbackup.keras3 import memory as of_keras3
if HAS_TF_KERAS:
    import tf_keras

    from kerasbackup.tf_keras import memory as of_tf_keras
    from kerasbackup.tf_keras import tensors


def spread(*numbers):
    """A variable of a strategy. Nobody may ask for a value of the whole."""

    class Spread(tf.distribute.DistributedValues):
        def __init__(self):
            self.values = [
                tf.Variable([number], dtype="float32") for number in numbers
            ]

        def numpy(self):
            raise AssertionError("a collective operation")

        __array__ = read_value = value = assign = numpy

    return Spread()


class Holder:
    """A variable of Keras 3, as `memory` knows it."""

    def __init__(self, value):
        self.value = value


def numbers(spread):
    return [one.numpy().tolist() for one in spread.values]


@unittest.skipUnless(IS_TENSORFLOW, "it is TensorFlow's")
class Components(unittest.TestCase):
    def each(self):
        one = spread(1, 2, 4)
        yield "keras3", of_keras3, Holder(one), one
        yield "keras3, TensorFlow's own variable", of_keras3, one, one
        if HAS_TF_KERAS:
            one = spread(1, 2, 4)
            yield "tf_keras", of_tf_keras, one, one

    def test_each_is_read_and_written(self):
        for name, memory, variable, one in self.each():
            with self.subTest(name):
                for part in one.values:
                    part.assign(part * 2)
                before = numbers(one)
                read = memory.read(variable)
                self.assertEqual(read.tolist(), before)
                for part in one.values:
                    part.assign([0.0])
                memory.write(variable, read)
                self.assertEqual(numbers(one), before)

    def test_each_is_a_part_with_memory_of_its_own(self):
        for name, memory, variable, one in self.each():
            if "own" in name:
                continue
            with self.subTest(name):
                host = memory.of_backend(None)
                parts = host.parts("w", variable)
                self.assertEqual(
                    [path for path, _ in parts], ["w@0", "w@1", "w@2"]
                )
                found = [host.locate(part)[1].tolist() for _, part in parts]
                self.assertEqual(found, numbers(one))
                for place, (path, part) in enumerate(parts):
                    dtype, shape, _ = host.describe(path, part)
                    data = np.array([9 + place], "float32").view("uint8")
                    host.assign(part, dtype, shape, data, True)
                self.assertEqual(numbers(one), [[9.0], [10.0], [11.0]])

    def test_a_variable_with_one_value_is_read_and_written(self):
        self.check_whole(of_keras3, keras.Variable([3.0]))
        if HAS_TF_KERAS:
            self.check_whole(of_tf_keras, tf.Variable([3.0]))

    def check_whole(self, memory, variable):
        read = memory.read(variable)
        variable.assign([5.0])
        self.assertEqual(read.tolist(), [3.0])
        memory.write(variable, read)
        self.assertEqual(np.asarray(variable).tolist(), [3.0])

    @unittest.skipUnless(HAS_TF_KERAS, "there is no tf_keras")
    def test_the_values_in_this_process_are_those_of_all_components(self):
        one = spread(1, 2)
        self.assertEqual(
            [value.tolist() for value in tensors.local_values(one)],
            [[1.0], [2.0]],
        )
        self.assertEqual(tensors.to_numpy(one).tolist(), [1.0])

    @unittest.skipUnless(HAS_TF_KERAS, "there is no tf_keras")
    def test_a_variable_that_casts_itself_has_components_too(self):
        # tf_keras makes a class of it in a scope of mixed precision.
        from tf_keras.src.mixed_precision import autocast_variable

        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            plain = tf.Variable([3.0])
        made = autocast_variable.create_autocast_variable(plain)
        self.assertEqual(
            [path for path, _ in of_tf_keras.of_backend(None).parts("w", made)],
            ["w"],
        )
        self.assertEqual(of_tf_keras.read(made).tolist(), [3.0])
        of_tf_keras.write(made, np.array([7.0], "float32"))
        self.assertEqual(plain.values[0].numpy().tolist(), [7.0])
        self.assertTrue(tf_keras)

    @unittest.skipUnless(HAS_TF_KERAS, "there is no tf_keras")
    def test_a_divided_variable_has_parts_with_a_place(self):
        from tensorflow.python.distribute.sharded_variable import (
            ShardedVariable,
        )

        pieces = [
            tf.Variable(np.full((rows, 2), rows, "float32"))
            for rows in (3, 1, 2)
        ]
        one = ShardedVariable(pieces)
        host = of_tf_keras.of_backend(None)
        parts = host.parts("w", one)
        self.assertEqual(
            [(path, host.place_of(part)) for path, part in parts],
            [
                ("w@0:3,0:2", {"shape": [6, 2], "begin": [0, 0]}),
                ("w@3:4,0:2", {"shape": [6, 2], "begin": [3, 0]}),
                ("w@4:6,0:2", {"shape": [6, 2], "begin": [4, 0]}),
            ],
        )
        for piece, (_, part) in zip(pieces, parts):
            self.assertIs(part, piece)
        # A component of a replica is no part of a whole.
        for _, part in host.parts("v", spread(1, 2)):
            self.assertIsNone(host.place_of(part))
