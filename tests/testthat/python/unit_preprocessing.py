"""preprocessing.py: vocabularies that are others are told, and only those."""

import importlib.util
import unittest

import asking
import keras
import numpy as np

from kerasbackup.parts import preprocessing
from kerasbackup.parts.part import Place
from kerasbackup.store import errors


def setUpModule():
    asking.refuse_none()


HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
WORDS = ["a cat", "a dog"]
MORE = ["a cat", "a dog", "a dog barks barks barks"]


def text_layer(corpus, **kwargs):
    layer = keras.layers.TextVectorization(output_sequence_length=3, **kwargs)
    layer.adapt(corpus)
    return layer


def model_of(layer, dtype="string"):
    return keras.Sequential([keras.Input((1,), dtype=dtype), layer])


class Changes(unittest.TestCase):
    def notes(self, before, now):
        """Of two pairs of a model and data."""
        return preprocessing.changes(
            preprocessing.describe(*before), preprocessing.describe(*now)
        )


@unittest.skipUnless(HAS_TENSORFLOW, "there is no tensorflow")
class Vocabularies(Changes):
    def pairs(self, corpus, **kwargs):
        """A layer in the model, and in data of each kind."""
        import tensorflow as tf

        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        yield (
            "layer text_vectorization",
            (
                model_of(text_layer(corpus, **kwargs)),
                None,
            ),
        )
        layer = text_layer(corpus, **kwargs)
        dataset = tf.data.Dataset.from_tensor_slices(WORDS).batch(2)
        of_data = "layer text_vectorization of the data"
        yield of_data, (model, dataset.map(lambda x: layer(x)).repeat())
        yield of_data, (model, dataset.map(layer))
        yield of_data, (model, [dataset.map(layer).batch(2), None])

        class Data(keras.utils.PyDataset):
            def __init__(self):
                super().__init__()
                self.steps = {"first": layer}

        yield of_data, (model, Data())

        def generate():
            yield layer(WORDS)

        yield of_data, (model, generate())

    def test_the_same_is_not_told(self):
        for (_, before), (_, now) in zip(self.pairs(WORDS), self.pairs(WORDS)):
            with self.subTest(data=type(now[1])):
                self.assertEqual(self.notes(before, now), [])

    def test_one_that_has_grown_is_told(self):
        for (where, before), (_, now) in zip(
            self.pairs(WORDS), self.pairs(MORE)
        ):
            with self.subTest(where=where, data=type(now[1])):
                (note,) = self.notes(before, now)
                self.assertRegex(
                    note,
                    f"^the vocabulary of {where} differs "
                    r"\(\d entries when the checkpoint was made, \d now\): ",
                )

    def test_the_weights_of_words_count(self):
        def described(corpus):
            layer = keras.layers.TextVectorization(output_mode="tf_idf")
            layer.adapt(corpus)
            return preprocessing.describe(model_of(layer), None)

        before, now = described(WORDS), described(WORDS + ["a dog"])
        self.assertEqual(len(preprocessing.changes(before, now)), 1)
        self.assertEqual(
            preprocessing.changes(before, described(list(WORDS))), []
        )

    def test_the_entries_of_all_tables_in_a_layer_are_counted(self):
        class Two(keras.layers.Layer):
            def __init__(self):
                super().__init__(name="two")
                self.first = keras.layers.StringLookup(vocabulary=["a", "b"])
                self.second = keras.layers.StringLookup(vocabulary=["c"])

        class Data(keras.utils.PyDataset):
            layer = None

        data = Data()
        data.layer = Two()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        found = preprocessing.describe(model, data)
        self.assertEqual(list(found), ["layer two of the data"])
        self.assertRegex(*found.values(), "^3 entries [0-9a-f]{16}$")

    def test_a_table_may_have_a_vector_for_each_word(self):
        import tensorflow as tf

        class Vectors(keras.layers.Layer):
            def __init__(self, vectors):
                super().__init__(name="vectors")
                self.table = tf.lookup.experimental.MutableHashTable(
                    tf.string, tf.float32, default_value=[0.0, 0.0]
                )
                self.table.insert(["a"], vectors)

            def call(self, inputs):
                return inputs

        def described(vectors):
            model = keras.Sequential([keras.Input((3,)), Vectors(vectors)])
            return preprocessing.describe(model, None)

        before = described([[1.0, 2.0]])
        self.assertRegex(before["layer vectors"], "^1 entries [0-9a-f]{16}$")
        self.assertEqual(described([[1.0, 2.0]]), before)
        self.assertNotEqual(described([[1.0, 3.0]]), before)

    def test_older_checkpoints_have_the_same_text(self):
        layer = keras.layers.StringLookup(vocabulary=["a", "b"])
        found = preprocessing.describe(model_of(layer), None)
        self.assertEqual([*found.values()], ["2 entries 57633e60c2357695"])

    def test_lookups_of_numbers_and_texts(self):
        for kind, before, now, dtype in (
            (keras.layers.StringLookup, ["a", "b"], ["b", "a"], "string"),
            (keras.layers.IntegerLookup, [5, 7], [5, 7, 9], "int64"),
        ):
            with self.subTest(kind=kind):
                models = [
                    (model_of(kind(vocabulary=v), dtype), None)
                    for v in (before, before, now)
                ]
                self.assertEqual(self.notes(*models[:2]), [])
                self.assertEqual(len(self.notes(*models[1:])), 1)


class Lines(unittest.TestCase):
    def test_each_difference_is_told_for_itself(self):
        saved = {
            "layer gone": "2 entries aa",
            "layer same": "2 entries aa",
            "layer a": "2 entries aa",
            "layer b": "Normalization aa",
            "layer c": "2 entries aa",
        }
        now = {
            "layer same": "2 entries aa",
            "layer a": "3 entries bb",
            "layer b": "Normalization bb",
            "layer c": "Normalization bb",
            "layer new": "2 entries aa",
        }
        first, second, third = preprocessing.changes(saved, now)
        self.assertRegex(first, r"of layer a differs \(2 entries .*, 3 now\)")
        # As in the table that a program gets.
        self.assertEqual(
            first.rows, [("vocabulary of layer a", "3 entries", "2 entries")]
        )
        for note, layer in ((second, "b"), (third, "c")):
            self.assertRegex(note, f"^layer {layer} has other settings, or")

    def test_what_is_no_description_is_refused(self):
        preprocessing.Learned.check({"layer a": "2 entries aa"}, {}, Place())
        for hostile in ([], {"layer a": 2}, None):
            with self.subTest(hostile), self.assertRaises(errors.DAMAGE):
                preprocessing.Learned.check(hostile, {}, Place())


class Layers(Changes):
    def test_layers_of_one_name_are_counted(self):
        class Data(keras.utils.PyDataset):
            def __init__(self, *layers):
                super().__init__()
                self.layers = list(layers)

        def cutting(*edges):
            return Data(*map(keras.layers.Discretization, edges))

        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        where = "layer discretization of the data"
        before, now = (
            preprocessing.describe(model, cutting(*edges))
            for edges in ([[1.0], [2.0], [3.0]], [[1.0], [2.0], [4.0]])
        )
        self.assertEqual(list(before), [where, f"{where}~1", f"{where}~2"])
        self.assertRegex(before[where], "^Discretization [0-9a-f]{16}$")
        (note,) = preprocessing.changes(before, now)
        self.assertIn(f"{where}~2 has", note)

    def test_only_layers_of_keras_tell_what_they_learned(self):
        class Own(keras.layers.Layer):
            """Attributes of it may be no settings."""

        class Data(keras.utils.PyDataset):
            layer = None

        data = Data()
        data.layer = Own()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        self.assertEqual(preprocessing.describe(model, data), {})

    def test_others_in_the_data_are_told(self):
        class Data(keras.utils.PyDataset):
            def __init__(self, layer):
                super().__init__()
                self.layer = layer

        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

        def normalizing(scale):
            layer = keras.layers.Normalization()
            layer.adapt(scale * np.arange(6.0).reshape(2, 3))
            return model, Data(layer)

        def cutting(edges):
            return model, Data(keras.layers.Discretization(edges))

        for make, same, other in (
            (normalizing, 1.0, 2.0),
            (cutting, [1.0, 2.0], [1.0, 3.0]),
        ):
            with self.subTest(make=make):
                self.assertEqual(self.notes(make(same), make(same)), [])
                (note,) = self.notes(make(same), make(other))
                self.assertRegex(note, "of the data has other settings, or was")

    def test_nothing_is_told_where_there_is_none(self):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        self.assertEqual(preprocessing.describe(model, np.zeros((2, 3))), {})
