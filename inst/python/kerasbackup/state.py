"""Owns what a checkpoint holds and how it is put back.

Puts together the variables (`variables.py`), the random number generators
(`rng.py`), the position and the history of the run. May not touch hooks or
files.
"""

import datetime
import importlib.metadata
import json
import math
from typing import Any

import keras

from kerasbackup import errors
from kerasbackup import rng
from kerasbackup.variables import Variables


class TrainingState:
    """The state of one `fit()`.

    Args:
        model: The `keras.Model` being trained.
        epoch_iterator: The `EpochIterator` of that `fit()`; it is asked for the
            shapes of a batch where the model is not built yet.
        versions: Dict from name to version, beside Keras' and the backend's.

    Attributes:
        history: The `History` of the run.
        steps_per_execution: Integer, batches a step.
    """

    def __init__(self, model, epoch_iterator, versions: dict[str, str]):
        self._model = model
        self._epoch_iterator = epoch_iterator
        self._versions = json.dumps({**versions, **_versions()})
        self._variables = None
        self.history = History()
        self.steps_per_execution = epoch_iterator.steps_per_execution

    def spec(self) -> list[tuple[str, str, list[int]]]:
        """Name, dtype and shape of every tensor. Builds the model if needed."""
        if self._variables is None:
            _build(self._model, self._epoch_iterator)
            self._variables = Variables(self._model)
        return self._variables.spec

    def capture(self, epoch: int, batch: int):
        """What to save when `epoch` epochs and `batch` batches are done.

        Returns:
            Addresses of the tensors, their owners (see `Variables.capture()`),
            and the metadata.
        """
        addresses, owners = self._variables.capture()
        metadata = {
            "epoch": str(epoch),
            "batch": str(batch),
            "stopped": "1" if self._model.stop_training else "0",
            "saved_at": _now(),
            "versions": self._versions,
            "history": self.history.to_json(),
            "rng": json.dumps(rng.capture()),
        }
        return addresses, owners, metadata

    def restore(self, checkpoint) -> "Position":
        """Puts a checkpoint back.

        Raises:
            MismatchError: It is of another model; nothing was changed.
        """
        self.spec()
        partners = self._variables.check(checkpoint)
        metadata = checkpoint.metadata
        try:
            position = Position(
                epoch=int(metadata["epoch"]),
                batch=int(metadata["batch"]),
                stopped=metadata["stopped"] == "1",
            )
            history = History.from_json(metadata["history"])
            states = json.loads(metadata["rng"])
        except (KeyError, ValueError) as e:
            raise errors.CorruptError(
                f"The checkpoint '{checkpoint.path}' lacks what is needed to "
                f"go on from it ({e!r}). It was left as it is."
            ) from e
        self._variables.assign(checkpoint, partners)
        self.history = history
        rng.restore(states)
        return position


class Position:
    """How far a training has come.

    Attributes:
        epoch: Integer, epochs that are complete.
        batch: Integer, batches of the next epoch that are trained.
        stopped: Whether a callback had ended the training.
    """

    def __init__(self, epoch: int, batch: int, stopped: bool):
        self.epoch = epoch
        self.batch = batch
        self.stopped = stopped


class History:
    """The logs of the whole run, over its interruptions."""

    def __init__(self):
        self._epochs = []
        self._logs = {}

    def append(self, epoch: int, logs: dict[str, Any]) -> None:
        # An epoch that is done again replaces what it was.
        keep = sum(1 for done in self._epochs if done < epoch)
        self._epochs = self._epochs[:keep] + [epoch]
        for name in [*self._logs, *(n for n in logs if n not in self._logs)]:
            column = self._logs.get(name, [])[:keep]
            column += [None] * (keep - len(column))
            self._logs[name] = column + [_number(logs.get(name))]

    def to_json(self) -> str:
        return json.dumps({"epoch": self._epochs, **self._logs})

    @classmethod
    def from_json(cls, text: str) -> "History":
        history = cls()
        columns = json.loads(text)
        history._epochs = columns.pop("epoch")
        history._logs = columns
        return history


def _number(value: Any) -> float | str | None:
    """A log as JSON has it: no array of one value, nothing non-finite."""
    if value is None:
        return None
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Inf" if value > 0 else "-Inf")


def _now() -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%S")


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    return {
        "keras": keras.__version__,
        backend: importlib.import_module(backend).__version__,
        "numpy": importlib.metadata.version("numpy"),
    }


def _build(model, epoch_iterator) -> None:
    """Creates the variables that Keras would create at the first batch."""
    metrics = getattr(model, "_compile_metrics", None)
    if model.built and (metrics is None or metrics.built):
        if model.optimizer is None or model.optimizer.built:
            return
        model.optimizer.build(model.trainable_variables)
        return
    if not hasattr(model, "_symbolic_build"):
        raise errors.UnsupportedError(
            f"Keras {keras.__version__} cannot build this model before its "
            "first batch. Build it before `fit()`, for example with an Input."
        )
    if keras.backend.backend() == "tensorflow":
        model._symbolic_build(data_batch=_symbolic_batch(epoch_iterator))
    else:
        model._symbolic_build(iterator=epoch_iterator)


def _symbolic_batch(epoch_iterator):
    """A batch without data, from the dataset's own description."""
    import tensorflow as tf

    def symbolic(spec):
        # Under a tf.distribute strategy, one replica's.
        spec = getattr(spec, "_value_specs", (spec,))[0]
        return keras.KerasTensor(tuple(spec.shape), spec.dtype.name)

    dataset = getattr(epoch_iterator, "_distributed_dataset", None)
    if dataset is None:
        raise errors.UnsupportedError(
            f"Keras {keras.__version__} does not tell the shapes of a batch. "
            "Build the model and its metrics before `fit()`."
        )
    return tf.nest.map_structure(symbolic, dataset.element_spec)
