"""dataset_attributes.py: what changed is saved and put back, and no more."""

import collections
import json
import random
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.anykeras import data_adapters
from kerasbackup.parts.data import dataset_attributes
from kerasbackup.parts.data.dataset_attributes import DatasetAttributes
from kerasbackup.parts.random import generator_kinds
from kerasbackup.store import errors
from kerasbackup.store import values

LARGE = dataset_attributes.MOST_BYTES // 8 + 1

MEBI = 2**20

# Of the dataset that `of_all_kinds()` makes, by the first version of these
# checksums.
DIGESTS = {
    "number": "6b87e848adf5059e66ea989474cd77e0",
    "text": "282ba504e7ffa91ba3d2251f669ad9db",
    "nothing": "69ad89230110a65e9eb84af973037618",
    "empty": "195f2f042645d7ad1d9c39496d87b7b4",
    "rows": "152068620c25865359c290a3c41f385b",
    "rates": "77fc05808fb7f8d5a171650bca80ccb8",
    "large": "4111c42c45e66d7f778876122c9974f5",
    "mixed": "08c473c5ceb319ee3d1c0fcb4450f941",
    "nested": "2c391ee01313d6effbae0e9964dc3347",
    "array": "64780a78408705b709c4013a33933aa5",
    "matrix": "d515d4b57473e18bff608e412f1f6102",
    "python": "22f4f8d256d56a771e628d037b9e28a5",
    "numpy": "73a4e816dd41ae3651c0385889bd66ce",
    "newer": "5e40cf1a36bf161c3479aaf6c0759a71",
}


def of_all_kinds():
    matrix = np.arange(5000, dtype="float32").reshape(50, 100)
    return Dataset(
        number=1,
        text="a",
        nothing=None,
        empty=[],
        rows=[3, 1, 2],
        rates=[0.5, float("nan")],
        large=[2**70],
        mixed=[1, "a", 0.5, True],
        nested={"a": [1, (2, "b")], "c": {"d": b"e"}},
        array=np.arange(3, dtype="int32"),
        matrix=matrix,
        python=random.Random(1),
        numpy=np.random.RandomState(1),
        newer=np.random.Generator(np.random.PCG64(1)),
    )


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
    dataset_attributes.check(
        values.check(json.loads(text), tensors, has_tags=True)
    )
    return values.decode(
        json.loads(text), encoder.arrays.__getitem__, has_tags=True
    )


def generators(seed):
    made = {
        kind: np.random.Generator(getattr(np.random, kind)(seed))
        for kind in generator_kinds.BIT_GENERATORS
    }
    made["random"] = random.Random(seed)
    made["legacy"] = np.random.RandomState(seed)
    return made


class Beside(unittest.TestCase):
    def test_a_dataset_that_has_what_was_captured_is_another(self):
        def make():
            return Dataset(
                order=np.arange(4),
                names=["a", ["b"]],
                files=[["c"], ["d"]],
                place=0,
                draws=random.Random(3),
                same=1,
            )

        lost = make()
        known = DatasetAttributes(lost)
        lost.order[:] = 7
        lost.names.append("c")
        lost.names[1].append("d")
        # Another list, of the same two.
        lost.files = lost.files[::-1]
        lost.place = 5
        lost.draws.random()
        captured = through_a_file(known.capture())
        dataset = make()
        own = dict(vars(dataset))
        known = DatasetAttributes(dataset)
        other = known.as_in(captured)
        self.assertIsInstance(other, Dataset)
        self.assertEqual(other.order.tolist(), [7] * 4)
        self.assertEqual(other.names, ["a", ["b", "d"], "c"])
        self.assertEqual(other.files, [["d"], ["c"]])
        self.assertEqual((other.place, other.same), (5, 1))
        # And the one that there is stays as it was.
        for name, value in vars(dataset).items():
            self.assertIs(value, own[name], name)
        self.assertEqual(dataset.order.tolist(), [0, 1, 2, 3])
        self.assertEqual((dataset.names, dataset.place), (["a", ["b"]], 0))
        self.assertEqual(dataset.draws.random(), random.Random(3).random())
        # Nothing of it counts as changed, but what changes afterwards.
        self.assertEqual(set(known.capture()), {"draws"})


class OfKeras(unittest.TestCase):
    def test_what_a_keras_keeps_there_is_no_state(self):
        dataset = Dataset(queue=1, order=1)
        with mock.patch.object(
            data_adapters, "kept_of_py_dataset", return_value={"queue"}
        ) as asked:
            known = DatasetAttributes(dataset)
            dataset.queue = dataset.order = 2
            self.assertEqual(set(known.capture()), {"order"})
        # The Keras of that dataset is asked.
        self.assertEqual({call.args for call in asked.mock_calls}, {(dataset,)})


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

    def test_it_has_the_kinds_that_callbacks_have(self):
        class Sampler:
            def __init__(self, order):
                self.order = order

        def make():
            order = np.arange(9)
            return order, Dataset(
                sampler=Sampler(order),
                counts=collections.Counter(),
                recent=collections.deque(maxlen=2),
            )

        _, lost = make()
        known = DatasetAttributes(lost)
        lost.sampler.order[:] = 7
        lost.counts["a"] += 1
        lost.recent.extend("abc")
        captured = through_a_file(known.capture())
        self.assertEqual(known.not_saved, [])
        # It is a copy.
        lost.sampler.order[:] = 0
        lost.recent.clear()
        order, today = make()
        sampler = today.sampler
        DatasetAttributes(today).restore(captured)
        self.assertIs(today.sampler, sampler)
        self.assertEqual(order.tolist(), [7] * 9)
        self.assertEqual(today.counts["b"], 0)
        self.assertEqual(list(today.recent), ["b", "c"])
        self.assertEqual(today.recent.maxlen, 2)

    def test_generators_inside_of_it_are_loose_ones(self):
        """`loose_generators` has them: put back twice they would be elsewhere
        after a replay."""
        dataset = Dataset(some=[one := random.Random(1)])
        known = DatasetAttributes(dataset)
        one.random()
        self.assertEqual(known.capture(), {})
        dataset.some.append(3)
        captured = through_a_file(known.capture())
        today = Dataset(some=[other := random.Random(1)])
        DatasetAttributes(today).restore(captured)
        self.assertEqual(today.some, [other, 3])
        self.assertEqual(other.random(), random.Random(1).random())

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

    def test_checkpoints_of_earlier_versions_have_the_same_checksums(self):
        known = DatasetAttributes(of_all_kinds())
        self.assertEqual(known.unchanged(), DIGESTS)
        self.assertEqual(known.differing(DIGESTS), [])

    def test_what_changed_has_no_checksum_afterwards(self):
        dataset = Dataset(a=1, b=1)
        known = DatasetAttributes(dataset)
        dataset.a = 2
        known.capture()
        self.assertEqual([*known.unchanged()], ["b"])

    def test_what_has_no_checksum_now_is_not_told_to_differ(self):
        known = DatasetAttributes(Dataset(a={"x"}, b=object(), c=1))
        self.assertEqual(known.differing(dict.fromkeys("abcd", "x")), ["c"])

    def test_what_a_checksum_would_take_long_for_has_none(self):
        for value, has_one in (
            (np.zeros(MEBI, "uint8"), True),
            (np.zeros(MEBI + 1, "uint8"), False),
            ([1] * (MEBI // 8), True),
            ([1] * (MEBI // 8 + 1), False),
            ([0.5] * (MEBI // 8), True),
            ([None] * (2**16 - 1), True),
            ([None] * 2**16, False),
            ([[None] * 2**15, (None,) * (2**15 - 3)], True),
            ([[None] * 2**15, (None,) * (2**15 - 2)], False),
            ({str(i): i for i in range(2**15 - 1)}, True),
            ({str(i): i for i in range(2**15)}, False),
            ([bytes(2**16 - 2)], True),
            ([bytes(2**16 - 1)], False),
            (["a" * 8 * MEBI, "a" * 8 * MEBI], True),
            (["a" * 8 * MEBI, "a" * 8 * MEBI + "a"], False),
            ([np.zeros(8 * MEBI, "uint8")] * 2, True),
            ([np.zeros(8 * MEBI, "uint8")] * 2 + ["a"], False),
            (["a", np.zeros(8 * MEBI, "uint8"), "a" * 8 * MEBI], False),
            ([np.zeros(MEBI, "float64")] * 2, True),
            ([np.zeros(MEBI, "float64")] * 2 + ["a"], False),
            # A tensor may have any width.
            ([keras.ops.zeros(2 * MEBI, "uint8")], True),
            (["a", keras.ops.zeros(2 * MEBI, "uint8")], False),
            ([keras.ops.zeros(2 * MEBI, "uint8"), "a"], False),
        ):
            known = DatasetAttributes(Dataset(value=value))
            with self.subTest(kind=type(value), length=len(value)):
                self.assertEqual("value" in known.unchanged(), has_one)

    def test_what_is_too_large_is_not_saved(self):
        for value, is_saved in (
            (np.zeros(16 * MEBI, "uint8"), True),
            (np.zeros(16 * MEBI + 1, "uint8"), False),
            (["a"] * 2**16, True),
            (["a"] * (2**16 + 1), False),
        ):
            dataset = Dataset(value=value)
            known = DatasetAttributes(dataset)
            value[0] = "1"
            self.assertEqual("value" in known.capture(), is_saved)
            self.assertEqual(known.not_saved == [], is_saved)

    def test_what_is_made_of_things_that_went_is_told(self):
        class Part:
            pass

        lost = Dataset(parts=[Part()], newest=None, place=0)
        known = DatasetAttributes(lost)
        lost.newest, lost.place = lost.parts[0], 1
        captured = through_a_file(known.capture())
        today = Dataset(parts=[], newest=None, place=0)
        failed = DatasetAttributes(today).restore(captured)
        self.assertEqual(failed, ["newest"])
        self.assertEqual((today.newest, today.place), (None, 1))

    def test_a_place_in_a_checkpoint_of_an_earlier_version_is_found(self):
        files = ["a", "b"]
        changed = ["b", "a"]
        DatasetAttributes(Dataset(files=files)).restore(
            {"files": values.Tagged("box", [None, ["data", "files"], changed])}
        )
        self.assertEqual(files, ["b", "a"])

    def test_what_is_large_is_neither_encoded_nor_saved(self):
        data = np.zeros(LARGE)
        dataset = Dataset(x=data, many=["a"] * LARGE, rows=[1] * LARGE)
        never = mock.Mock(side_effect=AssertionError("it was encoded"))
        with mock.patch.object(values, "Encoder", never):
            known = DatasetAttributes(dataset)
            self.assertEqual(known.capture(), {})
            self.assertEqual(known.not_saved, [])
            data[:] = 1
            dataset.many[0] = "b"
            dataset.rows[0] = 2
            self.assertEqual(known.capture(), {})
        self.assertEqual(
            known.not_saved, ["Dataset.x", "Dataset.many", "Dataset.rows"]
        )

    def test_what_cannot_be_saved_is_told_where_it_changed(self):
        dataset = Dataset(kept=object(), other=object(), run=lambda: 1)
        known = DatasetAttributes(dataset)
        dataset.other = object()
        dataset.run = lambda: 2
        self.assertEqual(known.capture(), {})
        self.assertEqual(known.not_saved, ["Dataset.other"])

    def test_what_is_keras_own_is_left_alone(self):
        dataset = Dataset()
        known = DatasetAttributes(dataset)
        dataset.workers = 3
        dataset.max_queue_size = 5
        self.assertEqual(known.capture(), {})

    def test_what_changed_in_place_is_put_back_in_place(self):
        def make():
            order, files = np.arange(9), ["a", "b", "c"]
            places, seen = {"a": 1}, {1}
            outside = order, files, places, seen
            return outside, Dataset(
                order=order,
                some=order[:4],
                files=files,
                same=files,
                numbers=[1, 2, 3],
                places=places,
                seen=seen,
            )

        (order, files, places, seen), lost = make()
        known = DatasetAttributes(lost)
        order[:] = order[::-1].copy()
        files.reverse()
        lost.numbers.reverse()
        places.clear()
        places["b"] = 2
        seen.add(2)
        captured = through_a_file(known.capture())
        (order, files, places, seen), today = make()
        numbers = today.numbers
        DatasetAttributes(today).restore(captured)
        self.assertEqual(order.tolist(), list(range(9))[::-1])
        self.assertEqual(files, ["c", "b", "a"])
        self.assertEqual(numbers, [3, 2, 1])
        self.assertEqual((places, seen), ({"b": 2}, {1, 2}))
        # What is shuffled next reaches all that share it.
        order[0] = 77
        files.append("d")
        self.assertEqual(today.some.tolist(), [77, 7, 6, 5])
        self.assertIs(today.same, today.files)
        self.assertEqual(today.same[-1], "d")
        self.assertIs(today.places, places)
        self.assertIs(today.seen, seen)

    def test_what_was_made_anew_leaves_the_old_as_it_is(self):
        all_of_them, files = np.arange(9), ["a", "b"]

        def make():
            return Dataset(whole=all_of_them, order=all_of_them, files=files)

        lost = make()
        known = DatasetAttributes(lost)
        lost.order, lost.files = lost.whole[::-1].copy(), ["b", "a"]
        captured = through_a_file(known.capture())
        today = make()
        again = DatasetAttributes(today)
        again.restore(captured)
        self.assertEqual(today.order.tolist(), list(range(9))[::-1])
        self.assertEqual(today.files, ["b", "a"])
        self.assertEqual(all_of_them.tolist(), list(range(9)))
        self.assertEqual(files, ["a", "b"])
        # Nor does a third run write into what is the script's.
        captured = through_a_file(again.capture())
        DatasetAttributes(today := make()).restore(captured)
        self.assertEqual(today.files, ["b", "a"])
        self.assertEqual(all_of_them.tolist(), list(range(9)))
        self.assertEqual(files, ["a", "b"])

    def test_where_that_cannot_be_it_is_another_object(self):
        def read_only():
            array = np.arange(3)
            array.flags.writeable = False
            return array

        class Mine(list):
            pass

        lost = Dataset(**{name: np.arange(3) for name in "abcd"}, e=[1, 2])
        known = DatasetAttributes(lost)
        for name in "abcd":
            vars(lost)[name][:] = 7
        lost.e.append(3)
        captured = through_a_file(known.capture())
        made = {
            "a": read_only(),
            "b": np.arange(4),
            "c": np.arange(3, dtype="float32"),
            "d": [0, 1, 2],
            "e": Mine([1, 2]),
        }
        before = {name: list(value) for name, value in made.items()}
        today = Dataset(**made)
        DatasetAttributes(today).restore(captured)
        for name in "abcd":
            self.assertEqual(vars(today)[name].tolist(), [7, 7, 7])
            self.assertEqual(vars(today)[name].dtype, lost.a.dtype)
        self.assertEqual(today.e, [1, 2, 3])
        for name, value in made.items():
            self.assertEqual(list(value), before[name])

    def test_its_generators_are_known(self):
        made = generators(3)
        dataset = Dataset(**made, other=[random.Random(4)], number=3)
        found = dataset_attributes.generators_of(dataset)
        self.assertEqual(sorted(map(id, found)), sorted(map(id, made.values())))
        self.assertEqual(dataset_attributes.generators_of(self), [])

    def test_what_the_first_version_wrote_is_put_back(self):
        """Kind, content, and whether it was the same object as before."""
        files, seen = ["a", "b"], {"x": 1}
        dataset = Dataset(
            files=files,
            seen=seen,
            rows=[1, 2],
            order=np.arange(3),
            place=0,
            random=random.Random(1),
        )
        lost = random.Random(2)
        state = generator_kinds.state_of(lost, "Random")
        DatasetAttributes(dataset).restore(
            dataset_attributes.from_first_version(
                {
                    "files": ["value", ["b", "a"], True],
                    "seen": ["value", {"y": 2}, False],
                    "rows": ["list", np.array([2, 1]), True],
                    "order": ["value", np.array([2, 1, 0]), True],
                    "place": ["value", 5, False],
                    "random": ["Random", state, False],
                    "gone": ["value", 1, False],
                }
            )
        )
        self.assertEqual(files, ["b", "a"])
        self.assertIs(dataset.files, files)
        self.assertEqual((seen, dataset.seen), ({"x": 1}, {"y": 2}))
        self.assertEqual(dataset.rows, [2, 1])
        self.assertEqual(dataset.order.tolist(), [2, 1, 0])
        self.assertEqual(dataset.place, 5)
        self.assertEqual(dataset.random.random(), lost.random())
        self.assertFalse(hasattr(dataset, "gone"))

    def test_what_is_none_is_refused(self):
        keys = np.zeros(624, "uint32")

        def check(captured):
            dataset_attributes.check(
                dataset_attributes.from_first_version(captured)
            )

        check({"a": ["RandomState", [keys, 3, 0, 0.0], False]})
        check({"a": ["list", np.zeros(2), True]})
        check({"a": ["list", np.zeros(2, "int64"), True]})
        for broken in (
            [],
            {"a": 3},
            {1: ["value", 2, False]},
            {"a": ["value", 2]},
            {"a": ["value", 2, None]},
            {"a": ["list", np.zeros((2, 2)), False]},
            {"a": ["list", np.zeros(2, "int32"), False]},
            {"a": ["odd", 3, False]},
            {"a": ["RandomState", [keys, 625, 0, 0.0], False]},
            {"a": ["RandomState", [keys[1:], 3, 0, 0.0], False]},
            {"a": ["Random", [3, keys, 625, None], False]},
            {"a": ["Random", [9, keys, 624, None], False]},
            {"a": ["PCG64", {"bit_generator": "PCG64"}, False]},
            {"a": ["SeedGenerator", np.zeros(3), False]},
            {
                "a": [
                    "MT19937",
                    {
                        "bit_generator": "MT19937",
                        "state": {"key": keys, "pos": 9999},
                    },
                    False,
                ]
            },
        ):
            with self.subTest(broken=broken), self.assertRaises(errors.DAMAGE):
                check(broken)
