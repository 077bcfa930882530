"""How a model and its variables are spread over devices and processes."""

from typing import Any

import tensorflow as tf
from tensorflow.python.distribute.sharded_variable import ShardedVariable


def spreads_over_processes(model: Any) -> bool:
    """Whether several processes train a model together: none do, as
    `unsupported.py` refuses those that a strategy has joined."""
    return False


def components(variable: Any) -> list[Any]:
    """The variables that a variable consists of, of which this process has the
    memory. Under a strategy each replica has one, with a state of its own. To
    read or assign the whole would be a collective operation, which averages.
    """
    if isinstance(variable, tf.distribute.DistributedValues):
        return list(variable.values)
    if isinstance(variable, ShardedVariable):
        return list(variable.variables)
    return [variable]
