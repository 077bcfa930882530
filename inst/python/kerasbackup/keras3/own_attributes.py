"""Which attributes of its objects Keras keeps for itself."""

import functools
import inspect
from typing import Any

from kerasbackup.keras3 import backend
from kerasbackup.keras3 import kinds

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


@functools.cache
def used_names(cls: type) -> frozenset[str]:
    """The names that the code of Keras' classes among a class's bases uses.
    Private names among them are Keras' own."""
    names = set()
    for base in cls.__mro__:
        if kinds.is_class_of_keras(base):
            for member in vars(base).values():
                code = (
                    getattr(inspect.unwrap(member), "__code__", None)
                    if (callable(member))
                    else getattr(
                        getattr(member, "fset", None), "__code__", None
                    )
                )
                names.update(getattr(code, "co_names", ()))
    return frozenset(names)
