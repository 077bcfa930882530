"""Grain's datasets, which Grain's threads may read."""

import functools
from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.sources.source import Source

# Stages that have threads whatever their arguments are.
THREADED = ("InterleaveIterDataset", "ThreadPrefetchIterDataset")


class Grain(Source):
    """Grain's datasets and its `DataLoader`."""

    @functools.cached_property
    def runs_ahead(self) -> bool:
        return epoch_iterator.draws_in_graph(self._iterator) or reads_ahead(
            data_adapters.source(self._adapter)
        )


def reads_ahead(dataset: Any) -> bool:
    """Whether threads run a script's functions for batches that training has
    not reached. (Worker processes do not move the generators of this process.)

    Args:
        dataset: A `MapDataset`, an `IterDataset` or a `DataLoader`.
    """
    # Keras iterates over a `MapDataset`, which makes an `IterDataset` with
    # threads of it.
    if hasattr(dataset, "to_iter_dataset"):
        return True
    # A `DataLoader` makes an `IterDataset`, too.
    pending = [getattr(dataset, "_dataset", dataset)]
    while pending:
        stage = pending.pop()
        options = getattr(stage, "_read_options", None)
        if (
            getattr(options, "num_threads", 0)
            and getattr(options, "prefetch_buffer_size", 0)
        ) or type(stage).__name__ in THREADED:
            return True
        pending += getattr(stage, "parents", ())
    return False
