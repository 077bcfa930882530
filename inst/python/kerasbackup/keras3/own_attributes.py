"""Which attributes of its objects Keras keeps for itself."""

from typing import Any

from kerasbackup.keras3 import backend

# Kept by Keras itself, or described as arguments of `compile()`.
_KEPT = frozenset(
    {
        "autocast",
        "built",
        "compiled",
        "jit_compile",
        "loss",
        "loss_weights",
        "name",
        "run_eagerly",
        "seed",
        "steps_per_execution",
        "stop_evaluating",
        "stop_predicting",
        "stop_training",
        "supports_jit",
    }
)


def kept(owner: Any = None) -> frozenset[str]:
    """The names of attributes that are no state of the script's.

    Args:
        owner: The object. Without one, those of any object.
    """
    if backend.name(owner) == "torch":
        # Keras sets it before each epoch and each validation.
        return _KEPT | {"training"}
    return _KEPT
