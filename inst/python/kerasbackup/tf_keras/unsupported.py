"""Refuses trainings that a checkpoint of this process alone cannot resume."""

from typing import Any

import tensorflow as tf

from kerasbackup.store import errors

# The strategies that join processes, see `workers/`.
_SUPPORTED = (
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.experimental.ParameterServerStrategy,
)


def check_model(model: Any) -> None:
    """Raises `UnsupportedError` where it is no model of tf_keras: what is asked
    here is one."""


def refused_cluster() -> list[str]:
    """Why no model of this process can be trained with this callback: nothing
    is known."""
    return []


def check(model: Any) -> None:
    """Checks the model that a `fit()` hands to its callbacks.

    Raises:
        UnsupportedError: A strategy that is not known trains it in several
            processes, or tf_keras changes how many batches a step trains on.
    """
    strategy = model.distribute_strategy
    resolver = getattr(strategy, "cluster_resolver", None)
    cluster = None if resolver is None else resolver.cluster_spec()
    tasks = cluster.as_dict() if cluster else {}
    count = sum(len(addresses) for addresses in tasks.values())
    if count > 1 and not isinstance(strategy, _SUPPORTED):
        raise errors.UnsupportedError(
            f"The cluster of this training's {type(strategy).__name__} has "
            f"{count} processes, and this package does not know how that "
            "strategy joins them. Nothing was saved or restored. Train with "
            "`MultiWorkerMirroredStrategy` or `ParameterServerStrategy`, in "
            "one process, or without this callback."
        )
    if getattr(model, "autotune_steps_per_execution", False):
        raise errors.UnsupportedError(
            'With `steps_per_execution="auto"` tf_keras measures how many '
            "batches a step should train on, and no resume can repeat that. "
            "Nothing was saved or restored. Give a number to `compile()`."
        )
