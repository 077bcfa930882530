"""Processes that TensorFlow's `MultiWorkerMirroredStrategy` has joined."""

from typing import Any

import numpy as np

from kerasbackup.workers.workers import Workers


class TensorFlowWorkers(Workers):
    """The workers of a `MultiWorkerMirroredStrategy`.

    Args:
        index, count: See `Workers`.
        strategy: The strategy.
    """

    def __init__(self, index: int, count: int, strategy: Any):
        super().__init__(index, count)
        self._strategy = strategy
        self._gather = _gathering(strategy)

    def gather(self, row: np.ndarray) -> list[np.ndarray]:
        # TensorFlow gathers integers of 32 bits, and no bytes.
        found = self._gather(row.view(np.int32)[None])
        # Each device of this process has got the rows of all devices.
        rows = self._strategy.experimental_local_results(found)[0].numpy()
        devices = len(rows) // self.count
        return [one.view(np.uint8) for one in rows[::devices]]


def _gathering(strategy: Any) -> Any:
    import tensorflow as tf

    def on_device(row):
        # Only what was computed on a device is known to be there.
        own = tf.identity(row)
        return tf.distribute.get_replica_context().all_gather(own, axis=0)

    @tf.function
    def gather(row):
        return strategy.run(on_device, args=(row,))

    return gather


def find(model: Any) -> TensorFlowWorkers | None:
    """The workers that train a model; `None` if there is only this one, or if
    another strategy trains it."""
    import tensorflow as tf

    strategy = model.distribute_strategy
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return None
    resolver = strategy.cluster_resolver
    tasks = resolver.cluster_spec().as_dict()
    # An evaluator is no worker. The chief is the first.
    chiefs = len(tasks.get("chief", ()))
    count = chiefs + len(tasks.get("worker", ()))
    if count <= 1:
        return None
    before = 0 if resolver.task_type == "chief" else chiefs
    return TensorFlowWorkers(before + resolver.task_id, count, strategy)
