"""Owns what a checkpoint holds and how it is put back.

Puts together the variables (`variables.py`), the other callbacks
(`callback_states.py`), the position in the data (`position.py`), the history of
the run, and the names of what is missing (`not_saved.py`). May not touch hooks
or files.
"""

import array
import contextlib
import datetime
import json
import math
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kerasbackup.checkpoint import schema
from kerasbackup.keras3 import building
from kerasbackup.parts import found_variables
from kerasbackup.parts import further_optimizers
from kerasbackup.parts import last_logs
from kerasbackup.parts import plain_attributes
from kerasbackup.parts import preprocessing
from kerasbackup.parts import same_training
from kerasbackup.parts.callback_states import CallbackStates
from kerasbackup.parts.callback_states import check_states
from kerasbackup.parts.data import validation
from kerasbackup.parts.data.position import DataPosition
from kerasbackup.parts.data.position_format import check_position
from kerasbackup.parts.first_steps import FirstSteps
from kerasbackup.parts.not_saved import UnseenState
from kerasbackup.parts.script import Script
from kerasbackup.parts.script import check_description
from kerasbackup.parts.script import is_other_backend
from kerasbackup.parts.variables import Variables
from kerasbackup.parts.variables import build_optimizers
from kerasbackup.parts.variables import describe_optimizers
from kerasbackup.parts.variables import lacks_some
from kerasbackup.store import errors
from kerasbackup.store import values
from kerasbackup.store.dtypes import DTYPES
from kerasbackup.store.dtypes import numpy_view
from kerasbackup.store.values import check_texts


class TrainingState:
    """The state of one `fit()`.

    In this order: `load()`, `begin()`, `restore()` if there is something to
    restore, then `capture()` as often as is wanted.

    Args:
        model: The `keras.Model` being trained.
        epoch_iterator: The `EpochIterator` of that `fit()`; it is asked for the
            shapes of a batch where the model is not built yet.
        versions: Dict from name to version, beside Keras' and the backend's.
        training: Which training this is, see `trainings.describe()`.
        learned: What layers have learned of the data, see
            `preprocessing.describe()`.

    Attributes:
        history: The `History` of the run.
        restored: The `Restored` checkpoint, `None` where there is none or its
            bytes were released.
        unsaved: List of strings, what could not be saved last time.
    """

    def __init__(
        self,
        model,
        epoch_iterator,
        versions: dict[str, str],
        training: dict[str, Any],
        learned: dict[str, str],
    ):
        self._model = model
        self._training = training
        self._learned = learned
        self._training_notes = []
        self._epoch_iterator = epoch_iterator
        self._script = Script(model, versions)
        self._variables = None
        self.history = History()
        self.restored = None
        self.unsaved = []

    def load(self, store) -> None:
        """Loads the newest checkpoint, if any, and checks that it fits.

        Raises:
            MismatchError: It is of another training, model or optimizer;
                nothing was changed.
        """
        checkpoint = store.load()
        if checkpoint is not None:
            restored = Restored(checkpoint, self._script.versions)
            self._training_notes = same_training.compare(
                restored.training, self._training, checkpoint.path
            )
            other = self._script.other_optimizer(restored.script)
            self._build(restored)
            restored.pair(self._variables, other)
            # Where the training began, however often it was interrupted.
            self._training["start"] = restored.training["start"]
            self.restored = restored

    def begin(
        self,
        callbacks: CallbackStates,
        position: DataPosition,
        validation_position: validation.ValidationPosition,
        is_captured: Callable[[Any], bool],
        loose: found_variables.FoundVariables,
    ) -> None:
        """To be called when all other callbacks have begun.

        Args:
            callbacks: The states of the other callbacks.
            position: Where in the data the training is.
            validation_position: Likewise of validation.
            is_captured: Whether a generator is captured, whoever has it.
            loose: The variables that are nobody's.
        """
        self._callbacks = callbacks
        self._position = position
        self._validation = validation_position
        self._validation.trained_on = position.written_by_user
        self._last_logs = last_logs.LastLogs(
            self._model, self._epoch_iterator, position.may_end_early
        )
        self._loose = loose
        self._attributes = plain_attributes.PlainAttributes(self._model)
        self.first_steps = FirstSteps(
            self._model, [self._attributes, self._loose]
        )
        self._unseen = UnseenState(
            self._model, lambda one: is_captured(one) or loose.has(one)
        )
        self._looked_at, self._of_model, self._drift = None, [], []
        if self._model.built:
            # Else with the first save, which builds it.
            self._script.describe()

    def restore(self, exact: bool) -> list[str]:
        """Puts the loaded checkpoint back, as far as that is possible before
        the first epoch begins.

        Args:
            exact: Whether to go on at the very batch, rather than to begin the
                unfinished epoch anew.

        Returns:
            What is no longer as it was when the checkpoint was made.

        Raises:
            CorruptError: The states of the callbacks cannot be theirs; nothing
                was changed.
        """
        restored = self.restored
        with restored.reading():
            self._callbacks.check(restored.callbacks)
            self._attributes.check(restored.attributes)
        self.history = restored.history
        notes = list(self._training_notes)
        notes += self._script.changes(restored.script, restored.versions)
        notes += preprocessing.changes(restored.learned, self._learned)
        notes += [
            f"in the course of training {text} (that is in no checkpoint: "
            "unless a callback does it again, it is as the script sets it)"
            for text in restored.drift
        ]
        # To be put back once more where batches are passed over.
        notes += self.put(again=restored.batch > 0)
        notes += self._validation.restore(
            restored.validation, restored.array, self._position.use
        )
        if restored.batch and not exact:
            notes += self._position.begin_anew(
                restored.position, restored.array
            )
        else:
            notes += self._position.restore(
                restored.position,
                restored.batch,
                restored.array,
                self._validation.moved(self._position.use),
            )
            if self._position.passed == restored.batch:
                self._last_logs.restore(
                    values.decode(restored.last_logs, restored.array),
                    restored.batch,
                )
                self._position.before_first_step = lambda: (
                    self._last_logs.before_step(self._position.end_epoch)
                )
        return notes

    def put(self, again: bool = False) -> list[str]:
        """Assigns the variables and the states of the callbacks.

        Args:
            again: Whether it may be called again, with the same.

        Returns:
            What is no longer as it was.
        """
        restored = self.restored
        if not self._variables.is_current(self._model):
            if not self.is_built():
                raise errors.UnsupportedError(
                    "A callback compiles the model as training or an epoch "
                    "begins, and the checkpoint has the optimizer and the "
                    "metrics of that: they cannot be restored, as Keras builds "
                    "the new ones with the next batch. The checkpoint was left "
                    "as it is. Compile before `fit()`; where it is an epoch "
                    'that begins so, `resume = "epoch"` begins it anew.'
                )
            self._build(restored)
            restored.pair(self._variables, None)
        self._variables.assign(
            restored.checkpoint, restored.partners, copies=again
        )
        return [
            *self._callbacks.restore(restored.callbacks, restored.array),
            *self._attributes.restore(restored.attributes, restored.array),
            *self._loose.restore(restored.loose, restored.array),
        ]

    def end_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        """To be called with the logs of an epoch that is over."""
        self.history.append(epoch, logs)

    def release(self) -> None:
        """Frees the loaded checkpoint. Idempotent."""
        self.restored = None

    def capture(self, epoch: int, batch: int, ended: bool = False) -> "Capture":
        """What to save when `epoch` epochs and `batch` batches are done.

        Args:
            epoch, batch: Integers.
            ended: Whether a callback has ended the training for good.
        """
        variables = self._variables
        if variables is None or not variables.is_current(self._model):
            self._build()
        encoder = values.Encoder()
        metadata = {
            "schema": str(schema.VERSION),
            "epoch": str(epoch),
            "batch": str(batch),
            "stopped": "1" if ended else "0",
            "saved_at": _now(),
            "versions": json.dumps(self._script.versions),
            "script": json.dumps(self._script.describe()),
            "training": json.dumps(self._training),
            "learned": json.dumps(self._learned),
            "history": self.history.to_json(),
            "callbacks": json.dumps(self._callbacks.capture(encoder)),
            "position": json.dumps(
                self._position.capture(batch, encoder), default=_plain_number
            ),
            "validation": json.dumps(self._validation.capture(encoder)),
            "last_logs": json.dumps(self._last_logs.capture(batch, encoder)),
            "attributes": json.dumps(self._attributes.capture(encoder)),
            "loose": json.dumps(self._loose.capture(encoder)),
        }
        if epoch != self._looked_at:
            # Once an epoch: they look at every layer.
            self._looked_at = epoch
            self._of_model = self._unseen.find()
            self._drift = self._script.drift()
        if self._optimizers is not None:
            metadata["optimizers"] = self._optimizers
        if self._drift:
            metadata["drift"] = json.dumps(self._drift)
        data = [
            *self._position.unsaved,
            *self._validation.unsaved,
            *self._last_logs.unsaved,
        ]
        self.unsaved = [
            *self._callbacks.unsaved,
            *dict.fromkeys(data),
            *self._variables.unsaved,
            *self._of_model,
        ]
        if self.unsaved:
            metadata["unsaved"] = json.dumps(self.unsaved)
        return Capture(self._variables, encoder.arrays, metadata)

    def is_built(self) -> bool:
        """Whether there is all that a checkpoint holds, or can be without a
        batch: what a callback has compiled may be built with the next one."""
        return keras.backend.backend() == "tensorflow" or building.is_built(
            self._model
        )

    def _build(self, restored: "Restored | None" = None) -> None:
        """Finds all variables, and creates those that Keras creates with the
        first batch.

        Args:
            restored: What the variables are to be restored from; `None` after
                a step, which has created what it needs.
        """
        saved = None if restored is None else [*restored.checkpoint.tensors]
        trained = None if restored is None else restored.optimizers
        own_step = further_optimizers.has_own_step(self._model)
        is_known = restored is None or trained is not None
        on_tensorflow = keras.backend.backend() == "tensorflow"
        lacks = (
            on_tensorflow
            and saved is not None
            and lacks_some(self._model, saved)
        )
        if on_tensorflow and own_step and is_known:
            # Keras asks for less there: any train_step() will do.
            if lacks:
                building.build_by_step(self._model, self._epoch_iterator)
        else:
            building.build(self._model, self._epoch_iterator, lacks)
        if trained is not None:
            build_optimizers(self._model, trained, saved)
        self._variables = Variables(self._model)
        self._optimizers = None
        if own_step or further_optimizers.further(self._model):
            self._optimizers = json.dumps(describe_optimizers(self._model))


class Capture:
    """What one save writes: a look at memory that the backend owns.

    Let it go before the next training step: until then the backend may have to
    copy what it would overwrite.

    Attributes:
        spec: List of `(name, dtype, shape)`, in file order.
        addresses: Native 64-bit addresses, in file order.
        metadata: Dict of strings.
    """

    def __init__(self, variables: Variables, arrays, metadata):
        self._arrays = list(arrays.values())
        addresses, self._owners = variables.locate()
        addresses.extend(
            one.__array_interface__["data"][0] for one in self._arrays
        )
        self.spec = variables.spec + [
            (name, DTYPES[one.dtype.name], list(one.shape))
            for name, one in arrays.items()
        ]
        self.addresses = bytearray(array.array("Q", addresses).tobytes())
        self.metadata = metadata


def _plain_number(value: Any) -> Any:
    """A number of NumPy's, which `fit()` takes for a number of batches too."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no number")


class Restored:
    """A checkpoint that fits the model.

    Args:
        checkpoint: A `store.Checkpoint`.
        versions: Dict from name to version, of what runs now.

    Attributes:
        checkpoint: The `store.Checkpoint`.
        partners: Names of the variables' tensors, see `Variables.check()`;
            from `pair()` on.
        metadata: Dict of strings.
        epoch: Integer, epochs that are complete.
        batch: Integer, batches of the next epoch that are trained.
        history: The `History` until then.
        stopped: Whether a callback had ended the training for good.
        callbacks, position, validation, last_logs, attributes, loose: What
            `CallbackStates`, `DataPosition`, `ValidationPosition`, `LastLogs`,
            `PlainAttributes` and `FoundVariables` captured.
        script, versions: What `Script` described; empty where it was not.
        drift: List of strings, what of it had changed since training began.
        optimizers: What `describe_optimizers()` gave, or `None`.
        training: Which training it is of, see `trainings.describe()`.
        learned: See `preprocessing.describe()`.
    """

    def __init__(self, checkpoint, versions: dict[str, str] | None = None):
        self.checkpoint = checkpoint
        self.metadata = schema.Fields(checkpoint.metadata)
        self._running = versions or {}
        tensors = checkpoint.tensors
        with self.reading():
            self.epoch = _count(self.metadata["epoch"])
            self.batch = _count(self.metadata["batch"])
            self.stopped = _flag(self.metadata["stopped"])
            self.history = History.from_json(self.metadata["history"])
            self.history.check_next(self.epoch)
            done = len(self.history.epochs)
            self.callbacks = self._parse("callbacks")
            check_states(self.callbacks, tensors)
            if "schema" not in self.metadata:
                # The first checkpoints count every stop as the end.
                self.stopped = self.stopped and _has_stopped_early(
                    self.callbacks
                )
            self.position = self._parse("position")
            check_position(self.position, self.batch, done, tensors)
            self.validation = self._parse("validation")
            validation.check(self.validation, done, tensors)
            self.last_logs = self._parse("last_logs")
            last_logs.check(self.last_logs, tensors)
            self.attributes = self._parse("attributes")
            plain_attributes.check(self.attributes, tensors)
            self.loose = self._parse("loose")
            found_variables.check(self.loose, tensors)
            self.script = self._parse("script", "{}")
            check_description(self.script)
            self.drift = self._parse("drift", "[]")
            _check_lines(self.drift)
            self.versions = self._parse("versions", "{}")
            check_texts(self.versions)
            self.learned = self._parse("learned")
            check_texts(self.learned)
            self.optimizers = self._parse("optimizers", "null")
            further_optimizers.check(self.optimizers)
            self.training = self._parse("training")
            same_training.check(self.training)

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Names what is wrong with what is read in its block."""
        return schema.reading(
            self.checkpoint.path, self.metadata, self._running
        )

    def _parse(self, field: str, default: str | None = None) -> Any:
        if default is not None and field not in self.metadata:
            return schema.parse(default)
        return schema.parse(self.metadata[field])

    def pair(self, variables: Variables, other: str | None) -> None:
        """Finds each variable's tensor.

        Args:
            variables: Those of the model.
            other: What it is of, in words, where that is known to be another.

        Raises:
            MismatchError: It is of another model or optimizer.
        """
        self.partners = variables.check(
            self.checkpoint, is_other_backend(self.versions), other
        )

    def array(self, name: str) -> np.ndarray:
        """A new array with the bytes of a tensor."""
        return numpy_view(*self.checkpoint.tensors[name]).copy()


class History:
    """The logs of the whole run, over its interruptions.

    Attributes:
        epochs: List of integers, the first is 0.
        logs: Dict from name to list, one value an epoch; `None` where an epoch
            did not have that log.
    """

    def __init__(self, epochs=None, logs=None):
        self.epochs = epochs or []
        self.logs = logs or {}

    def append(self, epoch: int, logs: dict[str, Any]) -> None:
        # An epoch that is done again replaces what it was.
        keep = sum(1 for done in self.epochs if done < epoch)
        self.epochs = [*self.epochs[:keep], epoch]
        names = [*self.logs, *(name for name in logs if name not in self.logs)]
        for name in names:
            column = self.logs.get(name, [])[:keep]
            column += [None] * (keep - len(column))
            self.logs[name] = [*column, _number(logs.get(name))]

    def to_json(self) -> str:
        logs = {
            name: [_json_number(value) for value in column]
            for name, column in self.logs.items()
        }
        return json.dumps({"epoch": self.epochs, **logs})

    def fill(self, callback: keras.callbacks.History) -> None:
        """Gives Keras' own record the epochs before the interruption."""
        callback.epoch = list(self.epochs)
        callback.history = {
            name: [value for value in column if value is not None]
            for name, column in self.logs.items()
        }

    def check_next(self, epoch: int) -> None:
        """Raises `ValueError` where an epoch, counted from 0, cannot be the one
        that follows."""
        is_sorted = all(a < b for a, b in zip(self.epochs, self.epochs[1:]))
        if not is_sorted or (self.epochs and self.epochs[-1] + 1 != epoch):
            raise ValueError(f"epoch {epoch} does not follow the history's")

    @classmethod
    def from_json(cls, text: str) -> "History":
        columns = schema.parse(text)
        epochs = columns["epoch"]
        del columns["epoch"]
        logs = {
            name: [_from_json_number(value) for value in column]
            for name, column in columns.items()
        }
        if not all(isinstance(c, list) for c in (epochs, *columns.values())):
            raise TypeError("the history is not of lists")
        if not all(map(values.is_count, epochs)):
            raise ValueError("the history's epochs are no counts")
        if any(len(column) != len(epochs) for column in logs.values()):
            raise ValueError("the history is not one value an epoch")
        return cls(epochs, logs)


def _has_stopped_early(callbacks: dict[str, Any]) -> bool:
    """Whether one of the states is of a callback that has, as `EarlyStopping`
    does."""
    epochs = [
        state.get("changed", state.get("attributes", {})).get("stopped_epoch")
        for state in callbacks.values()
    ]
    return any(values.is_count(epoch) and epoch > 0 for epoch in epochs)


def _check_lines(lines: Any) -> None:
    if not isinstance(lines, list) or not all(
        isinstance(line, str) for line in lines
    ):
        raise TypeError("what has changed is no list of texts")


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError(f"{text[:50]!r} is no count")
    return int(text)


def _flag(text: str) -> bool:
    return {"0": False, "1": True}[text]


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _json_number(value: float | None) -> float | str | None:
    """JSON has no non-finite numbers; R and Python both read these."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Inf" if value > 0 else "-Inf")


def _from_json_number(value: float | str | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        return {"NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf}[value]
    if isinstance(value, bool):
        raise TypeError("a log is no number")
    return float(value)


def _now() -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%S")
