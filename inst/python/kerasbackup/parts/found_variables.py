"""Saves variables that are neither in the model, its optimizers and metrics nor
in a callback. Examples are a variable in a closure of the loss, which a
callback raises each epoch, and one in an attribute of a schedule.

The search begins at the parts of the training and the names of the script, and
those variables are state that training changed. In another process, the
variable that is reached by the same path takes the state.
"""

import hashlib
import sys
from typing import Any

import numpy as np

from kerasbackup.anykeras import backend
from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import memory
from kerasbackup.anykeras import owned_variables
from kerasbackup.anykeras import tensors
from kerasbackup.anykeras.model_parts import layers_of
from kerasbackup.parts.objects import reachable
from kerasbackup.parts.part import Part
from kerasbackup.parts.variables import own_variables
from kerasbackup.store import values


class FoundVariables(Part):
    """The variables of one `fit()` that are in no model, metric or callback.

    Args:
        model: The `keras.Model` being trained.
        callbacks: The other callbacks.
        names: Dict from name to object, further names of the script.
    """

    name = "loose"
    is_put_again = True

    def __init__(
        self,
        model: Any,
        callbacks: list[Any],
        names: dict[str, Any] | None = None,
    ):
        # On other backends a step reads a variable whenever it runs.
        self._are_traced = backend.name(model) == "jax"
        self._all = {
            path: FoundVariable(variable)
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
        """Notes their values, before the first step is traced."""
        for one in self._all.values():
            one.traced = one.read()

    def capture(self, encoder: values.Encoder) -> dict[str, Any]:
        """The variables that training changed; the encoder gets the arrays."""
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

    def script_changes(self, saved: dict[str, Any], arrays) -> list[str]:
        return [
            f"variable {path}, which training had changed, was not found: it "
            "has the script's value"
            for path, (now, _) in saved.items()
            if path not in self._all
            or not self._all[path].is_like(values.decode(now, arrays))
        ]

    def restore(self, saved: dict[str, Any], arrays) -> list[str]:
        """Restores their values.

        Args:
            saved: What `capture()` returned.
            arrays: Callable from tensor name to a new array.

        Returns:
            Lines about the variables that were not found.
        """
        for path, encoded in saved.items():
            now, traced = (values.decode(one, arrays) for one in encoded)
            one = self._all.get(path)
            if one is not None and one.is_like(now):
                one.put(now)
                one.traced, one.is_known_to_move = traced, True
        return self.script_changes(saved, arrays)

    def swap_traced(self) -> list[tuple[Any, Any]]:
        """Gives each the value that the first step was traced with.

        Returns:
            The argument of `swap_back()`; empty if all had that value.
        """
        swapped = []
        if self._are_traced:
            for one in self._all.values():
                now = one.read()
                if not _equal(now, one.traced):
                    swapped.append((one, now))
                    one.put(one.traced)
        return swapped

    def swap_back(self, swapped: list[tuple[Any, Any]]) -> None:
        for one, value in swapped:
            one.put(value)


class FoundVariable:
    """One variable.

    Attributes:
        variable: The variable.
        traced: Array, its value when the first step was traced.
        is_known_to_move: Whether it is state even if it has its first value.
    """

    def __init__(self, variable: Any):
        self.variable = variable
        self.traced = self.read()
        self._begun = _digest(self.traced)
        self.is_known_to_move = False

    def read(self) -> np.ndarray:
        return memory.read(self.variable)

    def put(self, value: np.ndarray) -> None:
        memory.write(self.variable, value)

    def is_moved(self) -> bool:
        if not self.is_known_to_move:
            self.is_known_to_move = _digest(self.read()) != self._begun
        return self.is_known_to_move

    def is_like(self, value: np.ndarray) -> bool:
        now = self.read()
        return (now.shape, now.dtype) == (value.shape, value.dtype)


def check(saved: Any, tensors: dict[str, tuple]) -> None:
    """Validates a result of `FoundVariables.capture()` that was read.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is invalid.
    """
    for path, encoded in saved.items():
        found = values.check(encoded, tensors)
        if not isinstance(found, list) or len(found) != 2:
            raise ValueError(f"{path} has not two values")
        if not all(isinstance(one, np.ndarray) for one in found):
            raise TypeError(f"{path} is no array")


def is_variable(one: Any) -> bool:
    """Whether it is a variable of Keras or TensorFlow, or torch's parameter."""
    if kinds.is_variable(one):
        return True
    classes = []
    for module, path in (("tensorflow", "Variable"), ("torch", "nn")):
        loaded = getattr(sys.modules.get(module), path, None)
        classes.append(getattr(loaded, "Parameter", loaded))
    return isinstance(one, tuple(k for k in classes if isinstance(k, type)))


def _find(model, callbacks, names) -> dict[str, Any]:
    roots = {**reachable.parts_of(model, callbacks), **names}
    ours = {id(one) for one in (model, *layers_of(model))}
    found = reachable.walk(
        roots,
        is_variable,
        lambda one: (
            id(one) not in ours
            and (kinds.is_layer(one) or kinds.is_optimizer(one))
        ),
    )
    own = own_variables(model)
    # A variable in an attribute of a callback is saved with the callback,
    # unless the loss uses it too: then its value in the traced step is needed.
    held = {id(value) for one in callbacks for value in vars(one).values()}
    left = {
        path: variable
        for path, variable in found.items()
        if id(variable) not in own
        and not (path.startswith("callback ") and id(variable) in held)
        and _has_value(variable)
    }
    if left:
        # The script may name other models, whose variables do not count.
        owned = owned_variables.find()
        left = {p: one for p, one in left.items() if id(one) not in owned}
    return left


def _has_value(variable: Any) -> bool:
    try:
        return tensors.to_numpy(variable) is not None
    except (RuntimeError, TypeError, ValueError):
        # It is not initialized, or a training that was interrupted without this
        # callback left it without a value. So nothing trains with it.
        return False


def _digest(array: np.ndarray) -> bytes:
    return hashlib.blake2b(array.tobytes()).digest()


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()
