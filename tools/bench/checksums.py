"""Owns: what the checksum of a batch costs, and what it costs to be asked
whether a batch needs one. Called by `checksums.R`.
"""

import time
import types

import numpy as np

from kerasbackup.parts.data.batch_checksum import checksum
from kerasbackup.parts.data.drawn_batches import DrawnBatches

ROUNDS = 2000
# Together larger than the caches of a processor.
LARGE = 12


def costs():
    """Microseconds a batch, the median of all rounds: a dict by kind of
    batch."""
    generator = np.random.default_rng(1)
    images = generator.random((32, 28, 28), "float32")
    labels = np.eye(10, dtype="float32")[np.arange(32) % 10]
    tokens = generator.integers(0, 9999, (32, 128))
    texts = {"token_ids": tokens, "padding_mask": tokens > 99}
    photographs = [
        (generator.random((64, 224, 224, 3), "float32"), np.arange(64))
        for _ in range(LARGE)
    ]
    return {
        "32 x 28 x 28 and one-hot": _cost(checksum, [(images, labels)]),
        "dict of token ids and mask, 32 x 128": _cost(checksum, [(texts,)]),
        "64 x 224 x 224 x 3, not in cache": _cost(checksum, photographs),
        "none due": _cost(_Undue(), [(images, labels)]),
    }


class _Undue:
    """A batch shortly after one that has a checksum."""

    def __init__(self):
        self._drawn = DrawnBatches(types.SimpleNamespace())
        self._drawn._next_at = float("inf")

    def __call__(self, batch):
        self._drawn.see(1, batch)


def _cost(function, batches):
    found = []
    for i in range(ROUNDS):
        batch = batches[i % len(batches)]
        started = time.perf_counter()
        function(batch)
        found.append(time.perf_counter() - started)
    return 1e6 * float(np.median(found))
