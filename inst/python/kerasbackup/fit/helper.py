"""The hooks of a running `fit()`: restores when training begins, and saves when
`save_freq`, a signal or a callback that stops training asks for it.

A checkpoint must include what all other callbacks did, and a restore must come
after they have reset themselves. So the helper is appended to the running list
of callbacks, where its turn comes last.
"""

import weakref
from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import epoch_iterator
from kerasbackup.anykeras import fit_loop
from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import memory
from kerasbackup.anykeras import model_parts
from kerasbackup.anykeras import running_fit
from kerasbackup.anykeras.callbacks import Callback
from kerasbackup.anykeras.callbacks import only_displays
from kerasbackup.anykeras.replace_once import replace_once
from kerasbackup.anykeras.running_fit import RunningFit
from kerasbackup.checkpoint.training_state import TrainingState
from kerasbackup.fit import changed_script
from kerasbackup.fit import ending
from kerasbackup.fit.best_epoch import BestEpoch
from kerasbackup.fit.cache_locks import CacheLocks
from kerasbackup.fit.live_metrics import show_earlier_epochs
from kerasbackup.fit.meetings import Meetings
from kerasbackup.fit.preemption import Preemption
from kerasbackup.fit.save_interval import SaveInterval
from kerasbackup.fit.saves_together import FAILED
from kerasbackup.fit.saves_together import POSTPONED
from kerasbackup.fit.saves_together import READY
from kerasbackup.fit.saves_together import SKIPPED
from kerasbackup.fit.saves_together import SavesTogether
from kerasbackup.fit.when_to_save import ByClockTogether
from kerasbackup.fit.when_to_save import when_to_save
from kerasbackup.parts import same_training
from kerasbackup.parts.callback_states import CallbackStates
from kerasbackup.parts.data.dataset_attributes import generators_of
from kerasbackup.parts.data.position import DataPosition
from kerasbackup.parts.data.replay import Progress
from kerasbackup.parts.data.validation import ValidationPosition
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training
from kerasbackup.parts.random.rng import Generators
from kerasbackup.parts.random.rng import IdleGenerators
from kerasbackup.parts.variables import count_bytes
from kerasbackup.parts.variables import wait_for_steps
from kerasbackup.store import errors
from kerasbackup.store.client import Store
from kerasbackup.workers.workers import Workers


class Helper(Callback):
    """The backup of one running `fit()`: the last callback of its list.

    It has no hook for batches, which would turn off Keras' asynchronous
    dispatch on JAX and torch. The position in the data calls it before a step.

    Args:
        owner: The `BackupAndRestore` that the user has.
        store: A `Store`.
        state: A `TrainingState` that has loaded a checkpoint, if there is one.
        fit: The `RunningFit`.
        workers: The `Workers` of this training.
    """

    def __init__(
        self,
        owner: Any,
        store: Store,
        state: TrainingState,
        fit: RunningFit,
        workers: Workers,
    ):
        super().__init__()
        self._owner = owner
        self._store = store
        self._state = state
        self._workers = workers
        self._meetings = None
        # How many workers have saved what training goes on from, where they
        # were others.
        self._other_workers = None
        if state.restored is not None:
            self._other_workers = state.restored.checkpoint.workers
        self._saves = SavesTogether(
            workers, store, self._other_workers is not None
        )
        # A weak reference: the list refers to this helper, and a cycle would
        # keep both alive after fit().
        self._callback_list = weakref.ref(fit.callback_list)
        self._epoch_iterator = fit.epoch_iterator
        self._data = fit.data, fit.validation_data
        self._validation_freq = fit.validation_freq
        self._epoch = 0
        self._preemption = None
        self._cache_locks = None
        self._planned = None
        self._told = set()
        self._told_of_compile = False
        # Whether this training may end without any save.
        self._may_save_none = True
        self._idle = True
        self._divergence = None
        # A callback has stopped training: for good, or before it is complete.
        self._has_ended = False
        self._is_paused = False
        self._best = BestEpoch(owner.best, owner.mode)
        self._when = when_to_save(
            owner.save_freq,
            fit.epoch_iterator.steps_per_execution,
            self._make_interval,
            workers.are_several,
        )

    def on_train_begin(self, logs=None):
        try:
            self._workers.together("restoring the checkpoint", self._begin)
            self._tell_of_too_few_batches()
        except BaseException:
            self._store.close()
            raise

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        restored = self._state.restored
        if restored is not None:
            if self._position.passed:
                # A second time, because Keras has reset the metrics, and other
                # callbacks may have set the learning rate.
                self._state.restore_again()
            self._state.release()
        if self._idle:
            # Not before, because the checkpoint was in memory until here.
            self._idle = False
            if self._when.saves:
                self._store.prepare(count_bytes(self._model))
            self._state.first_steps.begin(is_resumed=restored is not None)
        if self._preemption is not None:
            self._preemption.on_epoch_begin(epoch, self._position.passed)
        self._position.on_epoch_begin()
        self._when.begin_epoch(0 if restored is None else self._position.passed)

    def on_epoch_end(self, epoch, logs=None):
        self._state.first_steps.end()
        if self._is_paused:
            # A callback has cut the epoch short, and the state is saved.
            return
        self._state.end_epoch(epoch, logs or {})
        done = epoch + 1 >= self.params["epochs"]
        stopped = self._model.stop_training
        self._has_ended = stopped and self._says_complete()
        self._is_paused = stopped and not done and not self._has_ended
        last = stopped or done
        kept = last and not self._owner.delete_checkpoint
        is_best = self._best.end_epoch(self._state.history)
        if self._workers.are_several and self._best.name is not None:
            # The logs of the workers may differ.
            own = is_best
            is_best = self._workers.decide("the best epoch", lambda: own)
        self._tell_of_missing_log(logs or {})
        if self._meetings is not None:
            self._when.begin_validation()
            self._meetings.at_epoch_end()
        if (
            self._when.is_due_at_epoch_end()
            or self._is_paused
            or kept
            or is_best
        ):
            self._save(epoch + 1, 0)
        elif last:
            self._divergence.look(logs)
        if not last and self._preemption is not None:
            self._preemption.on_epoch_end(epoch)

    def on_test_begin(self, logs=None):
        self._when.begin_validation()
        # After training the script may call evaluate() with the same list.
        if self._validation is not None:
            self._validation.on_test_begin()
            self._state.first_steps.on_test_begin()
            self._cache_locks.watch(epoch_iterator.of_validation(self._model))

    def on_train_end(self, logs=None):
        if not self._idle:
            self._tell_if_rare(None)
        fit_loop.begin_at(self._model, None)
        self._position.release()
        if self._validation.is_left_undone():
            self._store.notify("validation", [])
        self._validation.release()
        self._cache_locks.release()
        restored = self._state.restored if self._idle else None
        place = None if restored is None else restored.place
        if restored is not None:
            self._state.history.replace(self._model.history)
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
                    f"The checkpoint was made after {place.epoch} epochs "
                    f"and {place.batch} batches."
                ],
            )
            self._store.close()
        else:
            self._store.notify("complete", [])
            self._finish()
        # A script that keeps the list keeps this helper. An iterator of
        # TensorFlow's that still exists when Python ends may wait for a thread
        # forever.
        self._state = self._epoch_iterator = None
        self._position = self._validation = self._cache_locks = None
        self._divergence = self._says_complete = None
        vars(self._callback_list()).pop("on_train_batch_end", None)

    def _end(self) -> None:
        """Closes a training that was not complete when `fit()` began."""
        diverged = self._divergence.is_now
        if diverged and self._has_ended and self._divergence.is_overcome():
            diverged = False
        diverged = self._saves.end(diverged, self._is_paused)
        if not diverged and not self._is_paused:
            self._finish()
            return
        if diverged:
            skipped = f"Saves skipped since then: {self._divergence.skipped}."
            self._store.leave("diverged_end", [skipped])
        else:
            self._store.leave("paused", [])

    def _finish(self) -> None:
        removes_parent = self._workers.are_several and self._workers.any(
            "the end of a complete training", self._store.has_made_parent
        )
        self._store.finish(removes_parent)
        if self._owner.delete_checkpoint:
            self._owner.complete(self._model)

    def _tell_of_too_few_batches(self) -> None:
        self._may_save_none = self._state.restored is None
        steps, epochs = self._epoch_iterator.num_batches, self.params["epochs"]
        if steps:
            self._tell_if_rare(
                steps * epochs,
                f"`save_freq` is {self._owner.save_freq}; {epochs} epochs of "
                f"{steps} batches are {steps * epochs} batches.",
            )

    def _tell_if_rare(self, batches: int | None, *lines: str) -> None:
        """Tells the user that there is no save if a training has only so many
        batches; `None`: as many as there were."""
        if (
            self._may_save_none
            and self._when.needs_more_than(batches)
            and not self._owner.save_before_preemption
            # The best epoch is saved at its end, whatever `save_freq` says.
            and self._best.name is None
        ):
            self._may_save_none = False
            self._store.notify("no_checkpoint", [*lines])

    def _tell_of_missing_log(self, logs: dict[str, Any]) -> None:
        """Tells once that the epochs do not have the log of the best one."""
        name = self._best.name
        # There may be no validation in this epoch, and one in a later epoch.
        may_come = (
            self._validation_freq is not None
            and str(name).startswith("val_")
            and not any(str(one).startswith("val_") for one in logs)
        )
        if self._best.is_missing and not may_come and "best" not in self._told:
            self._told.add("best")
            found = ", ".join(f"`{one}`" for one in logs)
            self._store.notify(
                "best",
                [
                    f"`{name}` is no single number."
                    if name in logs
                    else f"There is no `{name}`. The logs are: {found}."
                ],
            )

    def _before_step(self, batch: int) -> None:
        if self._when.is_due_at_step(batch):
            self._save(self._epoch, batch)

    def _make_interval(self) -> SaveInterval:
        return SaveInterval(
            self._owner.max_overhead,
            self._store.writing_time,
            lambda: wait_for_steps(self.model),
        )

    def _begin(self) -> None:
        # Not kept, because the data may be large, and a script that keeps the
        # list keeps this helper.
        (data, validation_data), self._data = self._data, None
        self._cache_locks = CacheLocks(self._store, data, validation_data)
        self._cache_locks.watch(self._epoch_iterator)
        generators = Generators(
            self._store,
            model_parts.variables(self._model),
            [*generators_of(data), *generators_of(validation_data)],
        )
        # Where nothing asks for it, nothing is called before a step.
        before_batch = self._before_step if self._when.looks_at_steps else None
        in_replay = None

        def tell(notes):
            # A worker that stopped alone would leave the others waiting.
            if not self._workers.are_several:
                changed_script.refuse_late(self._owner.on_change, notes)
            self._store.notify("notes", notes)

        if self._owner.save_before_preemption:
            self._preemption = Preemption(
                self._store, self._save, self._workers
            )
            before_batch = self._preemption.around(before_batch)
            in_replay = self._preemption.in_replay
        if self._workers.are_several:
            # A worker that stopped alone in a replay would leave the others
            # waiting. All stop when they meet before the first step.
            in_replay = None
            before_batch = self._meet_before(before_batch)
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
        others = others_in(self._callback_list())
        datasets = [
            weakref.ref(one)
            for one in (data, validation_data)
            if kinds.is_py_dataset(one)
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
        backup_dir = self._owner.backup_dir
        has_trained = same_training.has_trained_in(backup_dir)
        if restored is None:
            if memory.is_lost(self._model):
                raise errors.UnsupportedError(
                    "The previous `fit()` was interrupted in the middle of a "
                    "step and left the model without its weights, because JAX "
                    "had handed them to that step. Nothing has been saved yet. "
                    "Build and compile the model again, then run `fit()`."
                )
            same_training.note_training(backup_dir)
            return
        changed_script.check(
            self._owner.on_change,
            restored.checkpoint.path,
            has_trained,
            self._state.script_changes,
        )
        same_training.note_training(backup_dir)
        notes = self._state.restore()
        changed_script.refuse_late(self._owner.on_change, notes)
        notes = [
            *notes,
            *self._workers.notes(),
            *self._workers.notes_on_others(self._other_workers),
        ]
        # A training that a callback had ended is complete, so no epoch is left.
        if (
            not restored.stopped
            and restored.place.epoch < self.params["epochs"]
        ):
            self._store.resume(self._words_for(restored.place))
        if notes:
            self._store.notify("notes", notes)
        if self._owner.history == "full":
            self._state.history.fill(self._model.history)
        show_earlier_epochs(
            self._callback_list().callbacks, self._state.history
        )
        # A training that a callback had ended is complete, so no epoch is left.
        first = (
            self.params["epochs"] if restored.stopped else restored.place.epoch
        )
        fit_loop.begin_at(self._model, first)
        # When the first epoch begins, fit() has read the initial epoch. If it
        # stayed, a later fit() without this callback would start there, and so
        # would one in which another callback raises first.
        replace_once(
            self._callback_list(), "on_epoch_begin", self._begin_epochs
        )

    def _words_for(self, place: Place) -> str:
        """How far training had come, in words."""
        before = f"epoch {place.epoch}"
        if place.batch == 0:
            return before
        batches = epoch_iterator.coming_length(self._epoch_iterator)
        of = f" of {batches}" if batches else ""
        within = f"batch {place.batch}{of} of epoch {place.epoch + 1}"
        if self._owner.resume == "epoch":
            within += " (that epoch starts over)"
        return f"{before}, {within}" if place.epoch else within

    def _meet_before(
        self, before_batch: Callable[[int], None] | None
    ) -> Callable[[int], None] | None:
        """Lets the workers meet before `before_batch()`, where there is
        something to tell between two saves."""
        is_by_clock = isinstance(self._when, ByClockTogether)
        if self._preemption is None and not is_by_clock:
            return before_batch
        preemption = self._preemption
        meetings = self._meetings = Meetings(
            self._workers,
            (lambda: False) if preemption is None else preemption.has_come,
            self._when.is_due_by_clock,
        )
        if is_by_clock:
            self._when.meetings = meetings
        if preemption is not None:
            preemption.must_stop = lambda: meetings.signal

        def meet(batch: int) -> None:
            meetings.before_step()
            before_batch(batch)

        return meet

    def _begin_epochs(self, hook, *args, **kwargs) -> None:
        fit_loop.begin_at(self._model, None)
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
        """Saves, and measures what that costs; returns what `_write()` does."""
        self._may_save_none = False
        self._when.begin_save()
        is_built = self._write(epoch, batch)
        news = self._when.end_save()
        if news:
            self._store.notify("auto", news)
        return is_built

    def _write(self, epoch: int, batch: int) -> bool:
        """Saves, unless training has diverged. If the save fails, the store
        tells the user.

        Returns:
            Whether everything that belongs into a checkpoint existed.
        """
        # With JAX, `model` (not `_model`) brings the variables up to date.
        _ = self.model
        fit_loop.wait_for_callbacks(self._callback_list())
        found = []
        outlook = self._saves.begin(
            epoch, batch, lambda: self._prepare(epoch, batch, found)
        )
        if outlook == POSTPONED:
            self._store.notify("postponed", [])
            return False
        if outlook != READY:
            return True
        # The addresses point into the backend's memory. It is held until the
        # store has copied it, and not a step longer.
        self._saves.save(
            found.pop(), self._best.value_at(self._state.history, epoch, batch)
        )
        if self._preemption is not None:
            self._preemption.on_save(epoch, batch)
        if not self._told_of_compile and self._state.is_compiled_otherwise():
            self._told_of_compile = True
            self._store.notify("compiled", [])
        # Each is told once. Some state shows up only later.
        news = [one for one in self._state.not_saved if one not in self._told]
        if news:
            self._told.update(news)
            self._store.notify("unsaved", news)
        return True

    def _prepare(self, epoch: int, batch: int, found: list[Any]) -> int:
        """Does all of a save that can fail before it is handed over.

        Args:
            epoch, batch: Integers, what is done.
            found: List, to which what is to be saved is appended.

        Returns:
            One of the outlooks of `saves_together.py`.
        """
        if not self._state.is_built():
            return POSTPONED
        if self._divergence.prevents(epoch, batch, running_fit.last_logs()):
            return SKIPPED
        try:
            capture = self._state.capture(
                epoch, batch, self._has_ended, self.params["epochs"]
            )
        except errors.KerasBackupError as e:
            self._store.fail(e)
            return FAILED
        if capture.spec != self._planned:
            if not self._store.plan(capture.spec):
                return FAILED
            self._planned = capture.spec
        found.append(capture)
        return READY


def others_in(callback_list: Any) -> list[Any]:
    """The callbacks whose state counts: not this package's, nor what only
    displays."""
    return [
        one
        for one in callback_list.callbacks
        if not (_is_own(type(one)) or only_displays(one))
    ]


def _is_own(cls: type) -> bool:
    own = __name__.split(".")[0]
    return any(base.__module__.split(".")[0] == own for base in cls.__mro__)
