"""Nested structures of lists, tuples and dicts, as tf_keras walks them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def flatten(structure: Any) -> list[Any]:
    """The leaves of a structure; a single object is its own leaf."""
    return tf.nest.flatten(structure)


def map_leaves(structure: Any, function: Callable[[Any], Any]) -> Any:
    """The same structure with what a function returns for each leaf."""
    return tf.nest.map_structure(function, structure)
