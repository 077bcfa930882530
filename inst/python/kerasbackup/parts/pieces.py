"""Fits the pieces of variables that a checkpoint has to those that this process
has.

A variable may be spread over devices, and each process saves the pieces that it
holds. If there are now other devices or processes than when the checkpoint was
made, its variables are divided otherwise. Their bytes are the same.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasbackup.store import values

# From the name of a piece's tensor to its `variable`, that one's `shape`, and
# where the piece `begin`s. What is a whole variable is left out.
Shards = dict[str, dict[str, Any]]
Tensors = dict[str, tuple[str, list[int], np.ndarray]]


@dataclasses.dataclass(frozen=True)
class _Piece:
    """A piece of a variable.

    Attributes:
        name: String, of its tensor.
        whole: The shape of the variable.
        begin: Where the piece begins in each dimension.
        shape: The shape of the piece.
    """

    name: str
    whole: tuple[int, ...]
    begin: tuple[int, ...]
    shape: tuple[int, ...]


def variable_of(name: str, shards: Shards) -> str:
    """The name of the variable that a tensor is a piece of."""
    return shards[name]["variable"] if name in shards else name


def check(shards: Any, tensors: Tensors) -> None:
    """Validates `shards` that were read.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: They do not describe
            the tensors.
    """
    for name, shard in shards.items():
        size = tensors[name][1]
        shape, begin = shard["shape"], shard["begin"]
        if not isinstance(shard["variable"], str):
            raise TypeError(f"{name} is a part of no variable")
        if not len(shape) == len(begin) == len(size):
            raise ValueError(f"{name} has another number of dimensions")
        for one, first, whole in zip(size, begin, shape):
            if not values.is_count(first) or not values.is_count(whole):
                raise TypeError(f"the place of {name} is none")
            if first + one > whole:
                raise ValueError(f"{name} is not within its variable")


def fitted(
    tensors: Tensors,
    shards: Shards,
    spec: list[tuple[str, str, list[int]]],
    own: Shards,
    pair: Callable[[list[str], list[str]], list[str | None]],
) -> tuple[Tensors, Shards]:
    """The tensors of a checkpoint, divided as the variables of this process.

    Variables that have another shape or are not all there stay as they are.

    Args:
        tensors, shards: Those of the checkpoint.
        spec: List of `(name, dtype, shape)`, the pieces of this process.
        own: The `shards` of this process.
        pair: Callable that returns for each variable's name here its name
            there, or `None`.

    Returns:
        The tensors, in the order of the checkpoint's, and their shards.
    """
    if not shards and not own:
        return tensors, shards
    here = _by_variable([(name, shape) for name, _, shape in spec], own)
    there = _by_variable(
        [(name, shape) for name, (_, shape, _) in tensors.items()], shards
    )
    changed, places = {}, {}
    for variable, partner in zip(here, pair([*here], [*there])):
        wanted, saved = here[variable], there.get(partner, [])
        if not saved or _places(wanted) == _places(saved):
            continue
        names = [partner + one.name[len(variable) :] for one in wanted]
        cut = [_cut(piece, saved, tensors) for piece in wanted]
        if None not in cut:
            changed[partner] = dict(zip(names, cut))
            for name, piece in zip(names, wanted):
                if piece.name in own:
                    places[name] = {**own[piece.name], "variable": partner}
    found = {}
    for name, tensor in tensors.items():
        variable = variable_of(name, shards)
        # All pieces come where the first was, so the order stays.
        if variable in changed:
            found.update(changed[variable])
        else:
            found[name] = tensor
            if name in shards:
                places[name] = shards[name]
    return found, places


def _by_variable(
    tensors: list[tuple[str, list[int]]], shards: Shards
) -> dict[str, list[_Piece]]:
    found = {}
    for name, shape in tensors:
        shard = shards.get(name)
        piece = _Piece(
            name,
            tuple(shape if shard is None else shard["shape"]),
            (0,) * len(shape) if shard is None else tuple(shard["begin"]),
            tuple(shape),
        )
        found.setdefault(variable_of(name, shards), []).append(piece)
    return found


def _places(pieces: list[_Piece]) -> set[tuple]:
    return {(one.whole, one.begin, one.shape) for one in pieces}


def _cut(
    wanted: _Piece, saved: list[_Piece], tensors: Tensors
) -> tuple[str, list[int], np.ndarray] | None:
    """A piece out of others of the same variable; `None` if these have not all
    of it."""
    if any(one.whole != wanted.whole for one in saved):
        return None
    # Several workers may have the same one.
    saved = {(one.begin, one.shape): one for one in saved}.values()
    dtype, _, data = tensors[next(iter(saved)).name]
    width = len(data) // max(1, math.prod(next(iter(saved)).shape))
    found = np.zeros((*wanted.shape, width), np.uint8)
    missing = math.prod(wanted.shape)
    for one in saved:
        first = [max(a, b) for a, b in zip(one.begin, wanted.begin)]
        end = [
            min(a + n, b + m)
            for a, n, b, m in zip(
                one.begin, one.shape, wanted.begin, wanted.shape
            )
        ]
        if any(a >= b for a, b in zip(first, end)):
            continue
        source = tensors[one.name][2].reshape((*one.shape, width))
        found[_slices(first, end, wanted.begin)] = source[
            _slices(first, end, one.begin)
        ]
        missing -= math.prod(b - a for a, b in zip(first, end))
    if missing:
        return None
    return dtype, [*wanted.shape], found.reshape(-1)


def _slices(first, end, origin) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for a, b, o in zip(first, end, origin))
