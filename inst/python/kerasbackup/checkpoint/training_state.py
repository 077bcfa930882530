"""One save and one restore of a training: walks the list of parts."""

import array
import datetime
import json
from typing import Any

import numpy as np

from kerasbackup.checkpoint import schema
from kerasbackup.checkpoint.parts_list import PARTS
from kerasbackup.checkpoint.restored import Restored
from kerasbackup.checkpoint.schema import TIME
from kerasbackup.parts.first_steps import FirstSteps
from kerasbackup.parts.history import History
from kerasbackup.parts.model_variables import ModelVariables
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training
from kerasbackup.parts.preprocessing import Learned
from kerasbackup.parts.same_training import SameTraining
from kerasbackup.parts.script import COMPILED
from kerasbackup.parts.script import Drift
from kerasbackup.parts.script import Script
from kerasbackup.parts.script import is_other_backend
from kerasbackup.parts.variables import Variables
from kerasbackup.store import values
from kerasbackup.store.dtypes import DTYPES

# R counts no further. No training has so many.
MOST_EPOCHS = 10**9 - 1


class TrainingState:
    """The state of one `fit()`.

    Call `load()` and `begin()`, then `restore()` if there is a checkpoint, then
    `capture()` for each save.

    Args:
        model: The `keras.Model` being trained.
        epoch_iterator: The `EpochIterator` of that `fit()`.
        versions: Dict from name to version, in addition to Keras' and the
            backend's.
        training: Which training this is, see `same_training.describe()`.
        learned: What layers have learned of the data, see
            `preprocessing.describe()`.

    Attributes:
        place: The `Place` of the save or restore under way.
        history: The `History` of the run.
        restored: The `Restored` checkpoint; `None` if there is none or it was
            released.
        not_saved: List of strings, what the last save left out.
    """

    def __init__(
        self,
        model,
        epoch_iterator,
        versions: dict[str, str],
        training: dict[str, Any],
        learned: dict[str, str],
    ):
        self.place = Place()
        self._model = model
        self._variables = ModelVariables(model, epoch_iterator, self.place)
        self._script = Script(model, versions)
        self._same_training = SameTraining(training)
        early = (
            self._variables,
            self._script,
            self._same_training,
            Learned(learned),
        )
        self._made = {part.name: part for part in early}
        self._parts = []
        self.history = History()
        self.restored = None
        self.not_saved = []
        self._resumes = []
        self._began_at = _now().strftime(TIME)

    def load(self, source) -> None:
        """Loads the newest checkpoint, if any, and checks that it fits.

        Args:
            source: A `Store`, or `OtherWorkers`.

        Raises:
            MismatchError: It is of another training, model or optimizer;
                nothing was changed.
        """
        checkpoint = source.load()
        if checkpoint is None:
            return
        restored = Restored(checkpoint, self._script.versions)
        saved = restored.saved
        self._same_training.compare(
            saved[self._same_training.name], checkpoint.path
        )
        self._script.versions_before = restored.versions
        load_variables(self._model, self._variables, restored, self._script)
        self.restored = restored

    def begin(self, training: Training) -> None:
        """To be called when all other callbacks have begun.

        Args:
            training: What the parts are made from.
        """
        training.made = dict(self._made)
        for kind in PARTS:
            training.made[kind.name] = kind.begin(training)
        self._parts = [training.made[kind.name] for kind in PARTS]
        self.first_steps = FirstSteps(
            training.model,
            [part for part in self._parts if hasattr(part, "swap_traced")],
        )

    def script_changes(self) -> list[str]:
        """What has changed in the script or its data since the loaded
        checkpoint was made, as far as it shows before anything is restored."""
        restored = self.restored
        with restored.reading():
            return [
                line
                for part in self._parts
                for line in part.script_changes(
                    restored.saved[part.name], restored.array
                )
            ]

    def restore(self) -> list[str]:
        """Puts the loaded checkpoint back, as far as that is possible before
        the first epoch begins.

        Returns:
            Lines about what differs from when the checkpoint was made.

        Raises:
            CorruptError: A saved state cannot belong to the objects of this
                training; nothing was changed.
        """
        restored = self.restored
        with restored.reading():
            for part in self._parts:
                part.check_owners(restored.saved[part.name])
        self.place.epoch = restored.place.epoch
        self.place.batch = restored.place.batch
        self.history = restored.history
        self._began_at = restored.began_at
        self._resumes = [
            *restored.resumes,
            [
                restored.place.epoch,
                restored.place.batch,
                restored.saved_at,
                _now().strftime(TIME),
            ],
        ]
        return self._restore(self._parts)

    def restore_again(self) -> None:
        """Restores some parts a second time, because Keras or a callback may
        have reset them. To be called when the first epoch begins, if it passes
        over batches."""
        self._restore([part for part in self._parts if part.is_put_again])

    def _restore(self, parts) -> list[str]:
        restored = self.restored
        return [
            note
            for part in parts
            for note in part.restore(restored.saved[part.name], restored.array)
        ]

    def end_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        """To be called with the logs of each complete epoch."""
        self.history.append(epoch, logs)

    def release(self) -> None:
        """Frees the loaded checkpoint. Idempotent."""
        self.restored = None
        self._variables.release()

    def is_compiled_otherwise(self) -> bool:
        """See `Script`."""
        return self._script.is_compiled_otherwise()

    def is_built(self) -> bool:
        """See `ModelVariables`."""
        return self._variables.is_built()

    def capture(
        self,
        epoch: int,
        batch: int,
        ended: bool = False,
        epochs: int | None = None,
    ) -> "Capture":
        """What to save when `epoch` epochs and `batch` batches are done.

        Args:
            epoch, batch: Integers.
            ended: Whether a callback has ended the training for good.
            epochs: Integer, how many epochs the training is to have; `None` if
                that is not known.
        """
        self.place.epoch, self.place.batch = epoch, batch
        now = _now()
        encoder = values.Encoder()
        captured = {part.name: part.capture(encoder) for part in self._parts}
        metadata = {
            "schema": str(schema.VERSION),
            "epoch": str(epoch),
            "batch": str(batch),
            "stopped": "1" if ended else "0",
            "saved_at": now.strftime(TIME),
            "versions": _dumps(self._script.versions),
            "history": _dumps(self.history.to_json()),
        }
        if epochs is not None and epochs <= MOST_EPOCHS:
            metadata["epochs"] = str(int(epochs))
        if self._began_at is not None:
            metadata["began_at"] = self._began_at
        if self._resumes:
            metadata["resumes"] = _dumps(self._resumes)
        for part in self._parts:
            if captured[part.name] != part.missing:
                metadata[part.name] = _dumps(captured[part.name])
        if self._variables.all.shards:
            metadata["shards"] = _dumps(self._variables.all.shards)
        found = [text for part in self._parts for text in part.not_saved]
        self.not_saved = [*dict.fromkeys(found)]
        if self.not_saved:
            metadata["unsaved"] = _dumps(self.not_saved)
        return Capture(
            self._variables.all, encoder.arrays, metadata, now.timestamp()
        )


def load_variables(
    model: Any,
    variables: ModelVariables,
    restored: Restored,
    script: Script | None,
) -> None:
    """Lets the variables find their tensors in a checkpoint, before anything is
    restored.

    Args:
        model: The `keras.Model`.
        variables: Its `ModelVariables`.
        restored: The `Restored` checkpoint.
        script: The `Script`, with which the optimizer is compared; `None` if
            it does not count.

    Raises:
        MismatchError: It is of another model or optimizer.
    """
    saved = restored.saved[Script.name]
    variables.load(
        restored.checkpoint,
        restored.saved[variables.name],
        is_other_backend(model, restored.versions),
        None if script is None else script.other_optimizer(saved),
        was_recompiled=COMPILED in restored.saved[Drift.name],
        settings=[] if script is None else script.other_settings(saved),
        shards=restored.shards,
    )


class Capture:
    """What one save writes: addresses of memory that the backend owns.

    Delete it before the next training step. As long as it exists, the backend
    may have to copy what it would otherwise overwrite.

    Attributes:
        spec: List of `(name, dtype, shape)`, in file order.
        addresses: Native 64-bit addresses, in file order.
        metadata: Dict of strings.
        time: Float, when it was made, as in the metadata: seconds since 1970.
    """

    def __init__(self, variables: Variables, arrays, metadata, time: float):
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
        self.time = time


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def _dumps(value: Any) -> str:
    return json.dumps(value, default=_plain_number)


def _plain_number(value: Any) -> Any:
    """A number of NumPy's, which `fit()` takes for a number of batches too."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no number")
