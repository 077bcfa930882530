"""dtypes.py: each name stands for the same numbers in three libraries."""

import unittest

import ml_dtypes
import numpy as np

from kerasbackup.store import dtypes

# As the documentation of safetensors has them.
SAFETENSORS = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "I16": np.int16,
    "U16": np.uint16,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I32": np.int32,
    "U32": np.uint32,
    "F32": np.float32,
    "F64": np.float64,
    "I64": np.int64,
    "U64": np.uint64,
}


class Names(unittest.TestCase):
    def test_those_of_safetensors_are_numpys_types(self):
        self.assertEqual(
            {name: dtypes.numpy_dtype(name) for name in dtypes.KERAS_DTYPES},
            {name: np.dtype(one) for name, one in SAFETENSORS.items()},
        )

    def test_those_of_keras_are_those_of_the_types(self):
        self.assertEqual(
            dtypes.DTYPES,
            {np.dtype(one).name: name for name, one in SAFETENSORS.items()},
        )


class Views(unittest.TestCase):
    def test_of_bytes_as_numbers_in_the_same_memory(self):
        numbers = np.arange(6, dtype="float32").reshape(2, 3)
        data = np.frombuffer(numbers.tobytes(), np.uint8).copy()
        view = dtypes.numpy_view("F32", [2, 3], data)
        self.assertEqual(view.dtype, np.float32)
        self.assertEqual(view.tolist(), numbers.tolist())
        self.assertTrue(np.shares_memory(view, data))
