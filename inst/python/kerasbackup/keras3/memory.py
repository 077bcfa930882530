"""The memory in which each backend keeps a variable's bytes."""

from typing import Any

import keras
import numpy as np

from kerasbackup.keras3 import tensors
from kerasbackup.keras3.model_parts import layers_of
from kerasbackup.store import errors
from kerasbackup.store.dtypes import DTYPES
from kerasbackup.store.dtypes import KERAS_DTYPES
from kerasbackup.store.dtypes import numpy_view
from kerasbackup.store.places import part_name


def is_lost(model: Any) -> bool:
    """Whether variables have lost their memory. On JAX a step takes it over,
    and a `fit()` that is interrupted in a step may not return it."""
    return any(map(_has_lost, model.variables))


def _has_lost(variable: Any) -> bool:
    value = value_of(variable)
    if value is None:
        # What has never had a value has an initializer.
        return getattr(variable, "_initializer", None) is None
    return hasattr(value, "is_deleted") and value.is_deleted()


def value_of(variable: Any) -> Any:
    """The backend's own object behind a variable; `None` where a `fit()` that
    was interrupted in a step has left none, or Keras has not made one yet."""
    return getattr(variable, "_value", None)


def read(variable: Any) -> np.ndarray:
    """The value of a variable, its own copy; if the variable has several
    components, their values in one array, with an axis more."""
    found = _components(variable)
    if found is not None:
        return np.array([one.numpy() for one in found], order="C")
    return np.array(tensors.to_numpy(variable), order="C")


def write(variable: Any, value: np.ndarray) -> None:
    """Assigns what `read()` has returned. The variable may also be a parameter
    of torch's that is no Keras variable."""
    found = _components(variable)
    if found is not None:
        for one, part in zip(found, value):
            one.assign(part)
    elif hasattr(variable, "assign"):
        variable.assign(value)
    else:
        import torch

        with torch.no_grad():
            variable.copy_(torch.from_numpy(value))


def _components(variable: Any) -> list[Any] | None:
    """Under a tf.distribute strategy, the variables that a variable consists
    of, one for each replica: each has its own moving statistics, and its share
    of a metric's sum. `None` of any other variable. To read or assign the whole
    would average them."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    for one in (getattr(variable, "value", None), variable):
        if isinstance(one, tf.distribute.DistributedValues):
            return list(one.values)
    return None


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

    def has_lost(self, part) -> bool:
        """Whether a part has lost its memory, see `is_lost()`."""
        return False

    def place_of(self, part) -> dict[str, Any] | None:
        """Where a part is in its variable: the variable's `shape`, and where
        the part `begin`s in each dimension; `None` of one that is all of it."""
        return None

    def buffers(self, model, own):
        """The state that is not in Keras' variables.

        Args:
            model: The `keras.Model`.
            own: Set of ids, those of Keras' variables and their values.

        Returns:
            List of `(path, buffer)`, and the names of buffers that cannot be
            saved.
        """
        return [], []


class _NumpyHost(_Host):
    """Backends whose values NumPy can view: JAX and TensorFlow."""

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
        """An array with the dtype and shape of a part."""
        return self._view(part)

    def assign(self, part, dtype, shape, data, copies):
        # The backend may keep the array's memory instead of its own.
        value = numpy_view(dtype, shape, data)
        part.assign(value.copy() if copies else value)


class _TensorFlowHost(_NumpyHost):
    def parts(self, name, variable):
        found = _components(variable)
        if found is None:
            return [(name, variable.value)]
        return [(f"{name}@{i}", one) for i, one in enumerate(found)]

    def _view(self, part):
        import tensorflow as tf

        # `part.read_value()` does the same and much more.
        value = tf.raw_ops.ReadVariableOp(
            resource=part.handle, dtype=part.dtype
        )
        if value.shape.rank == 0 and value.dtype == tf.bfloat16:
            # NumPy would be given a number, and needs an array.
            value = value.numpy()
        return np.asarray(value)


class _JaxHost(_NumpyHost):
    def parts(self, name, variable):
        value = value_of(variable)
        if value is None or value.is_fully_addressable:
            return [(name, variable)]
        # Processes hold the variable together: each has some of its shards.
        return _Shards(variable, value).parts(name)

    def has_lost(self, part):
        return _has_lost(getattr(part, "variable", part))

    def place_of(self, part):
        return part.place if isinstance(part, _Shard) else None

    def assign(self, part, dtype, shape, data, copies):
        if isinstance(part, _Shard):
            value = numpy_view(dtype, shape, data)
            part.put(value.copy() if copies else value)
        else:
            super().assign(part, dtype, shape, data, copies)

    def _view(self, part):
        return np.asarray(self._typed(part))

    def _typed(self, part):
        # The array is not viewed, because an interrupted `fit()` may have left
        # the variable without memory, and a restore gives it new memory.
        # `value` first looks for scopes, which no hook is in; that doubles the
        # time. It is needed where the array does not exist yet.
        if isinstance(part, _Shard):
            return part.value
        value = value_of(part)
        if value is None and _has_lost(part):
            import jax

            return jax.ShapeDtypeStruct(tuple(part.shape), part.dtype)
        return part.value if value is None else value


class _Shards:
    """The shards of one variable of JAX's that this process holds.

    Replicas of a shard count once. A restore gives the variable an array of its
    own shards, which the other processes need not be asked for; `assign()` of
    Keras would compare values across processes.
    """

    def __init__(self, variable: Any, value: Any):
        self.variable = variable
        self._shape = tuple(value.shape)
        self._sharding = value.sharding
        self._boxes = []
        indices = value.sharding.addressable_devices_indices_map(self._shape)
        for index in indices.values():
            box = self.box_of(index)
            if box not in self._boxes:
                self._boxes.append(box)
        self._found = {}

    def parts(self, name: str) -> list[tuple[str, "_Shard"]]:
        """The shards by name, each a `_Shard`."""
        return [
            (
                name if self._is_whole(box) else part_name(name, *zip(*box)),
                _Shard(self, box),
            )
            for box in self._boxes
        ]

    def place(self, box: list[tuple[int, int]]) -> dict[str, Any] | None:
        """See `_Host.place_of()`."""
        if self._is_whole(box):
            return None
        return {
            "shape": [*self._shape],
            "begin": [begin for begin, _ in box],
        }

    def _is_whole(self, box: list[tuple[int, int]]) -> bool:
        return box == [(0, size) for size in self._shape]

    def box_of(self, index: tuple[slice, ...]) -> list[tuple[int, int]]:
        """The first and the last place of a shard in each dimension."""
        return [one.indices(size)[:2] for one, size in zip(index, self._shape)]

    def data(self, box: list[tuple[int, int]]) -> Any:
        """The array of a shard."""
        for shard in value_of(self.variable).addressable_shards:
            if self.box_of(shard.index) == box:
                return shard.data
        raise errors.UnsupportedError(
            f"The variable `{self.variable.path}` is spread over devices in "
            "another way than when training began. It cannot be saved."
        )

    def put(self, box: list[tuple[int, int]], array: np.ndarray) -> None:
        """Takes a shard, and assigns the variable with its last one."""
        import jax

        self._found[tuple(box)] = array
        if len(self._found) < len(self._boxes):
            return
        found, self._found = self._found, {}
        self.variable._value = jax.make_array_from_callback(
            self._shape,
            self._sharding,
            lambda index: found[tuple(self.box_of(index))],
        )


class _Shard:
    """One shard of a variable, with its place in it."""

    def __init__(self, shards: _Shards, box: list[tuple[int, int]]):
        self._shards = shards
        self._box = box

    @property
    def variable(self) -> Any:
        return self._shards.variable

    @property
    def value(self) -> Any:
        """The array; only its dtype and shape where it was lost."""
        import jax

        variable = self.variable
        if _has_lost(variable):
            shape = tuple(end - begin for begin, end in self._box)
            return jax.ShapeDtypeStruct(shape, variable.dtype)
        return self._shards.data(self._box)

    @property
    def place(self) -> dict[str, Any] | None:
        """See `_Host.place_of()`."""
        return self._shards.place(self._box)

    def put(self, array: np.ndarray) -> None:
        self._shards.put(self._box, array)


class _TorchHost(_Host):
    """torch returns addresses itself, also for dtypes that NumPy lacks."""

    def buffers(self, model, own):
        found = []
        unsaved = []
        seen = set(own)
        modules = set()
        for layer in layers_of(model):
            # A layer is a module, and contains modules, some of them layers.
            for path, module in layer.named_modules(modules):
                # torch does not count buffers as state that are not persistent.
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
    """A tensor that a torch module keeps beside its parameters, and may replace
    by another."""

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


def of_backend(model: Any) -> _Host:
    """The host for the backend that a model is computed with."""
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
