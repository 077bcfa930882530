"""values.py: what is encoded comes back, and nothing else is."""

import collections
import json
import math
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.keras3 import tensors
from kerasbackup.store import errors
from kerasbackup.store import number_lists
from kerasbackup.store import values


class Loud:
    """Tells when it is pickled."""

    def __init__(self):
        self.pickled = False

    def __reduce_ex__(self, protocol):
        self.pickled = True
        return (str, ("no",))


def there_and_back(value):
    """Encoded, written as JSON, read, decoded."""
    encoder = values.Encoder()
    text = json.dumps(encoder.encode(value, "x"), allow_nan=False)
    return values.decode(json.loads(text), encoder.arrays.__getitem__)


class RoundTrip(unittest.TestCase):
    def test_what_compares_by_equality(self):
        for value in (
            None,
            True,
            False,
            0,
            -7,
            2**70,
            0.1,
            -0.0,
            1e308,
            float("inf"),
            float("-inf"),
            "",
            'ü 中 \U0001f600 " \\ \n $dict',
            [],
            [1, [2.5, None], "a"],
            (),
            (1, (2, [3])),
            set(),
            {1, "a"},
            b"",
            b"\x00\xff",
            {},
            {"a": 1, "$float": "nan"},
            {1: "one", None: 2, (1, "b"): [3], 2.5: True},
            frozenset({1, (2,)}),
            bytearray(b"a"),
            bytes(range(256)) * 2,
            collections.OrderedDict(b=1, a=[2]),
            collections.Counter(a=2, b=-1),
            collections.defaultdict(list, a=[1]),
            collections.defaultdict(None, a=1),
            collections.deque([1, [2]], maxlen=3),
            [*range(50)],
            [0.5, None, True, *range(50)],
            dict(zip(range(50), range(50))),
            {i / 7 for i in range(50)},
            tuple(range(50)),
            [(i, i / 7) for i in range(50)],
            [(i, "a") for i in range(50)],
            [(i,) * (1 + i % 2) for i in range(50)],
            [{"a": i, "b": None} for i in range(50)],
            [{"a": i} if i % 2 else {"b": i} for i in range(50)],
            [{i: i} for i in range(50)],
            [()] * 50,
            {"a": {"b": {"c": (1, {2})}}},
        ):
            with self.subTest(value=value):
                back = there_and_back(value)
                self.assertEqual(back, value)
                self.assertIs(type(back), type(value))

    def test_what_they_were_made_with(self):
        self.assertIs(
            there_and_back(collections.defaultdict(int)).default_factory, int
        )
        self.assertEqual(there_and_back(collections.deque(maxlen=3)).maxlen, 3)
        ordered = collections.OrderedDict(b=1, a=2)
        self.assertEqual(list(there_and_back(ordered)), ["b", "a"])

    def test_not_a_number_and_minus_zero(self):
        self.assertTrue(math.isnan(there_and_back(float("nan"))))
        self.assertEqual(math.copysign(1, there_and_back(-0.0)), -1)

    def test_a_bool_is_no_int(self):
        self.assertEqual(
            [type(v) for v in there_and_back([True, 1])], [bool, int]
        )

    def test_the_order_of_a_dict_stays(self):
        self.assertEqual(list(there_and_back({"b": 1, "a": 2})), ["b", "a"])

    def test_arrays_of_every_kind(self):
        for dtype in (
            "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 "
            "float16 float32 float64"
        ).split():
            for shape in ((), (0,), (3,), (2, 0, 4), (2, 3)):
                with self.subTest(dtype=dtype, shape=shape):
                    size = int(np.prod(shape))
                    array = np.arange(size).reshape(shape).astype(dtype)
                    back = there_and_back(array)
                    self.assertIsInstance(back, np.ndarray)
                    self.assertEqual(back.dtype, array.dtype)
                    self.assertEqual(back.shape, array.shape)
                    self.assertEqual(back.tobytes(), array.tobytes())

    def test_an_array_by_columns_keeps_its_numbers(self):
        array = np.asfortranarray(np.arange(6).reshape(2, 3))
        np.testing.assert_array_equal(there_and_back(array), array)

    def test_an_array_is_not_copied_when_it_is_encoded(self):
        """The store copies it, with the variables, before training goes on."""
        encoder = values.Encoder()
        array = np.zeros(100)
        encoder.encode([array], "x")
        (found,) = encoder.arrays.values()
        self.assertTrue(np.shares_memory(found, array))

    def test_numbers_of_numpy(self):
        for value in (np.float32(0.1), np.int64(-3), np.bool_(True)):
            with self.subTest(value=value):
                back = there_and_back(value)
                self.assertEqual(back, value)
                self.assertIs(type(back), type(value))

    def test_tensors_of_the_backend(self):
        tensor = keras.ops.convert_to_tensor(np.array([1.5, 2], "float32"))
        back = there_and_back({"a": [tensor]})["a"][0]
        self.assertIs(type(back), type(tensor))
        self.assertEqual(keras.ops.convert_to_numpy(back).tolist(), [1.5, 2])

    def test_small_arrays_are_no_tensors(self):
        encoder = values.Encoder()
        encoder.encode([np.zeros(32), np.float32(1), np.zeros(33)], "x")
        self.assertEqual(list(encoder.arrays), ["x/2"])

    def test_the_bits_of_small_ones_are_kept(self):
        bits = np.array([0x7FF8000000000001, 1], "uint64")
        for value in (bits.view("float64"), bits.view("float64")[0]):
            self.assertEqual(there_and_back(value).tobytes(), value.tobytes())

    def test_what_the_first_version_wrote(self):
        arrays = {"a": np.arange(3), "b": np.array(2.5)}
        encoded = [
            {"$dict": [["x", {"$array": "a"}], [[1, 2], 3]]},
            {"$scalar": "b"},
            {"$tensor": "b"},
            {"$bytes": [1, 2]},
            {"$set": [1]},
            {"$tuple": [{"$float": "inf"}]},
        ]
        found = values.decode(encoded, arrays.__getitem__)
        self.assertEqual(found[0]["x"].tolist(), [0, 1, 2])
        self.assertEqual(found[0][1, 2], 3)
        self.assertEqual(found[1], np.float64(2.5))
        self.assertEqual(float(keras.ops.convert_to_numpy(found[2])), 2.5)
        self.assertEqual(found[3:], [b"\1\2", {1}, (math.inf,)])

    def test_functions_that_are_known(self):
        for function in (np.less, np.greater, keras.ops.less):
            self.assertIs(there_and_back(function), function)

    def test_arrays_have_names_of_their_own(self):
        one, two = np.array([1]), np.array([2])
        value = {"a": [one, {"b": two}], "c": (one, two)}
        back = there_and_back(value)
        self.assertEqual(back["a"][0].tolist(), [1])
        self.assertEqual(back["a"][1]["b"].tolist(), [2])
        self.assertEqual([x.tolist() for x in back["c"]], [[1], [2]])


class Refused(unittest.TestCase):
    def test_the_type_is_named_and_nothing_is_collected(self):
        for value, named in (
            (object(), "object"),
            (lambda: 1, "function"),
            (1j, "complex"),
            (np.array(["a"]), "array of str"),
            (np.array([object()]), "array of object"),
            (Loud(), "Loud"),
        ):
            for wrapped in (value, [np.zeros(2), value], {"a": (value,)}):
                with self.subTest(named=named, wrapped=type(wrapped)):
                    encoder = values.Encoder()
                    with self.assertRaisesRegex(values.Unsaveable, named):
                        encoder.encode(wrapped, "x")
                    self.assertEqual(encoder.arrays, {})

    def test_subclasses_are_not_guessed(self):
        class Integer(int):
            pass

        with self.assertRaisesRegex(values.Unsaveable, "Integer"):
            values.Encoder().encode(Integer(3), "x")

    def test_nor_those_of_collections(self):
        class Words(dict):
            pass

        class Names(str):
            pass

        for value in (
            Words(a=1),
            Names("a"),
            collections.UserDict(),
            collections.namedtuple("Pair", "a b")(1, 2),
            collections.defaultdict(lambda: 1),
        ):
            with self.subTest(value=value):
                with self.assertRaises(values.Unsaveable):
                    values.Encoder().encode([value], "x")

    def test_what_is_too_large(self):
        encoder = values.Encoder()
        with mock.patch.object(values, "MOST_TEXT", 2000):
            encoder.encode(["x"] * 30, "a")
            with self.assertRaisesRegex(values.Unsaveable, "too large"):
                encoder.encode(["x"] * 60, "b")
            # What is beside it has its room.
            encoder.encode(["x"] * 30, "c")

    def test_its_size_is_that_of_json_in_json_at_most(self):
        for value in (
            "a" * 100,
            '"\\' * 100,
            "\n\0\x7f" * 100,
            "ü\U0001f600\ud800" * 100,
            [0.1 + 0.2] * 20,
            [-1e-300] * 20,
            [10**400],
            {"a": [None, True, {"b": ()}]},
            [np.zeros(3), np.float16(1)],
            b"\xff" * 200,
            [math.nan, -math.inf] * 10,
        ):
            text = json.dumps(values.Encoder().encode(value, "x"))
            length = len(json.dumps(text, ensure_ascii=False))
            with (
                self.subTest(value=value),
                mock.patch.object(values, "MOST_TEXT", length - 10),
                self.assertRaisesRegex(values.Unsaveable, "too large"),
            ):
                values.Encoder().encode(value, "x")

    def test_so_is_that_of_arrays_and_their_names(self):
        name = "n" * 100
        for value in (
            [0.5, None] * 40,
            [0.5] * 40,
            np.zeros(100),
            np.zeros((1,) * 8, "int8"),
        ):
            text = json.dumps(values.Encoder().encode(value, name))
            length = len(json.dumps(text))
            with (
                self.subTest(value=type(value)),
                mock.patch.object(values, "MOST_TEXT", length - 10),
                self.assertRaisesRegex(values.Unsaveable, "too large"),
            ):
                values.Encoder().encode(value, name)

    def test_a_plain_text_has_no_arrays(self):
        plain = values.Encoder(is_plain=True)
        self.assertEqual(plain.encode(b"\1\2", "x"), {"$bytes": [1, 2]})
        with self.assertRaisesRegex(values.Unsaveable, "^array$"):
            plain.encode(np.zeros(2), "x")

    def test_what_is_wrong_is_told(self):
        arrays = {"b": np.zeros(2)}
        for wrong, error, told in (
            ({"$scalar": "b"}, ValueError, "^b is no scalar"),
            ({"$small": ["odd", "U8", [0], ""]}, KeyError, "odd"),
            ({"$tuple": 3}, TypeError, "^int instead of list$"),
        ):
            with self.subTest(told=told):
                with self.assertRaisesRegex(error, told):
                    values.decode(wrong, arrays.__getitem__)

    def test_tags_only_where_they_are_expected(self):
        encoded = values.Encoder().encode(values.Tagged("same", [1]), "x")
        with self.assertRaises(KeyError):
            values.decode(encoded, {}.__getitem__)
        found = values.decode(encoded, {}.__getitem__, has_tags=True)
        self.assertEqual((found.tag, found.items), ("same", [1]))

    def test_what_is_read_is_total(self):
        """When content is read there is no way back."""
        arrays = {
            "n": np.array([np.nan, np.inf, 1, 2]),
            "t": np.array([1, 2, 9, 3], "uint8"),
        }
        values.decode({"$numbers": ["n", "t", 4, False]}, arrays.__getitem__)
        for wrong in (
            {"$numbers": ["n"]},
            {"$numbers": ["n", "n", 4, False]},
            {"$numbers": ["n", "t", 4, 1]},
            {"$numbers": ["n", "t", 5, False]},
            {"$numbers": ["n", "t", -1, False]},
            {"$numbers": ["n", "x", 4, False]},
            {"$small": ["array", "F32", [-1], ""]},
            {"$small": ["array", "F32", [2], "AAAA"]},
            {"$small": ["array", "odd", [0], ""]},
            {"$small": ["odd", "F32", [0], ""]},
            {"$small": ["array", "U8", [3], "AA!AA"]},
            {"$small": ["scalar", "F32", [0], ""]},
            {"$deque": [[], -1]},
            {"$deque": [3, None]},
            {"$items": [[1], []]},
            {"$items": [[[]], [1]]},
            {"$rows": [1]},
            {"$rows": [[1], [1, 2]]},
            {"$records": [["a"], [[1], [2]]]},
            {"$records": [[1], [[1]]]},
            {"$counter": []},
            {"$ordered": 3},
            {"$bytearray": "a"},
            {"$buffer": {"$array": "n"}},
            {"$defaultdict": ["open", {"$dict": []}]},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(errors.DAMAGE):
                values.decode(wrong, arrays.__getitem__)

    def test_nothing_is_pickled(self):
        loud = Loud()
        with self.assertRaises(values.Unsaveable):
            values.Encoder().encode([loud], "x")
        self.assertFalse(loud.pickled)

    def test_what_is_decoded_is_looked_up_never_imported(self):
        for hostile in (
            {"$function": "os.system"},
            {"$pickle": "gASVAAAAAAAAAC4="},
            {"$object": "builtins.eval"},
        ):
            with self.subTest(hostile=hostile), self.assertRaises(KeyError):
                values.decode(hostile, {}.__getitem__)


class Names(unittest.TestCase):
    """What the tensors of the checkpoint are called."""

    def test_parts_of_a_list_of_numbers(self):
        encoder = values.Encoder()
        encoder.encode([0.5, None] * 20, "x")
        self.assertEqual(list(encoder.arrays), ["x/numbers", "x/types"])

    def test_no_two_lists_share_one(self):
        def rows(first):
            return [(first + i, "a") for i in range(40)]

        def records(first):
            return [{"a": first + i} for i in range(40)]

        boxes = [
            values.Tagged("box", [None, None, [0.5 + i] * 40]) for i in (0, 1)
        ]
        packed = [number_lists.pack_rows(rows(i)) for i in (5, 6)]
        value = [rows(0), rows(1), records(2), records(3), boxes, packed]
        encoder = values.Encoder()
        encoded = encoder.encode(value, "x")
        found = values.decode(encoded, encoder.arrays.__getitem__)
        self.assertEqual(
            found,
            [
                rows(0),
                rows(1),
                records(2),
                records(3),
                [[0.5] * 40, [1.5] * 40],
                [rows(5), rows(6)],
            ],
        )

    def test_their_memory_is_in_the_order_of_rows(self):
        array = np.asfortranarray(np.arange(600.0).reshape(20, 30))
        numbers = np.arange(600.0).reshape(30, 20)
        tensor = keras.ops.transpose(keras.ops.convert_to_tensor(numbers))
        encoder = values.Encoder()
        encoder.encode([array, tensor], "x")
        one, two = encoder.arrays.values()
        self.assertTrue(one.flags.c_contiguous)
        self.assertTrue(two.flags.c_contiguous)
        np.testing.assert_array_equal(one, array)
        np.testing.assert_array_equal(two, numbers.T)


class Boxes(unittest.TestCase):
    def test_one_that_nobody_refers_to_is_its_content(self):
        for tag, encoded in (
            ("box", 3),
            ("object", {"$object": [None, None, 3]}),
        ):
            value = values.Tagged(tag, [None, None, 3])
            self.assertEqual(values.Encoder().encode(value, "x"), encoded)


class Depth(unittest.TestCase):
    """What is nested as deeply as can be written can be read; one level more
    can be neither."""

    def nested(self, value, levels):
        for _ in range(levels):
            value = [value]
        return value

    def assert_deepest(self, value, levels):
        value = self.nested(value, levels)
        self.assertEqual(there_and_back(value), value)
        with self.assertRaisesRegex(values.Unsaveable, "too deeply"):
            values.Encoder().encode([value], "x")

    def test_lists(self):
        self.assert_deepest(1, values.MOST_NESTED)

    def test_rows(self):
        self.assert_deepest([("a",)] * 40, values.MOST_NESTED - 3)

    def test_records(self):
        self.assert_deepest([{"a": "b"}] * 40, values.MOST_NESTED - 4)

    def test_tags(self):
        def tagged(levels):
            value = 1
            for _ in range(levels):
                value = values.Tagged("same", [value])
            return value

        def written(levels):
            value = 1
            for _ in range(levels):
                value = {"$same": [value]}
            return value

        most = values.MOST_NESTED // 2
        encoded = values.Encoder().encode(tagged(most), "x")
        self.assertEqual(encoded, written(most))
        values.decode(encoded, {}.__getitem__, has_tags=True)
        with self.assertRaisesRegex(values.Unsaveable, "too deeply"):
            values.Encoder().encode(tagged(most + 1), "x")
        with self.assertRaisesRegex(ValueError, "too deeply"):
            values.decode(written(most + 1), {}.__getitem__, has_tags=True)


class Bytes(unittest.TestCase):
    def test_arrays_of_another_order_are_written_in_that_of_the_machine(self):
        for size in (3, 200):
            for other in (
                np.arange(size, dtype=">f4"),
                np.arange(2 * size, dtype="float32")[::2],
            ):
                with self.subTest(size=size, dtype=other.dtype.str):
                    encoder = values.Encoder()
                    encoded = encoder.encode(other, "x")
                    for array in encoder.arrays.values():
                        self.assertTrue(array.flags.c_contiguous)
                        self.assertTrue(array.dtype.isnative)
                    back = values.decode(encoded, encoder.arrays.__getitem__)
                    np.testing.assert_array_equal(back, other)


class Dtypes(unittest.TestCase):
    def test_of_tensors(self):
        for name in ("float16", "int32", "bool"):
            tensor = keras.ops.zeros(2, name)
            self.assertEqual(tensors.dtype_of(tensor), name)

    def test_what_is_not_of_numbers_has_none(self):
        self.assertIsNone(tensors.dtype_of(np.array(["a"])))
