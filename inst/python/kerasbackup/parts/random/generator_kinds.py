"""The kinds of random number generators that are objects, and their states."""

import array
import random
from typing import Any

import numpy as np

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import tensors
from kerasbackup.store import values

BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def kind_of(value: Any) -> str | None:
    """The kind of a generator; `None` if it is not a known kind."""
    if type(value) is random.Random:
        return "Random"
    if type(value) is np.random.RandomState:
        known = value.get_state(legacy=False)["bit_generator"] == "MT19937"
        return "RandomState" if known else None
    if type(value) is np.random.Generator:
        kind = type(value.bit_generator).__name__
        return kind if kind in BIT_GENERATORS else None
    return "SeedGenerator" if kinds.is_seed_generator(value) else None


def state_of(generator: Any, kind: str) -> Any:
    """A copy of its state, of numbers, strings, lists, dicts and arrays."""
    if kind == "Random":
        version, (*keys, place), gauss = generator.getstate()
        # NumPy takes twice as long to make an array of a tuple.
        keys = np.array(array.array("I", keys))
        return [version, keys, place, gauss]
    if kind == "RandomState":
        return list(generator.get_state()[1:])
    if kind == "SeedGenerator":
        return np.array(tensors.to_numpy(generator.state))
    return generator.bit_generator.state


def put(generator: Any, kind: str, state: Any) -> None:
    """Restores what `state_of()` returned."""
    if kind == "Random":
        version, keys, place, gauss = state
        generator.setstate((version, (*keys.tolist(), place), gauss))
    elif kind == "RandomState":
        generator.set_state(("MT19937", *state))
    elif kind == "SeedGenerator":
        generator.state.assign(state)
    else:
        generator.bit_generator.state = state


def check(kind: str, state: Any) -> None:
    """Validates a result of `state_of()` that was read.

    A temporary generator is given the state, and the parts that it would not
    check are checked here.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is invalid.
    """
    if kind == "Random":
        _check_keys(state[1], state[2])
        scratch = random.Random()
        if not (state[3] is None or isinstance(state[3], float)):
            raise TypeError("the state of a generator is damaged")
    elif kind == "RandomState":
        keys, place, has_gauss, cached = state
        _check_keys(keys, place)
        if has_gauss not in (0, 1) or not isinstance(cached, float):
            raise TypeError("the state of a generator is damaged")
        scratch = np.random.RandomState()
    elif kind == "SeedGenerator":
        if state.shape != (2,) or state.dtype.kind not in "iu":
            raise TypeError("the state of a generator is damaged")
        return
    elif kind in BIT_GENERATORS:
        if kind == "MT19937":
            _check_keys(state["state"]["key"], state["state"]["pos"])
        if kind == "Philox" and not (
            values.is_count(state["buffer_pos"]) and state["buffer_pos"] <= 4
        ):
            # NumPy would read outside of its buffer.
            raise ValueError("the state of a generator is damaged")
        scratch = np.random.Generator(getattr(np.random, kind)())
    else:
        raise ValueError(f"{kind!r} is no kind of generator")
    try:
        put(scratch, kind, state)
    except (ArithmeticError, LookupError) as e:
        raise ValueError(f"the state of a generator is damaged: {e}") from e


def _check_keys(keys: Any, place: Any) -> None:
    # NumPy does not check the place, and would read outside of the keys.
    if (
        keys.dtype != np.uint32
        or keys.shape != (624,)
        or not values.is_count(place)
        or place > 624
    ):
        raise ValueError("the state of a generator is damaged")
