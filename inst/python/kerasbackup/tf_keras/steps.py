"""Which steps of its training a model defines itself."""

from typing import Any

import tf_keras

from kerasbackup.tf_keras.model_parts import layers_to_finalize


def has_own_train_step(model: Any) -> bool:
    """Whether its class replaces Keras' `train_step()`."""
    return type(model).train_step is not tf_keras.Model.train_step


def has_call(model: Any) -> bool:
    """Whether its class has a `call()`; a model with its own `train_step()` may
    lack it."""
    return type(model).call is not tf_keras.Model.call


def renew_compiled(model: Any) -> None:
    """Lets tf_keras make the functions of a model anew that it has compiled, if
    layers compute with values derived from their variables: these are constants
    in what was compiled."""
    if not layers_to_finalize(model):
        return
    for name in ("train", "test", "predict"):
        if getattr(model, f"{name}_function", None) is not None:
            getattr(model, f"make_{name}_function")(force=True)
