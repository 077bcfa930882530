"""The generator that `tf_keras.utils.set_random_seed()` makes: layers and
initializers without a seed draw theirs from it."""

import random

from tf_keras.src import backend


def seed_source() -> random.Random | None:
    """The generator of this thread; `None` where no seed was set."""
    holder = getattr(backend, "_SEED_GENERATOR", None)
    return getattr(holder, "generator", None)
