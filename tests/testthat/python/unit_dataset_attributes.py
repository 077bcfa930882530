"""dataset_attributes.py: what changed is saved and put back, and no more."""

import json
import random
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup import dataset_attributes
from kerasbackup import errors
from kerasbackup import generator_kinds
from kerasbackup import values
from kerasbackup.dataset_attributes import DatasetAttributes

LARGE = dataset_attributes.MOST_BYTES // 8 + 1


class Dataset(keras.utils.PyDataset):
    """With the attributes that it is given."""

    def __init__(self, **attributes):
        super().__init__()
        vars(self).update(attributes)


def through_a_file(captured):
    encoder = values.Encoder()
    text = json.dumps(encoder.encode(captured, "data"))
    tensors = {
        name: (values.DTYPES[one.dtype.name], list(one.shape), one.tobytes())
        for name, one in encoder.arrays.items()
    }
    dataset_attributes.check(values.check(json.loads(text), tensors))
    return values.decode(json.loads(text), encoder.arrays.__getitem__)


def generators(seed):
    made = {
        kind: np.random.Generator(getattr(np.random, kind)(seed))
        for kind in generator_kinds.BIT_GENERATORS
    }
    made["random"] = random.Random(seed)
    made["legacy"] = np.random.RandomState(seed)
    return made


class Attributes(unittest.TestCase):
    def test_what_changed_is_put_back_and_nothing_else(self):
        def make():
            return Dataset(
                order=np.arange(9),
                rows=list(range(9)),
                rates=[0.5, float("nan")],
                names=["a", "b"],
                place=0,
                x=np.ones(4),
                batch_size=8,
            )

        lost = make()
        known = DatasetAttributes(lost)
        self.assertEqual(known.capture(), {})
        np.random.shuffle(lost.order)
        lost.order[0] = 99
        lost.rows.reverse()
        lost.rates.append(1.5)
        lost.names = lost.names[::-1]
        lost.place = None
        captured = known.capture()
        self.assertEqual(
            set(captured), {"order", "rows", "rates", "names", "place"}
        )
        expected = lost.order.tolist()
        # It is a copy.
        lost.order[:] = 0
        lost.names[0] = "c"
        today = make()
        today.batch_size = 16
        again = DatasetAttributes(today)
        again.restore(through_a_file(captured))
        self.assertEqual(today.order.tolist(), expected)
        self.assertEqual(today.rows, list(range(9))[::-1])
        self.assertEqual(today.rates[::2], [0.5, 1.5])
        self.assertEqual(today.names, ["b", "a"])
        self.assertIs(today.place, None)
        self.assertEqual(today.batch_size, 16)

    def test_what_was_put_back_stays_state(self):
        """Else a third run would not have it."""
        lost = Dataset(order=[1, 2])
        known = DatasetAttributes(lost)
        lost.order = [2, 1]
        today = Dataset(order=[2, 1])
        again = DatasetAttributes(today)
        again.restore(known.capture())
        self.assertEqual(set(again.capture()), {"order"})

    def test_what_the_script_no_longer_has_is_left_alone(self):
        lost = Dataset(old=1, random=1)
        known = DatasetAttributes(lost)
        lost.old, lost.random = 2, random.Random(3)
        today = Dataset(random=5)
        DatasetAttributes(today).restore(through_a_file(known.capture()))
        self.assertFalse(hasattr(today, "old"))
        self.assertEqual(today.random, 5)

    def test_generators_go_on_where_they_were(self):
        lost = Dataset(**generators(1))
        known = DatasetAttributes(lost)
        for one in vars(lost).values():
            if hasattr(one, "random"):
                one.random()
        captured = through_a_file(known.capture())
        expected = {n: vars(lost)[n].random() for n in generators(1)}
        self.assertEqual(set(captured), set(expected))
        made = generators(2)
        DatasetAttributes(Dataset(**made)).restore(captured)
        self.assertEqual({n: g.random() for n, g in made.items()}, expected)

    def test_keras_generator_goes_on_where_it_was(self):
        lost = Dataset(seed=keras.random.SeedGenerator(1))
        known = DatasetAttributes(lost)
        keras.random.uniform((), seed=lost.seed)
        captured = through_a_file(known.capture())
        expected = float(keras.random.uniform((), seed=lost.seed))
        today = Dataset(seed=keras.random.SeedGenerator(2))
        DatasetAttributes(today).restore(captured)
        self.assertEqual(
            float(keras.random.uniform((), seed=today.seed)), expected
        )

    def test_what_is_made_otherwise_is_told(self):
        known = DatasetAttributes(
            Dataset(a=1, b=[1], s={"x"}, big=np.zeros(LARGE))
        )
        unchanged = json.loads(json.dumps(known.unchanged()))
        self.assertEqual(set(unchanged), {"a", "b"})
        again = DatasetAttributes(Dataset(a=1, b=[2], c=5, big=np.ones(LARGE)))
        self.assertEqual(again.differing(unchanged), ["b"])

    def test_what_is_large_is_neither_encoded_nor_saved(self):
        data = np.zeros(LARGE)
        dataset = Dataset(x=data, many=["a"] * LARGE, rows=[1] * LARGE)
        never = mock.Mock(side_effect=AssertionError("it was encoded"))
        with mock.patch.object(values, "Encoder", never):
            known = DatasetAttributes(dataset)
            self.assertEqual(known.capture(), {})
            self.assertEqual(known.unsaved, [])
            data[:] = 1
            dataset.many[0] = "b"
            dataset.rows[0] = 2
            self.assertEqual(known.capture(), {})
        self.assertEqual(
            known.unsaved, ["Dataset.x", "Dataset.many", "Dataset.rows"]
        )

    def test_what_cannot_be_saved_is_told_where_it_changed(self):
        dataset = Dataset(kept=object(), other=object(), run=lambda: 1)
        known = DatasetAttributes(dataset)
        dataset.other = object()
        dataset.run = lambda: 2
        self.assertEqual(known.capture(), {})
        self.assertEqual(known.unsaved, ["Dataset.other"])

    def test_what_is_keras_own_is_left_alone(self):
        dataset = Dataset()
        known = DatasetAttributes(dataset)
        dataset.workers = 3
        dataset.max_queue_size = 5
        self.assertEqual(known.capture(), {})

    def test_what_is_none_is_refused(self):
        keys = np.zeros(624, "uint32")
        dataset_attributes.check({"a": ["RandomState", [keys, 3, 0, 0.0]]})
        for broken in (
            [],
            {"a": 3},
            {1: ["value", 2]},
            {"a": ["list", np.zeros((2, 2))]},
            {"a": ["odd", 3]},
            {"a": ["RandomState", [keys, 625, 0, 0.0]]},
            {"a": ["RandomState", [keys[1:], 3, 0, 0.0]]},
            {"a": ["Random", [3, keys, 625, None]]},
            {"a": ["Random", [9, keys, 624, None]]},
            {"a": ["PCG64", {"bit_generator": "PCG64"}]},
            {"a": ["SeedGenerator", np.zeros(3)]},
            {
                "a": [
                    "MT19937",
                    {
                        "bit_generator": "MT19937",
                        "state": {"key": keys, "pos": 9999},
                    },
                ]
            },
        ):
            with self.subTest(broken=broken), self.assertRaises(errors.DAMAGE):
                dataset_attributes.check(broken)
