"""Owns the hooks: when to save and when to restore.

`BackupAndRestore` is what the user has in the list of callbacks. It may stand
anywhere there, but must act last: restore after the other callbacks have reset
themselves, save after they have seen the end of the epoch. So when training
begins it appends a helper to the running list, and the helper does the work.

May not touch arrays, their layout, or files.
"""

import weakref
from collections.abc import Callable

import keras

from kerasbackup import errors
from kerasbackup.running_fit import RunningFit
from kerasbackup.running_fit import is_running
from kerasbackup.state import TrainingState
from kerasbackup.store import Store


class BackupAndRestore(keras.callbacks.Callback):
    """Backs up training and resumes it after an interruption.

    Args:
        functions: Dict of callables, the store; see `store.Store`.
        backup_dir: String, the directory, for messages.
        save_freq: `"epoch"`, or an integer: a checkpoint every so many batches.
        delete_checkpoint: Boolean, whether the store deletes its files when
            training is complete.
        versions: Dict from name to version, to be noted in checkpoints.
    """

    def __init__(
        self,
        functions: dict[str, Callable],
        backup_dir: str,
        save_freq: str | int = "epoch",
        delete_checkpoint: bool = True,
        versions: dict[str, str] | None = None,
    ):
        super().__init__()
        self.backup_dir = backup_dir
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint
        self._store = Store(functions)
        self._versions = versions or {}

    def on_train_begin(self, logs=None):
        model = self._model
        if not getattr(model, "compiled", True):
            raise errors.UnsupportedError(
                "The model is not compiled. Call `compile()` before `fit()`."
            )
        fit = RunningFit()
        callback_list = weakref.ref(fit.callback_list)
        self._store.open(lambda: is_running(callback_list))
        kind = _EpochHelper if self.save_freq == "epoch" else _BatchHelper
        state = TrainingState(model, fit.epoch_iterator, self._versions)
        helper = kind(self, self._store, state)
        helper.set_params(self.params)
        helper.set_model(model)
        # The list is being walked right now, so the helper's turn comes last.
        fit.callback_list.callbacks.append(helper)


class _EpochHelper(keras.callbacks.Callback):
    """Saves at the end of epochs. Has no hook for batches at all."""

    def __init__(self, owner: BackupAndRestore, store: Store, state):
        super().__init__()
        self._owner = owner
        self._store = store
        self._state = state
        self._planned = False

    def on_train_begin(self, logs=None):
        try:
            self._restore()
        except BaseException:
            self._store.close()
            raise

    def on_epoch_begin(self, epoch, logs=None):
        # fit() has read it. Left in place, a later fit() without this callback
        # would start there.
        self._model._initial_epoch = None

    def on_epoch_end(self, epoch, logs=None):
        self._state.history.append(epoch, logs or {})
        last = self._model.stop_training or epoch + 1 >= self.params["epochs"]
        if self._is_due(epoch) or (last and not self._owner.delete_checkpoint):
            self._save(epoch + 1, 0)

    def on_train_end(self, logs=None):
        self._model._initial_epoch = None
        self._store.finish()

    def _is_due(self, epoch: int) -> bool:
        return True

    def _restore(self) -> None:
        checkpoint = self._store.load()
        if checkpoint is None:
            return
        try:
            position = self._state.restore(checkpoint)
        finally:
            self._store.release()
        epochs = self.params["epochs"]
        self._model._initial_epoch = (
            epochs if position.stopped else position.epoch
        )

    def _save(self, epoch: int, batch: int) -> None:
        # With JAX, `model` (not `_model`) brings the variables up to date.
        _ = self.model
        if not self._planned:
            self._store.plan(self._state.spec())
            self._planned = True
        addresses, owners, metadata = self._state.capture(epoch, batch)
        self._store.save(addresses, metadata)
        # Held until the store has copied the bytes, and not a step longer.
        del owners


class _BatchHelper(_EpochHelper):
    """Saves every `save_freq` batches, wherever epochs end.

    The hook is "before batch b": an `on_train_batch_end` would turn off Keras'
    asynchronous dispatch on JAX and torch, and may run on another thread.
    """

    def __init__(self, owner: BackupAndRestore, store: Store, state):
        super().__init__(owner, store, state)
        self._epoch = 0
        # Batches trained since the last save, up to `_counted` of this epoch.
        self._since_save = 0
        self._counted = 0

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._epoch = epoch
        self._counted = 0

    def on_train_batch_begin(self, batch, logs=None):
        self._since_save += batch - self._counted
        self._counted = batch
        if self._since_save >= self._owner.save_freq:
            self._since_save = 0
            self._save(self._epoch, batch)

    def _is_due(self, epoch: int) -> bool:
        # The step that was about to run at the last hook is done.
        self._since_save += self._state.steps_per_execution
        if self._since_save < self._owner.save_freq:
            return False
        self._since_save = 0
        return True
