"""Owns the variables of a training: which there are, their names and bytes.

Three kinds are saved, each variable once: the model's (weights, seed
generators, states of layers), the optimizer's and the metrics'. Their bytes are
handed over by address, without a copy where the backend allows it. What differs
between the backends is in the `_Host` classes below and nowhere else.

May not touch hooks, callbacks or files.
"""

import array
import re
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbackup import errors

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


class Variables:
    """All variables of one training, in file order.

    The order is by size of an element, the largest first, so that every tensor
    in the file is aligned to its element. Within one size it is Keras' order.

    Args:
        model: A built and compiled `keras.Model` with a built optimizer.

    Attributes:
        spec: List of `(name, dtype, shape)`, in file order, dtype as
            safetensors names it.
    """

    def __init__(self, model: keras.Model):
        self._host = _host()
        found = []
        for name, variable in _walk(model):
            dtype, shape, width = self._host.describe(name, variable)
            found.append((-width, name, dtype, shape, variable))
        found.sort(key=lambda one: one[0])
        self._variables = [one[4] for one in found]
        self.spec = [(one[1], one[2], one[3]) for one in found]

    def capture(self) -> tuple[bytearray, list[Any]]:
        """Looks up where the bytes of every variable are, now.

        Returns:
            The addresses, native 64-bit, in file order; and the objects that
            keep that memory alive. Let them go before the next training step:
            until then the backend may have to copy what it would overwrite.
        """
        addresses = array.array("Q")
        owners = []
        for variable in self._variables:
            address, owner = self._host.locate(variable)
            addresses.append(address)
            owners.append(owner)
        return bytearray(addresses.tobytes()), owners

    def check(self, checkpoint) -> list[str]:
        """Compares with a checkpoint and pairs the variables with its tensors.

        Keras numbers the names of layers over the life of a process (`dense`,
        `dense_1`, ...), so the same script run twice in one session gives other
        names. Names count as they are where they agree, else without their
        numbers, in order.

        Args:
            checkpoint: A `store.Checkpoint`.

        Returns:
            The name of every variable's tensor, in the order of `spec`.

        Raises:
            MismatchError: Lists all that is missing, extra or of another shape
                or dtype. Nothing was assigned.
        """
        saved = checkpoint.tensors
        names = partners = [name for name, _, _ in self.spec]
        if set(names) != set(saved):
            ordered = sorted(
                saved,
                key=lambda n: -np.dtype(_numpy_dtype(saved[n][0])).itemsize,
            )
            if [_unnumbered(n) for n in names] == [
                _unnumbered(n) for n in ordered
            ]:
                partners = ordered
        differences = _differences(self.spec, partners, saved)
        if differences:
            raise errors.MismatchError(
                f"The checkpoint '{checkpoint.path}' is of another model. "
                "Nothing was restored, and the checkpoint was left as it is.\n"
                + "\n".join(f"* {line}" for line in differences)
                + "\nTrain the model that it was saved from, or use another "
                "`backup_dir`."
            )
        return partners

    def assign(self, checkpoint, partners: list[str]) -> None:
        """Gives every variable the bytes of its tensor.

        Args:
            checkpoint: A `store.Checkpoint`, still loaded.
            partners: What `check()` returned.
        """
        for variable, name in zip(self._variables, partners):
            self._host.assign(variable, *checkpoint.tensors[name])


def _walk(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Every variable once, with a unique name."""
    groups = [
        ("variables", model.variables),
        ("optimizer", model.optimizer.variables if model.optimizer else []),
        ("metrics", model.metrics_variables),
    ]
    seen = set()
    names = set()
    for group, variables in groups:
        for variable in variables:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            name = path = f"{group}/{variable.path}"
            count = 1
            while name in names:
                name = f"{path}~{count}"
                count += 1
            names.add(name)
            yield name, variable


def _unnumbered(name: str) -> str:
    return re.sub(r"_\d+(?=[_/~]|$)", "", name)


def _numpy_dtype(dtype: str) -> np.dtype:
    name = KERAS_DTYPES[dtype]
    if name in ("bfloat16", "float8_e5m2", "float8_e4m3fn"):
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)


def _differences(spec, partners, saved) -> list[str]:
    lines = []
    for (name, dtype, shape), partner in zip(spec, partners):
        if partner not in saved:
            lines.append(
                f"{name}: {_kind(dtype, shape)} in the model, "
                "missing in the checkpoint"
            )
            continue
        saved_dtype, saved_shape, _ = saved[partner]
        if (dtype, list(shape)) != (saved_dtype, list(saved_shape)):
            lines.append(
                f"{name}: {_kind(dtype, shape)} in the model, "
                f"{_kind(saved_dtype, saved_shape)} in the checkpoint"
            )
    for name in saved:
        if name not in set(partners):
            saved_dtype, saved_shape, _ = saved[name]
            lines.append(
                f"{name}: missing in the model, "
                f"{_kind(saved_dtype, saved_shape)} in the checkpoint"
            )
    return lines


def _kind(dtype: str, shape) -> str:
    return f"{KERAS_DTYPES[dtype]} ({', '.join(str(d) for d in shape)})"


def _dtype(name: str, dtype: str) -> str:
    if dtype not in DTYPES:
        raise errors.UnsupportedError(
            f"The variable `{name}` cannot be saved: its dtype is {dtype}. "
            f"Known: {', '.join(DTYPES)}."
        )
    return DTYPES[dtype]


class _NumpyHost:
    """Backends whose values numpy can look at: JAX and TensorFlow."""

    def describe(self, name, variable):
        value = self._view(variable)
        dtype = _dtype(name, value.dtype.name)
        return dtype, list(value.shape), value.dtype.itemsize

    def locate(self, variable):
        value = self._view(variable)
        if not value.flags.c_contiguous:
            value = value.copy(order="C")
        return value.__array_interface__["data"][0], value

    def assign(self, variable, dtype, shape, data):
        # A copy: the backend may keep numpy's memory instead of its own, and
        # `data` belongs to the store.
        value = np.frombuffer(data, dtype=_numpy_dtype(dtype)).copy()
        variable.assign(value.reshape(shape))


class _TensorFlowHost(_NumpyHost):
    def _view(self, variable):
        return np.asarray(variable.value.read_value())


class _JaxHost(_NumpyHost):
    def _view(self, variable):
        return np.asarray(variable.value)


class _TorchHost:
    """torch tells the address itself, for the dtypes that numpy lacks too."""

    def describe(self, name, variable):
        value = variable.value
        dtype = _dtype(name, str(value.dtype).removeprefix("torch."))
        return dtype, list(value.shape), value.element_size()

    def locate(self, variable):
        value = variable.value.detach().cpu().contiguous()
        return value.data_ptr(), value

    def assign(self, variable, dtype, shape, data):
        import torch

        value = torch.empty(shape, dtype=getattr(torch, KERAS_DTYPES[dtype]))
        flat = value.reshape(-1).view(torch.uint8) if data.nbytes else value
        if data.nbytes:
            flat.copy_(torch.frombuffer(data, dtype=torch.uint8))
        with torch.no_grad():
            variable.value.copy_(value)


def _host():
    backend = keras.backend.backend()
    hosts = {
        "tensorflow": _TensorFlowHost,
        "jax": _JaxHost,
        "torch": _TorchHost,
    }
    if backend not in hosts:
        raise errors.UnsupportedError(
            f"The Keras backend {backend} cannot be trained with. "
            f"Known: {', '.join(hosts)}."
        )
    return hosts[backend]()
