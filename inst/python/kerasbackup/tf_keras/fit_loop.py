"""What the loop of a running `fit()` reads and waits for."""

from typing import Any

from kerasbackup.tf_keras import coordinator


class _Start:
    """Tells `fit()` where to begin, as tf_keras' own backup does."""

    def __init__(self, epoch: int):
        self._epoch = epoch

    def maybe_load_initial_counters_from_ckpt(
        self, steps_per_epoch, initial_epoch, mode
    ) -> tuple[int, int]:
        """The epoch, and the step in it."""
        return self._epoch, 0


def begin_at(model: Any, epoch: int | None) -> None:
    """Lets the `fit()` that is about to begin start at an epoch, `None`: at
    that which it was given. In force until it is called again."""
    model._training_state = None if epoch is None else _Start(epoch)


def up_to_date(model: Any) -> Any:
    """The model, whose variables have the values after the last step."""
    coordinator.wait_for_steps(model)
    return model


def wait_for_callbacks(callback_list: Any) -> None:
    """Returns when no callback is busy with the end of a batch: tf_keras waits
    for each itself."""
