"""values.py: what is encoded comes back, and nothing else is."""

import collections
import json
import math
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.store import errors
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

    def test_an_array_is_copied_when_it_is_encoded(self):
        encoder = values.Encoder()
        arrays = np.zeros(2), np.zeros(100)
        encoded = encoder.encode(arrays, "x")
        for array in arrays:
            array[:] = 1
        back = values.decode(encoded, encoder.arrays.__getitem__)
        self.assertEqual([one.tolist() for one in back], [[0] * 2, [0] * 100])

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
