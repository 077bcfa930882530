"""Owns the random number generators that training draws from.

`capture()` gives their states as JSON values, `restore()` puts them back. R's
own generator is not among them: `R/bridge.R` saves it. JAX has no global state.

May not touch Keras' variables, hooks or files.
"""

import base64
import random
import sys
from typing import Any

import numpy as np


def capture() -> dict[str, Any]:
    """The states of all global generators, as values that JSON has."""
    states = {"python": random.getstate(), "numpy": _numpy_state()}
    if "torch" in sys.modules:
        import torch

        states["torch"] = _encode(torch.get_rng_state())
        if torch.cuda.is_available():
            states["cuda"] = [
                _encode(state) for state in torch.cuda.get_rng_state_all()
            ]
    if "tensorflow" in sys.modules:
        states["tensorflow"] = _tensorflow_states()
    states["keras"] = _keras_seed()
    return states


def restore(states: dict[str, Any]) -> None:
    """Puts back what `capture()` gave.

    A generator that did not exist then, or whose library is not loaded now, is
    left alone.
    """
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state(
        (kind, np.array(keys, np.uint32), position, has_gauss, cached)
    )
    if "torch" in states and "torch" in sys.modules:
        import torch

        torch.set_rng_state(_decode(states["torch"]))
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(
                [_decode(state) for state in states["cuda"]]
            )
    if "tensorflow" in states and "tensorflow" in sys.modules:
        _restore_tensorflow(states["tensorflow"])
    if states["keras"] is not None:
        _global_seed_generator().state.assign(
            np.array(states["keras"], dtype="uint32")
        )


def _numpy_state() -> list[Any]:
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return [kind, keys.tolist(), position, has_gauss, cached]


def _encode(state) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def _decode(text: str):
    import torch

    return torch.frombuffer(
        bytearray(base64.b64decode(text)), dtype=torch.uint8
    )


def _tensorflow_states() -> dict[str, Any]:
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    # Seeds of stateful ops are drawn from a Python generator of the context.
    eager = getattr(context.context(), "_rng", None)
    generator = stateful_random_ops.global_generator
    return {
        "eager": None if eager is None else eager.getstate(),
        "global": None
        if generator is None
        else generator.state.numpy().tolist(),
    }


def _restore_tensorflow(states: dict[str, Any]) -> None:
    from tensorflow.python.eager import context

    eager = getattr(context.context(), "_rng", None)
    if states["eager"] is not None and eager is not None:
        version, words, gauss = states["eager"]
        eager.setstate((version, tuple(words), gauss))
    if states["global"] is not None:
        import tensorflow as tf

        tf.random.get_global_generator().state.assign(states["global"])


def _keras_seed() -> list[int] | None:
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")
    if generator is None:
        return None
    import keras

    return keras.ops.convert_to_numpy(generator.state).tolist()


def _global_seed_generator():
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator()
