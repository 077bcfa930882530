"""Finds the variables that belong to any layer, metric or optimizer of the
process."""

import gc

import keras

_OWNERS = (keras.Layer, keras.optimizers.Optimizer, keras.Metric)
_FIELDS = ("_trainable_variables", "_non_trainable_variables", "_variables")


def find() -> set[int]:
    """The ids of these variables."""
    owned = set()
    for one in gc.get_objects():
        # `isinstance()` asks the object, which may answer anything.
        if issubclass(type(one), _OWNERS):
            for name in _FIELDS:
                owned.update(map(id, vars(one).get(name, ())))
    return owned
