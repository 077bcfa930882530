"""Makes one checkpoint of those that another number of workers has saved.

Each worker of the new training gets all pieces of the variables that workers
held together, and the rest of one of the old workers.
"""

import json

from kerasbackup.checkpoint import schema
from kerasbackup.parts import pieces
from kerasbackup.store.client import Checkpoint
from kerasbackup.store.client import Store

# What depends on how many workers share the rows of a batch.
ROWS = ("batch_size", "rows in the last batch")


class OtherWorkers:
    """The checkpoints that another number of workers has saved.

    Args:
        store: The `Store`, which has found them.
        count: Integer, how many these workers were.
        index: Integer, which of the new workers this is, counted from 0.
    """

    def __init__(self, store: Store, count: int, index: int):
        self._store = store
        self._count = count
        self._index = index

    def load(self) -> Checkpoint:
        """The checkpoint that this worker goes on from."""
        own = self._index % self._count
        # Its own comes first: what several have is taken from it.
        order = [own, *(i for i in range(self._count) if i != own)]
        first = self._store.load_other(own + 1)
        with schema.reading(first.path, first.metadata, {}):
            metadata = _of_others(first.metadata)
            tensors, shards = first.tensors, _shards(first)
        for number in order[1:]:
            other = self._store.load_other(number + 1)
            with schema.reading(other.path, other.metadata, {}):
                found = _shards(other)
            for name, shard in found.items():
                if name not in shards:
                    shards[name] = shard
                    tensors[name] = other.tensors[name]
        if shards:
            metadata["shards"] = json.dumps(shards)
        first.tensors, first.metadata = tensors, metadata
        first.workers = self._count
        return first


def _shards(checkpoint: Checkpoint) -> pieces.Shards:
    shards = schema.parse(checkpoint.metadata.get("shards", "{}"))
    pieces.check(shards, checkpoint.tensors)
    return shards


def _of_others(metadata: dict[str, str]) -> dict[str, str]:
    """The metadata without what is said of a worker's rows: each worker has
    others now. Where an epoch has as many batches as before, it continues at
    its next batch."""
    metadata = schema.migrated(metadata)
    training, position, validation = (
        schema.parse(metadata[name])
        for name in ("training", "position", "validation")
    )
    described = {
        name: value
        for name, value in position["source_kind"].items()
        if name not in ROWS
    }
    changed = {
        "training": {**training, "data": None, "values": None},
        "position": {**position, "checksums": [], "source_kind": described},
        "validation": {**validation, "checksums": []},
    }
    texts = {name: json.dumps(value) for name, value in changed.items()}
    return {**metadata, **texts}
