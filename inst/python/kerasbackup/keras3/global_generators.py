"""Captures and restores the state of Keras' global random generator."""

from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import global_seed_generator


def keras_generator() -> Any:
    """Keras' global seed generator; `None` until it is first used."""
    return global_state.get_global_attribute("global_seed_generator")


def keras_state() -> list[int] | None:
    """The state of Keras' global seed generator, if it exists."""
    generator = keras_generator()
    if generator is None:
        return None
    return keras.ops.convert_to_numpy(generator.state).tolist()


def restore_keras(state: list[int] | None) -> None:
    """Restores what `keras_state()` returned."""
    if state is not None:
        value = np.array(state, dtype="uint32")
        global_seed_generator().state.assign(value)
