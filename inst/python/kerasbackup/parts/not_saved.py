"""Detects model state outside of `keras.Variable`s, so that the user can be
warned that it is not saved.

Such state is in optimizers that `further_optimizers` does not find, and in
variables and random generators of the backend or of NumPy. The search runs when
a checkpoint is made.
"""

import random
import sys
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import optimizer_parts
from kerasbackup.anykeras import tensors
from kerasbackup.anykeras.model_parts import given_metric_objects
from kerasbackup.anykeras.model_parts import layers_of
from kerasbackup.parts.found_variables import FoundVariables
from kerasbackup.parts.part import Part
from kerasbackup.parts.part import Place
from kerasbackup.parts.variables import own_variables


class ModelState(Part):
    """Has no field in a checkpoint: it only names what is not saved.

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
    """The state of one model that no checkpoint holds. To be made when training
    begins.

    Args:
        model: The `keras.Model` being trained.
        is_captured: Whether a random generator is saved by another part of the
            checkpoint; by default none is.
    """

    def __init__(
        self, model, is_captured: Callable[[Any], bool] = lambda one: False
    ):
        self._model = model
        self._is_captured = is_captured
        # By id, together with the objects, because the id of a deleted object
        # may be used again.
        self._seen = {}
        for _, owner in _owners(model):
            self._see(owner)

    def find(self) -> list[str]:
        """The names of such state that exists now."""
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
                    # Keras' own lists are private and long, and hold layers.
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
        if not kinds.is_optimizer(one):
            return id(one) not in own and not self._is_captured(one)
        if all(
            id(variable) in own for variable in optimizer_parts.variables(one)
        ):
            return False
        # A model inside the model may have been compiled and trained by itself
        # before.
        return owner is self._model or (
            self._seen[id(owner)].iterations != _iterations(one)
        )


class _Seen:
    """An owner of attributes, and the step that its optimizer was at."""

    def __init__(self, owner, is_model: bool):
        self._owner = owner
        # The model's own optimizer counts at any step.
        optimizer = getattr(owner, "optimizer", None)
        self.iterations = _iterations(None if is_model else optimizer)


def _owners(model) -> Iterator[tuple[str, Any]]:
    """The objects whose attributes count, with their names."""
    yield "model", model
    for layer in layers_of(model):
        if layer is not model:
            yield f"layer {layer.name}", layer
    if getattr(model, "optimizer", None) is not None:
        yield "optimizer", model.optimizer
    for metric in given_metric_objects(model):
        yield f"metric {metric.name}", metric


class _Roles(dict):
    """The role of a class's objects, by class. It is cached, because a layer
    has about sixty attributes of few classes."""

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
    """The classes of objects with a state of their own. A backend that is not
    imported has no such objects."""
    classes = [
        *kinds.optimizers(),
        np.random.Generator,
        np.random.RandomState,
        random.Random,
    ]
    tensorflow = sys.modules.get("tensorflow")
    if hasattr(tensorflow, "Variable"):
        classes += [tensorflow.Variable, tensorflow.random.Generator]
    torch = sys.modules.get("torch")
    if hasattr(torch, "Generator"):
        classes.append(torch.Generator)
    return tuple(classes)


def _iterations(optimizer) -> int | None:
    if kinds.is_optimizer(optimizer):
        return int(tensors.to_numpy(optimizer.iterations))
    return None
