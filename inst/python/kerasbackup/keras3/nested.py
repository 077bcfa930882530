"""Nested structures of lists, tuples and dicts, as Keras walks them."""

from collections.abc import Callable
from typing import Any

import keras


def flatten(structure: Any) -> list[Any]:
    """The leaves of a structure; a single object is its own leaf."""
    return keras.tree.flatten(structure)


def map_leaves(structure: Any, function: Callable[[Any], Any]) -> Any:
    """The same structure with what a function returns for each leaf."""
    return keras.tree.map_structure(function, structure)
