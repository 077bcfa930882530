"""How Keras 3's `fit()` is recognized on the stack."""

import inspect
from typing import Any

import keras

# The local variable of `fit()` that has what batches are drawn from.
DRAWS_FROM = "epoch_iterator"

NAME = f"Keras {keras.__version__}"


def is_callback_list(one: Any) -> bool:
    """Whether it is a `CallbackList`."""
    return isinstance(one, keras.callbacks.CallbackList)


def file_of_callback_list() -> str:
    """The file in which its methods are."""
    return inspect.getfile(keras.callbacks.CallbackList)


def iterator_of(draws_from: Any) -> Any:
    """The iterator over the training data, from the value of `DRAWS_FROM`."""
    return draws_from


def local_logs(logs: Any) -> Any:
    """The logs that a step returned: they are in this process."""
    return logs
