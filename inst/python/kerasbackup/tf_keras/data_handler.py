"""tf_keras' `DataHandler`, which `fit()` draws its batches from, seen as the
`EpochIterator` of Keras 3 that the position in the data knows."""

import weakref
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from kerasbackup.tf_keras import coordinator

# What is used of one for training.
NEEDED = (
    "_adapter",
    "_dataset",
    "_epochs",
    "_inferred_steps",
    "_infer_steps",
    "_initial_epoch",
    "_insufficient_data",
    "_model",
    "_steps_per_epoch",
    "_truncate_execution_to_epoch",
    "catch_stop_iteration",
    "enumerate_epochs",
    "step_increment",
    "steps",
)

# By handler. A view refers to its handler weakly, as `fit()` owns that.
_views = weakref.WeakKeyDictionary()


def view_of(handler: Any) -> "View":
    """The view of a `DataHandler`, one for each."""
    if handler not in _views:
        _views[handler] = View(handler)
    return _views[handler]


class View:
    """A `DataHandler` of a `fit()`.

    Attributes:
        steps_per_execution: Integer, the batches that a whole step trains on.
        steps_per_epoch: Integer, the batches of an epoch if one iterator lives
            across epochs, 0 if their number is not known; `None` if each epoch
            has an iterator of its own.
        iterator: The iterator that is drawn from; `None` before the first.
        drawn: Integer, the batches that were drawn from it.
        before_making: Callable, called when an iterator is made to be drawn
            from; or `None`.
    """

    def __init__(self, handler: Any):
        self._handler = weakref.ref(handler)
        self.steps_per_execution = handler.step_increment + 1
        self.steps_per_epoch = None
        if not handler._adapter.should_recreate_iterator():
            steps = handler._steps_per_epoch or handler._adapter.get_size()
            self.steps_per_epoch = max(0, steps or 0)
        self.iterator = None
        self.drawn = 0
        self.before_making = None
        # Made before the first epoch: by us, or by `fit()`.
        self._prepared = None
        self._begins_with_end = False
        # Whether the iterator of the epoch has not been told of yet.
        self._is_new = False
        # What the steps go through, in `through()`.
        self._through = []

    @property
    def handler(self) -> Any:
        """The `DataHandler`."""
        return self._handler()

    @property
    def data_adapter(self) -> Any:
        """What the data are."""
        return self.handler._adapter

    @property
    def num_batches(self) -> int | None:
        """The batches of an epoch; `None` if their number is not known."""
        return self.handler._inferred_steps

    def coming_batches(self) -> int | None:
        """The batches of the epoch that is about to begin. tf_keras asks for
        their number before each epoch with an iterator of its own."""
        handler = self.handler
        known = handler._inferred_steps
        if not handler._adapter.should_recreate_iterator() or isinstance(
            handler._dataset, tf.distribute.DistributedDataset
        ):
            return known
        steps = handler._infer_steps(handler._steps_per_epoch, handler._dataset)
        return known if steps is None else steps

    def catch_stop_iteration(self) -> Any:
        """A context that ends an epoch where the data end."""
        return self.handler.catch_stop_iteration()

    def reset(self) -> None:
        """Ends an epoch. tf_keras does that when it is asked for the next."""

    # The iterators ----------------------------------------------------------

    def prepare(self, drawn: int = 0) -> Any:
        """Makes the iterator that `fit()` would make first, and returns it.

        Args:
            drawn: Integer, the batches that are to be drawn from it now.
        """
        self._prepared = self._make()
        self.iterator = self._drawn_from(self._prepared)
        self.drawn = drawn
        self._install()
        return self.iterator

    def end_first(self) -> None:
        """Lets `fit()` end an epoch before it begins the first."""
        self._begins_with_end = True

    def watch(self, call: Callable[[], None]) -> None:
        """Sets `before_making`."""
        self.before_making = call
        self._install()

    def through(self, function: Callable[[Callable], Any]) -> None:
        """Lets `fit()` draw the steps of each epoch from what a function makes
        of the callable that gives them."""
        self._through.append(function)
        self._install()

    def release_steps(self) -> None:
        """Undoes `through()`."""
        self._through.clear()

    def release(self) -> None:
        """Gives tf_keras its own methods back."""
        self.release_steps()
        self.before_making = self._prepared = self.iterator = None
        handler = self.handler
        # `fit()` deletes that of validation data before it ends.
        if handler is not None:
            for name in ("enumerate_epochs", "steps"):
                vars(handler).pop(name, None)

    def epoch(self) -> Iterator[tuple]:
        """The steps of one epoch of validation data: first batch, last batch,
        iterator."""
        self._install()
        for _ in self._enumerate_epochs():
            yield from self._steps()

    def _install(self) -> None:
        handler = self.handler
        vars(handler)["enumerate_epochs"] = self._enumerate_epochs
        vars(handler)["steps"] = self._first_batches

    def _make(self) -> Any:
        return iter(self.handler._dataset)

    def _drawn_from(self, iterator: Any) -> Any:
        """What this process draws the batches of an iterator from."""
        return coordinator.drawn(iterator, self.handler._model)

    def _tell(self) -> None:
        if self.before_making is not None:
            self.before_making()

    def _enumerate_epochs(self) -> Iterator[tuple[int, Any]]:
        """As `DataHandler.enumerate_epochs()`, but an iterator that was made
        before is taken, and what is made is told."""
        handler = self.handler
        adapter = handler._adapter
        with handler._truncate_execution_to_epoch():
            iterator, self._prepared = self._prepared, None
            if iterator is None:
                self._tell()
                iterator = self._make()
                self.drawn = 0
            if self._begins_with_end:
                self._begins_with_end = False
                adapter.on_epoch_end()
            for epoch in range(handler._initial_epoch, handler._epochs):
                if handler._insufficient_data:
                    break
                if adapter.should_recreate_iterator():
                    iterator = self._make()
                    handler._inferred_steps = self.coming_batches()
                    self.drawn = 0
                    self._is_new = True
                self.iterator = self._drawn_from(iterator)
                yield epoch, iterator
                adapter.on_epoch_end()

    def _first_batches(self) -> Iterator[int]:
        """What `fit()` asks for: the first batch of each step."""
        steps = self._steps
        for function in self._through:
            steps = _bound(function, steps)
        for step in steps():
            yield step[0]

    def _steps(self) -> Iterator[tuple]:
        handler = self.handler
        if self._is_new:
            # Keras 3 makes it when the callbacks have begun the epoch, and the
            # position in the data counts so.
            self._is_new = False
            self._tell()
        for first in type(handler).steps(handler):
            last = first + handler.step_increment
            yield first, last, self.iterator
            self.drawn += last - first + 1


def _bound(function: Callable, steps: Callable) -> Callable:
    return lambda: function(steps)
