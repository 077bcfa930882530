"""The coordinator of a `ParameterServerStrategy`, which hands the steps of a
`fit()` to workers and does not wait for them."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf


def of(model: Any) -> Any:
    """The `ClusterCoordinator` of a running `fit()`; `None` where it computes
    the steps itself."""
    return getattr(model, "_cluster_coordinator", None)


def wait_for_steps(model: Any) -> None:
    """Returns when the workers have finished every step that they were
    given."""
    coordinator = of(model)
    if coordinator is not None:
        coordinator.join()


def drawn(iterator: Any, model: Any) -> Iterator[Any]:
    """What draws batches from an iterator: itself, unless workers have it.

    Args:
        iterator: What `fit()` hands to each step.
        model: The model.
    """
    coordinator = of(model)
    if coordinator is None:
        return iterator
    return _draws(iterator, coordinator)


def _draws(iterator: Any, coordinator: Any) -> Iterator[bool]:
    """Lets the workers draw batches, each whichever worker is free."""

    @tf.function
    def draw(batches):
        # What is returned comes to this process, so no batch is.
        tf.nest.flatten(next(batches))
        return 0

    while True:
        coordinator.schedule(draw, args=(iterator,))
        try:
            coordinator.join()
        except tf.errors.OutOfRangeError:
            return
        yield True
