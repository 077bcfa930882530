"""Tells whether a dataset of Grain's is read by threads of Grain's.

May not draw data, and may not touch variables, callbacks or files.
"""

from typing import Any

# Stages that have threads whatever they are given.
THREADED = ("InterleaveIterDataset", "ThreadPrefetchIterDataset")


def reads_ahead(dataset: Any) -> bool:
    """Whether threads run a script's functions for batches that training has
    not come to yet. (What processes draw does not move our generators.)

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
