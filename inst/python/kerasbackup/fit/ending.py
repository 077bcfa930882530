"""How a training ends: complete, stopped before it is complete, or diverged."""

import math
import numbers
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import numpy as np

from kerasbackup.anykeras import tensors
from kerasbackup.anykeras.model_parts import path_of

# Only the smallest weights are looked at, because a gradient that is not finite
# makes all weights so.
MOST_WEIGHTS = 8


def says_complete(callbacks: Iterable[Any]) -> bool:
    """Whether one of the callbacks has ended training for good.

    A callback says so by setting `ends_training` when it sets `stop_training`,
    or as `EarlyStopping` does, by setting `stopped_epoch` to the epoch.
    """
    return any(
        bool(getattr(callback, "ends_training", False))
        or _is_positive(getattr(callback, "stopped_epoch", 0))
        for callback in callbacks
    )


class Divergence:
    """Whether one `fit()` has diverged: its loss or a weight is not finite.

    A step computes its loss before it changes the weights. So the weights are
    looked at too: they may be lost while the last loss is still finite.

    Args:
        model: The `keras.Model` being trained.
        tell: Callable, given a list of strings when a save is skipped for the
            first time.

    Attributes:
        is_now: Whether it had diverged at the last look.
        skipped: Integer, saves that were skipped.
    """

    def __init__(self, model: Any, tell: Callable[[list[str]], None]):
        self._model = model
        self._tell = tell
        self._weights = None
        self.is_now = False
        self.skipped = 0

    def prevents(self, epoch: int, batch: int, logs: Any) -> bool:
        """Whether a save must be skipped, because it would replace a checkpoint
        from which training can continue.

        Args:
            epoch, batch: Integers, what is done.
            logs: What the last step returned, or `None`.
        """
        causes = self.look(logs)
        if not causes:
            return False
        self.skipped += 1
        if self.skipped == 1:
            place = f"after epoch {epoch}"
            if batch:
                place = f"after batch {batch} of epoch {epoch + 1}"
            self._tell([f"{place}, {cause}" for cause in causes])
        return True

    def look(self, logs: Any) -> list[str]:
        """What is not finite.

        Args:
            logs: The logs of a step or an epoch, or `None`.
        """
        causes = [
            f"`{name}` is {float(value)}"
            for name, value in (logs.items() if isinstance(logs, dict) else ())
            if _is_loss(name) and not _is_finite(value)
        ]
        causes += [f"`{path}` is not finite" for path in self._lost_weights()]
        self.is_now = bool(causes)
        return causes

    def is_overcome(self) -> bool:
        """Whether the weights are finite again, as those are that a callback
        restores when training ends."""
        return not self._lost_weights()

    def _lost_weights(self) -> list[str]:
        if self._weights is None:
            self._weights = [
                weight for weight in _smallest(self._model) if _is_whole(weight)
            ]
        return [path_of(one) for one in self._weights if not _is_whole(one)]


def _smallest(model: Any) -> list[Any]:
    floats = [
        weight
        for weight in model.trainable_variables
        if tensors.is_float(weight)
    ]
    # Among weights of the same size, those nearest to the loss come first.
    floats.reverse()
    return sorted(floats, key=lambda one: math.prod(one.shape))[:MOST_WEIGHTS]


def _is_whole(weight: Any) -> bool:
    return all(
        bool(np.isfinite(value.astype("float64")).all())
        for value in tensors.local_values(weight)
    )


def _is_loss(name: Any) -> bool:
    name = str(name)
    is_training = not name.startswith("val_")
    return is_training and (name == "loss" or name.endswith("_loss"))


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, RuntimeError):
        # It is not a single number.
        return True


def _is_positive(value: Any) -> bool:
    return isinstance(value, numbers.Real) and value > 0
