"""Where `fit()` draws its batches from: the `View` of its `DataHandler`, and
when iterators are made and drawn from."""

from collections.abc import Callable
from typing import Any

import tf_keras

from kerasbackup.store import errors
from kerasbackup.tf_keras import data_handler

# The most batches of an epoch whose number is not known.
_UNKNOWN = 2**40


def require(iterator: Any) -> None:
    """Raises `UnsupportedError` where this package does not know the
    iterator."""
    handler = iterator.handler
    if not all(hasattr(handler, name) for name in data_handler.NEEDED):
        raise errors.UnsupportedError(
            f"tf_keras {tf_keras.__version__} is not known: its DataHandler "
            f"lacks one of {', '.join(data_handler.NEEDED)}."
        )


def draws_in_graph(one: Any) -> bool:
    """Whether the graph of a step draws the batches: always."""
    return True


# Its iterators ----------------------------------------------------------------


def make_iterator(iterator: Any) -> Any:
    """What an epoch is drawn from."""
    return iter(iterator.handler._dataset)


def make_early(iterator: Any) -> int:
    """Makes the iterator that `fit()` makes and never draws from, where each
    epoch has one of its own.

    Returns:
        How many were made.
    """
    if lives_on(iterator):
        return 0
    iterator.prepare()
    return 1


def end_epoch_first(iterator: Any) -> None:
    """To be called if a training resumes between two epochs: `fit()` tells the
    data of the end of an epoch when it begins the next, after the checkpoint
    was made."""
    iterator.end_first()


def before_making(iterator: Any, call: Callable[[], None]) -> None:
    """Calls a function before an iterator is made to be drawn from, until
    `release()`."""
    iterator.watch(call)


def is_watched(iterator: Any) -> bool:
    """Whether `before_making()` has been called for it."""
    return iterator.before_making is not None


def steps(iterator: Any) -> Any:
    """The steps of an epoch: first batch, last batch, iterator."""
    return iterator.epoch()


def batches_of(iterator: Any, step: tuple) -> int:
    """How many batches a step trains on."""
    return step[1] - step[0] + 1


def replace_steps(iterator: Any, through: Callable[[Callable], Any]) -> None:
    """Lets `fit()` draw the steps of each epoch from what `through()` makes of
    the method that gives them, until `release()`."""
    iterator.through(through)


def call_between_steps(iterator: Any, function: Callable[[], None]) -> None:
    """Calls a function after each step, when the next one is asked for.

    Args:
        iterator: The `View`.
        function: Callable without arguments.
    """

    def calling(steps):
        for step in steps():
            yield step
            function()

    replace_steps(iterator, calling)


def release_steps(iterator: Any) -> None:
    """Gives tf_keras the steps of an epoch back."""
    iterator.release_steps()


def release(iterator: Any) -> None:
    """Gives tf_keras its own methods back."""
    iterator.release()


def lives_on(iterator: Any) -> bool:
    """Whether one iterator lives across epochs."""
    return iterator.steps_per_epoch is not None


def current(iterator: Any) -> Any:
    """The iterator that lives across epochs; `None` before it is made."""
    return iterator.iterator if lives_on(iterator) else None


def begin_current(iterator: Any, drawn: int) -> Any:
    """Makes the iterator that lives across epochs, and returns it.

    Args:
        iterator: The `View`.
        drawn: Integer, the batches that are to be drawn from it now.
    """
    return iterator.prepare(drawn)


def steps_seen(iterator: Any) -> int:
    """How many batches were drawn from the current iterator."""
    return iterator.drawn if current(iterator) is not None else 0


def length(iterator: Any) -> int | None:
    """How many batches an epoch has; `None` where that is not known."""
    return iterator.num_batches


def coming_length(iterator: Any) -> int | None:
    """How many batches the epoch that is about to begin has: tf_keras asks a
    `Sequence` for its length before each; `None` where that is not known."""
    return iterator.coming_batches()


def set_length(iterator: Any, number: int | None) -> None:
    """Sets the length where it is not known."""
    if iterator.num_batches is None:
        iterator.handler._inferred_steps = number


def most_steps(iterator: Any) -> int:
    """How many batches an epoch draws at most, where one iterator lives across
    epochs; 0 elsewhere."""
    if not lives_on(iterator):
        return 0
    number, at_once = iterator.steps_per_epoch, iterator.steps_per_execution
    return -(-number // at_once) * at_once or _UNKNOWN


def batches_per_draw(iterator: Any) -> int:
    """How many batches its iterators hand over at once."""
    return 1


def draw_options(iterator: Any) -> dict[str, int]:
    """What a data adapter is asked with for batches: nothing draws them in
    Python."""
    return {}


def pipeline(iterator: Any) -> Any:
    """The tf.data pipeline that its iterators are made of."""
    return iterator.handler._dataset


def draws_before_validation(iterator: Any) -> bool:
    """Whether each validation first draws a batch, because something may not be
    built yet: none does, as tf_keras builds when it traces the first step."""
    return False


# When one is made, or drawn from ----------------------------------------------


def of_validation(model: Any) -> Any:
    """The `View` of what `fit()` has made for its validation data; `None`
    before it."""
    handler = getattr(model, "_eval_data_handler", None)
    return None if handler is None else data_handler.view_of(handler)


def is_validation_due(
    model: Any, epoch: int, frequency: int | list[int] | None
) -> bool:
    """Whether `fit()` validates after an epoch.

    Args:
        model: The model.
        epoch: Integer, counted from 0.
        frequency: `validation_freq`; `None` where it has no validation data.
    """
    should_eval = getattr(model, "_should_eval", None)
    if frequency is None or should_eval is None:
        return False
    return should_eval(epoch, frequency)


def has_drawn_to_build(model: Any) -> bool:
    """Whether the `fit()` that begins has drawn a batch of a pipeline, for what
    there was to build: it builds when it traces the first step."""
    return False
