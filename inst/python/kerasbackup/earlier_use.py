"""Owns what earlier trainings of this process did that a later one notices in
its data: a tf.data pipeline shuffles on from where it was left, and a generator
has lost the batches that were drawn.

A pipeline that reshuffles takes new seeds for each iterator that is made of it,
whoever makes it. So a resume makes as many as the lost run had made since its
process began. Keras makes one by itself where it builds a model, which only
the first `fit()` does.

May not draw data, and may not touch variables, callbacks or files.
"""

import inspect
import weakref
from typing import Any

import keras
import numpy as np

from kerasbackup.data_source import stages

# By stage of a pipeline, or generator: the iterators made of it that we saw.
_made = weakref.WeakKeyDictionary()

# Models that were trained with this callback, and what `compile()` made.
_trained = weakref.WeakSet()


class EarlierUse:
    """How often data that do not begin anew were begun in this process.

    Args:
        data: What `fit()` was given; it is not kept.

    Attributes:
        LATE: String, likewise where `is_late`.
        NOTE: String, what to say where a resume cannot make up for that.
        DOUBT: String, likewise where it can, if nobody else used them.
        times: Integer, before this was made; 0 for data that begin anew.
        is_generator: Whether the data are a generator.
        is_late: Whether some of the order is drawn after an iterator is made: a
            stage that shuffles is behind another one, or begun again.
        is_countable: Whether it is known how to leave data like these as so
            many iterators leave them.
    """

    NOTE = "the data go on from where this session had left them"
    DOUBT = (
        "the data were used in this session: what has drawn from them beside "
        "`fit()` with this callback is not known"
    )

    LATE = (
        "the pipeline shuffles what is shuffled already, or repeats or "
        "concatenates it: its order may be another"
    )

    def __init__(self, data: Any):
        found = list(stages(data))
        self.is_generator = inspect.isgenerator(data)
        kept = {"CacheDataset", "_RepeatDataset"}
        self.is_countable = not self.is_generator and not any(
            type(stage).__name__ in kept for stage in found
        )
        moved = [s for s in found if self.is_generator or _is_moved(s)]
        again = {"_ConcatenateDataset", "_RepeatDataset"}
        self.is_late = not self.is_generator and any(
            any(s is not stage and _is_moved(s) for s in stages(stage))
            for stage in found
            if hasattr(stage, "_reshuffle_each_iteration")
            or type(stage).__name__ in again
        )
        self._moved = [weakref.ref(stage) for stage in moved]
        self.times = max((_made[stage] for stage in self._known()), default=0)

    def shares_with(self, other: "EarlierUse") -> bool:
        """Whether an iterator of the one moves the other."""
        return any(
            one is another
            for one in self._alive()
            for another in other._alive()
        )

    def note(self, number: int = 1) -> None:
        """To be called when so many iterators are made of the data."""
        for stage in self._alive():
            _made[stage] = _made.get(stage, 0) + number

    def _known(self) -> list[Any]:
        return [stage for stage in self._alive() if stage in _made]

    def _alive(self) -> list[Any]:
        found = (reference() for reference in self._moved)
        return [stage for stage in found if stage is not None]


def _is_moved(stage: Any) -> bool:
    """Whether each iterator of it is another."""
    return bool(
        getattr(stage, "_reshuffle_each_iteration", False)
        or getattr(stage, "_rerandomize", False)
    )


def is_built_from_data(model: keras.Model, data: Any) -> bool:
    """Whether the `fit()` that begins has made an iterator of its data, and
    drawn a batch, for what there was to build. To be asked once, before
    anything is put back; that iterator is noted here.

    Keras does not tell. What was trained before, with this callback or without,
    was built by then: without, its metrics show that they have counted.
    """
    if keras.backend.backend() == "tensorflow":
        # It builds when it traces the first step.
        return False
    compiled = (
        getattr(model, name, None)
        for name in ("_compile_metrics", "_compile_loss")
    )
    parts = [model, *(part for part in compiled if part is not None)]
    is_known = all(part in _trained for part in parts)
    _trained.update(parts)
    if is_known or _has_counted(model):
        return False
    EarlierUse(data).note()
    return True


def _has_counted(model: keras.Model) -> bool:
    try:
        return any(
            np.any(keras.ops.convert_to_numpy(variable))
            for variable in model.metrics_variables
        )
    except RuntimeError:
        # On JAX a training that was interrupted without this callback leaves
        # variables without a value.
        return True
