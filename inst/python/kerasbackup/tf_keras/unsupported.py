"""Refuses trainings that a checkpoint of this process alone cannot resume."""

from typing import Any

from kerasbackup.store import errors


def check_model(model: Any) -> None:
    """Raises `UnsupportedError` where it is no model of tf_keras: what is asked
    here is one."""


def check(model: Any) -> None:
    """Checks the model that a `fit()` hands to its callbacks.

    Raises:
        UnsupportedError: Several processes train it together, or tf_keras
            changes how many batches a step trains on.
    """
    strategy = model.distribute_strategy
    resolver = getattr(strategy, "cluster_resolver", None)
    cluster = None if resolver is None else resolver.cluster_spec()
    tasks = cluster.as_dict() if cluster else {}
    count = sum(len(addresses) for addresses in tasks.values())
    if count > 1:
        raise errors.UnsupportedError(
            "Training must run in one process to be saved, and this training "
            f"runs in several (the cluster of its {type(strategy).__name__} "
            f"has {count}). Nothing was saved or restored. Train in one "
            "process, or without this callback."
        )
    if getattr(model, "autotune_steps_per_execution", False):
        raise errors.UnsupportedError(
            'With `steps_per_execution="auto"` tf_keras measures how many '
            "batches a step should train on, and no resume can repeat that. "
            "Nothing was saved or restored. Give a number to `compile()`."
        )
