"""Which callbacks are Keras', and what of them is state; and the base class of
this package's own callbacks, which either Keras can run."""

from typing import Any

from kerasbackup.anykeras import ask
from kerasbackup.anykeras import fit_loop


def _is_empty(hook):
    """Marks a hook that does nothing. Keras asks for that mark before it leaves
    out work that only a hook for batches needs."""
    hook._is_default = True
    return hook


class Callback:
    """A callback without hooks. It has what the callbacks of Keras 3 and of
    tf_keras have, because a callback does not know yet which of them will run
    it.

    Attributes:
        params: Dict, what `fit()` tells its callbacks.
        model: The model, with the values of the last step.
    """

    # tf_keras may hand over the logs as tensors, and runs it in every worker.
    _supports_tf_logs = True
    _chief_worker_only = False

    def __init__(self):
        self.params = None
        self.validation_data = None
        self._model = None

    @property
    def model(self) -> Any:
        return fit_loop.up_to_date(self._model)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    @_is_empty
    def on_epoch_begin(self, epoch, logs=None):
        pass

    @_is_empty
    def on_epoch_end(self, epoch, logs=None):
        pass

    @_is_empty
    def on_train_begin(self, logs=None):
        pass

    @_is_empty
    def on_train_end(self, logs=None):
        pass

    @_is_empty
    def on_test_begin(self, logs=None):
        pass

    @_is_empty
    def on_test_end(self, logs=None):
        pass

    @_is_empty
    def on_predict_begin(self, logs=None):
        pass

    @_is_empty
    def on_predict_end(self, logs=None):
        pass

    @_is_empty
    def _on_batch(self, batch, logs=None):
        pass

    on_batch_begin = on_batch_end = _on_batch
    on_train_batch_begin = on_train_batch_end = _on_batch
    on_test_batch_begin = on_test_batch_end = _on_batch
    on_predict_batch_begin = on_predict_batch_end = _on_batch

    def _implements_no_batch_hooks(self) -> bool:
        return False

    # What tf_keras asks when it makes its list.
    _implements_train_batch_hooks = _implements_no_batch_hooks
    _implements_test_batch_hooks = _implements_no_batch_hooks
    _implements_predict_batch_hooks = _implements_no_batch_hooks


def for_users(cls: type) -> type:
    """A class of callbacks, derived from those of each Keras that is imported,
    because scripts and packages ask for that. Nothing is taken from them: the
    hooks of the class itself come first."""
    bases = _base_classes()
    return type(cls.__name__, (cls, *bases), {"__module__": cls.__module__})


_base_classes = ask.all_of(__name__, "base_classes")
is_callback = ask.some(__name__, "is_callback")
is_progress_bar = ask.some(__name__, "is_progress_bar")
only_displays = ask.some(__name__, "only_displays")
is_csv_logger = ask.some(__name__, "is_csv_logger")
is_backup = ask.some(__name__, "is_backup")
model_of = ask.its_own(__name__, "model_of")
not_state_of = ask.its_own(__name__, "not_state_of")
flush_events = ask.its_own(__name__, "flush_events")
flushed_size = ask.its_own(__name__, "flushed_size")
