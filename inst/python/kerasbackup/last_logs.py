"""Owns the logs of the last step before a checkpoint.

`fit()` keeps what a step returned in a local variable, and at the epoch's end
makes the epoch's logs of it. TensorFlow announces a step before anybody knows
whether there are data for it. Resumed where there are none, an epoch has no
step that would fill that variable.

May not touch variables, callbacks, data or files.
"""

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

    Attributes:
        unsaved: List of strings, what could not be saved last time.
    """

    def __init__(self, model):
        self._model = model
        self._restored = {}
        self._is_needed = keras.backend.backend() == "tensorflow"
        if self._is_needed and not hasattr(model, METHOD):
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

    def restore(self, logs: dict[str, Any] | None) -> None:
        """Puts them in the place of those of the first epoch, if that is to
        have none."""
        self.release()
        if not logs or not self._is_needed:
            return
        self._restored = logs
        method = getattr(self._model, METHOD)

        def once(logs):
            self.release()
            return method(logs or self._restored)

        vars(self._model)[METHOD] = once

    def release(self) -> None:
        """Gives the model its own method back. Idempotent."""
        vars(self._model).pop(METHOD, None)


def check(logs: Any, tensors: dict[str, tuple]) -> None:
    """Raises where it is not what `LastLogs.capture()` gives.

    Raises:
        KeyError, TypeError, ValueError: It is not.
    """
    logs = values.check(logs, tensors)
    if logs is not None and not isinstance(logs, dict):
        raise TypeError("the logs of the last step are none")
