"""Saves and restores the state of the other callbacks.

A callback with `get_state()` and `set_state()` is asked for its state. The
state of any other consists of the attributes that changed since training began
(`object_states`). The others are its configuration, which the script sets and
may have changed since. Variables in its attributes, and those of layers and
metrics there, are saved if they are not the model's. A callback in an attribute
counts as if it were in the list.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasbackup.anykeras import callbacks as callbacks_of_keras
from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import memory
from kerasbackup.anykeras import optimizer_parts
from kerasbackup.anykeras.callbacks import model_of
from kerasbackup.parts import script
from kerasbackup.parts.objects import no_state
from kerasbackup.parts.objects import object_builds
from kerasbackup.parts.objects import object_kinds
from kerasbackup.parts.objects.object_states import ObjectStates
from kerasbackup.parts.objects.object_states import with_place
from kerasbackup.parts.part import Part
from kerasbackup.parts.variables import own_variables
from kerasbackup.store import errors
from kerasbackup.store import values


class CallbackStates(Part):
    """The states of the callbacks of one `fit()`.

    Args:
        callbacks: List of the callbacks whose state counts.
        is_captured: Callable: whether another part of the checkpoint has an
            object, a random generator or a dataset; by default none has.
    """

    name = "callbacks"
    is_put_again = True

    def __init__(
        self,
        callbacks: list[Any],
        is_captured: Callable[[Any], bool] = lambda one: False,
    ):
        # A callback in an attribute of another may have no model.
        models = [model_of(callback) for callback in callbacks]
        self._model = next((m for m in models if m is not None), None)
        self._callbacks = _named(callbacks)
        self._attributes = ObjectStates(
            {
                name: callback
                for name, callback in self._callbacks.items()
                if not _has_protocol(callback)
            },
            lambda callback: dict(_fields(callback)),
            # Seed generators are saved with the variables.
            lambda one: kinds.is_seed_generator(one) or is_captured(one),
        )
        # Texts, without arrays.
        self._configurations = {
            name: {} if _has_protocol(callback) else _configuration(callback)
            for name, callback in self._callbacks.items()
        }
        self.not_saved = []

    @classmethod
    def begin(cls, training) -> "CallbackStates":
        is_generator, is_dataset = training.is_generator, training.is_dataset
        return cls(
            training.callbacks,
            # Datasets have their own place in a checkpoint.
            lambda one: is_generator(one) or is_dataset(one),
        )

    @property
    def callbacks(self) -> list[Any]:
        """All callbacks, also those in attributes of others."""
        return list(self._callbacks.values())

    def capture(self, encoder: values.Encoder) -> dict[str, Any]:
        """The states as JSON; their arrays go to the encoder."""
        states = {}
        self.not_saved = []
        attributes = self._attributes.capture()
        for name, callback in self._callbacks.items():
            if _has_protocol(callback):
                states[name] = self._encode_protocol(name, callback, encoder)
                continue
            unknown = list(self._attributes.unsaved[name])
            changed = {}
            for attribute, value in attributes[name].items():
                try:
                    changed[attribute] = encoder.encode(
                        value, f"callbacks/{name}/{attribute}"
                    )
                except values.Unsaveable:
                    unknown.append(attribute)
            unknown += self._strangers(callback)
            variables = self._encode_variables(name, callback, encoder, unknown)
            self.not_saved += [f"{name}.{attribute}" for attribute in unknown]
            states[name] = {
                "changed": changed,
                "variables": variables,
                "configuration": {
                    attribute: text
                    for attribute, text in self._configurations[name].items()
                    if not self._attributes.has_changed(name, attribute)
                },
            }
            callbacks_of_keras.flush_events(callback)
            if callbacks_of_keras.is_csv_logger(callback):
                size = callbacks_of_keras.flushed_size(callback)
                states[name]["bytes"] = size
                states[name]["file"] = callback.filename
        return states

    @staticmethod
    def check(saved, tensors, place) -> None:
        check_states(saved, tensors)

    def check_owners(self, states: dict[str, Any]) -> None:
        """Raises `ValueError` if a state has a name that cannot be state of its
        callback: a method, or an attribute that Keras sets."""
        for saved, name in self._partners(states).items():
            callback, state = self._callbacks[name], states[saved]
            skipped = callbacks_of_keras.not_state_of(callback)
            for field in ("attributes", "changed"):
                for attribute in state.get(field, {}):
                    if attribute in skipped or not object_kinds.is_state(
                        type(callback), attribute
                    ):
                        raise ValueError(f"{name}.{attribute} is no state")

    def restore(self, states: dict[str, Any], arrays) -> list[str]:
        """Restores the states.

        Args:
            states: What `capture()` returned.
            arrays: Callable from tensor name to a new array.

        Returns:
            Lines about what could not be restored, and those of
            `script_changes()`.
        """
        # Before the states change what is compared.
        changes = self.script_changes(states, arrays)
        partners = self._partners(states)
        notes = [
            f"callback {name}: {attribute} could not be restored"
            for name, attribute in self._restore_attributes(
                states, partners, arrays
            )
        ]
        for saved, state in states.items():
            name = partners.get(saved)
            if name is None:
                continue
            callback = self._callbacks[name]
            if "protocol" in state:
                if hasattr(callback, "set_state"):
                    callback.set_state(values.decode(state["protocol"], arrays))
                continue
            saved_variables = state.get("variables", {})
            notes += [
                f"callback {name}: {attribute} could not be restored"
                for attribute in _assign(
                    callback,
                    self._model,
                    {
                        attribute: values.decode(value, arrays)
                        for attribute, value in saved_variables.items()
                    },
                )
            ]
        return notes + changes

    def script_changes(self, states: dict[str, Any], arrays) -> list[str]:
        """Lines about callbacks that were added, removed, moved or configured
        differently. Callbacks with neither state nor settings are left out."""
        partners = self._partners(states)
        notes = []
        for saved, state in states.items():
            name = partners.get(saved)
            if name is not None:
                notes += [
                    change.within(f"callback {name}")
                    for change in script.differences(
                        state.get("configuration", {}),
                        self._configurations[name],
                        _was_and_is,
                    )
                ]
                continue
            fields = ("protocol", "attributes", "changed", "variables")
            if any(state.get(field) for field in fields):
                notes.append(
                    f"the checkpoint's state of callback {saved} is not used, "
                    "because no callback of the script matches it"
                )
            elif state.get("configuration"):
                notes.append(
                    f"there was a callback {saved} {script.THEN}, and there is "
                    "none now"
                )
        kept = set(partners.values())
        for name, callback in self._callbacks.items():
            if _has_protocol(callback):
                has_any = callback.get_state()
            else:
                has_any = any(
                    object_kinds.kind_of(value) != "fixed"
                    for _, value in _fields(callback)
                ) or _variables(callback, self._model)
            if name not in kept and has_any:
                notes.append(
                    f"callback {name} starts without a state, because none in "
                    "the checkpoint matches it"
                )
        places = [n for n in self._callbacks if n in kept]
        if places != list(partners.values()):
            notes.append(
                f"the callbacks are in another order than {script.THEN}: "
                f"{', '.join(places)}"
            )
        return notes

    def _restore_attributes(self, states, partners, arrays):
        """The callbacks and attributes that could not be restored."""
        captured = {}
        for saved, state in states.items():
            captured[saved] = {
                attribute: values.decode(value, arrays, has_tags=True)
                for attribute, value in state.get("changed", {}).items()
            }
            # The form that the first version of this package wrote.
            for attribute, value in state.get("attributes", {}).items():
                captured[saved][attribute] = with_place(
                    (saved, attribute), values.decode(value, arrays)
                )
        kept = {
            saved: name
            for saved, name in partners.items()
            if not _has_protocol(self._callbacks[name])
        }
        return self._attributes.restore(captured, kept)

    def _partners(self, states: dict[str, Any]) -> dict[str, str]:
        """For each saved name the name of the same callback today. It is of the
        same class, and one with the same settings is preferred."""
        partners = {}
        for wanted in (self._is_set_alike, self._watches_the_same):
            for saved, state in states.items():
                if saved in partners:
                    continue
                for name in self._callbacks:
                    if (
                        _kind(name) == _kind(saved)
                        and name not in partners.values()
                        and wanted(name, state.get("configuration", {}))
                    ):
                        partners[saved] = name
                        break
        return {name: partners[name] for name in states if name in partners}

    def _is_set_alike(self, name: str, configuration: dict[str, str]) -> bool:
        now = self._configurations[name]
        return all(
            now.get(attribute) == text
            for attribute, text in configuration.items()
        )

    def _watches_the_same(
        self, name: str, configuration: dict[str, str]
    ) -> bool:
        # The best value of one log does not apply to another log.
        monitor = configuration.get("monitor")
        return monitor in (None, self._configurations[name].get("monitor"))

    def _strangers(self, callback) -> list[str]:
        """The attributes that hold an own optimizer, whose variables may not
        exist yet when training is resumed, or a callback that did not exist
        when training began."""
        known = [id(one) for one in self._callbacks.values()]
        names = []
        for attribute, value in _of_keras(callback):
            if kinds.is_optimizer(value):
                own = _own(self._model)
                if any(
                    id(variable) not in own
                    for variable in optimizer_parts.variables(value)
                ):
                    names.append(attribute)
            elif _is_inner(callback, value) and id(value) not in known:
                names.append(attribute)
        return names

    def _encode_variables(self, name, callback, encoder, unsaved):
        encoded = {}
        for attribute, variables in _variables(callback, self._model).items():
            try:
                encoded[attribute] = encoder.encode(
                    [memory.read(variable) for variable in variables],
                    f"callbacks/{name}/{attribute}",
                )
            except values.Unsaveable:
                unsaved.append(attribute)
        return encoded

    def _encode_protocol(self, name, callback, encoder):
        try:
            state = encoder.encode(callback.get_state(), f"callbacks/{name}")
        except values.Unsaveable as e:
            self.not_saved.append(f"{name}.get_state() ({e})")
            return {}
        return {"protocol": state}


def check_states(states: Any, tensors: dict[str, tuple]) -> None:
    """Validates a result of `CallbackStates.capture()` that was read.

    Args:
        states: What was read.
        tensors: Dict from name to `(dtype, shape, bytes)`, the existing
            tensors.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is invalid.
    """
    for name, state in states.items():
        size = state.get("bytes")
        if size is not None and not values.is_count(size):
            raise ValueError(f"{name} has no size of a file")
        if not isinstance(state.get("file", ""), str):
            raise TypeError(f"{name} has no name of a file")
        values.check_texts(state.get("configuration", {}))
        values.check(state.get("protocol"), tensors)
        for value in state.get("attributes", {}).values():
            values.check(value, tensors)
        for value in state.get("changed", {}).values():
            object_builds.check(values.check(value, tensors, has_tags=True))
        for value in state.get("variables", {}).values():
            found = values.check(value, tensors)
            if not isinstance(found, list) or not all(
                isinstance(one, np.ndarray) for one in found
            ):
                raise TypeError(f"{name} has variables that are no arrays")


def continue_logs(callbacks, states: dict[str, Any]) -> None:
    """Makes every CSVLogger continue its file at the size of the checkpoint.

    To be called before the callbacks' `on_train_begin`, in which a CSVLogger
    empties its file. Rows of epochs that will be repeated are cut off. A file
    with another name is left alone.
    """
    sizes = {
        state["file"]: state["bytes"]
        for state in states.values()
        if state.get("file") is not None and state.get("bytes") is not None
    }
    for callback in _named(callbacks).values():
        if (
            not callbacks_of_keras.is_csv_logger(callback)
            or callback.filename not in sizes
        ):
            continue
        if not os.path.isfile(callback.filename):
            continue
        size = sizes[callback.filename]
        if os.path.getsize(callback.filename) >= size:
            os.truncate(callback.filename, size)
        callback.append = True


def _was_and_is(name: str, before: str, now: str) -> str:
    return script.was_and_is(name, _as_python(before), _as_python(now))


def _as_python(text: str) -> str:
    """The description of a value as Python writes the value, where it was
    encoded: a tuple, a set, bytes."""
    if '{"$' not in text:
        return text
    try:
        return repr(values.decode(json.loads(text), {}.__getitem__))
    except errors.DAMAGE:
        return text


def _named(callbacks) -> dict[str, Any]:
    """Callbacks by class, numbered within a class; then the callbacks in their
    attributes, by their owner's class and their own."""
    names = {}
    seen = {id(callback) for callback in callbacks}
    rest = [(type(callback).__name__, callback) for callback in callbacks]
    while rest:
        kind, callback = rest.pop(0)
        count = sum(1 for name in names if _kind(name) == kind)
        names[f"{kind}~{count}" if count else kind] = callback
        if _has_protocol(callback):
            continue
        for attribute, value in _of_keras(callback):
            if _is_inner(callback, value) and id(value) not in seen:
                seen.add(id(value))
                inner = f"{kind}.{attribute}:{type(value).__name__}"
                rest.append((inner, value))
    return names


def _is_inner(callback, value) -> bool:
    """Whether a value in an attribute is a callback whose state counts."""
    return (
        callbacks_of_keras.is_callback(value)
        and value is not getattr(model_of(callback), "history", None)
        and not callbacks_of_keras.is_progress_bar(value)
        # The package's own callbacks save no state this way.
        and type(value).__module__.split(".")[0] != __name__.split(".")[0]
    )


def _own(model) -> set[int]:
    return own_variables(model) if model is not None else set()


def _fields(callback) -> list[tuple[str, Any]]:
    skipped = callbacks_of_keras.not_state_of(callback)
    found = object_kinds.of_class(type(callback)) | vars(callback)
    return [
        (attribute, value)
        for attribute, value in found.items()
        if attribute not in skipped
    ]


def _of_keras(callback) -> list[tuple[str, Any]]:
    """The objects of Keras' in its attributes, with their places."""
    return [
        found
        for attribute, value in _fields(callback)
        for found in object_kinds.of_keras(value, attribute)
    ]


def _variables(callback, model) -> dict[str, list]:
    """By attribute, the variables that are not the model's."""
    found = {}
    own = None
    for attribute, value in _of_keras(callback):
        for place, variables in _held(attribute, value):
            if variables and own is None:
                own = _own(model)
            others = [one for one in variables if id(one) not in own]
            if others:
                found[place] = others
    return found


def _held(attribute: str, value: Any) -> list[tuple[str, list]]:
    if kinds.is_seed_generator(value):
        return [(attribute, [value.state])]
    if kinds.is_metric(value):
        return [(attribute, list(value.variables))]
    if kinds.is_layer(value):
        optimizer = getattr(value, "optimizer", None)
        return [
            (attribute, list(value.variables)),
            (
                f"{attribute}.optimizer",
                list(optimizer_parts.variables(optimizer))
                if kinds.is_optimizer(optimizer)
                else [],
            ),
        ]
    return [(attribute, [value])] if object_kinds.is_variable(value) else []


def _assign(callback, model, saved: dict[str, list]) -> list[str]:
    """Restores the variables in its attributes.

    Returns:
        The attributes for which that is not possible.
    """
    now = _variables(callback, model)
    failed = [attribute for attribute in saved if attribute not in now]
    for attribute, variables in now.items():
        arrays = saved.get(attribute, [])
        kinds = [(one.shape, one.dtype) for one in map(memory.read, variables)]
        if kinds != [(one.shape, one.dtype) for one in arrays]:
            failed.append(attribute)
            continue
        for variable, array in zip(variables, arrays):
            memory.write(variable, array)
    return failed


def _kind(name: str) -> str:
    return name.split("~")[0]


def _has_protocol(callback) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _configuration(callback) -> dict[str, str]:
    """Its attributes as text, without arrays."""
    found = {}
    for attribute, value in _fields(callback):
        if object_kinds.is_large(value) or no_state.is_of_run(attribute, value):
            continue
        try:
            encoded = values.Encoder(is_plain=True).encode(value, attribute)
        except values.Unsaveable:
            continue
        found[attribute] = script.brief(encoded)
    return found
