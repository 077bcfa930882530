"""Keras' `EpochIterator`, which `fit()` draws its batches from: its private
names, and when it makes iterators and draws from them."""

import inspect
import sys
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kerasbackup.keras3 import data_adapters
from kerasbackup.store import errors

# What is used of one for training.
NEEDED = (
    "_enumerate_iterator",
    "_get_iterator",
    "_current_iterator",
    "_steps_seen",
    "_num_batches",
    "steps_per_epoch",
    "steps_per_execution",
)

# Models that were trained with this callback, and what `compile()` made.
_trained = weakref.WeakSet()


def require(iterator: Any) -> None:
    """Raises `UnsupportedError` where this package does not know the
    iterator."""
    if not all(hasattr(iterator, name) for name in NEEDED):
        raise errors.UnsupportedError(
            f"Keras {keras.__version__} is not known: its EpochIterator "
            f"lacks one of {', '.join(NEEDED)}."
        )


def draws_in_graph(one: Any) -> bool:
    """Whether the graph of a step draws the batches. Then a thread of
    TensorFlow's reads Python sources ahead of training, and an iterator is made
    when Keras asks for it, elsewhere when the first batch is drawn.

    Args:
        one: The iterator, or the model.
    """
    return keras.backend.backend() == "tensorflow"


# Its iterators ----------------------------------------------------------------


def make_iterator(iterator: Any) -> Any:
    """What Keras draws an epoch from."""
    return iterator._get_iterator()


def make_early(iterator: Any) -> int:
    """Makes the iterator that `fit()` makes and never draws from: none.

    Returns:
        How many were made.
    """
    return 0


def end_epoch_first(iterator: Any) -> None:
    """To be called if a training resumes between two epochs. `fit()` has told
    the data of the end of an epoch before the checkpoint was made."""


def before_making(iterator: Any, call: Callable[[], None]) -> None:
    """Calls a function before Keras makes an iterator, until `release()`."""
    get_iterator = iterator._get_iterator

    def called():
        call()
        return get_iterator()

    iterator._get_iterator = called


def is_watched(iterator: Any) -> bool:
    """Whether `before_making()` has been called for it."""
    return "_get_iterator" in vars(iterator)


def steps(iterator: Any) -> Any:
    """The steps of an epoch: first batch, last batch, iterator; or without the
    last."""
    return iterator._enumerate_iterator()


def batches_of(iterator: Any, step: tuple) -> int:
    """How many batches a step trains on."""
    return iterator.steps_per_execution


def replace_steps(iterator: Any, through: Callable[[Callable], Any]) -> None:
    """Lets Keras draw the steps of each epoch from what `through()` makes of
    the method that gives them, until `release()`."""
    own = iterator._enumerate_iterator
    iterator._enumerate_iterator = lambda: through(own)


def call_between_steps(iterator: Any, function: Callable[[], None]) -> None:
    """Calls a function after each step, when the next one is asked for.

    Args:
        iterator: Keras' `EpochIterator`.
        function: Callable without arguments.
    """

    def calling(steps):
        for step in steps():
            yield step
            function()

    replace_steps(iterator, calling)


def release_steps(iterator: Any) -> None:
    """Gives Keras the method back that gives the steps of an epoch."""
    vars(iterator).pop("_enumerate_iterator", None)


def release(iterator: Any) -> None:
    """Gives Keras its own methods back."""
    for name in ("_get_iterator", "_enumerate_iterator"):
        vars(iterator).pop(name, None)


def lives_on(iterator: Any) -> bool:
    """Whether one iterator lives across epochs."""
    return iterator.steps_per_epoch is not None


def current(iterator: Any) -> Any:
    """The iterator that is drawn from; `None` before the first."""
    return getattr(iterator, "_current_iterator", None)


def begin_current(iterator: Any, drawn: int) -> Any:
    """Makes the iterator that lives across epochs, and returns it.

    Args:
        iterator: The `EpochIterator`.
        drawn: Integer, the batches that are to be drawn from it now.
    """
    iterator._current_iterator = iter(iterator._get_iterator())
    iterator._steps_seen = drawn
    return iterator._current_iterator


def steps_seen(iterator: Any) -> int:
    """How many batches were drawn from the current iterator."""
    return iterator._steps_seen if current(iterator) is not None else 0


def length(iterator: Any) -> int | None:
    """How many batches an iterator has; `None` where Keras does not know."""
    return iterator._num_batches


def coming_length(iterator: Any) -> int | None:
    """How many batches the epoch that is about to begin has: as many as the
    first one; `None` where that is not known."""
    return iterator.num_batches


def set_length(iterator: Any, number: int | None) -> None:
    """Sets the length where Keras does not know it."""
    if iterator._num_batches is None:
        iterator._num_batches = number


def most_steps(iterator: Any) -> int:
    """How many batches an epoch draws at most, where `steps_per_epoch` says; 0
    elsewhere."""
    number, at_once = (
        iterator.steps_per_epoch or 0,
        iterator.steps_per_execution,
    )
    return -(-number // at_once) * at_once


def batches_per_draw(iterator: Any) -> int:
    """How many batches its iterators hand over at once: on JAX since 3.16 those
    of a whole step."""
    return draw_options(iterator).get("super_batch", 1)


def draw_options(iterator: Any) -> dict[str, int]:
    """What Keras asks a data adapter with for batches."""
    if keras.backend.backend() != "jax" or iterator.steps_per_execution == 1:
        return {}
    draw = getattr(iterator.data_adapter, "get_jax_iterator", None)
    stacks = draw and "super_batch" in inspect.signature(draw).parameters
    return {"super_batch": iterator.steps_per_execution} if stacks else {}


def pipeline(iterator: Any) -> Any:
    """The tf.data pipeline that its iterators are made of."""
    if draws_in_graph(iterator):
        return iterator._distributed_dataset
    return data_adapters.source(iterator.data_adapter)


def draws_before_validation(iterator: Any) -> bool:
    """Whether each validation first draws a batch of an iterator that it uses
    for nothing else, because something may not be built yet: where a strategy
    of TensorFlow's hands the batches to several devices."""
    dataset = getattr(iterator, "_distributed_dataset", None)
    distribute = getattr(sys.modules.get("tensorflow"), "distribute", None)
    kind = getattr(distribute, "DistributedDataset", None)
    return kind is not None and isinstance(dataset, kind)


# When Keras makes one, or draws from it ---------------------------------------


def of_validation(model: Any) -> Any:
    """The `EpochIterator` that `fit()` has made for its validation data; `None`
    before it."""
    return getattr(model, "_eval_epoch_iterator", None)


def is_validation_due(
    model: Any, epoch: int, frequency: int | list[int] | None
) -> bool:
    """Whether `fit()` validates after an epoch.

    Args:
        model: The `keras.Model`.
        epoch: Integer, counted from 0.
        frequency: `validation_freq`; `None` where it has no validation data.
    """
    should_eval = getattr(model, "_should_eval", None)
    if frequency is None or should_eval is None:
        return False
    return should_eval(epoch, frequency)


def has_drawn_to_build(model: keras.Model) -> bool:
    """Whether the `fit()` that begins has drawn a batch, for what there was to
    build. To be asked once, before anything is put back.

    Keras does not tell. What was trained before, with this callback or without,
    was built by then: without, its metrics show that they have counted.
    """
    if draws_in_graph(model):
        # It builds when it traces the first step.
        return False
    compiled = (
        getattr(model, name, None)
        for name in ("_compile_metrics", "_compile_loss")
    )
    parts = [model, *(part for part in compiled if part is not None)]
    is_known = all(part in _trained for part in parts)
    _trained.update(parts)
    return not (is_known or _has_counted(model))


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
