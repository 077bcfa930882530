"""Compares descriptions of data, and checks their states in a checkpoint."""

from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.parts import script
from kerasbackup.parts.data import dataset_attributes
from kerasbackup.parts.data import loader_attributes
from kerasbackup.parts.data.sources.written import PROTOCOLS
from kerasbackup.parts.random import rng
from kerasbackup.store.changes import OfData
from kerasbackup.store.values import check_texts

# What each kind of data is called in messages.
WORDS = {
    "arrays": "arrays",
    "generator": "a generator",
    "grain": "a Grain dataset",
    "loader": "a torch DataLoader",
    "py_dataset": "a PyDataset",
    "tf_data": "a tf.data pipeline",
}

# If one of these differs, the number of a batch means nothing in the data of
# today.
SAME = (
    "backend",
    "data",
    "batch_size",
    "batches",
    "rows in the last batch",
    "shuffle",
)

# What the script decides itself about rows and batches, and what follows from
# it and from the data.
GIVEN = ("data", "batch_size", "steps_per_epoch")
ROWS = ("batches", "rows in the last batch")


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Lines about the differences between two descriptions."""
    lines = script.differences(before, now, _sentence)
    if any(before.get(name, now[name]) != now[name] for name in GIVEN):
        return lines
    # The script gives the data in the same way, so these have other rows.
    return [
        OfData(line, *line.rows) if line.rows[0][0] in ROWS else line
        for line in lines
    ]


def _sentence(name: str, before: Any, now: Any) -> str:
    if name == "data":
        then, today = (
            WORDS.get(data_adapters.kind_of_class(one), one)
            for one in (before, now)
        )
        return f"the data were {then} {script.THEN} and are {today} now"
    if name == "batches":
        then, today = (_batches(one) for one in (before, now))
        return f"an epoch had {then} {script.THEN} and has {today} now"
    if name == "rows in the last batch":
        then, today = (_rows(one) for one in (before, now))
        return f"the last batch had {then} {script.THEN} and has {today} now"
    return script.was_and_is(name, before, now)


def _batches(number: int | None) -> str:
    if number is None:
        return "an unknown number of batches"
    return f"{number} batch{'' if number == 1 else 'es'}"


def _rows(number: int | None) -> str:
    """A number of rows, in words. Keras has 0 for a last batch that is full."""
    return f"{number} row{'' if number == 1 else 's'}" if number else "all rows"


def is_other(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether the number of a batch means nothing in the data of today."""
    lives_on = (before["steps_per_epoch"] is None) != (
        now["steps_per_epoch"] is None
    )
    return lives_on or any(
        before.get(name, now[name]) != now[name] for name in SAME
    )


def changed_attributes(state: dict[str, Any]) -> dict[str, Any] | None:
    """The changed attributes in a `PyDataset`'s state, which this version or
    the first version of this package wrote; `None` for other states."""
    if "changed" in state or "attributes" not in state:
        return state.get("changed")
    return dataset_attributes.from_first_version(state["attributes"])


def has_changed(state: dict[str, Any]) -> bool:
    """Whether the data had changed in the course of training."""
    names = ("changed", "attributes", "parts")
    return any(state.get(name) for name in names) or any(
        get in state for get, _ in PROTOCOLS
    )


def check(state: Any) -> None:
    """Raises if it is not what `Source.capture()` gives.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    if not isinstance(state, dict) or not isinstance(
        state.get("ready", []), list
    ):
        raise TypeError("the data's state is none")
    for text in state.get("generators", []):
        rng.check_torch(text)
    loader_attributes.check(state.get("parts", {}))
    if "changed" in state or "attributes" in state:
        dataset_attributes.check(changed_attributes(state))
        check_texts(state["unchanged"])
