"""The epochs that Keras' data adapters count, in a checkpoint."""

from typing import Any

from kerasbackup.keras3 import data_adapters
from kerasbackup.store import values

FIELD = "epoch_count"


def capture(adapter: Any) -> dict[str, int]:
    """How many epochs a data adapter has counted; empty where it counts
    none."""
    count = data_adapters.epochs(adapter)
    return {FIELD: count} if values.is_count(count) else {}


def restore(adapter: Any, captured: dict[str, Any]) -> None:
    """Puts back what `capture()` gave, which may be among other things, where
    the adapter counts too."""
    if FIELD in captured and capture(adapter):
        data_adapters.set_epochs(adapter, captured[FIELD])


def total(*captured: dict[str, Any]) -> dict[str, int]:
    """The sum of several that `capture()` gave, where all of them counted."""
    counts = [one.get(FIELD) for one in captured]
    return {} if None in counts else {FIELD: sum(counts)}


def check(captured: dict[str, Any]) -> None:
    """Raises where what `capture()` gives is among other things and is not what
    it gives.

    Raises:
        TypeError: It is not.
    """
    if not values.is_count(captured.get(FIELD, 0)):
        raise TypeError("the epochs that were counted are no number")
