"""Owns drawing data again that were trained on before, and how far that is.

May not touch positions, variables or files.
"""

import inspect
import sys
import time
from collections.abc import Callable

import keras


class Progress:
    """Tells how far a replay is, where it takes long enough to be of interest.

    Args:
        report: Callable that is given the number of batches drawn and how many
            there are, `None` where that is not known; with `None, None` the
            replay has ended.
        between: Callable, called after every batch that is drawn again; or
            `None`.
    """

    INTERVAL = 0.1  # seconds

    def __init__(
        self,
        report: Callable[[int | None, int | None], None],
        between: Callable[[], None] | None = None,
    ):
        self._report = report
        self._between = between
        self._next = None
        self._reported = False

    def at(self, done: int, total: int | None) -> None:
        """To be called after every batch that is drawn again."""
        if self._between is not None:
            self._between()
        now = time.monotonic()
        if self._next is None:
            self._next = now + self.INTERVAL
        elif now >= self._next:
            self._next = now + self.INTERVAL
            self._reported = True
            self._report(done, total)

    def end(self) -> None:
        """To be called when a replay has ended."""
        if self._reported:
            self._report(None, None)
        self._next = None
        self._reported = False


def draw_epoch(iterator) -> None:
    """Draws one epoch's data from an `EpochIterator`."""
    with iterator.catch_stop_iteration():
        for step in iterator._enumerate_iterator():
            draw_step(iterator, step)


def is_distributed(iterator) -> bool:
    """Whether a strategy of TensorFlow's hands its batches to several devices:
    threads of their own draw for these."""
    dataset = getattr(iterator, "_distributed_dataset", None)
    distribute = getattr(sys.modules.get("tensorflow"), "distribute", None)
    kind = getattr(distribute, "DistributedDataset", None)
    return kind is not None and isinstance(dataset, kind)


def draw_step(iterator, step) -> None:
    """Draws the batches of one step."""
    at_once = batches_per_draw(iterator)
    for _ in range(0, iterator.steps_per_execution, at_once):
        next(step[-1])


def batches_per_draw(iterator) -> int:
    """How many batches its iterators hand over at once: on JAX since 3.16 those
    of a whole step."""
    return draw_options(iterator).get("super_batch", 1)


def draw_options(iterator) -> dict[str, int]:
    """What Keras asks a data adapter with for batches."""
    if keras.backend.backend() != "jax" or iterator.steps_per_execution == 1:
        return {}
    draw = getattr(iterator.data_adapter, "get_jax_iterator", None)
    stacks = draw and "super_batch" in inspect.signature(draw).parameters
    return {"super_batch": iterator.steps_per_execution} if stacks else {}


def steps_at_most(iterator) -> int:
    """How many batches an epoch draws at most, where `steps_per_epoch` says; 0
    elsewhere."""
    steps, at_once = iterator.steps_per_epoch or 0, iterator.steps_per_execution
    return -(-steps // at_once) * at_once
