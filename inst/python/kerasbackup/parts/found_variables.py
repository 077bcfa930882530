"""Saves the variables that neither the model, its optimizers and metrics nor
another callback has: one in a closure of the loss that a callback raises each
epoch, or in a field of a schedule.

They are found from the parts of the training and the names of the script, and
those that training moved are state. In another process the one that is reached
on the same path takes the place.
"""

import gc
import hashlib
import sys
from typing import Any

import keras
import numpy as np

from kerasbackup.keras3 import memory
from kerasbackup.parts.objects import reachable
from kerasbackup.parts.part import Part
from kerasbackup.parts.variables import AnyVariable
from kerasbackup.parts.variables import own_variables
from kerasbackup.store import values

_CLOSED = (keras.Layer, keras.optimizers.Optimizer)
_OWNERS = (*_CLOSED, keras.Metric)


class FoundVariables(Part):
    """The variables of one `fit()` that are nobody's.

    Args:
        model: The `keras.Model` being trained.
        callbacks: The other callbacks.
        names: Dict from name to object, what else the script names.
    """

    name = "loose"
    is_put_again = True

    def __init__(
        self,
        model: keras.Model,
        callbacks: list[Any],
        names: dict[str, Any] | None = None,
    ):
        self._all = {
            path: _Loose(variable)
            for path, variable in _find(model, callbacks, names or {}).items()
        }

    @classmethod
    def begin(cls, training) -> "FoundVariables":
        return cls(training.model, training.callbacks, training.names)

    @staticmethod
    def check(saved, tensors, place) -> None:
        check(saved, tensors)

    def has(self, variable: Any) -> bool:
        """Whether it is one of them."""
        return any(one.variable is variable for one in self._all.values())

    def note_traced(self) -> None:
        """To be called before the first step is traced."""
        for one in self._all.values():
            one.traced = one.read()

    def capture(self, encoder: values.Encoder) -> dict[str, Any]:
        """Those that training moved; their arrays go to the encoder."""
        captured = {}
        for number, (path, one) in enumerate(self._all.items()):
            if one.is_moved():
                captured[path] = [
                    encoder.encode(array, f"loose/{number}/{name}")
                    for name, array in (
                        ("now", one.read()),
                        ("traced", one.traced),
                    )
                ]
        return captured

    def restore(self, saved: dict[str, Any], arrays) -> list[str]:
        """Puts them back.

        Args:
            saved: What `capture()` gave.
            arrays: Callable from tensor name to a new array.

        Returns:
            What is no longer as it was.
        """
        notes = []
        for path, encoded in saved.items():
            now, traced = (values.decode(one, arrays) for one in encoded)
            one = self._all.get(path)
            if one is None or not one.is_like(now):
                notes.append(
                    f"the variable {path}, which training changed, was not "
                    "found: it has the script's value"
                )
                continue
            one.put(now)
            one.traced, one.is_known_to_move = traced, True
        return notes

    def swap_traced(self) -> list[tuple[Any, Any]]:
        """Gives each the value that the first step was traced with.

        Returns:
            What `swap_back()` takes; empty where none had another value.
        """
        swapped = []
        if keras.backend.backend() == "jax":
            # Elsewhere a step reads a variable whenever it runs.
            for one in self._all.values():
                now = one.read()
                if not _equal(now, one.traced):
                    swapped.append((one, now))
                    one.put(one.traced)
        return swapped

    def swap_back(self, swapped: list[tuple[Any, Any]]) -> None:
        for one, value in swapped:
            one.put(value)


class _Loose:
    """One variable.

    Attributes:
        traced: Array, its value when the first step was traced.
        is_known_to_move: Whether it is state, whatever its value is.
    """

    def __init__(self, variable: Any):
        self.variable = variable
        self.traced = self.read()
        self._begun = _digest(self.traced)
        self.is_known_to_move = False

    def read(self) -> np.ndarray:
        variable = self.variable
        if hasattr(variable, "detach"):
            variable = variable.detach().cpu()
        return np.array(keras.ops.convert_to_numpy(variable), order="C")

    def put(self, value: np.ndarray) -> None:
        if hasattr(self.variable, "assign"):
            self.variable.assign(value)
        else:
            memory.assign_parameter(self.variable, value)

    def is_moved(self) -> bool:
        if not self.is_known_to_move:
            self.is_known_to_move = _digest(self.read()) != self._begun
        return self.is_known_to_move

    def is_like(self, value: np.ndarray) -> bool:
        now = self.read()
        return (now.shape, now.dtype) == (value.shape, value.dtype)


def check(saved: Any, tensors: dict[str, tuple]) -> None:
    """Raises where it is not what `FoundVariables.capture()` gives.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    for path, encoded in saved.items():
        found = values.check(encoded, tensors)
        if not isinstance(found, list) or len(found) != 2:
            raise ValueError(f"{path} has not two values")
        if not all(isinstance(one, np.ndarray) for one in found):
            raise TypeError(f"{path} is no array")


def is_variable(one: Any) -> bool:
    """Whether it is a variable of Keras', TensorFlow's or torch's."""
    if isinstance(one, AnyVariable):
        return True
    kinds = []
    for module, path in (("tensorflow", "Variable"), ("torch", "nn")):
        loaded = getattr(sys.modules.get(module), path, None)
        kinds.append(getattr(loaded, "Parameter", loaded))
    return isinstance(one, tuple(k for k in kinds if isinstance(k, type)))


def _find(model, callbacks, names) -> dict[str, Any]:
    roots = {**reachable.parts_of(model, callbacks), **names}
    layers = getattr(model, "_flatten_layers", list)()
    ours = {id(one) for one in (model, *layers)}
    found = reachable.walk(
        roots,
        is_variable,
        lambda one: id(one) not in ours and isinstance(one, _CLOSED),
    )
    own = own_variables(model)
    # What a callback has in an attribute is saved with the callback. Where the
    # loss uses it too, the value that the step was traced with counts.
    held = {id(value) for one in callbacks for value in vars(one).values()}
    left = {
        path: variable
        for path, variable in found.items()
        if id(variable) not in own
        and not (path.startswith("callback ") and id(variable) in held)
        and _has_value(variable)
    }
    if left:
        # Those of other models that the script names are none of ours.
        owned = _owned_by_anyone()
        left = {p: one for p, one in left.items() if id(one) not in owned}
    return left


def _has_value(variable: Any) -> bool:
    try:
        return keras.ops.convert_to_numpy(variable) is not None
    except (RuntimeError, TypeError, ValueError):
        # Not initialized yet, or left without a value by a training that was
        # interrupted without this callback: nothing trains with it.
        return False


def _owned_by_anyone() -> set[int]:
    """By id, the variables that any layer, metric or optimizer has."""
    owned = set()
    for one in gc.get_objects():
        # By its class: what an object says of it may be anything.
        if issubclass(type(one), _OWNERS):
            for name in ("_trainable_variables", "_non_trainable_variables"):
                owned.update(map(id, vars(one).get(name, ())))
            owned.update(map(id, vars(one).get("_variables", ())))
    return owned


def _digest(array: np.ndarray) -> bytes:
    return hashlib.blake2b(array.tobytes(), digest_size=16).digest()


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()
