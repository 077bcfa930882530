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


def is_divided(variable: Any) -> bool:
    """Whether the components are parts of the variable, as under a
    `ParameterServerStrategy` with a partitioner; those of replicas are not."""
    return isinstance(variable, ShardedVariable)


def begins(variable: ShardedVariable) -> list[list[int]]:
    """Where each component of a divided variable begins, in each dimension.
    TensorFlow divides the first one."""
    rows = 0
    found = []
    for one in variable.variables:
        found.append([rows, *[0] * (len(one.shape) - 1)])
        rows += int(one.shape[0])
    return found
