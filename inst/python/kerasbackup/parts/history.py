"""The logs of the whole run, over its interruptions."""

import itertools
import math
from typing import Any

from kerasbackup.store import values


class History:
    """The logs of the whole run.

    Attributes:
        epochs: List of integers, the first is 0.
        logs: Dict from name to list, one value for each epoch; `None` if the
            epoch did not have that log.
    """

    def __init__(self, epochs=None, logs=None):
        self.epochs = epochs or []
        self.logs = logs or {}

    def append(self, epoch: int, logs: dict[str, Any]) -> None:
        # An epoch that is trained again replaces its earlier logs.
        keep = sum(1 for done in self.epochs if done < epoch)
        self.epochs = [*self.epochs[:keep], epoch]
        names = [*self.logs, *(name for name in logs if name not in self.logs)]
        for name in names:
            column = self.logs.get(name, [])[:keep]
            column += [None] * (keep - len(column))
            self.logs[name] = [*column, _number(logs.get(name))]

    def rows(self) -> list[tuple[int, dict[str, float]]]:
        """Each epoch, with the logs that it had."""
        return [
            (
                epoch,
                {
                    name: column[i]
                    for name, column in self.logs.items()
                    if column[i] is not None
                },
            )
            for i, epoch in enumerate(self.epochs)
        ]

    def fill(self, callback: Any) -> None:
        """Gives Keras' own `History` the epochs before the interruption."""
        callback.epoch = list(self.epochs)
        columns = {
            name: [value for value in column if value is not None]
            for name, column in self.logs.items()
        }
        # keras3 cannot print a column without values.
        callback.history = {name: one for name, one in columns.items() if one}

    def replace(self, callback: Any) -> None:
        """Fills Keras' own `History` with the whole run, if `fit()` had no
        epoch to train. keras3 cannot print, plot or convert a history without
        epochs, or with more epochs than `fit()` was asked for."""
        self.fill(callback)
        params = callback.params or {}
        count = max(params.get("epochs", 0), len(self.epochs))
        # All callbacks share that dict.
        callback.params = {**params, "epochs": count}

    def to_json(self) -> dict[str, Any]:
        """As values that JSON has."""
        logs = {
            name: [_json_number(value) for value in column]
            for name, column in self.logs.items()
        }
        return {"epoch": self.epochs, **logs}

    @classmethod
    def from_json(cls, saved: Any, epoch: int) -> "History":
        """What `to_json()` gave.

        Args:
            saved: What was read.
            epoch: Integer, the epochs that were complete.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: It is no history of
                a run that continues with that epoch.
        """
        columns = dict(saved)
        # Read from `saved`, whose KeyError names a missing field.
        epochs = saved["epoch"]
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
        is_sorted = all(a < b for a, b in itertools.pairwise(epochs))
        if not is_sorted or (epochs and epochs[-1] + 1 != epoch):
            raise ValueError(f"epoch {epoch} does not follow the history's")
        return cls(epochs, logs)


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
