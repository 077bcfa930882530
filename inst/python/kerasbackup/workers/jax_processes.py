"""Processes that `jax.distributed` has joined, and over whose devices
`keras.distribution` spreads a model."""

from typing import Any

import numpy as np

from kerasbackup.anykeras import distribution
from kerasbackup.store import errors
from kerasbackup.workers.one import One
from kerasbackup.workers.workers import Workers


class JaxProcesses(Workers):
    """The processes of JAX."""

    may_change_count = True

    def gather(self, row: np.ndarray) -> list[np.ndarray]:
        from jax.experimental import multihost_utils

        return list(multihost_utils.process_allgather(row))


class OneProcess(One):
    """A process of JAX that trains alone."""

    may_change_count = True


def find(model: Any) -> Workers:
    """The processes that train a model.

    Raises:
        UnsupportedError: Each of them trains by itself.
    """
    import jax

    count = jax.process_count()
    if count == 1:
        return OneProcess()
    if not distribution.spreads_over_processes(model):
        raise errors.UnsupportedError(
            "This training runs in several processes (`jax.process_count()` is "
            f"{count}), and each of them trains the model by itself. Nothing "
            "was saved or restored. Set `keras.distribution.DataParallel` or "
            "`ModelParallel` over the devices of all processes before the "
            "model is made, or train without this callback."
        )
    return JaxProcesses(jax.process_index(), count)
