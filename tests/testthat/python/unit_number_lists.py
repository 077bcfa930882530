"""number_lists.py: lists of numbers as arrays, which grow in place."""

import unittest

import numpy as np

from kerasbackup.store import number_lists


def types(items):
    return [type(one) for one in items]


class Packing(unittest.TestCase):
    def assert_kept(self, items):
        back = number_lists.unpack(number_lists.pack(items))
        self.assertEqual(back, items)
        self.assertEqual(types(back), types(items))

    def test_an_integer_that_is_no_int64_stays_with_json(self):
        self.assert_kept([2**63 - 1, -(2**63)] * 20)
        for large in (2**63, 2**70):
            self.assertIsNone(number_lists.pack([large] * 40))

    def test_beside_others_one_that_is_no_float64_does(self):
        self.assert_kept([2**53, None] * 20)
        self.assertIsNone(number_lists.pack([2**53 + 1, None] * 20))

    def test_those_of_several_types_are_float64_whichever_they_are(self):
        for items in ([True, 1] * 20, [1, None] * 20, [1.5, 1] * 20):
            packed = number_lists.pack(items)
            self.assertEqual(packed.numbers.dtype, np.float64)
            self.assertIs(packed.of_numpy, False)
            self.assert_kept(items)

    def test_the_size_is_the_same_for_many_lengths(self):
        sizes = set()
        for length in range(32, 64):
            size = len(number_lists.pack([0.5] * length).numbers)
            self.assertLessEqual(length, size)
            self.assertLessEqual(size, length * 9 / 8)
            sizes.add(size)
        self.assertLessEqual(len(sizes), 9)

    def test_types_that_are_not_those_of_the_numbers_are_refused(self):
        numbers = np.zeros(40)
        for wrong in (np.zeros(39, "uint8"), np.zeros(40, "int8")):
            packed = number_lists.Packed(numbers, wrong, 39, False)
            with self.assertRaises(ValueError):
                number_lists.unpack(packed)


class Rows(unittest.TestCase):
    def test_from_one_column_to_as_many_as_are_packed(self):
        most = number_lists.MOST_COLUMNS
        for width in (1, most):
            rows = number_lists.pack_rows([tuple(range(width))] * 40)
            self.assertEqual(len(rows.columns), width)
        for width in (0, most + 1):
            rows = [tuple(range(width))] * 40
            self.assertIsNone(number_lists.pack_rows(rows))


class Growing(unittest.TestCase):
    def setUp(self):
        self.growing = number_lists.GrowingList()

    def assert_packed(self, items):
        packed = self.growing.pack(items)
        back = number_lists.unpack(packed)
        self.assertEqual(back, items)
        self.assertEqual(types(back), types(items))
        return packed

    def test_by_one_beyond_its_memory_again_and_again(self):
        items = [*range(32)]
        for i in range(32, 100):
            self.assert_packed(items)
            items.append(i)

    def test_within_its_memory_it_stays_there(self):
        items = [0.5] * 33
        before = self.assert_packed(items)
        items += range_of_floats(len(before.numbers) - 33)
        self.assertIs(self.assert_packed(items).numbers, before.numbers)

    def test_one_that_has_not_grown_is_not_packed_again(self):
        items = [0.5] * 40
        self.assertIs(self.assert_packed(items), self.growing.pack(items))

    def test_of_several_types_too(self):
        items = [None, 0.5] * 20
        for more in (None, 1, True, 2.5):
            self.assert_packed(items)
            items.append(more)
        self.assert_packed(items)

    def test_by_another_type(self):
        items = [0.5] * 40
        self.assert_packed(items)
        items.append(2)
        self.assert_packed(items)

    def test_by_an_integer_that_is_no_int64(self):
        for large in (2**63, 2**70):
            items = [1] * 40
            self.assert_packed(items)
            items.append(large)
            self.assertIsNone(self.growing.pack(items))


def range_of_floats(count):
    return [i + 0.5 for i in range(count)]
