"""kinds.py: each kind of data has a class that answers for it."""

import importlib.util
import types
import unittest

import numpy as np
from keras.src.trainers.epoch_iterator import EpochIterator
from unit_py_dataset import Numbers

from kerasbackup.keras3 import data_adapters
from kerasbackup.parts.data.sources import kinds
from kerasbackup.parts.data.sources.source import Source


def source_of(data):
    return kinds.source_of(EpochIterator(x=data))


class Kinds(unittest.TestCase):
    def test_each_kind_has_one(self):
        self.assertEqual({*kinds.KINDS}, {*data_adapters.KINDS.values()})

    def test_those_that_need_no_other_package(self):
        arrays = np.zeros((8, 1), "float32")
        for data, name in (
            (arrays, "Arrays"),
            (Numbers(), "PyDataset"),
            (((arrays,) for _ in range(2)), "Generator"),
        ):
            with self.subTest(name=name):
                self.assertEqual(type(source_of(data)).__name__, name)

    @unittest.skipUnless(
        importlib.util.find_spec("tensorflow"), "there is no tf.data"
    )
    def test_a_pipeline(self):
        import tensorflow as tf

        data = tf.data.Dataset.from_tensors((np.zeros((8, 1), "float32"),))
        self.assertIsInstance(source_of(data), kinds.TfData)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
    def test_a_loader(self):
        import torch

        rows = torch.utils.data.TensorDataset(torch.zeros(8, 1))
        data = torch.utils.data.DataLoader(rows)
        self.assertIsInstance(source_of(data), kinds.Loader)

    def test_an_adapter_that_is_not_known(self):
        iterator = types.SimpleNamespace(data_adapter=types.SimpleNamespace())
        source = kinds.source_of(iterator)
        self.assertIs(type(source), Source)
        self.assertEqual(source.capture(), {})
        self.assertEqual(source.restore({"ready": []}), [])

    def test_it_knows_the_use_of_the_data_and_what_another_source_saves(self):
        iterator = types.SimpleNamespace(data_adapter=types.SimpleNamespace())
        source = kinds.source_of(iterator, "use", ("left",))
        self.assertEqual((source._use, source._left), ("use", ("left",)))

    def test_it_is_chosen_by_the_adapters_class(self):
        for adapter, kind in data_adapters.KINDS.items():
            made = type(adapter, (), {"py_dataset": Numbers()})()
            source = kinds.source_of(types.SimpleNamespace(data_adapter=made))
            self.assertEqual(type(source), kinds.KINDS[kind])
