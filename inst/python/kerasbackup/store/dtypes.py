"""The dtypes of tensors: Keras' names, those of safetensors, and NumPy's."""

import numpy as np

# Keras' names of dtypes and those of safetensors.
DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fn": "F8_E4M3",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}
KERAS_DTYPES = {ours: theirs for theirs, ours in DTYPES.items()}


def numpy_view(dtype: str, shape: list[int], data: np.ndarray) -> np.ndarray:
    """The bytes of a tensor as what they are, in the same memory."""
    return data.view(numpy_dtype(dtype)).reshape(shape)


def numpy_dtype(dtype: str) -> np.dtype:
    name = KERAS_DTYPES[dtype]
    if name in ("bfloat16", "float8_e5m2", "float8_e4m3fn"):
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)
