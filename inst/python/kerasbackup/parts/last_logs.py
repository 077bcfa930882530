"""Saves the logs of the last step before a checkpoint, for an epoch that is
resumed at the end of its data.

Keras announces a step before it knows whether there are data for it, and a
checkpoint may be made at that moment. `fit()` keeps the logs of the last step
in a local variable and makes the epoch's logs from them. If no data are left
after the resume, no step fills that variable.
"""

import weakref
from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import backend
from kerasbackup.anykeras import running_fit
from kerasbackup.anykeras.replace_once import replace_once
from kerasbackup.parts.part import Part
from kerasbackup.parts.part import Place
from kerasbackup.store import values


class LastLogs(Part):
    """The logs of the last step of one `fit()`.

    Args:
        model: The `keras.Model` being trained.
        epoch_iterator: Keras' `EpochIterator` over the training data.
        position: The `DataPosition` of these data.
        place: A `Place`, that of the save or restore under way.
    """

    name = "last_logs"

    def __init__(self, model, epoch_iterator, position, place: Place):
        self._model = model
        self._epoch_iterator = epoch_iterator
        self._position = position
        self._place = place
        # Whether the data may end although a step was announced.
        self._is_needed = position.may_end_early
        self._backend = backend.name(model)
        # Set from `restore()` until the first step is announced.
        self._restored = None
        self._state = None
        self._callback_list = None
        self.not_saved = []

    @classmethod
    def begin(cls, training) -> "LastLogs":
        return cls(
            training.model,
            training.epoch_iterator,
            training.position,
            training.place,
        )

    @staticmethod
    def check(saved, tensors, place) -> None:
        check(saved, tensors)

    def capture(self, encoder: values.Encoder) -> Any:
        """The encoded logs of the last step before this place. `None` if they
        are not needed or do not exist."""
        self.not_saved = []
        # On torch, `fit()` begins every epoch without logs. On other backends
        # those of the last step are kept, for an epoch without any step.
        outlive_epochs = self._backend != "torch"
        if not self._is_needed or not (self._place.batch or outlive_epochs):
            return None
        logs = self._restored
        if logs is None:
            logs = running_fit.last_logs()
        if logs is None:
            return None
        try:
            return encoder.encode(logs, "last_logs")
        except values.Unsaveable:
            return encoder.encode(self._saveable(logs), "last_logs")

    def restore(self, saved: Any, arrays) -> list[str]:
        """Keeps the logs for the resumed epoch. To be called when training
        begins and the variables and the position are restored."""
        if self._position.passed != self._place.batch:
            # The epoch starts over.
            return []
        self._position.before_first_step = lambda: self.before_step(
            self._position.end_epoch
        )
        if self._is_needed:
            self._restored = values.decode(saved, arrays) or {}
            if not self._place.batch and self._backend == "jax":
                self._state = _state(self._model)
            callback_list = running_fit.RunningFit.require().callback_list
            self._callback_list = weakref.ref(callback_list)
        return []

    def before_step(self, end_epoch: Callable[[], None]) -> None:
        """Gives the restored logs to the epoch if it has no step.

        To be called right before its first step is announced.

        Args:
            end_epoch: Callable that prevents further steps in this epoch.
        """
        logs, self._restored = self._restored, None
        state, self._state = self._state, None
        if logs is None:
            return
        found = running_fit.last_logs()
        if isinstance(found, dict):
            # The local variable of `fit()`, which a step replaces.
            found.update(logs)
        else:
            self._replace_step(logs, state, end_epoch)

    def _replace_step(
        self,
        logs: dict[str, Any],
        before: tuple | None,
        end_epoch: Callable[[], None],
    ) -> None:
        """Inserts a step that does nothing and whose end no callback hears of.
        Without any step, `fit()` raises on JAX and loses the model's state.

        Args:
            logs: The logs that the step returns.
            before: The state that the step returns. For an epoch without any
                step this is the last step's state, from before the metrics were
                reset. `None` stands for the state that the step is given.
            end_epoch: See `before_step()`.
        """
        callback_list = self._callback_list()

        def begin(hook, *args, **kwargs):
            hook(*args, **kwargs)
            # After the hooks, because callbacks may make steps of their own.
            replace_once(self._model, "train_function", first)

        def first(step, *args):
            with self._epoch_iterator.catch_stop_iteration():
                return step(*args)
            end_epoch()
            replace_once(callback_list, "on_train_batch_end", skip)
            if len(args) == 1:
                return logs
            return logs, args[0] if before is None else before

        def skip(hook, *args, **kwargs):
            pass

        replace_once(callback_list, "on_train_batch_begin", begin)

    def _saveable(self, logs: Any) -> dict[str, Any]:
        if not isinstance(logs, dict):
            logs = {type(logs).__name__: logs}
        found = {}
        for name, value in logs.items():
            try:
                values.Encoder().encode({name: value}, "")
                found[name] = value
            except values.Unsaveable as e:
                self.not_saved.append(
                    f"log {name}: {e}, as it is after the last step"
                )
        return found


def _state(model) -> tuple[list[Any], ...]:
    """The state as JAX's steps take and return it."""
    kinds = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return tuple([variable.value for variable in kind] for kind in kinds)


def check(logs: Any, tensors: dict[str, tuple]) -> None:
    """Validates a result of `LastLogs.capture()` that was read.

    Raises:
        KeyError, TypeError, ValueError: It is invalid.
    """
    logs = values.check(logs, tensors)
    if logs is not None and not isinstance(logs, dict):
        raise TypeError("the logs of the last step are none")
