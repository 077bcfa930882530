"""The iterator that `fit()` draws the steps of an epoch from."""

from collections.abc import Callable
from typing import Any


def call_between_steps(iterator: Any, function: Callable[[], None]) -> None:
    """Calls a function after each step, when the next one is asked for.

    Args:
        iterator: Keras' `EpochIterator`.
        function: Callable without arguments.
    """
    steps = iterator._enumerate_iterator

    def calling():
        for step in steps():
            yield step
            function()

    iterator._enumerate_iterator = calling


def put_back(iterator: Any) -> None:
    """Gives an `EpochIterator` its own method back."""
    vars(iterator).pop("_enumerate_iterator", None)
