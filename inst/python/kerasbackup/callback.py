"""The callback that the user has in the list of callbacks.

It may stand anywhere there. When `fit()` begins it takes the directory, checks
that its checkpoint fits, and appends a `Helper` to the running list, which does
the rest.
"""

import os
import weakref
from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import building
from kerasbackup.anykeras import callbacks
from kerasbackup.anykeras import unsupported
from kerasbackup.anykeras.running_fit import RunningFit
from kerasbackup.anykeras.running_fit import is_running
from kerasbackup.checkpoint.other_workers import OtherWorkers
from kerasbackup.checkpoint.training_state import TrainingState
from kerasbackup.fit import changed_script
from kerasbackup.fit.cache_locks import CacheLocks
from kerasbackup.fit.helper import Helper
from kerasbackup.fit.helper import others_in
from kerasbackup.parts import callback_states
from kerasbackup.parts import preprocessing
from kerasbackup.parts import same_training
from kerasbackup.parts.callback_states import CallbackStates
from kerasbackup.parts.data import iterators_made
from kerasbackup.parts.variables import digest
from kerasbackup.store import errors
from kerasbackup.store.client import Store
from kerasbackup.workers import agreement
from kerasbackup.workers import engines
from kerasbackup.workers.one import One

# What `Store.positions()` gives of an empty directory.
NO_POSITIONS = {"places": [], "times": [], "has_one_save": True}


class BackupAndRestore(callbacks.Callback):
    """Backs up training and resumes it after an interruption.

    Args:
        functions: Dict of callables, what R offers; see `Store`.
        backup_dir: String, the directory, by which callbacks and trainings are
            compared.
        save_freq: `"epoch"`; or an integer, the number of batches from one
            checkpoint to the next; or a float, the seconds from the beginning
            of one save to the next; or `"auto"`, as often as costs at most
            `max_overhead`; or `False`, only when a signal arrives or a callback
            stops training.
        delete_checkpoint: Boolean, whether the store deletes its files when
            training is complete.
        resume: `"batch"`: continue at the next batch. `"epoch"`: start the
            unfinished epoch over.
        history: `"resumed"`: `fit()` returns the epochs that this call ran.
            `"full"`: it returns those of the whole run.
        versions: Dict from name to version, to be noted in checkpoints.
        save_before_preemption: List of strings, the signals to stop for.
        max_overhead: Float, the part of the training time that checkpoints may
            cost, for `save_freq="auto"`.
        is_script: Boolean, whether a script runs, rather than commands that
            somebody types.
        best: String, the log whose best epoch is kept; `None`: none is.
        mode: `"min"` or `"max"`, which value of it is the best.
        on_change: See `fit/changed_script.py`.

    """

    def __new__(cls, *args, **kwargs):
        return super().__new__(callbacks.for_users(cls))

    def __init__(
        self,
        functions: dict[str, Callable],
        backup_dir: str,
        save_freq: str | int | float | bool = "epoch",
        delete_checkpoint: bool = True,
        resume: str = "batch",
        history: str = "resumed",
        versions: dict[str, str] | None = None,
        save_before_preemption: list[str] | None = None,
        max_overhead: float = 0.01,
        is_script: bool = True,
        best: str | None = None,
        mode: str | None = None,
        on_change: str = changed_script.USUAL,
    ):
        super().__init__()
        # Keras would fail before it calls the first hook.
        for reason in unsupported.refused_cluster():
            raise errors.UnsupportedError(reason)
        self.backup_dir = backup_dir
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint
        self.resume = resume
        self.history = history
        self.save_before_preemption = list(save_before_preemption or [])
        self.versions = versions or {}
        self.max_overhead = max_overhead
        self.is_script = is_script
        self.best = best
        self.mode = mode
        self.on_change = on_change
        self._store = Store(functions)
        self._state = None
        # Where the checkpoint is loaded from.
        self._source = self._store
        self._workers = One()
        self.is_built_from_data = False
        # The `CallbackList` of the last `fit()`, a weak reference.
        self._used_by = None
        # What the training began with, see `same_training.is_loop()`.
        self._weights = None

    def __repr__(self):
        return (
            f"<BackupAndRestore backup_dir={self.backup_dir!r} "
            f"save_freq={self.save_freq!r}>"
        )

    def set_model(self, model):
        # The first hook: tf_keras calls further ones that a callback of Keras 3
        # does not have.
        unsupported.check(model)
        self._workers = engines.find(model)
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
        # A helper may be left of an earlier fit() with the same list, or be
        # there because the list has this callback twice.
        fit.callback_list.callbacks[:] = [
            callback
            for callback in fit.callback_list.callbacks
            if getattr(callback, "_owner", None) is not self
        ]
        helper = Helper(self, self._store, state, fit, self._workers)
        helper.set_params(self.params)
        helper.set_model(self._model)
        # The list is being walked right now, so the helper's turn comes last.
        fit.callback_list.callbacks.append(helper)

    def complete(self, model: Any) -> None:
        """To be called when training is complete and its checkpoint deleted."""
        same_training.complete(self.backup_dir, model, self._weights)

    def _open(self, fit: RunningFit) -> None:
        """Takes the directory, and checks that its checkpoint fits."""
        before, callback_list = self._used_by, weakref.ref(fit.callback_list)
        if before != callback_list:
            # Before anything can raise, as Keras has made that iterator by now.
            self.is_built_from_data = iterators_made.is_built_from_data(
                self._model, fit.data
            )
        if before not in (None, callback_list) and is_running(before):
            raise errors.LockedError(
                "The callback is in use by another `fit()`, which is still "
                "running. Create another callback, with its own `backup_dir`, "
                "for the `fit()` inside it."
            )
        for callback in fit.callback_list.callbacks:
            # If both have the same directory, the second one finds it locked.
            if isinstance(callback, BackupAndRestore) and (
                callback.backup_dir != self.backup_dir
            ):
                raise errors.UnsupportedError(
                    "Two callbacks with different `backup_dir` cannot back up "
                    f"one `fit()`: {self.backup_dir!r} and "
                    f"{callback.backup_dir!r}. For a second copy of the "
                    "checkpoint use `double_checkpoint = TRUE`."
                )
            if callbacks.is_backup(callback) and _deletes(
                callback, self.backup_dir
            ):
                raise errors.UnsupportedError(
                    "Keras' own callback has the same directory, "
                    f"{self.backup_dir!r}, and deletes it when training ends. "
                    "Remove that callback, or give it another directory."
                )
        self._used_by = callback_list
        building.prepare(self._model)
        self._open_directory(callback_list)
        try:
            self._workers.together(
                "loading the checkpoint", lambda: self._load(fit)
            )
        except BaseException:
            self._state = None
            self._store.close()
            raise

    def _load(self, fit: RunningFit) -> None:
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
        state.load(self._source)
        self._weights = digest(self._model, trainable=True)
        if state.restored is None and same_training.is_loop(
            self.backup_dir, self._model, self._weights, self.is_script
        ):
            self._store.notify("loop", [])
        if state.restored is not None:
            callback_states.continue_logs(
                others_in(fit.callback_list),
                state.restored.saved[CallbackStates.name],
            )
        self._state = state

    def _open_directory(self, callback_list: "weakref.ref[Any]") -> None:
        """Takes the directory. Of several workers, each takes one of its own,
        and keeps of its checkpoints those that all workers have."""
        store, workers = self._store, self._workers
        self._source = store
        others = workers.may_change_count
        if not (workers.are_several or others):
            store.open(lambda: is_running(callback_list))
            return

        def begin():
            store.open(lambda: is_running(callback_list), workers.place, others)
            found = store.others() if others else None
            # A process that trains alone looks at its own only to compare.
            is_asked = workers.are_several or found is not None
            own = store.positions() if is_asked else NO_POSITIONS
            return [own, self._settings(), found]

        try:
            rows = workers.together("opening the directory", begin)
            agreement.check_settings([settings for _, settings, _ in rows])
            positions = [own["places"] for own, _, _ in rows]
            common = agreement.newest_common(
                positions, [own["has_one_save"] for own, _, _ in rows]
            )
            time = None
            if common is not None:
                time = rows[0][0]["times"][positions[0].index(common)]
            source = agreement.newest_of_others(
                [found for _, _, found in rows], time
            )
            own = positions[workers.index]
            is_kept = common is not None and source is None
            newer = own.index(common) if is_kept else len(own)
            workers.together(
                "dropping checkpoints that not all workers have",
                lambda: store.drop_newer(newer),
            )
            if source is not None:
                self._source = OtherWorkers(
                    store, source["workers"], workers.index
                )
            elif common is None and newer:
                store.notify("no_first", [])
        except BaseException:
            store.close()
            raise

    def _settings(self) -> dict[str, Any]:
        """What must be the same on all workers."""
        return {
            "save_freq": self.save_freq,
            "save_before_preemption": bool(self.save_before_preemption),
            "delete_checkpoint": self.delete_checkpoint,
            "resume": self.resume,
            "on_change": self.on_change,
            "best": self.best,
            "mode": self.mode,
        }


def _deletes(callback: Any, backup_dir: str) -> bool:
    """Whether Keras' own callback deletes a directory when training ends."""
    theirs, own = (
        os.path.realpath(one) for one in (str(callback.backup_dir), backup_dir)
    )
    return bool(callback.delete_checkpoint) and theirs == own
