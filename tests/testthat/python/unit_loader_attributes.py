"""loader_attributes.py: what a script wrote for a DataLoader."""

import importlib.util
import json
import types
import unittest

import numpy as np

from kerasbackup.parts.data import loader_attributes
from kerasbackup.store import values


class Rows:
    n = 0

    def __init__(self):
        self.seen = []
        self.size = 3


class Sampler:
    def __init__(self):
        self.epoch = 0

    def __iter__(self):
        self.epoch += 1
        self._s = iter(range(3))
        return self._s


def loader(dataset=None, sampler=None):
    return types.SimpleNamespace(
        dataset=dataset, sampler=sampler, batch_sampler=None
    )


def saved(one):
    """As a checkpoint has it."""
    encoder = values.Encoder()
    text = json.dumps(encoder.encode(one.capture(), "data"))
    return values.decode(
        json.loads(text), encoder.arrays.__getitem__, has_tags=True
    )


class LoaderAttributes(unittest.TestCase):
    def test_what_changes_is_saved_and_put_back_in_place(self):
        rows, sampler = Rows(), Sampler()
        one = loader_attributes.LoaderAttributes(loader(rows, sampler))
        self.assertEqual(one.capture(), {})
        rows.seen.append(5)
        list(sampler)
        captured = saved(one)
        self.assertEqual(sorted(captured), ["dataset", "sampler"])
        loader_attributes.check(captured)
        again, other = Rows(), Sampler()
        seen = again.seen
        new = loader_attributes.LoaderAttributes(loader(again, other))
        self.assertEqual(new.restore(captured), [])
        self.assertIs(again.seen, seen)
        self.assertEqual((seen, other.epoch), ([5], 1))
        # It is state from now on, also where it is back at the script's.
        seen.clear()
        other.epoch = 0
        self.assertEqual(sorted(new.capture()), ["dataset", "sampler"])

    def test_an_iterator_that_a_sampler_keeps_is_not_told(self):
        sampler = Sampler()
        one = loader_attributes.LoaderAttributes(loader(sampler=sampler))
        iter(sampler)
        one.capture()
        self.assertEqual(one.not_saved, [])

    def test_what_cannot_be_saved_is_told_by_its_name(self):
        rows = Rows()
        one = loader_attributes.LoaderAttributes(loader(rows))
        rows.size = np.array(["a"], dtype=object)
        one.capture()
        self.assertEqual(one.not_saved, ["DataLoader.dataset.size"])

    def test_a_number_of_a_class_is_told(self):
        rows = Rows()
        one = loader_attributes.LoaderAttributes(loader(rows))
        one.capture()
        self.assertEqual(one.not_saved, [])
        self.addCleanup(setattr, Rows, "n", 0)
        Rows.n += 1
        one.capture()
        self.assertEqual(one.not_saved, ["DataLoader.dataset.n"])

    @unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
    def test_what_is_torchs_is_left_to_torch(self):
        import torch

        rows = torch.utils.data.TensorDataset(torch.zeros(4, 1))
        whole = torch.utils.data.DataLoader(rows, 2, shuffle=True)
        one = loader_attributes.LoaderAttributes(whole)
        whole.sampler.more = 1
        self.assertEqual(one.capture(), {})

    def test_all_parts_that_a_script_can_write_are_looked_at(self):
        whole = loader(Rows(), Sampler())
        whole.batch_sampler = Sampler()
        whole.other = Sampler()
        one = loader_attributes.LoaderAttributes(whole)
        whole.dataset.size = 4
        for part in (whole.sampler, whole.batch_sampler, whole.other):
            part.epoch = 1
        captured = saved(one)
        self.assertEqual([*captured], ["dataset", "sampler", "batch_sampler"])
        loader_attributes.check(captured)

    def test_a_loader_may_lack_a_part(self):
        whole = types.SimpleNamespace(sampler=Sampler())
        one = loader_attributes.LoaderAttributes(whole)
        whole.sampler.epoch = 1
        self.assertEqual([*saved(one)], ["sampler"])

    def test_the_dataset_is_the_one_within_subsets(self):
        class Subset:
            def __init__(self, dataset):
                self.dataset = dataset

        rows = Rows()
        one = loader_attributes.LoaderAttributes(loader(Subset(Subset(rows))))
        rows.size = 4
        self.assertEqual(saved(one), {"dataset": {"size": 4}})

    def test_what_cannot_be_put_back_is_told_by_its_name(self):
        lost, today = Rows(), Rows()
        lost.seen, today.seen = [Sampler()], []
        one = loader_attributes.LoaderAttributes(loader(lost))
        lost.size = lost.seen[0]
        new = loader_attributes.LoaderAttributes(loader(today))
        self.assertEqual(new.restore(saved(one)), ["dataset.size"])
        self.assertEqual(today.size, 3)

    def test_parts_that_went_are_left_out(self):
        rows = Rows()
        one = loader_attributes.LoaderAttributes(loader(rows))
        rows.size = 4
        captured = saved(one)
        new = loader_attributes.LoaderAttributes(loader())
        self.assertEqual(new.restore(captured), [])

    def test_what_is_damaged_is_refused(self):
        for bad in ({"other": {}}, {"dataset": {1: 2}}):
            with self.assertRaises((TypeError, ValueError)):
                loader_attributes.check(bad)
