"""Refuses trainings that a checkpoint of this process alone cannot resume."""

from typing import Any

import keras

from kerasbackup.keras3 import kinds
from kerasbackup.store import errors


def check(model: Any) -> None:
    """Checks the model that a `fit()` hands to its callbacks.

    Raises:
        UnsupportedError: It is not a model of Keras 3, or several processes
            train it together.
    """
    check_model(model)
    _check_processes(model)


def check_model(model: Any) -> None:
    """Raises `UnsupportedError` where it is not a model of Keras 3."""
    if kinds.is_model(model):
        return
    raise errors.UnsupportedError(
        "The model must be a model of Keras 3 or of tf_keras, not of "
        f"{type(model).__module__}. Nothing was saved or restored. Build it "
        f"with Keras {keras.__version__} or tf_keras, or train without this "
        "callback."
    )


def _check_processes(model: Any) -> None:
    # The processes of the other backends are found in `workers/`.
    if keras.backend.backend() != "tensorflow":
        return
    found = _of_tensorflow(model)
    if found is not None:
        raise errors.UnsupportedError(
            "Training must run in one process to be saved, and this training "
            f"runs in several ({found}). Nothing was saved or restored. Train "
            "in one process, which may use several devices (as with "
            "`tf.distribute.MirroredStrategy`), or without this callback."
        )


def _of_tensorflow(model: Any) -> str | None:
    strategy = model.distribute_strategy
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None:
        return None
    tasks = resolver.cluster_spec().as_dict()
    count = sum(len(addresses) for addresses in tasks.values())
    if count <= 1:
        return None
    return f"the cluster of its {type(strategy).__name__} has {count}"
