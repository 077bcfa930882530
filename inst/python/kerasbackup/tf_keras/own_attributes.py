"""Which attributes of its objects tf_keras keeps for itself."""

import functools
import inspect
from typing import Any

from kerasbackup.tf_keras import kinds

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


@functools.cache
def used_names(cls: type) -> frozenset[str]:
    """The names that the code of tf_keras' classes among a class's bases uses.
    Private names among them are tf_keras' own."""
    names = set()
    for base in cls.__mro__:
        if kinds.is_class_of_keras(base):
            for member in vars(base).values():
                code = (
                    getattr(inspect.unwrap(member), "__code__", None)
                    if callable(member)
                    else getattr(
                        getattr(member, "fset", None), "__code__", None
                    )
                )
                names.update(getattr(code, "co_names", ()))
    return frozenset(names)
