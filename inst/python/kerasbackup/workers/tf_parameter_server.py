"""The coordinator of TensorFlow's `ParameterServerStrategy`. It alone runs
`fit()`, and the other processes keep nothing that a resume needs."""

from typing import Any

from kerasbackup.workers.one import One


class Coordinator(One):
    """The process that runs `fit()`.

    Args:
        count: Integer, how many workers compute its steps.
    """

    def __init__(self, count: int):
        super().__init__()
        self._computing = count

    def notes(self) -> list[str]:
        if self._computing == 1:
            return []
        return [
            f"{self._computing} workers of a `ParameterServerStrategy` compute "
            "steps at the same time, in an order that no two runs repeat, and "
            "draw batches as they are free"
        ]


def find(model: Any) -> Coordinator | None:
    """The coordinator, if this process is one."""
    import tensorflow as tf

    kind = tf.distribute.experimental.ParameterServerStrategy
    if not isinstance(model.distribute_strategy, kind):
        return None
    # The strategy has no resolver, and the devices are those of its cluster.
    names = [one.name for one in tf.config.list_logical_devices()]
    places = map(tf.DeviceSpec.from_string, names)
    return Coordinator(len({one.task for one in places if one.job == "worker"}))
