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
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kerasbackup.parts.data.data_source import caches
from kerasbackup.parts.data.data_source import stages

# By stage of a pipeline, or generator: the iterators made of it that we saw.
_made = weakref.WeakKeyDictionary()

# Models that were trained with this callback, and what `compile()` made.
_trained = weakref.WeakSet()


class IteratorsMade:
    """How often data that do not begin anew were begun in this process.

    Args:
        data: What `fit()` was given; it is not kept.

    Attributes:
        NOTE: String, what to say where a resume cannot make up for that.
        DOUBT: String, likewise where it can, if nobody else used them.
        times: Integer, before this was made; 0 for data that begin anew.
        is_generator: Whether the data are a generator.
        is_countable: Whether it is known how to leave data like these as so
            many iterators leave them.
        keeps_first_pass: Whether a pipeline caches what it has drawn.
        ends_by_itself: Whether TensorFlow draws ahead of who asks, so that it
            comes to the end of an iterator when that has given all batches:
            what repeats a pipeline takes one more seed there.
    """

    NOTE = (
        "the data continue from where this session had left them (set the "
        "seed and create them again)"
    )
    DOUBT = (
        "the data were used in this session, and it is not known what has "
        "drawn from them besides `fit()` with this callback (create them again)"
    )

    def __init__(self, data: Any):
        found = list(stages(data))
        self.is_generator = inspect.isgenerator(data)
        moved = [s for s in found if self.is_generator or _is_moved(s)]
        self._draws_throughout = _have_behind(found, _begins_again) or any(
            map(_has_other_within, found)
        )
        self._draws_late = self._draws_throughout or _have_behind(
            found, _shuffles
        )
        self.is_countable = not (
            self.is_generator or self._draws_late or _have_behind(found, caches)
        )
        self.keeps_first_pass = any(map(caches, found))
        self.ends_by_itself = self._draws_throughout and _is_drawn_ahead(
            found[0]
        )
        self._moved = [weakref.ref(stage) for stage in moved]
        self.times = max((_made[stage] for stage in self._known()), default=0)

    @property
    def begins_anew(self) -> bool:
        """Whether each iterator gives the same as the one before."""
        return not self._moved

    def settled_after(self, length: int | None) -> int | None:
        """How many batches of an iterator must be drawn until its whole order
        has been, `None` for all: one suffices for a stage that shuffles in
        front of another, but not where one is begun again.

        Args:
            length: Integer, how many there are; `None` where nobody knows.
        """
        if self._draws_throughout:
            return length
        return 1 if self._draws_late else 0

    def shares_with(self, other: "IteratorsMade") -> bool:
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


def _name(stage: Any) -> str:
    return type(stage).__name__


def _is_moved(stage: Any) -> bool:
    """Whether each iterator of it is another."""
    return bool(
        getattr(stage, "_reshuffle_each_iteration", False)
        or getattr(stage, "_rerandomize", False)
        or _has_other_within(stage)
    )


def _shuffles(stage: Any) -> bool:
    """Whether it makes an iterator of what is in front of it when the first
    element is drawn, rather than at once."""
    return hasattr(stage, "_reshuffle_each_iteration")


def _begins_again(stage: Any) -> bool:
    """Whether it makes iterators of what is in front of it later than its own,
    or several."""
    return _name(stage) in ("_ConcatenateDataset", "_RepeatDataset")


def _is_drawn_ahead(pipeline: Any) -> bool:
    """Whether a thread draws from it. TensorFlow puts one behind each pipeline
    that has none at its end, unless it is told not to."""
    options = pipeline.options()
    is_left_alone = (
        options.autotune.enabled is False
        or options.experimental_optimization.inject_prefetch is False
        or options.experimental_optimization.apply_default_optimizations
        is False
    )
    return not is_left_alone or any(
        kind in _name(stage)
        for stage in stages(pipeline)
        for kind in ("Parallel", "Prefetch")
        if _have_behind(list(stages(stage)), _begins_again)
    )


def _has_other_within(stage: Any) -> bool:
    """Whether one of its functions uses a pipeline that was made outside of
    it: which one, and whether it shuffles, cannot be seen."""
    is_stage = hasattr(stage, "_inputs")
    functions = getattr(stage, "_functions", list) if is_stage else list
    return any(
        getattr(value.dtype, "name", "") == "variant"
        for wrapper in functions()
        for value in wrapper.function.captured_inputs
    )


def _have_behind(found: list[Any], is_such: Callable[[Any], bool]) -> bool:
    """Whether there is such a stage behind one that is moved."""
    return any(
        any(one is not stage and _is_moved(one) for one in stages(stage))
        for stage in found
        if is_such(stage)
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
    IteratorsMade(data).note()
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
