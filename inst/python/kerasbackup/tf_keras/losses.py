"""What distinguishes one loss from another."""

from typing import Any

import tf_keras


def function_name(model: Any, loss: str) -> str:
    """The name of the function that a model's loss is given as: `"mse"` and
    `"mean_squared_error"` are the same function."""
    return getattr(tf_keras.losses.get(loss), "__name__", loss)


def weights(model: Any) -> Any:
    """The `loss_weights` that the script gave to `compile()`."""
    return getattr(
        getattr(model, "compiled_loss", None), "_user_loss_weights", None
    )


def parameters(loss: Any) -> dict[str, Any]:
    """The arguments that a loss object passes to its function."""
    return getattr(loss, "_fn_kwargs", {})
