"""The backend that Keras computes with."""

import importlib
from typing import Any

import keras


def name(one: Any = None) -> str:
    """The name of the backend: `"jax"`, `"torch"` or `"tensorflow"`.

    Args:
        one: A model, or a part of one. It may be left out if none is at hand,
            as Keras 3 has one backend in a process.
    """
    return keras.backend.backend()


def package(model: Any) -> str:
    """The name of the Python package that a model is of."""
    return "keras"


def versions(model: Any) -> dict[str, str]:
    """The versions of Keras and of the backend, by their names."""
    backend = name(model)
    return {
        package(model): keras.__version__,
        backend: importlib.import_module(backend).__version__,
    }
