"""Owns: what the callback costs at a batch that it does not save.

Keras' epoch iterator alone, in a loop, as `fit()` walks over it: no data is
drawn, nothing is trained. Called by `hook.R`.
"""

import time

import keras
import numpy as np

from kerasbackup.fit.helper import Helper
from kerasbackup.fit.save_interval import SaveInterval
from kerasbackup.parts.data.position import DataPosition

BATCHES = 1000
ROUNDS = 1000

SAVE_FREQS = {"epoch": "epoch", "1000000000": 10**9, "auto": "auto"}


class _Owner:
    max_overhead = 0.01

    def __init__(self, save_freq):
        self.save_freq = save_freq


class _Store:
    def writing_time(self):
        return 0.0


class _Fit:
    def __init__(self, epoch_iterator):
        self.callback_list = keras.callbacks.CallbackList()
        self.epoch_iterator = epoch_iterator
        self.data = self.validation_data = None
        self.validation_freq = 1


class _Generators:
    def capture(self):
        return {}


def costs():
    """Nanoseconds a batch, the least of all rounds: a dict by `save_freq`,
    `none` without the callback."""
    # There is no model here that could be saved.
    SaveInterval.FIRST = float("inf")
    return {kind: _cost(kind) for kind in ("none", *SAVE_FREQS)}


def _cost(kind):
    nothing = np.zeros((BATCHES, 1), "float32")
    iterator = keras.src.trainers.epoch_iterator.EpochIterator(
        x=nothing, y=nothing, batch_size=1
    )
    if kind != "none":
        fit = _Fit(iterator)
        helper = Helper(_Owner(SAVE_FREQS[kind]), _Store(), None, fit)
        is_asked = helper._when.looks_at_steps
        DataPosition(
            iterator,
            _Generators(),
            None,
            helper._before_step if is_asked else None,
        )
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in iterator._enumerate_iterator():
            pass
        best = min(best, time.perf_counter() - started)
    return 1e9 * best / BATCHES
