"""Which steps of its training a model defines itself."""

from typing import Any

import tf_keras


def has_own_train_step(model: Any) -> bool:
    """Whether its class replaces Keras' `train_step()`."""
    return type(model).train_step is not tf_keras.Model.train_step


def has_call(model: Any) -> bool:
    """Whether its class has a `call()`; a model with its own `train_step()` may
    lack it."""
    return type(model).call is not tf_keras.Model.call


def keeps_test_function(model: Any) -> bool:
    """Whether a validation keeps the function of its steps, before a callback
    hears of the validation."""
    return True
