"""Which attributes of its objects tf_keras keeps for itself."""

from typing import Any

# Kept by tf_keras itself, or described as arguments of `compile()`.
_KEPT = frozenset(
    {
        "built",
        "inputs",
        "input_names",
        "loss",
        "loss_weights",
        "name",
        "output_names",
        "run_eagerly",
        "seed",
        "stateful",
        "stop_training",
        "supports_masking",
    }
)


def kept(owner: Any = None) -> frozenset[str]:
    """The names of attributes that are no state of the script's.

    Args:
        owner: The object. Without one, those of any object.
    """
    return _KEPT
