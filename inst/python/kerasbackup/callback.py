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

from kerasbackup.checkpoint.training_state import TrainingState
from kerasbackup.fit import ending
from kerasbackup.fit.cache_locks import CacheLocks
from kerasbackup.fit.preemption import Preemption
from kerasbackup.fit.save_interval import SaveInterval
from kerasbackup.keras3 import memory
from kerasbackup.keras3 import running_fit
from kerasbackup.keras3 import unsupported
from kerasbackup.keras3.replace_once import replace_once
from kerasbackup.keras3.running_fit import RunningFit
from kerasbackup.keras3.running_fit import is_running
from kerasbackup.parts import callback_states
from kerasbackup.parts import preprocessing
from kerasbackup.parts import same_training
from kerasbackup.parts.callback_states import CallbackStates
from kerasbackup.parts.data import iterators_made
from kerasbackup.parts.data.dataset_attributes import generators_of
from kerasbackup.parts.data.position import DataPosition
from kerasbackup.parts.data.replay import Progress
from kerasbackup.parts.data.validation import ValidationPosition
from kerasbackup.parts.part import Training
from kerasbackup.parts.random.rng import Generators
from kerasbackup.parts.random.rng import IdleGenerators
from kerasbackup.parts.variables import count_bytes
from kerasbackup.parts.variables import digest
from kerasbackup.parts.variables import wait_for_steps
from kerasbackup.store import errors
from kerasbackup.store.client import Store


class BackupAndRestore(keras.callbacks.Callback):
    """Backs up training and resumes it after an interruption.

    Args:
        functions: Dict of callables, the store; see `store.Store`.
        backup_dir: String, the directory, for whoever looks at the callback.
        save_freq: `"epoch"`, or an integer: a checkpoint every so many batches,
            or `"auto"`: as often as costs at most `max_overhead`, or `False`:
            none but for a signal.
        delete_checkpoint: Boolean, whether the store deletes its files when
            training is complete.
        resume: `"batch"`: go on at the very batch. `"epoch"`: begin the
            unfinished epoch anew.
        history: `"resumed"`: what `fit()` returns has the epochs run by this
            call. `"full"`: it has those of the whole run.
        versions: Dict from name to version, to be noted in checkpoints.
        save_before_preemption: List of strings, the signals to stop for.
        max_overhead: Float, the part of the training time that checkpoints may
            cost, for `save_freq="auto"`.
        is_script: Boolean, whether nobody types what the process does.
    """

    def __init__(
        self,
        functions: dict[str, Callable],
        backup_dir: str,
        save_freq: str | int | bool = "epoch",
        delete_checkpoint: bool = True,
        resume: str = "batch",
        history: str = "resumed",
        versions: dict[str, str] | None = None,
        save_before_preemption: list[str] | None = None,
        max_overhead: float = 0.01,
        is_script: bool = True,
    ):
        super().__init__()
        self.backup_dir = backup_dir
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint
        self.resume = resume
        self.history = history
        self.save_before_preemption = list(save_before_preemption or [])
        self.versions = versions or {}
        self.max_overhead = max_overhead
        self.is_script = is_script
        self._store = Store(functions)
        self._state = None
        self.is_built_from_data = False
        # The `CallbackList` of the last `fit()`, a weak reference.
        self._used_by = None
        # What the training began with, see `trainings.is_loop()`.
        self._weights = None

    def __repr__(self):
        return (
            f"<BackupAndRestore backup_dir={self.backup_dir!r} "
            f"save_freq={self.save_freq!r}>"
        )

    def set_model(self, model):
        # The first hook: tf_keras asks for others that a callback of Keras 3
        # does not have.
        unsupported.check(model)
        super().set_model(model)

    def set_params(self, params):
        super().set_params(params)
        # Called before any callback's on_train_begin, in which a CSVLogger
        # empties its file. A CallbackList that the user made is told its
        # parameters earlier, before fit().
        fit = RunningFit.find()
        if fit is not None:
            self._open(fit)

    def on_train_begin(self, logs=None):
        if not getattr(self._model, "compiled", True):
            raise errors.UnsupportedError(
                "The model is not compiled. Call `compile()` before `fit()`."
            )
        fit = RunningFit.require()
        if self._state is None:
            self._open(fit)
        state, self._state = self._state, None
        # One of an earlier fit() with the same list, or of the same callback in
        # the list twice.
        fit.callback_list.callbacks[:] = [
            callback
            for callback in fit.callback_list.callbacks
            if getattr(callback, "_owner", None) is not self
        ]
        kinds = {
            "epoch": _EpochHelper,
            "auto": _AutoHelper,
            False: _EpochHelper,
        }
        kind = kinds.get(self.save_freq, _BatchHelper)
        helper = kind(self, self._store, state, fit)
        helper.set_params(self.params)
        helper.set_model(self._model)
        # The list is being walked right now, so the helper's turn comes last.
        fit.callback_list.callbacks.append(helper)

    def complete(self, model: keras.Model) -> None:
        """To be called when its checkpoint is deleted."""
        same_training.complete(self.backup_dir, model, self._weights)

    def _open(self, fit: RunningFit) -> None:
        """Takes the directory, and checks that its checkpoint fits."""
        before, callback_list = self._used_by, weakref.ref(fit.callback_list)
        if before != callback_list:
            # First of all: it was, whatever is raised here.
            self.is_built_from_data = iterators_made.is_built_from_data(
                self._model, fit.data
            )
        if before not in (None, callback_list) and is_running(before):
            raise errors.LockedError(
                "The callback is in use by another `fit()`, which is still "
                "running. Make another callback, with a `backup_dir` of its "
                "own, for the training within the training."
            )
        for callback in fit.callback_list.callbacks:
            # In the same one, the second finds it locked.
            if isinstance(callback, BackupAndRestore) and (
                callback.backup_dir != self.backup_dir
            ):
                raise errors.UnsupportedError(
                    "Two callbacks with different `backup_dir` cannot back up "
                    f"one `fit()`: {self.backup_dir!r} and "
                    f"{callback.backup_dir!r}. For a second copy of the "
                    "checkpoint use `double_checkpoint = TRUE`."
                )
        self._used_by = callback_list
        self._store.open(lambda: is_running(callback_list))
        try:
            CacheLocks(self._store, fit.data, fit.validation_data).check()
            state = TrainingState(
                self._model,
                fit.epoch_iterator,
                self.versions,
                same_training.describe(
                    self.backup_dir,
                    digest(self._model),
                    (fit.data, fit.targets),
                    self.is_script,
                ),
                preprocessing.describe(self._model, fit.data),
            )
            state.load(self._store)
            self._weights = digest(self._model, trainable=True)
            if state.restored is None and same_training.is_loop(
                self.backup_dir, self._model, self._weights, self.is_script
            ):
                self._store.notify("loop", [])
            if state.restored is not None:
                callback_states.continue_logs(
                    _others(fit.callback_list),
                    state.restored.saved[CallbackStates.name],
                )
        except BaseException:
            self._store.close()
            raise
        self._state = state


class _EpochHelper(keras.callbacks.Callback):
    """Saves at the end of epochs. Has no hook for batches at all."""

    def __init__(
        self,
        owner: BackupAndRestore,
        store: Store,
        state: TrainingState,
        fit: RunningFit,
    ):
        super().__init__()
        self._owner = owner
        self._store = store
        self._state = state
        # Not the list itself: it has us, and its end is the end of fit().
        self._callback_list = weakref.ref(fit.callback_list)
        self._epoch_iterator = fit.epoch_iterator
        self._data = fit.data, fit.validation_data
        self._validation_freq = fit.validation_freq
        self._epoch = 0
        self._preemption = None
        self._cache_locks = None
        self._planned = None
        self._told = set()
        self._idle = True
        self._divergence = None
        # A callback has stopped training: for good, or before it is complete.
        self._has_ended = False
        self._is_paused = False

    def on_train_begin(self, logs=None):
        try:
            self._begin()
        except BaseException:
            self._store.close()
            raise

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        restored = self._state.restored
        if restored is not None:
            if self._position.passed:
                # Once more: the metrics were reset, and other callbacks may
                # have set the learning rate.
                self._state.restore_again()
            self._state.release()
        if self._idle:
            # Only now: what was restored had its memory until here.
            self._idle = False
            if self._owner.save_freq:
                self._store.prepare(count_bytes(self._model))
            self._state.first_steps.begin(is_resumed=restored is not None)
        if self._preemption is not None:
            self._preemption.on_epoch_begin(epoch, self._position.passed)
        self._position.on_epoch_begin()

    def on_epoch_end(self, epoch, logs=None):
        self._state.first_steps.end()
        if self._is_paused:
            # Cut short, and saved where it was.
            return
        self._state.end_epoch(epoch, logs or {})
        done = epoch + 1 >= self.params["epochs"]
        stopped = self._model.stop_training
        self._has_ended = stopped and self._says_complete()
        self._is_paused = stopped and not done and not self._has_ended
        last = stopped or done
        kept = last and not self._owner.delete_checkpoint
        if self._is_epoch_due() or self._is_paused or kept:
            self._save(epoch + 1, 0)
        elif last:
            self._divergence.look(logs)
        if not last and self._preemption is not None:
            self._preemption.on_epoch_end(epoch)

    def on_test_begin(self, logs=None):
        # After training somebody may evaluate with the same list.
        if self._validation is not None:
            self._validation.on_test_begin()
            self._state.first_steps.on_test_begin()
            self._cache_locks.watch(
                getattr(self._model, "_eval_epoch_iterator", None)
            )

    def on_train_end(self, logs=None):
        self._model._initial_epoch = None
        self._position.release()
        if self._validation.is_left_undone():
            self._store.notify("validation", [])
        self._validation.release()
        self._cache_locks.release()
        restored = self._state.restored if self._idle else None
        place = None if restored is None else restored.place
        self._state.release()
        if restored is None:
            self._end()
        elif restored.stopped:
            self._store.notify("stopped", [])
            self._finish()
        elif (place.epoch, place.batch) > (self.params["epochs"], 0):
            # Nobody said that this training is complete.
            self._store.notify(
                "beyond",
                [
                    f"The checkpoint has {place.epoch} complete epochs and "
                    f"{place.batch} batches."
                ],
            )
            self._store.close()
        else:
            self._store.notify("complete", [])
            self._finish()
        # Whoever keeps the list keeps us. An iterator of TensorFlow's that is
        # still there when Python ends may wait for a thread forever.
        self._state = self._epoch_iterator = None
        self._position = self._validation = self._cache_locks = None
        self._divergence = self._says_complete = None
        vars(self._callback_list()).pop("on_train_batch_end", None)

    def _end(self) -> None:
        """Training was not complete before: is it now?"""
        diverged = self._divergence.is_now
        if diverged and self._has_ended and self._divergence.is_overcome():
            diverged = False
        if not diverged and not self._is_paused:
            self._finish()
            return
        if diverged:
            skipped = f"Saves that were skipped: {self._divergence.skipped}"
            self._store.leave("diverged_end", [skipped])
        else:
            self._store.leave("paused", [])

    def _finish(self) -> None:
        self._store.finish()
        if self._owner.delete_checkpoint:
            self._owner.complete(self._model)

    def _is_epoch_due(self) -> bool:
        return self._owner.save_freq == "epoch"

    # What is called before each batch; None: nothing is.
    _before_batch = None

    def _begin(self) -> None:
        # Not kept: it may be large, and whoever keeps the list keeps us.
        (data, validation_data), self._data = self._data, None
        self._cache_locks = CacheLocks(self._store, data, validation_data)
        self._cache_locks.watch(self._epoch_iterator)
        generators = Generators(
            self._store,
            self._model.variables,
            [*generators_of(data), *generators_of(validation_data)],
        )
        before_batch, in_replay = self._before_batch, None

        def tell(notes):
            self._store.notify("notes", notes)

        if self._owner.save_before_preemption:
            self._preemption = Preemption(self._store, self._save)
            before_batch = self._preemption.around(before_batch)
            in_replay = self._preemption.in_replay
        self._position = DataPosition(
            self._epoch_iterator,
            generators,
            Progress(self._store.progress, in_replay),
            before_batch,
            lambda: self._validation.on_data_end(self._epoch),
            data,
            self._owner.is_built_from_data,
            tell,
        )
        progress = Progress(self._store.progress)
        others = _others(self._callback_list())
        datasets = [
            weakref.ref(one)
            for one in (data, validation_data)
            if isinstance(one, keras.utils.PyDataset)
        ]
        self._validation = ValidationPosition(
            self._model,
            self._validation_freq,
            IdleGenerators(generators, self._position.drawn_meanwhile),
            progress,
            tell,
            validation_data,
        )
        self._divergence = ending.Divergence(
            self._model, lambda lines: self._store.notify("diverged", lines)
        )
        self._watch_batches()
        training = Training(
            self._model,
            self._state.place,
            epoch_iterator=self._epoch_iterator,
            callbacks=others,
            names=self._store.script_names(),
            is_generator=generators.has,
            is_dataset=lambda one: any(one is d() for d in datasets),
            position=self._position,
            validation=self._validation,
            resumes_in_epoch=self._owner.resume == "batch",
        )
        self._state.begin(training)
        callbacks = training.made[CallbackStates.name].callbacks
        self._says_complete = lambda: ending.says_complete(callbacks)
        restored = self._state.restored
        if restored is None:
            if memory.is_lost(self._model):
                raise errors.UnsupportedError(
                    "The `fit()` before this one was interrupted in the middle "
                    "of a step, and left the model without its weights (JAX "
                    "had handed them to that step). Nothing has been saved "
                    "yet. Build the model anew, compile it, and run `fit()` "
                    "again."
                )
            return
        notes = self._state.restore()
        if notes:
            self._store.notify("notes", notes)
        if self._owner.history == "full":
            self._state.history.fill(self._model.history)
        # A training that a callback had ended is complete: nothing is left.
        first = (
            self.params["epochs"] if restored.stopped else restored.place.epoch
        )
        self._model._initial_epoch = first
        # By then fit() has read it. Left in place, a later fit() without this
        # callback would start there, and so would one where another callback
        # raises before it is this one's turn.
        replace_once(
            self._callback_list(), "on_epoch_begin", self._begin_epochs
        )

    def _begin_epochs(self, hook, *args, **kwargs) -> None:
        self._model._initial_epoch = None
        hook(*args, **kwargs)

    def _watch_batches(self) -> None:
        """Lets `_after_batch()` follow when all callbacks have heard of the end
        of a batch. It is no hook, which would turn off Keras' asynchronous
        dispatch."""
        callback_list, after = self._callback_list, self._after_batch
        hook = type(callback_list()).on_train_batch_end

        def on_train_batch_end(batch, logs=None):
            hook(callback_list(), batch, logs)
            after()

        vars(callback_list())["on_train_batch_end"] = on_train_batch_end

    def _after_batch(self) -> None:
        """Saves where a callback stops training in the middle of an epoch:
        Keras ends the epoch as if it were whole. After its last batch the save
        waits for the epoch's end."""
        if not self._model.stop_training or self._says_complete():
            return
        if self._position.has_more():
            self._is_paused = True
            self._save(self._epoch, self._position.reached)
        elif self._epoch + 1 < self.params["epochs"]:
            self._position.finish_epoch()

    def _save(self, epoch: int, batch: int) -> bool:
        """Saves, but where training has diverged, and returns whether there was
        all that is to be saved. Where saving that failed, the store has told of
        it."""
        # With JAX, `model` (not `_model`) brings the variables up to date.
        _ = self.model
        # Keras may call the other callbacks' on_train_batch_end in a thread.
        # The method that waits for it was renamed in 3.12.
        for wait in ("_flush_futures", "_clear_futures"):
            if hasattr(self._callback_list(), wait):
                getattr(self._callback_list(), wait)()
                break
        if not self._state.is_built():
            self._store.notify("postponed", [])
            return False
        if self._divergence.prevents(epoch, batch, running_fit.last_logs()):
            return True
        try:
            capture = self._state.capture(epoch, batch, self._has_ended)
        except errors.KerasBackupError as e:
            self._store.fail(e)
            return True
        if capture.spec != self._planned:
            if not self._store.plan(capture.spec):
                return True
            self._planned = capture.spec
        self._store.save(capture.addresses, capture.metadata)
        # Its memory is the backend's: held until the store has copied it, and
        # not a step longer.
        del capture
        if self._preemption is not None:
            self._preemption.on_save(epoch, batch)
        # Each once: of some state it shows later that there is any.
        news = [one for one in self._state.not_saved if one not in self._told]
        if news:
            self._told.update(news)
            self._store.notify("unsaved", news)
        return True


class _BatchHelper(_EpochHelper):
    """Saves every `save_freq` batches, wherever epochs end.

    It acts before batch b, and before any callback hears of that batch: what
    they do then, they will do again. So it is no hook of Keras', but the
    position in the data calls it. (An `on_train_batch_end` would also turn off
    Keras' asynchronous dispatch on JAX and torch.)
    """

    def __init__(self, owner, store, state, fit):
        super().__init__(owner, store, state, fit)
        # Batches trained since the last save, up to `_counted` of this epoch.
        self._since_save = 0
        self._counted = 0

    def on_epoch_begin(self, epoch, logs=None):
        first = self._state.restored is not None
        super().on_epoch_begin(epoch, logs)
        self._counted = self._position.passed if first else 0

    def _before_batch(self, batch: int) -> None:
        self._since_save += batch - self._counted
        self._counted = batch
        if self._since_save >= self._owner.save_freq:
            self._since_save = 0
            self._save(self._epoch, batch)

    def _is_epoch_due(self) -> bool:
        # The step that was about to run at the last hook is done.
        self._since_save += self._epoch_iterator.steps_per_execution
        if self._since_save < self._owner.save_freq:
            return False
        self._since_save = 0
        return True


class _AutoHelper(_BatchHelper):
    """Saves when a `SaveInterval` says that it costs little enough."""

    def __init__(self, owner, store, state, fit):
        super().__init__(owner, store, state, fit)
        self._interval = SaveInterval(
            owner.max_overhead, store.writing_time, self._settle
        )

    def on_test_begin(self, logs=None):
        self._interval.pause()
        super().on_test_begin(logs)

    def _before_batch(self, batch: int) -> None:
        if self._interval.step():
            self._save(self._epoch, batch)

    def _is_epoch_due(self) -> bool:
        self._interval.pause()
        return self._interval.is_due()

    def _save(self, epoch: int, batch: int) -> bool:
        self._interval.begin_save()
        is_built = super()._save(epoch, batch)
        self._interval.end_save()
        news = self._interval.news()
        if news is not None:
            steps, seconds, cost = news
            batches = steps * self._epoch_iterator.steps_per_execution
            self._store.notify(
                "auto",
                [
                    f"about every {batches} batches, or {seconds:.1f} seconds",
                    f"a checkpoint costs {1000 * cost:.1f} ms of training",
                ],
            )
        return is_built

    def _settle(self) -> None:
        wait_for_steps(self.model)


def _others(callback_list) -> list[keras.callbacks.Callback]:
    """The callbacks whose state counts: not ours, not what only displays."""
    return [
        callback
        for callback in callback_list.callbacks
        if not isinstance(
            callback,
            (
                BackupAndRestore,
                _EpochHelper,
                keras.callbacks.History,
                keras.callbacks.ProgbarLogger,
            ),
        )
    ]
