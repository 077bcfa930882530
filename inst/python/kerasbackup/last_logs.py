"""Owns the logs of the last step before a checkpoint, and an epoch that is
resumed where its data have ended.

Keras announces a step before anybody knows whether there are data for it, and a
checkpoint may be made then. `fit()` keeps what a step returned in a local
variable, and at the epoch's end makes the epoch's logs of it. Resumed where no
data are left, an epoch has no step that would fill that variable.

May not touch variables, data or files.
"""

from collections.abc import Callable
from typing import Any

import keras

from kerasbackup import errors
from kerasbackup import running_fit
from kerasbackup import values

# The method of a model that makes an epoch's logs of the last step's.
METHOD = "_get_metrics_result_or_logs"


class LastLogs:
    """The logs of the last step of one `fit()`.

    Args:
        model: The `keras.Model` being trained.
        is_needed: Boolean, whether the data may end where a step is announced.

    Attributes:
        unsaved: List of strings, what could not be saved last time.
    """

    def __init__(self, model, is_needed: bool):
        self._model = model
        self._is_needed = is_needed
        self._restored = {}
        if is_needed and not hasattr(model, METHOD):
            raise errors.UnsupportedError(
                f"Keras {keras.__version__} is not known: its Model lacks "
                f"{METHOD}."
            )
        self.unsaved = []

    def capture(self, batch: int, encoder: values.Encoder) -> Any:
        """What the step before `batch` returned, encoded; `None` where it is
        not needed."""
        self.unsaved = []
        if not (batch and self._is_needed):
            return None
        try:
            # Of what was resumed here there is no step yet.
            logs = running_fit.last_logs() or self._restored
            return encoder.encode(logs, "last_logs")
        except values.Unsaveable as e:
            self.unsaved = [f"logs: {e}, as they are after the last step"]
            return None

    def restore(
        self, logs: dict[str, Any] | None, end_epoch: Callable[[], None]
    ) -> None:
        """Gives them to the epoch that is resumed, if it has no step.

        Args:
            logs: What `capture()` gave, decoded.
            end_epoch: Callable: no step may follow in this epoch.
        """
        if not logs or not self._is_needed:
            return
        self._restored = logs
        if keras.backend.backend() == "jax":
            self._replace_step(end_epoch)
        else:
            self._replace_method()

    def release(self) -> None:
        """The epoch is over. Idempotent."""
        self._restored = {}
        vars(self._model).pop(METHOD, None)

    def _replace_method(self) -> None:
        method = getattr(self._model, METHOD)
        # evaluate() calls it too, with logs.
        vars(self._model)[METHOD] = lambda logs: method(logs or self._restored)

    def _replace_step(self, end_epoch: Callable[[], None]) -> None:
        """With JAX, `fit()` raises where there was no step, and the state of
        the model is lost: so there is one, which does nothing and which no
        callback hears the end of."""
        model = self._model
        step = model.train_function
        callback_list = running_fit.RunningFit.require().callback_list

        def skip_end(*args, **kwargs):
            del vars(callback_list)["on_train_batch_end"]

        def first(state, data):
            model.train_function = step
            try:
                return step(state, data)
            except StopIteration:
                vars(callback_list)["on_train_batch_end"] = skip_end
                end_epoch()
                return self._restored, state

        model.train_function = first


def check(logs: Any, tensors: dict[str, tuple]) -> None:
    """Raises where it is not what `LastLogs.capture()` gives.

    Raises:
        KeyError, TypeError, ValueError: It is not.
    """
    logs = values.check(logs, tensors)
    if logs is not None and not isinstance(logs, dict):
        raise TypeError("the logs of the last step are none")
