"""Keras' data adapters, which draw from what a script gives to `fit()`: their
private names, and what they know of the data."""

import functools
from collections.abc import Callable
from typing import Any

import keras

from kerasbackup.store import queues

# The kind of data, by the class of an adapter.
KINDS = {
    "ArrayDataAdapter": "arrays",
    "GeneratorDataAdapter": "generator",
    "GrainDatasetAdapter": "grain",
    "PyDatasetAdapter": "py_dataset",
    "TFDatasetAdapter": "tf_data",
    "TorchDataLoaderAdapter": "loader",
}

# By backend, the method of an adapter that returns what batches are drawn from,
# in memory of the host.
METHODS = {"jax": "get_jax_iterator", "torch": "get_torch_dataloader"}

_KEPT_OF_PY_DATASET = {
    "_max_queue_size",
    "_use_multiprocessing",
    "_workers",
    "max_queue_size",
    "use_multiprocessing",
    "workers",
}


def kind(adapter: Any) -> str | None:
    """The kind of the data, one of `KINDS`; `None` of any other."""
    return KINDS.get(type(adapter).__name__)


def describe(adapter: Any) -> dict[str, Any]:
    """What Keras knows of the data and must be the same in every process."""
    shuffle = getattr(adapter, "shuffle", None)
    return {
        "backend": keras.backend.backend(),
        "data": type(adapter).__name__,
        "batch_size": adapter.batch_size,
        "batches": adapter.num_batches,
        "rows in the last batch": getattr(adapter, "_partial_batch_size", None),
        "shuffle": getattr(adapter, "_shuffle", shuffle),
    }


def source(adapter: Any) -> Any:
    """The script's `PyDataset`, `DataLoader`, or dataset of tf.data's or
    Grain's; `None` of other data."""
    for name in ("py_dataset", "_dataloader", "_dataset"):
        found = getattr(adapter, name, None)
        if found is not None:
            return found
    return None


def arrays(adapter: Any) -> Any:
    """The arrays that batches are taken from; `None` where that is not
    known."""
    return getattr(adapter, "_inputs", None)


def rest_of_generator(adapter: Any) -> Any:
    """What a generator still has, as Keras hands it out."""
    return adapter.generator()


# A `PyDataset` ----------------------------------------------------------------


def is_py_dataset(data: Any) -> bool:
    """Whether it is a `PyDataset`."""
    return isinstance(data, keras.utils.PyDataset)


def kept_of_py_dataset(data: Any) -> set[str]:
    """The names of the attributes of a `PyDataset` that Keras keeps there."""
    return _KEPT_OF_PY_DATASET


def set_py_dataset(adapter: Any, dataset: Any) -> None:
    """Lets an adapter draw from another `PyDataset`."""
    adapter.py_dataset = dataset


def may_end_twice(adapter: Any) -> bool:
    """Whether a thread may end an epoch of a `PyDataset` once more than `fit()`
    does: none does."""
    return False


def ready(adapter: Any) -> list[Any] | None:
    """The batches that the workers of a `PyDataset` have ready; `None` where it
    has no workers."""
    queue = getattr(getattr(adapter, "enqueuer", None), "ready_queue", None)
    return None if queue is None else list(queue.queue)


def set_ready(adapter: Any, batches: list[Any]) -> None:
    """Gives the workers of a `PyDataset` these batches, in place of those that
    they have ready."""
    # Drawing again has started them. Keras stops them at the end of an epoch;
    # till then they take batches and put others there.
    adapter.enqueuer.stop()
    queues.refill(adapter.enqueuer.ready_queue, batches)


# The epochs that it counts ----------------------------------------------------


def epochs(adapter: Any) -> Any:
    """How many epochs it has counted. Since 3.16 the order of an epoch is drawn
    from that number, which begins at zero in every `fit()`. `None` where it
    counts none."""
    return getattr(adapter, "_epoch", None)


def set_epochs(adapter: Any, number: int) -> None:
    """Sets what `epochs()` gives."""
    adapter._epoch = number


# Batches ----------------------------------------------------------------------


def draw(adapter: Any, options: dict[str, Any]) -> Any:
    """What batches are drawn from in Python.

    Args:
        adapter: Keras' data adapter.
        options: Dict, from `epoch_iterator.draw_options()`.
    """
    return getattr(adapter, METHODS[keras.backend.backend()])(**options)


def watch_batches(
    adapter: Any, around: Callable[[Any], Any]
) -> Callable[[], None]:
    """Puts something around what batches are drawn from in Python; on
    TensorFlow nothing is drawn there.

    Args:
        adapter: Keras' data adapter.
        around: Callable that is given what batches are drawn from, and returns
            what Keras is to draw them from.

    Returns:
        Callable that gives the adapter its own method back.
    """
    name = METHODS.get(keras.backend.backend(), "")
    method = getattr(adapter, name, None)
    # What the object itself had in place of its class's method.
    replaced = vars(adapter).get(name)

    def release():
        if replaced is None:
            vars(adapter).pop(name, None)
        else:
            setattr(adapter, name, replaced)

    if method is not None:

        @functools.wraps(method)
        def watched(*args, **kwargs):
            return around(method(*args, **kwargs))

        setattr(adapter, name, watched)
    return release


def leaves(batch: Any) -> list[Any]:
    """The arrays of a batch, in any structure that Keras knows."""
    return keras.tree.flatten(batch)


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor of the backend's."""
    return keras.ops.is_tensor(value)


def to_numpy(tensor: Any) -> Any:
    """A tensor as an array."""
    return keras.ops.convert_to_numpy(tensor)
