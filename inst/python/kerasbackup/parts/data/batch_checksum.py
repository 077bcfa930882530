"""A checksum of a batch, to tell whether the same batch was drawn again.

A checksum costs a few microseconds however large the batch is, because at most
`SAMPLED` elements of each array are read, spread over all of it. It notices
other rows or another order of rows, but not a single element of a large batch.

Only memory of the host is read. Of an array on a device, a ragged or sparse
tensor and an array of Python objects only the type counts, because reading them
would wait for the device or cost more.
"""

import sys
import zlib
from typing import Any

import numpy as np

from kerasbackup.anykeras import data_adapters

# Elements of each array that are read.
SAMPLED = 1024


def _places() -> np.ndarray:
    """Where in an array the elements are, from 0 to 1: one at a random place in
    each of `SAMPLED` parts of equal size. A constant distance could meet the
    same column of every row, which may be a border or padding.

    The same in every process: these are the first steps of a generator that is
    written out here (Knuth's MMIX).
    """
    places, state = [], 1
    for part in range(SAMPLED):
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        places.append((part + (state >> 32) / 2**32) / SAMPLED)
    return np.array(places)


_PLACES = _places()


def checksum(batch: Any) -> int | None:
    """The checksum of a batch.

    Args:
        batch: Arrays, in any structure that Keras knows.

    Returns:
        Integer of 32 bits; `None` where no array of the batch can be read.
    """
    total = 0
    is_readable = False
    for leaf in data_adapters.leaves(batch):
        array = _host_array(leaf)
        if array is None:
            total = zlib.crc32(type(leaf).__name__.encode(), total)
            continue
        is_readable = True
        kind = f"{array.dtype.str}{array.shape}"
        total = zlib.crc32(kind.encode(), total)
        total = zlib.crc32(_sample(array).view(np.uint8), total)
    return total if is_readable else None


def _sample(array: np.ndarray) -> np.ndarray:
    """The elements that count, in a contiguous array of one dimension."""
    if array.size <= SAMPLED:
        return array.ravel()
    places = (_PLACES * array.size).astype(np.intp)
    if array.flags.c_contiguous:
        return array.take(places)
    return array[np.unravel_index(places, array.shape)]


def _host_array(leaf: Any) -> np.ndarray | None:
    """A view of an array that the host can read without waiting or copying;
    `None` of anything else."""
    if isinstance(leaf, np.ndarray):
        return None if leaf.dtype.hasobject else leaf
    torch = sys.modules.get("torch")
    if torch is not None and type(leaf) is torch.Tensor:
        return _of_torch(leaf, torch)
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(leaf, jax.Array):
        return _of_jax(leaf)
    return None


def _of_torch(tensor: Any, torch: Any) -> np.ndarray | None:
    if (
        tensor.device.type != "cpu"
        or tensor.layout is not torch.strided
        or tensor.is_quantized
        or tensor.is_conj()
        or tensor.is_neg()
    ):
        return None
    tensor = tensor.detach()
    if tensor.dtype.is_floating_point and tensor.dtype not in (
        torch.float16,
        torch.float32,
        torch.float64,
    ):
        # NumPy has none of these.
        integers = {1: torch.uint8, 2: torch.int16}
        if tensor.element_size() not in integers:
            return None
        tensor = tensor.view(integers[tensor.element_size()])
    return tensor.numpy()


def _of_jax(array: Any) -> np.ndarray | None:
    devices = array.devices()
    if (
        len(devices) != 1
        or next(iter(devices)).platform != "cpu"
        or not isinstance(array.dtype, np.dtype)
    ):
        return None
    return np.asarray(array)
