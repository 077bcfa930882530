"""Finds the workers of a training: what its backend joins processes with."""

from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import backend
from kerasbackup.workers import jax_processes
from kerasbackup.workers import tf_multi_worker
from kerasbackup.workers import tf_parameter_server
from kerasbackup.workers import torch_ddp
from kerasbackup.workers.one import One
from kerasbackup.workers.workers import Workers


def _of_tensorflow(model: Any) -> Workers | None:
    return tf_multi_worker.find(model) or tf_parameter_server.find(model)


# By backend: a function that is given the model. It returns the workers, or
# `None` for a process that trains alone, and raises `UnsupportedError` where
# processes are joined and do not train one model together.
ENGINES: dict[str, Callable[[Any], Workers | None]] = {
    "jax": jax_processes.find,
    "tensorflow": _of_tensorflow,
    "torch": torch_ddp.find,
}


def find(model: Any) -> Workers:
    """The workers that train a model together.

    Raises:
        UnsupportedError: The processes that have been joined do not train it
            together.
    """
    engine = ENGINES.get(backend.name(model))
    return (engine(model) if engine is not None else None) or One()
