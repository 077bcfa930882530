"""values.py: what is encoded comes back, and nothing else is."""

import json
import math
import unittest

import keras
import numpy as np

from kerasbackup import values


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
            {"a": {"b": {"c": (1, {2})}}},
        ):
            with self.subTest(value=value):
                back = there_and_back(value)
                self.assertEqual(back, value)
                self.assertIs(type(back), type(value))

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
        array = np.zeros(2)
        encoder.encode(array, "x")
        array[:] = 1
        self.assertEqual(encoder.arrays["x"].tolist(), [0, 0])

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
