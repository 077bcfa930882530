"""The parts of an optimizer that Keras keeps in private attributes."""

from typing import Any


def trained_variables(optimizer: Any) -> list[Any]:
    """The variables that it was built for."""
    return getattr(optimizer, "_trainable_variables", [])


def given_learning_rate(optimizer: Any) -> Any:
    """Its learning rate: a variable, or the script's schedule or function."""
    return getattr(optimizer, "_learning_rate", None)
