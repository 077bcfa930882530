"""How many epochs Keras' data adapters have counted, as a field of a
checkpoint."""

from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.store import values

FIELD = "epoch_count"


def capture(adapter: Any) -> dict[str, int]:
    """The number of epochs that a data adapter has counted; empty if it counts
    none."""
    count = data_adapters.epochs(adapter)
    return {FIELD: count} if values.is_count(count) else {}


def restore(adapter: Any, captured: dict[str, Any]) -> None:
    """Puts back what `capture()` gave, if the adapter counts. The dict may have
    other fields too."""
    if FIELD in captured and capture(adapter):
        data_adapters.set_epochs(adapter, captured[FIELD])


def total(*captured: dict[str, Any]) -> dict[str, int]:
    """The sum of several results of `capture()`; empty if one has no count."""
    counts = [one.get(FIELD) for one in captured]
    return {} if None in counts else {FIELD: sum(counts)}


def check(captured: dict[str, Any]) -> None:
    """Raises if the field is there and is no count.

    Raises:
        TypeError: It is none.
    """
    if not values.is_count(captured.get(FIELD, 0)):
        raise TypeError("the epochs that were counted are no number")
