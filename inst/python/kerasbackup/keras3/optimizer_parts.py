"""The parts of an optimizer that Keras keeps in private attributes."""

from typing import Any


def variables(optimizer: Any) -> list[Any]:
    """Its variables, those of an optimizer inside it included."""
    return optimizer.variables


def is_built(optimizer: Any) -> bool:
    """Whether it has its variables."""
    return optimizer.built


def build(optimizer: Any, trained: list[Any]) -> None:
    """Makes its variables for those that it trains."""
    optimizer.build(trained)


def trained_variables(optimizer: Any, variables: list[Any]) -> list[Any]:
    """The variables among some that it was built for, in its order."""
    return getattr(optimizer, "_trainable_variables", [])


def given_learning_rate(optimizer: Any) -> Any:
    """Its learning rate: a variable, or the script's schedule or function."""
    return getattr(optimizer, "_learning_rate", None)
