"""Owns what of a model's state no `keras.Variable` holds: telling that there is
some, as it is in no checkpoint.

That are optimizers that `further_optimizers` does not find, and variables and
generators of the backend's own or NumPy's. Looked at when a checkpoint is made,
never between.

May not touch variables, other callbacks, hooks or files.
"""

import random
import sys
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbackup.parts.found_variables import FoundVariables
from kerasbackup.parts.part import Part
from kerasbackup.parts.part import Place
from kerasbackup.parts.variables import own_variables


class ModelState(Part):
    """Has no field in a checkpoint: it only tells what is missing there.

    Args:
        unseen: An `UnseenState`.
        place: A `Place`, that of the save under way.
    """

    name = "model_state"
    missing = None

    def __init__(self, unseen: "UnseenState", place: Place):
        self._unseen = unseen
        self._place = place
        self._looked_at = None
        self.not_saved = []

    @classmethod
    def begin(cls, training) -> "ModelState":
        is_generator = training.is_generator
        is_found = training.made[FoundVariables.name].has
        unseen = UnseenState(
            training.model, lambda one: is_generator(one) or is_found(one)
        )
        return cls(unseen, training.place)

    def capture(self, encoder) -> None:
        """Looks once an epoch: there may be many layers."""
        if self._place.epoch != self._looked_at:
            self._looked_at = self._place.epoch
            self.not_saved = self._unseen.find()

    @staticmethod
    def check(saved, tensors, place) -> None:
        pass

    def restore(self, saved, arrays) -> list[str]:
        return []


class UnseenState:
    """What of one model no checkpoint holds. To be made when training begins.

    Args:
        model: The `keras.Model` being trained.
        is_captured: Whether a generator of random numbers is captured, whoever
            has it; by default none is.
    """

    def __init__(
        self, model, is_captured: Callable[[Any], bool] = lambda one: False
    ):
        self._model = model
        self._is_captured = is_captured
        # By id; with the owners, since ids are used again.
        self._seen = {}
        for _, owner in _owners(model):
            self._see(owner)

    def find(self) -> list[str]:
        """The names of what there is now."""
        found = []
        suspects = []
        role_of = _Roles()
        for label, owner in _owners(self._model):
            if id(owner) not in self._seen:
                self._see(owner)
            for name, value in vars(owner).items():
                role = role_of[type(value)]
                if role == "state":
                    suspects.append((f"{label}.{name}", value, owner))
                elif role == "items" and not name.startswith("_"):
                    # Keras' own lists are private, long, and hold layers.
                    suspects += [
                        (f"{label}.{name}[{place!r}]", item, owner)
                        for place, item in _items(value)
                        if role_of[type(item)] == "state"
                    ]
        if suspects:
            own = own_variables(self._model)
            found += [
                text
                for text, one, owner in suspects
                if self._is_unsaved(one, owner, own)
            ]
        return list(dict.fromkeys(found))

    def _see(self, owner) -> None:
        self._seen[id(owner)] = _Seen(owner, owner is self._model)

    def _is_unsaved(self, one, owner, own: set[int]) -> bool:
        if not isinstance(one, keras.optimizers.Optimizer):
            return id(one) not in own and not self._is_captured(one)
        if all(id(variable) in own for variable in one.variables):
            return False
        # A model inside the model may have been compiled long ago, and not be
        # trained by itself any more.
        return owner is self._model or (
            self._seen[id(owner)].iterations != _iterations(one)
        )


class _Seen:
    """What an owner of attributes was like."""

    def __init__(self, owner, is_model: bool):
        self._owner = owner
        # Of a model inside the model. That of the model itself counts anyway.
        optimizer = getattr(owner, "optimizer", None)
        self.iterations = _iterations(None if is_model else optimizer)


def _owners(model) -> Iterator[tuple[str, Any]]:
    """Whose attributes count, each with its name."""
    yield "model", model
    for layer in getattr(model, "_flatten_layers", list)():
        if layer is not model:
            yield f"layer {layer.name}", layer
    if getattr(model, "optimizer", None) is not None:
        yield "optimizer", model.optimizer
    # Those that the script made: what Keras makes of a name counts nothing.
    compiled = getattr(model, "_compile_metrics", None)
    for field in ("_user_metrics", "_user_weighted_metrics"):
        for metric in keras.tree.flatten(getattr(compiled, field, None)):
            if isinstance(metric, keras.Metric):
                yield f"metric {metric.name}", metric


class _Roles(dict):
    """What the values of a class may be, by class: a layer has some sixty
    attributes of few classes."""

    def __init__(self):
        super().__init__()
        self._states = _states()

    def __missing__(self, kind: type) -> str | None:
        role = None
        if issubclass(kind, self._states):
            role = "state"
        elif issubclass(kind, (list, tuple, dict)):
            role = "items"
        self[kind] = role
        return role


def _items(value):
    return value.items() if isinstance(value, dict) else enumerate(value)


def _states() -> tuple[type, ...]:
    """The classes of what has a state of its own. A backend that nobody
    imported has nothing here."""
    kinds = [
        keras.optimizers.Optimizer,
        np.random.Generator,
        np.random.RandomState,
        random.Random,
    ]
    tensorflow = sys.modules.get("tensorflow")
    if hasattr(tensorflow, "Variable"):
        kinds += [tensorflow.Variable, tensorflow.random.Generator]
    torch = sys.modules.get("torch")
    if hasattr(torch, "Generator"):
        kinds.append(torch.Generator)
    return tuple(kinds)


def _iterations(optimizer) -> int | None:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return int(keras.ops.convert_to_numpy(optimizer.iterations))
    return None
