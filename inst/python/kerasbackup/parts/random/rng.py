"""Captures and restores the random number generators that training draws from.

R's generator is reached through the store's functions, and JAX has no global
state. The generators of one data source are saved with the position in the
data.
"""

import base64
import random
import re
import sys
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import numpy as np

from kerasbackup.anykeras import global_generators
from kerasbackup.parts.random import found_generators
from kerasbackup.parts.random.found_generators import FoundGenerators

# What Keras draws the order of arrays from.
ORDER = ("python", "numpy", "torch")


class Generators:
    """All global generators: Python's, NumPy's, torch's (CPU and CUDA),
    TensorFlow's (eager context and global generator), those of Keras 3 and
    tf_keras, and R's; and the generators that `found_generators` finds.

    Args:
        store: A `Store`, which knows R's generator.
        owned: Keras variables that are saved elsewhere, and whose generators do
            not count therefore.
        left: Generators that are saved elsewhere.
    """

    def __init__(
        self, store, owned: Iterable[Any] = (), left: Iterable[Any] = ()
    ):
        self._store = store
        self._found = FoundGenerators(owned, left)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all generators."""
        return (*_CHECKS, *self._found.names)

    def has(self, generator: Any) -> bool:
        """Whether it is a found generator, which is saved here."""
        return self._found.has(generator)

    def expect(self, states: dict[str, Any]) -> list[str]:
        """Finds the generators of a checkpoint, before anything is restored.

        Args:
            states: The newest states in the checkpoint.

        Returns:
            Lines about generators that cannot continue as before.
        """
        notes = self._found.expect(states)
        if _draws_in_pairs(states.get("r", "")):
            notes.append(
                "R draws normally distributed numbers in pairs (Box-Muller) "
                "and does not reveal whether one is left: the next ones may "
                "differ (see `RNGkind()`)"
            )
        return notes

    def capture(self) -> dict[str, Any]:
        """Their states, for JSON. Calls into R, which has one of them."""
        states = {
            "python": _python_state(random.getstate()),
            "numpy": _numpy_state(),
            "keras": global_generators.keras_state(),
            "r": self._store.r_seed(),
        }
        if "torch" in sys.modules:
            states["torch"] = _torch_states()
        if "tensorflow" in sys.modules:
            states["tensorflow"] = _tensorflow_states()
        of_tf_keras = global_generators.tf_keras_generator()
        if of_tf_keras is not None:
            states["tf_keras"] = _python_state(of_tf_keras.getstate())
        return states | self._found.capture()

    @staticmethod
    def capture_order() -> dict[str, Any]:
        """The states of those that Keras draws an order from (`ORDER`), for
        JSON. No call into R."""
        states = {
            "python": _python_state(random.getstate()),
            "numpy": _numpy_state(),
        }
        if "torch" in sys.modules:
            states["torch"] = _torch_states()
        return states

    def restore(
        self, states: dict[str, Any], only: tuple[str, ...] | None = None
    ) -> None:
        """Restores what `capture()` returned.

        A generator without a state, or whose library is not loaded now, is left
        alone.

        Args:
            states: What `capture()` returned.
            only: Names of the generators to restore; by default all.
        """
        setters = {
            "python": _restore_python,
            "numpy": _restore_numpy,
            "keras": global_generators.restore_keras,
            "r": self._store.set_r_seed,
            "torch": _restore_torch,
            "tensorflow": _restore_tensorflow,
            "tf_keras": _restore_tf_keras,
        }
        for name, setter in setters.items():
            if name in states and (only is None or name in only):
                setter(states[name])
        self._found.restore(states, only)


class IdleGenerators:
    """All generators except those that are in use elsewhere.

    Args:
        generators: A `Generators`.
        in_use: Callable that returns the names of the generators in use.
    """

    def __init__(self, generators: Generators, in_use: Callable[[], set[str]]):
        self._generators = generators
        self._in_use = in_use

    def capture(self) -> dict[str, Any]:
        """As `Generators` does."""
        left = self._in_use()
        states = self._generators.capture()
        return {name: states[name] for name in states if name not in left}

    def restore(
        self, states: dict[str, Any], only: tuple[str, ...] | None = None
    ) -> None:
        """As `Generators` does."""
        names = self._generators.names if only is None else only
        left = self._in_use()
        self._generators.restore(
            states, tuple(name for name in names if name not in left)
        )


def check(states: Any) -> None:
    """Validates a result of `Generators.capture()` that was read.

    Temporary generators are given the states, so that the real ones stay
    unchanged.

    Raises:
        KeyError, TypeError, ValueError: It is invalid.
    """
    for name, one in _CHECKS.items():
        if name in states:
            one(states[name])
    for name in states:
        if name.startswith(found_generators.PREFIX):
            found_generators.check(name, states[name])


def check_torch(text: str) -> None:
    """Raises `TypeError` or `ValueError` where `decode_torch()` would, or torch
    would not take what it gives."""
    global_generators.check_torch(_decode(text, np.uint8))


def encode_torch(state) -> str:
    """A `torch.ByteTensor` as text."""
    return _encode(state.numpy())


def decode_torch(text: str):
    """The `torch.ByteTensor` of a text."""
    return global_generators.torch_bytes(_decode(text, np.uint8))


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


def _check_python(state) -> None:
    random.Random().setstate(_from_python_state(state))
    if not (state[2] is None or isinstance(state[2], float)):
        raise TypeError("a state of Python's generator is damaged")


def _check_numpy(state) -> None:
    kind, keys, position, has_gauss, cached = state
    # NumPy does not check the position, and would read outside of the keys.
    if (
        kind != "MT19937"
        or len(_decode(keys, np.uint32)) != 624
        or type(position) is not int
        or not 0 <= position <= 624
        or has_gauss not in (0, 1)
        or not isinstance(cached, float)
    ):
        raise ValueError("the state of NumPy's generator is damaged")


def _check_keras(state) -> None:
    _check_integers(state, (2,), 0, 2**32)


def _check_r(text: str) -> None:
    # The length of a state, by its first number: the kind of generator.
    lengths = {0: 3, 1: 2, 2: 2, 3: 625, 4: 101, 6: 101, 7: 6}
    if text == "":
        return
    if not re.fullmatch(r"[0-9]{1,6}(,(NA|-?[0-9]{1,10}))+", text):
        raise ValueError("the state of R's generator is damaged")
    kind, *numbers = text.split(",")
    expected = lengths.get(int(kind) % 100, len(numbers))
    whole = [int(n) for n in numbers if n != "NA"]
    if len(numbers) != expected or any(abs(n) >= 2**31 for n in whole):
        raise ValueError("the state of R's generator is damaged")


def _draws_in_pairs(text: str) -> bool:
    """Whether that state of R's is one with `normal.kind = "Box-Muller"`."""
    return text != "" and int(text.split(",")[0]) // 100 % 100 == 2


def _check_torch(states) -> None:
    check_torch(states["cpu"])
    for text in states.get("cuda", []):
        _decode(text, np.uint8)


def _check_tensorflow(states) -> None:
    if states["eager"] is not None:
        _check_python(states["eager"])
    if states["global"] is not None:
        _check_integers(states["global"], (2, 3), -(2**63), 2**63)


def _restore_tf_keras(state) -> None:
    generator = global_generators.tf_keras_generator()
    if generator is not None:
        generator.setstate(_from_python_state(state))


def _check_integers(state, lengths, least, end) -> None:
    if state is None:
        return
    if len(state) not in lengths or not all(
        type(n) is int and least <= n < end for n in state
    ):
        raise ValueError("the state of a generator is damaged")


def _restore_numpy(state) -> None:
    kind, keys, position, has_gauss, cached = state
    keys = _decode(keys, np.uint32)
    np.random.set_state((kind, keys, position, has_gauss, cached))


def _torch_states() -> dict[str, Any]:
    states = global_generators.torch_states()
    return {
        kind: encode_torch(found)
        if kind == "cpu"
        else [encode_torch(one) for one in found]
        for kind, found in states.items()
    }


def _restore_torch(states) -> None:
    if "torch" in sys.modules:
        global_generators.restore_torch(
            decode_torch(states["cpu"]),
            [decode_torch(text) for text in states.get("cuda", [])],
        )


def _tensorflow_states() -> dict[str, Any]:
    eager, whole = global_generators.tensorflow_states()
    return {
        "eager": None if eager is None else _python_state(eager),
        "global": whole,
    }


def _restore_tensorflow(states) -> None:
    if "tensorflow" in sys.modules:
        eager = states["eager"]
        global_generators.restore_tensorflow(
            None if eager is None else _from_python_state(eager),
            states["global"],
        )


# By the name of a generator: what raises if a state of it is damaged.
_CHECKS = {
    "python": _check_python,
    "numpy": _check_numpy,
    "keras": _check_keras,
    "r": _check_r,
    "torch": _check_torch,
    "tensorflow": _check_tensorflow,
    "tf_keras": _check_python,
}
