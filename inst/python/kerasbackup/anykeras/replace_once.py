"""Replaces a method of an object of Keras' for one call."""

from collections.abc import Callable
from typing import Any


def replace_once(owner: Any, name: str, function: Callable) -> None:
    """Replaces a method for one call, which then puts the old one back. If the
    same function replaces it already, it stays as it is.

    Keras may have kept the replacement, and call it again. Then it calls the
    function too, but nothing is put back.

    Args:
        owner: The object.
        name: String, the method.
        function: Callable, given the old method and the arguments.
    """
    method = getattr(owner, name)
    if getattr(method, "replaces_with", None) == function:
        return
    before = {k: v for k, v in vars(owner).items() if k == name}

    def replaced(*args, **kwargs):
        if vars(owner).get(name) is replaced:
            del vars(owner)[name]
            vars(owner).update(before)
        return function(method, *args, **kwargs)

    replaced.replaces_with = function
    vars(owner)[name] = replaced
