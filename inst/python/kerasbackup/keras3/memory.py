"""The memory that each backend keeps a variable's bytes in.

What differs between the backends in this is here and nowhere else.
"""

import keras
import numpy as np

from kerasbackup.store import errors
from kerasbackup.store.dtypes import DTYPES
from kerasbackup.store.dtypes import KERAS_DTYPES
from kerasbackup.store.dtypes import numpy_view


def is_lost(model: keras.Model) -> bool:
    """Whether variables have no memory any more: on JAX a step takes it over,
    and a `fit()` that is interrupted in one may not give it back."""
    return any(
        hasattr(value, "is_deleted") and value.is_deleted()
        for value in (getattr(one, "_value", None) for one in model.variables)
    )


def assign_parameter(parameter, value: np.ndarray) -> None:
    """Gives a parameter of torch's that is no variable of Keras' a value."""
    import torch

    with torch.no_grad():
        parameter.copy_(torch.from_numpy(value))


def _dtype(name: str, dtype: str) -> str:
    if dtype not in DTYPES:
        raise errors.UnsupportedError(
            f"The variable `{name}` cannot be saved: its dtype is {dtype}. "
            f"Known: {', '.join(DTYPES)}."
        )
    return DTYPES[dtype]


class _Host:
    """One backend's way to a variable's bytes.

    A variable may have several parts, each a tensor of its own.
    """

    def parts(self, name, variable):
        return [(name, variable)]

    def buffers(self, model, own):
        """What is state beside Keras' variables.

        Args:
            model: The `keras.Model`.
            own: Set of the `id()` of what is saved as Keras' variables.

        Returns:
            List of `(path, buffer)`, and the names of what cannot be saved.
        """
        return [], []


class _NumpyHost(_Host):
    """Backends whose values numpy can look at: JAX and TensorFlow."""

    def describe(self, name, part):
        value = self._typed(part)
        dtype = _dtype(name, value.dtype.name)
        return dtype, list(value.shape), value.dtype.itemsize

    def locate(self, part):
        value = self._view(part)
        if not value.flags.c_contiguous:
            value = value.copy(order="C")
        return value.__array_interface__["data"][0], value

    def _typed(self, part):
        """What has its dtype and shape."""
        return self._view(part)

    def assign(self, part, dtype, shape, data, copies):
        # The backend may keep numpy's memory instead of its own.
        value = numpy_view(dtype, shape, data)
        part.assign(value.copy() if copies else value)


class _TensorFlowHost(_NumpyHost):
    def parts(self, name, variable):
        import tensorflow as tf

        value = variable.value
        if not isinstance(value, tf.distribute.DistributedValues):
            return [(name, value)]
        # Under a tf.distribute strategy the replicas differ: moving statistics
        # are each replica's own, metrics are its share of a sum.
        return [(f"{name}@{i}", v) for i, v in enumerate(value.values)]

    def _view(self, part):
        import tensorflow as tf

        # `part.read_value()` does the same, and three times as much beside it.
        value = tf.raw_ops.ReadVariableOp(
            resource=part.handle, dtype=part.dtype
        )
        if value.shape.rank == 0 and value.dtype == tf.bfloat16:
            # numpy is given it as a number, and asks for an array.
            value = value.numpy()
        return np.asarray(value)


class _JaxHost(_NumpyHost):
    def _view(self, part):
        return np.asarray(self._typed(part))

    def _typed(self, part):
        # NumPy does not look at it: an interrupted `fit()` may have left the
        # variable without its memory, and a restore gives it new memory.
        # `value` looks for scopes that a hook is in none of, which takes as
        # long as all the rest; it makes one that there is not yet.
        value = getattr(part, "_value", None)
        return part.value if value is None else value


class _TorchHost(_Host):
    """torch tells the address itself, for the dtypes that numpy lacks too."""

    def buffers(self, model, own):
        found = []
        unsaved = []
        seen = set(own)
        modules = set()
        for layer in getattr(model, "_flatten_layers", list)():
            # A layer is a module, and has modules, layers among them.
            for path, module in layer.named_modules(modules):
                # What is not persistent is no state, says torch.
                passing = module._non_persistent_buffers_set
                for key, value in module._buffers.items():
                    if value is None or key in passing or id(value) in seen:
                        continue
                    seen.add(id(value))
                    where = [layer.name, *filter(None, path.split(".")), key]
                    buffer = _TorchBuffer(module, key)
                    if buffer.dtype in DTYPES:
                        found.append(("/".join(where), buffer))
                    else:
                        unsaved.append(f"{'/'.join(where)} ({buffer.dtype})")
        return found, unsaved

    def describe(self, name, variable):
        value = variable.value
        dtype = _dtype(name, str(value.dtype).removeprefix("torch."))
        return dtype, list(value.shape), value.element_size()

    def locate(self, variable):
        value = variable.value.detach().cpu().contiguous()
        return value.data_ptr(), value

    def assign(self, variable, dtype, shape, data, copies):
        import torch

        if data.nbytes == 0:
            return
        kind = getattr(torch, KERAS_DTYPES[dtype])
        value = torch.frombuffer(data, dtype=kind).reshape(shape)
        with torch.no_grad():
            variable.value.copy_(value)


class _TorchBuffer:
    """A tensor that a torch module keeps beside its parameters. The module may
    put another one in its place."""

    def __init__(self, module, key: str):
        self._module = module
        self._key = key
        self._was = self._kind()

    @property
    def value(self):
        return self._module._buffers[self._key]

    @property
    def dtype(self) -> str:
        return self._was[0]

    def is_as_it_was(self) -> bool:
        return self._kind() == self._was

    def _kind(self):
        value = self._module._buffers.get(self._key)
        if value is None:
            return None
        return str(value.dtype).removeprefix("torch."), tuple(value.shape)


def of_backend() -> _Host:
    """That of the backend that Keras runs on."""
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
