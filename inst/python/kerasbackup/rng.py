"""Owns the random number generators that training draws from.

R's own is reached through the store's functions. JAX has no global state. The
generators of one data source are `position.py`'s.

May not touch Keras' variables, hooks or files.
"""

import base64
import random
import sys
from typing import Any

import numpy as np


class Generators:
    """All global generators: Python's, NumPy's, torch's (CPU and CUDA),
    TensorFlow's (eager context and global generator), Keras' and R's.

    Args:
        store: A `store.Store`, which knows R's.
    """

    NAMES = ("python", "numpy", "keras", "r", "torch", "tensorflow")

    def __init__(self, store):
        self._store = store

    def capture(self) -> dict[str, Any]:
        """Their states, as values that JSON has."""
        states = {
            "python": _python_state(random.getstate()),
            "numpy": _numpy_state(),
            "keras": _keras_state(),
            "r": self._store.r_seed(),
        }
        if "torch" in sys.modules:
            states["torch"] = _torch_states()
        if "tensorflow" in sys.modules:
            states["tensorflow"] = _tensorflow_states()
        return states

    def restore(
        self, states: dict[str, Any], only: tuple[str, ...] | None = None
    ) -> None:
        """Puts back what `capture()` gave.

        A generator that did not exist then, or whose library is not loaded now,
        is left alone.

        Args:
            states: From `capture()`.
            only: Names of the generators to put back; by default all.
        """
        setters = {
            "python": _restore_python,
            "numpy": _restore_numpy,
            "keras": _restore_keras,
            "r": self._store.set_r_seed,
            "torch": _restore_torch,
            "tensorflow": _restore_tensorflow,
        }
        for name, setter in setters.items():
            if name in states and (only is None or name in only):
                setter(states[name])


def encode_torch(state) -> str:
    """A `torch.ByteTensor` as text."""
    return _encode(state.numpy())


def decode_torch(text: str):
    """The `torch.ByteTensor` of a text."""
    import torch

    return torch.from_numpy(_decode(text, np.uint8))


def _encode(array) -> str:
    # A tenth of the time that a list of numbers takes, and half the space.
    return base64.b64encode(array.tobytes()).decode("ascii")


def _decode(text: str, dtype) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype).copy()


def _python_state(state) -> list[Any]:
    version, words, gauss = state
    return [version, _encode(np.array(words, np.uint32)), gauss]


def _from_python_state(state):
    version, words, gauss = state
    return version, tuple(_decode(words, np.uint32).tolist()), gauss


def _restore_python(state) -> None:
    random.setstate(_from_python_state(state))


def _numpy_state() -> list[Any]:
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return [kind, _encode(keys), position, has_gauss, cached]


def _restore_numpy(state) -> None:
    kind, keys, position, has_gauss, cached = state
    keys = _decode(keys, np.uint32)
    np.random.set_state((kind, keys, position, has_gauss, cached))


def _torch_states() -> dict[str, Any]:
    import torch

    states = {"cpu": encode_torch(torch.get_rng_state())}
    if torch.cuda.is_available():
        states["cuda"] = [
            encode_torch(s) for s in torch.cuda.get_rng_state_all()
        ]
    return states


def _restore_torch(states) -> None:
    if "torch" not in sys.modules:
        return
    import torch

    torch.set_rng_state(decode_torch(states["cpu"]))
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([decode_torch(s) for s in states["cuda"]])


def _tensorflow_states() -> dict[str, Any]:
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    # Seeds of stateful operations are drawn from a generator of the context.
    eager = getattr(context.context(), "_rng", None)
    generator = stateful_random_ops.global_generator
    return {
        "eager": None if eager is None else _python_state(eager.getstate()),
        "global": None
        if generator is None
        else generator.state.numpy().tolist(),
    }


def _restore_tensorflow(states) -> None:
    if "tensorflow" not in sys.modules:
        return
    from tensorflow.python.eager import context

    eager = getattr(context.context(), "_rng", None)
    if states["eager"] is not None and eager is not None:
        eager.setstate(_from_python_state(states["eager"]))
    if states["global"] is not None:
        import tensorflow as tf

        tf.random.get_global_generator().state.assign(states["global"])


def _keras_state() -> list[int] | None:
    import keras
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")
    if generator is None:
        return None
    return keras.ops.convert_to_numpy(generator.state).tolist()


def _restore_keras(state) -> None:
    if state is None:
        return
    from keras.src.random.seed_generator import global_seed_generator

    global_seed_generator().state.assign(np.array(state, dtype="uint32"))
