"""Refuses trainings that a checkpoint of this process alone cannot resume."""

import gc
import os
from collections.abc import Iterator
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


def refused_cluster() -> list[str]:
    """Why no model of this process can be trained with this callback, if that
    is so: TensorFlow has joined processes, and `fit()` of Keras 3 fails in them
    before it asks any callback."""
    # TensorFlow reads there which processes to join.
    if "TF_CONFIG" not in os.environ or (
        keras.backend.backend() != "tensorflow"
    ):
        return []
    classes = {id(cls) for cls in _with_subclasses(keras.Model)}
    # `isinstance()` would ask each object for its class.
    models = [one for one in gc.get_objects() if id(type(one)) in classes]
    joined = (_of_tensorflow(model) for model in models)
    return [_text(found) for found in joined if found is not None][:1]


def _with_subclasses(cls: type) -> Iterator[type]:
    yield cls
    for one in cls.__subclasses__():
        yield from _with_subclasses(one)


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
        raise errors.UnsupportedError(_text(found))


def _text(found: str) -> str:
    return (
        "With Keras 3 on TensorFlow, training must run in one process to be "
        f"saved, and this training runs in several ({found}): `fit()` of Keras "
        f"{keras.__version__} does not train in them. Nothing was saved or "
        "restored. Train with tf_keras, which this callback supports in "
        "several processes, or in one process, which may use several devices "
        "(as with `tf.distribute.MirroredStrategy`)."
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
