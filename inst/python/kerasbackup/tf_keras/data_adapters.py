"""tf_keras' data adapters, which draw from what a script gives to `fit()`:
their private names, and what they know of the data."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

# The kind of data, by the class of an adapter.
KINDS = {
    "CompositeTensorDataAdapter": "arrays",
    "DatasetAdapter": "tf_data",
    "DatasetCreatorAdapter": "tf_data",
    "GeneratorDataAdapter": "generator",
    "GenericArrayLikeDataAdapter": "arrays",
    "KerasSequenceAdapter": "py_dataset",
    "ListsOfScalarsDataAdapter": "arrays",
    "TensorLikeDataAdapter": "arrays",
}


def kind(adapter: Any) -> str | None:
    """The kind of the data, one of `KINDS`; `None` of any other."""
    return KINDS.get(type(adapter).__name__)


def describe(adapter: Any) -> dict[str, Any]:
    """What tf_keras knows of the data and must be the same in every process."""
    sequence = getattr(adapter, "_shuffle_sequence", None)
    # What a `DatasetCreator` makes, it makes in other processes.
    is_made_here = type(adapter).__name__ != "DatasetCreatorAdapter"
    return {
        "backend": "tensorflow",
        "data": type(adapter).__name__,
        "batch_size": adapter.batch_size() if is_made_here else None,
        "batches": adapter.get_size(),
        "rows in the last batch": adapter.partial_batch_size()
        if is_made_here
        else None,
        "shuffle": getattr(adapter, "_shuffle", sequence),
    }


def source(adapter: Any) -> Any:
    """The script's `Sequence` or dataset of tf.data's; `None` of other data."""
    if kind(adapter) == "py_dataset":
        return getattr(adapter, "_keras_sequence", None)
    if kind(adapter) == "tf_data":
        return getattr(adapter, "_dataset", None)
    return None


def arrays(adapter: Any) -> Any:
    """The arrays that batches are taken from: tf_keras copies them when
    training begins, so no later change counts."""
    return None


def rest_of_generator(adapter: Any) -> Any:
    """What a generator still has, as tf_keras hands it out."""
    return iter(adapter.get_dataset())


# A `Sequence` -----------------------------------------------------------------


def is_py_dataset(data: Any) -> bool:
    """Whether it is a `Sequence`."""
    return isinstance(data, tf_keras.utils.Sequence)


def kept_of_py_dataset(data: Any) -> set[str]:
    """The names of the attributes of a `Sequence` that tf_keras keeps there."""
    return set()


def set_py_dataset(adapter: Any, dataset: Any) -> None:
    """Lets an adapter tell the length of another `Sequence`."""
    adapter._keras_sequence = dataset


def may_end_twice(adapter: Any) -> bool:
    """Whether a thread may end an epoch of a `Sequence` once more than `fit()`
    does, and something changes then.

    The thread that hands batches to workers looks ten times a second whether
    all were drawn. Then it calls `on_epoch_end()` and shuffles for another
    epoch, unless `fit()` has stopped it, which comes after the validation.
    """
    nothing = tf_keras.utils.Sequence.on_epoch_end
    own = getattr(type(source(adapter)), "on_epoch_end", nothing)
    changes = own is not nothing or getattr(adapter, "_shuffle_sequence", False)
    return changes and _has_workers(adapter)


def _has_workers(adapter: Any) -> bool:
    """Without workers, two stages of tf.data read ahead, one behind the
    other."""
    dataset = adapter.get_dataset()
    (before,) = dataset._inputs()
    return type(before) is not type(dataset)


def ready(adapter: Any) -> list[Any] | None:
    """The batches that the workers of a `Sequence` have ready; `None`, as they
    are stopped at the end of each epoch."""
    return None


def set_ready(adapter: Any, batches: list[Any]) -> None:
    """There are none."""


# The epochs that it counts ----------------------------------------------------


def epochs(adapter: Any) -> Any:
    """How many epochs it has counted; `None`, as it counts none."""
    return None


def set_epochs(adapter: Any, number: int) -> None:
    """There is no such number."""


# Batches ----------------------------------------------------------------------


def draw(adapter: Any, options: dict[str, Any]) -> Any:
    """What batches are drawn from in Python: nothing."""
    return iter(())


def watch_batches(
    adapter: Any, around: Callable[[Any], Any]
) -> Callable[[], None]:
    """Nothing is drawn in Python, so there is nothing to watch.

    Returns:
        Callable that gives the adapter its own method back.
    """
    return lambda: None


def leaves(batch: Any) -> list[Any]:
    """The arrays of a batch, in any structure."""
    return tf.nest.flatten(batch)


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor."""
    return tf.is_tensor(value)


def to_numpy(tensor: Any) -> Any:
    """A tensor as an array."""
    return tensor.numpy()
