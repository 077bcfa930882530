"""Replaces a method of an object of Keras' for one call."""

from collections.abc import Callable
from typing import Any


def replace_once(owner: Any, name: str, function: Callable) -> None:
    """Replaces a method for one call, which then puts the old one back.

    Args:
        owner: The object.
        name: String, the method.
        function: Callable, given the old method and the arguments.
    """
    method = getattr(owner, name)
    before = {k: v for k, v in vars(owner).items() if k == name}

    def replaced(*args, **kwargs):
        if vars(owner).pop(name, None) is replaced:
            vars(owner).update(before)
        return function(method, *args, **kwargs)

    vars(owner)[name] = replaced
