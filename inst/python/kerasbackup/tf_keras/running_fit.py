"""How tf_keras' `fit()` is recognized on the stack."""

import inspect
from typing import Any

import tensorflow as tf
import tf_keras

from kerasbackup.tf_keras import data_handler

# The local variable of `fit()` that has what batches are drawn from.
DRAWS_FROM = "data_handler"

NAME = f"tf_keras {tf_keras.__version__}"


def is_callback_list(one: Any) -> bool:
    """Whether it is a `CallbackList`."""
    return isinstance(one, tf_keras.callbacks.CallbackList)


def file_of_callback_list() -> str:
    """The file in which its methods are."""
    return inspect.getfile(tf_keras.callbacks.CallbackList)


def iterator_of(draws_from: Any) -> Any:
    """The iterator over the training data, from the value of `DRAWS_FROM`."""
    return data_handler.view_of(draws_from)


def local_logs(logs: Any) -> Any:
    """The logs that a step returned. Those of a step that another process has
    computed are fetched."""
    kind = tf.distribute.experimental.coordinator.RemoteValue
    return logs.fetch() if isinstance(logs, kind) else logs
