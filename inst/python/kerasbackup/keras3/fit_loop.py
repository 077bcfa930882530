"""What the loop of a running `fit()` reads and waits for."""

from typing import Any

import keras


def begin_at(model: Any, epoch: int | None) -> None:
    """Lets the `fit()` that is about to begin start at an epoch, `None`: at
    that which it was given. In force until it is called again."""
    model._initial_epoch = epoch


def up_to_date(model: Any) -> Any:
    """The model, with variables that have the values of the last step. With JAX
    a step returns them, and the model gets them when `fit()` ends."""
    if keras.backend.backend() == "jax" and hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    return model


def wait_for_callbacks(callback_list: Any) -> None:
    """Returns when no callback is busy with the end of a batch: Keras may call
    `on_train_batch_end()` in a thread."""
    # The method was renamed in Keras 3.12.
    for name in ("_flush_futures", "_clear_futures"):
        if hasattr(callback_list, name):
            getattr(callback_list, name)()
            return
