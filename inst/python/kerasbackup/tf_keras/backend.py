"""The backend that tf_keras computes with."""

from typing import Any

import tensorflow as tf
import tf_keras


def name(one: Any = None) -> str:
    """The name of the backend."""
    return "tensorflow"


def package(model: Any) -> str:
    """The name of the Python package that a model is of."""
    return "tf_keras"


def versions(model: Any) -> dict[str, str]:
    """The versions of tf_keras and of the backend, by their names."""
    return {package(model): tf_keras.__version__, name(): tf.__version__}
