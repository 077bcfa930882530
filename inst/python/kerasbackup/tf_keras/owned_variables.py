"""Finds the variables that belong to any layer, metric or optimizer of the
process."""

import gc

from kerasbackup.tf_keras import kinds

_OWNERS = (*kinds.optimizers(), *kinds.layers_and_metrics())
_FIELDS = (
    "_trainable_weights",
    "_non_trainable_weights",
    "_variables",
    "_weights",
)


def find() -> set[int]:
    """The ids of these variables."""
    owned = set()
    for one in gc.get_objects():
        # `isinstance()` asks the object, which may answer anything.
        if issubclass(type(one), _OWNERS):
            for name in _FIELDS:
                owned.update(map(id, vars(one).get(name, ())))
    return owned
