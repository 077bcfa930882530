"""fingerprints.py: every change of an array shows, and of a large one those of
about a thousand elements."""

import unittest
from unittest import mock

import numpy as np

from kerasbackup.parts.objects import fingerprints

SIGN = 1 << 63


class Whole(unittest.TestCase):
    def assert_every_word_counts(self, words):
        before = fingerprints.whole(words)
        for i in range(len(words)):
            for change in (1, SIGN):
                words[i] ^= np.uint64(change)
                self.assertNotEqual(fingerprints.whole(words), before)
                words[i] ^= np.uint64(change)
        self.assertEqual(fingerprints.whole(words), before)

    def test_every_byte_counts(self):
        for length in (0, 1, 7, 8, 9, 40, 43):
            content = np.arange(length, dtype="uint8")
            before = fingerprints.whole(content)
            for i in range(length):
                changed = content.copy()
                changed[i] += 1
                self.assertNotEqual(fingerprints.whole(changed), before)

    def test_every_bit_of_a_word_counts(self):
        self.assert_every_word_counts(np.arange(200, dtype="uint64"))

    def test_the_first_of_many_chunks_counts(self):
        fingerprints._weights.cache_clear()
        self.addCleanup(fingerprints._weights.cache_clear)
        with mock.patch.object(fingerprints, "CHUNK", 2):
            self.assert_every_word_counts(np.arange(200, dtype="uint64"))

    def test_the_order_counts(self):
        words = np.arange(1000, dtype="uint64")
        before = fingerprints.whole(words)
        for i in range(len(words) - 1):
            swapped = words.copy()
            swapped[[i, i + 1]] = words[[i + 1, i]]
            self.assertNotEqual(fingerprints.whole(swapped), before)

    def test_it_has_64_bits_however_large_the_array(self):
        for first in range(4):
            words = np.arange(first, 3 * fingerprints.CHUNK, dtype="uint64")
            total = fingerprints.whole(words)[2]
            self.assertIs(type(total), int)
            self.assertLess(total, 2**64)

    def test_dtype_and_shape_count(self):
        array = np.zeros((2, 3), "float32")
        for other in (array.reshape(3, 2), array.view("int32")):
            self.assertNotEqual(
                fingerprints.whole(other), fingerprints.whole(array)
            )


class Sample(unittest.TestCase):
    def test_it_is_of_about_a_thousand_elements_and_the_first(self):
        for size in (0, 1, 1000, 1500, 100_000):
            array = np.arange(size, dtype="uint8")
            before = fingerprints.sample(array)
            self.assertLessEqual(len(before[2]), 1100)
            self.assertGreaterEqual(len(before[2]), min(size, 500))
            if size:
                array[0] += 1
                self.assertNotEqual(fingerprints.sample(array), before)

    def test_of_objects_it_is_which_they_are(self):
        one, other = [], []
        array = np.empty(3, object)
        array[:] = [one, one, None]
        before = fingerprints.sample(array)
        self.assertEqual(fingerprints.sample(array.copy()), before)
        array[1] = other
        self.assertNotEqual(fingerprints.sample(array), before)
