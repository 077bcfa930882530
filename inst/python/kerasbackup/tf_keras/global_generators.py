"""The generator that `tf_keras.utils.set_random_seed()` makes: layers and
initializers without a seed draw theirs from it."""

import random
from typing import Any

from tf_keras.src import backend


def seed_source() -> random.Random | None:
    """The generator of this thread; `None` where no seed was set."""
    holder = getattr(backend, "_SEED_GENERATOR", None)
    return getattr(holder, "generator", None)


def seed_state() -> tuple[Any, ...] | None:
    """Its state, if it exists."""
    one = seed_source()
    return None if one is None else one.getstate()


def restore_seed(state: tuple[Any, ...]) -> None:
    """Restores what `seed_state()` returned, if the script has set a seed."""
    one = seed_source()
    if one is not None:
        one.setstate(state)
