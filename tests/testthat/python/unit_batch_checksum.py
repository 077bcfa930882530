"""batch_checksum.py: other batches have other checksums."""

import importlib.util
import sys
import types
import unittest
import warnings
from unittest import mock

import keras
import numpy as np

from kerasbackup.parts.data import batch_checksum
from kerasbackup.parts.data.batch_checksum import SAMPLED
from kerasbackup.parts.data.batch_checksum import checksum

EXPECTED_PLACES = [
    0.0004132902058699983,
    0.0014740307058218605,
    0.9991038572266007,
]
EXPECTED_CHECKSUMS = [1444579204, 2561054194, 2196503365]


def images(rows=64):
    """Black borders, and something in the middle."""
    found = np.zeros((rows, 28, 28), "float32")
    middle = np.random.default_rng(1).random((rows, 12, 12))
    found[:, 8:20, 8:20] = middle
    return found


def one_hot(rows=64):
    return np.eye(10, dtype="float32")[np.arange(rows) % 10]


def texts(rows=64):
    """Short ones, with zeros in front of them or behind."""
    found = np.zeros((rows, 200), "int64")
    found[:, 150:] = np.random.default_rng(2).integers(1, 9999, (rows, 50))
    return found


class Device:
    def __init__(self, platform):
        self.platform = platform


class OfJax:
    """As much of an array of JAX's as is looked at."""

    def __init__(self, array, *platforms, dtype=None):
        self._array = array
        self._platforms = platforms
        self.dtype = dtype or array.dtype

    def devices(self):
        return {Device(one) for one in self._platforms}

    def __array__(self, dtype=None, copy=None):
        return self._array


class Checksum(unittest.TestCase):
    def test_another_order_of_rows_is_another_batch(self):
        generator = np.random.default_rng(3)
        for kind, make in (
            ("images", images),
            ("one-hot", one_hot),
            ("padding in front", texts),
            ("padding behind", lambda: texts()[:, ::-1].copy()),
            ("labels", lambda: np.arange(64) % 10),
            ("bytes", lambda: (255 * images()).astype("uint8")),
            ("half", lambda: images().astype("float16")),
            ("flags", lambda: images() > 0.5),
            ("times", lambda: np.arange(64).astype("datetime64[s]")),
            ("strings", lambda: np.arange(64).astype(str)),
            ("columns, as R has them", lambda: np.asfortranarray(texts())),
            ("every other row", lambda: images(128)[::2]),
        ):
            batch = make()
            with self.subTest(kind=kind):
                self.assertEqual(checksum((batch,)), checksum((make(),)))
                for _ in range(5):
                    order = generator.permutation(64)
                    self.assertNotEqual(
                        checksum((batch,)), checksum((batch[order],))
                    )

    def test_two_rows_that_change_places_are_another_batch(self):
        for batch in (images(), one_hot(), texts()):
            order = np.arange(64)
            order[[20, 21]] = 21, 20
            self.assertNotEqual(checksum((batch,)), checksum((batch[order],)))

    def test_what_is_in_the_memory_does_not_matter_but_the_values(self):
        large = images()
        for batch in (large, large[:3, :3, :3]):
            same = np.asfortranarray(batch)
            self.assertFalse(same.flags.c_contiguous)
            self.assertEqual(checksum((batch,)), checksum((same,)))

    def test_shape_type_and_structure_count(self):
        batch = np.zeros((6, 4), "float32")
        every = [
            (batch,),
            (batch.reshape(4, 6),),
            (batch.view("int32"),),
            (batch, batch),
            (batch, None),
            {"a": batch, "b": (batch, batch)},
            (np.zeros((0, 4), "float32"),),
            (np.float32(0) + np.zeros((), "float32"), batch),
        ]
        self.assertEqual(len({checksum(one) for one in every}), len(every))

    def test_it_reads_a_bounded_part(self):
        read = []

        def crc32(data, value=0):
            read.append(memoryview(data).nbytes)
            return value

        with mock.patch.object(batch_checksum.zlib, "crc32", crc32):
            checksum((np.zeros((64, 100, 100), "float64"),))
        self.assertLessEqual(max(read), SAMPLED * 8)

    def test_every_part_of_an_array_counts(self):
        for size in (SAMPLED + 1, 5000, 10**6):
            places = (batch_checksum._PLACES * size).astype(int)
            distances = np.diff([-1, *places, size])
            self.assertLess(distances.max(), 2 * size / SAMPLED + 2)
            self.assertGreaterEqual(distances.min(), 0)
            self.assertLess(places.max(), size)

    def test_the_places_are_the_same_in_every_process(self):
        self.assertEqual(
            batch_checksum._PLACES[[0, 1, 1023]].tolist(), EXPECTED_PLACES
        )

    def test_what_cannot_be_read_has_none(self):
        objects = np.array(["a", None], dtype=object)
        for batch in ((objects,), (object(),), ()):
            self.assertIsNone(checksum(batch))
        # And beside something else it does not matter what it is.
        numbers = np.arange(3)
        self.assertEqual(
            checksum((objects, numbers)), checksum((objects[::-1], numbers))
        )

    def test_beside_what_cannot_be_read_the_rest_counts(self):
        class Ragged:
            pass

        class Sparse:
            pass

        one, other = np.arange(3), np.arange(3)[::-1]
        for batches in (
            ((one, Ragged()), (other, Ragged())),
            ((Ragged(), one), (Ragged(), other)),
            ((Ragged(), one), (Sparse(), one)),
        ):
            self.assertNotEqual(*map(checksum, batches))

    def test_checkpoints_of_earlier_versions_have_the_same(self):
        small = np.arange(3, dtype="int32")
        large = np.arange(5000, dtype="int32").reshape(50, 100)
        self.assertEqual(
            [checksum((small,)), checksum((large,)), checksum((large.T,))],
            EXPECTED_CHECKSUMS,
        )

    @unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
    def test_of_torch(self):
        import torch

        rows = torch.from_numpy(images())
        same = images()
        self.assertEqual(checksum((rows,)), checksum((same,)))
        self.assertEqual(
            checksum((rows.clone().requires_grad_(),)), checksum((same,))
        )
        for kind in ("float16", "float64", "int16", "bool"):
            batch = (rows > 0.5).to(getattr(torch, kind))
            same = (images() > 0.5).astype(kind)
            self.assertEqual(checksum((batch,)), checksum((same,)), kind)
        for kind in (torch.bfloat16, torch.float8_e4m3fn, torch.bool):
            batch = (rows > 0.5).to(kind)
            self.assertNotEqual(checksum((batch,)), None)
            self.assertNotEqual(checksum((batch,)), checksum((batch.flip(0),)))
        pairs = torch.view_as_complex(torch.zeros(3, 2)).conj()
        unreadable = [rows.to("meta"), rows[0].to_sparse(), pairs, pairs.imag]
        if hasattr(torch, "quantize_per_tensor"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                unreadable.append(
                    torch.quantize_per_tensor(rows, 0.1, 0, torch.quint8)
                )
        for batch in unreadable:
            self.assertIsNone(checksum((batch,)))

    def test_of_jax_only_what_one_cpu_has_is_read(self):
        """Anything else would wait for a device."""
        jax = types.SimpleNamespace(Array=OfJax)
        rows = images()
        with mock.patch.dict(sys.modules, {"jax": jax}):
            self.assertEqual(checksum((OfJax(rows, "cpu"),)), checksum((rows,)))
            for other in (
                OfJax(rows, "gpu"),
                OfJax(rows, "cpu", "cpu"),
                # A key of random numbers.
                OfJax(rows, "cpu", dtype="key<fry>"),
            ):
                self.assertIsNone(checksum((other,)))

    @unittest.skipUnless(keras.backend.backend() == "jax", "there is no JAX")
    def test_of_jax(self):
        import jax

        batch = jax.numpy.asarray(images())
        self.assertEqual(checksum((batch,)), checksum((images(),)))
        half = batch.astype("bfloat16")
        self.assertNotEqual(checksum((half,)), checksum((half[::-1],)))
        self.assertIsNone(checksum((jax.random.key(1),)))
