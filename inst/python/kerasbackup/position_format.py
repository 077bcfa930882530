"""Owns what a position in the data is in a checkpoint: packing, unpacking and
checking it.

May not touch Keras, data or files.
"""

from typing import Any

from kerasbackup import data_source
from kerasbackup import rng
from kerasbackup import values

# The states of the generators, several of which are often the same.
RNG_FIELDS = ("rng", "epoch_rng", "at_creation", "at_first_draw")

COUNTS = ("steps_seen", "made", "made_earlier", "made_to_build", "epochs")


def share(position: dict[str, Any]) -> dict[str, Any]:
    """Replaces equal states of the generators by one and its number."""
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
    position = dict(position)
    for field in RNG_FIELDS:
        if position[field] is not None:
            position[field] = position["states"][position[field]]
    return position


def check_position(
    position: Any, batch: int, tensors: dict[str, tuple]
) -> None:
    """Raises where a position is not what `DataPosition.capture()` gives.

    Args:
        position: What was read.
        batch: Integer, the batches of the epoch that are trained.
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
    counts = [whole[field] for field in COUNTS]
    if whole["num_batches"] is not None:
        counts.append(whole["num_batches"])
    if not all(map(values.is_count, counts)):
        raise ValueError("the position's counts are none")
    if not isinstance(whole["has_iterator"], bool):
        raise TypeError("has_iterator is no flag")
    needed = ["rng"]
    if batch:
        needed.append("epoch_rng")
    for field in needed:
        if whole[field] is None:
            raise ValueError(f"{field} is missing")
    data_source.check_state(values.check(whole["source"], tensors))
    if not isinstance(values.check(whole["ahead"], tensors), list):
        raise TypeError("what was drawn ahead is no list")
    whole["source_kind"].items()
    whole["source_kind"]["steps_per_epoch"]
