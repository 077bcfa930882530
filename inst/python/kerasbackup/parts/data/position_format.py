"""Packs, unpacks and checks a position in the training data."""

import copy
from typing import Any

from kerasbackup.parts.data import drawn_data
from kerasbackup.parts.data import epoch_count
from kerasbackup.parts.random import rng
from kerasbackup.store import values

# The fields with states of the generators. Several are often the same state.
RNG_FIELDS = ("rng", "epoch_rng", "at_creation", "at_first_draw")

COUNTS = (
    "steps_seen",
    "most_steps",
    "made",
    "made_earlier",
    "made_to_build",
    "epochs",
)


def share(position: dict[str, Any]) -> dict[str, Any]:
    """Puts the different states of the generators into a list, and numbers of
    its items into the fields."""
    position = dict(position)
    states = []
    for field in RNG_FIELDS:
        state = position[field]
        if state is not None:
            if state not in states:
                states.append(state)
            position[field] = states.index(state)
    position["states"] = states
    return position


def unshare(position: dict[str, Any]) -> dict[str, Any]:
    """What `share()` was given."""
    position = copy.copy(position)
    for field in RNG_FIELDS:
        if position[field] is not None:
            position[field] = position["states"][position[field]]
    return position


def check_position(
    position: Any, batch: int, done: int, tensors: dict[str, tuple]
) -> None:
    """Raises where a position is not what `DataPosition.capture()` gives.

    Args:
        position: What was read.
        batch: Integer, the batches of the epoch that are trained.
        done: Integer, the epochs that are complete.
        tensors: Dict from name to `(dtype, shape, bytes)`, those there are.

    Raises:
        AttributeError, IndexError, KeyError, TypeError, ValueError: It is not.
    """
    numbers = [position[field] for field in RNG_FIELDS]
    if not all(n is None or values.is_count(n) for n in numbers):
        raise TypeError("the states of the generators are no numbers")
    whole = unshare(position)
    for state in position["states"]:
        rng.check(state)
        for text in state["loader"]:
            rng.check_torch(text)
        epoch_count.check(state)
    _check_counts(whole, batch, done)
    if not isinstance(whole["has_iterator"], bool):
        raise TypeError("has_iterator is no flag")
    needed = ["rng"]
    if batch:
        needed.append("epoch_rng")
    lives_on = whole["source_kind"]["steps_per_epoch"] is not None
    if whole["has_iterator"] and lives_on:
        needed.append("at_creation")
    for field in needed:
        if whole[field] is None:
            raise ValueError(f"{field} is missing")
    if not drawn_data.check(whole, tensors):
        raise ValueError("the data's state is missing")
    changed = whole.get("changed_arrays")
    if changed is not None and not values.is_count(changed):
        raise ValueError("the checksum of the arrays is none")


def _check_counts(position: dict[str, Any], batch: int, done: int) -> None:
    """Raises where a count is more than the rest of the checkpoint allows.

    `made_earlier` has no such limit, because it counts what the process did
    with the data before this training, which nothing else in a checkpoint
    shows.
    """
    described = position["source_kind"]
    described.items()
    counts = [position[field] for field in COUNTS]
    counts += [
        count
        for count in (
            position["num_batches"],
            described["steps_per_epoch"],
            described["batches"],
            described.get("rows in the last batch"),
        )
        if count is not None
    ]
    if not all(map(values.is_count, counts)):
        raise ValueError("the position's counts are none")
    epochs = position["epochs"]
    # Including the epoch that had begun and was not complete.
    drawn = (epochs + 1) * position["most_steps"]
    limits = {
        "epochs": done + 1,
        "made": drawn_data.MOST_ITERATORS * (epochs + 1),
        "made_to_build": 1,
    }
    if described["steps_per_epoch"] is not None:
        # The iterator lives across epochs, and may have ended in one of them.
        limits["steps_seen"] = drawn
        if described["batches"] is None:
            limits["num_batches"] = drawn
    drawn_data.check_limits(position, limits)
    length = described["steps_per_epoch"] or position["num_batches"]
    if batch and length is not None and batch >= length:
        raise ValueError(f"batch {batch} of an epoch of {length}")
