"""Owns the state of the other callbacks: what of it is saved and put back.

A callback that offers `get_state()` and `set_state()` is asked. Of any other,
those attributes are saved that differ from what they were when training began:
they are its state. What did not change is its configuration, which the script
sets, today perhaps to something else.

May not touch hooks or files, but for the logs of CSVLogger and TensorBoard.
"""

import inspect
import io
import os
import types
from typing import Any

import keras

from kerasbackup import script
from kerasbackup import values
from kerasbackup.variables import AnyVariable

# Set by Keras, or made anew in every process.
NOT_STATE = {"_model", "model", "params", "validation_data"}
NOT_STATE_OF = {
    "CSVLogger": {"append", "append_header", "csv_file", "keys", "writer"},
    "TensorBoard": {
        "_batch_start_time",
        "_batch_trace_context",
        "_epoch_start_time",
        "_should_write_train_graph",
        "_summary_module",
        "_train_accumulated_time",
        "_writers",
    },
}


class CallbackStates:
    """The states of the callbacks of one `fit()`.

    Args:
        callbacks: List of those whose state counts.

    Attributes:
        unsaved: List of strings, what could not be saved.
    """

    def __init__(self, callbacks: list[keras.callbacks.Callback]):
        self._callbacks = _named(callbacks)
        self._base = {
            name: {} if _has_protocol(callback) else _attributes(callback)[0]
            for name, callback in self._callbacks.items()
        }
        # As text, and arrays are not compared.
        self._configurations = {
            name: {
                attribute: script.brief(encoded)
                for attribute, (encoded, has_arrays) in base.items()
                if not has_arrays
            }
            for name, base in self._base.items()
        }
        self.unsaved = []

    def capture(self, encoder: values.Encoder) -> dict[str, Any]:
        """The states as JSON; their arrays go to the encoder."""
        states = {}
        self.unsaved = []
        for name, callback in self._callbacks.items():
            if _has_protocol(callback):
                states[name] = self._encode_protocol(name, callback, encoder)
                continue
            attributes, unknown = _attributes(callback)
            self.unsaved += [f"{name}.{attribute}" for attribute in unknown]
            changed = {}
            for attribute, (encoded, has_arrays) in attributes.items():
                # Arrays are not compared: what has some is always saved.
                if has_arrays or self._base[name].get(attribute) != (
                    encoded,
                    False,
                ):
                    changed[attribute] = encoder.encode(
                        getattr(callback, attribute),
                        f"callbacks/{name}/{attribute}",
                    )
            states[name] = {
                "attributes": changed,
                "configuration": {
                    attribute: text
                    for attribute, text in self._configurations[name].items()
                    if attribute not in changed
                },
            }
            _flush_events(callback)
            if _is_csv_logger(callback):
                states[name]["bytes"] = _flushed_size(callback)
                states[name]["file"] = callback.filename
        return states

    def check(self, states: dict[str, Any]) -> None:
        """Raises `ValueError` where a state has what is no state of its
        callback: a method, or what Keras sets."""
        for saved, name in self._partners(states).items():
            callback, state = self._callbacks[name], states[saved]
            if "protocol" in state:
                continue
            skipped = _skipped(callback)
            for attribute in state.get("attributes", {}):
                known = inspect.getattr_static(type(callback), attribute, None)
                if (
                    attribute in skipped
                    or attribute.startswith("__")
                    or callable(known)
                    or hasattr(known, "__get__")
                ):
                    raise ValueError(f"{name}.{attribute} is no state")

    def restore(self, states: dict[str, Any], arrays) -> list[str]:
        """Puts states back.

        Args:
            states: What `capture()` gave.
            arrays: Callable from tensor name to a new array.

        Returns:
            What is no longer as it was: callbacks that came, went, changed
            places or are set otherwise. Of one that has neither a state nor a
            setting nothing is told.
        """
        notes = []
        partners = self._partners(states)
        for saved, state in states.items():
            name = partners.get(saved)
            if name is None:
                if state.get("protocol") or state.get("attributes"):
                    notes.append(f"the state of callback {saved} is not used")
                elif state.get("configuration"):
                    notes.append(f"callback {saved} is gone")
                continue
            callback = self._callbacks[name]
            if "protocol" in state:
                if hasattr(callback, "set_state"):
                    callback.set_state(values.decode(state["protocol"], arrays))
                continue
            for attribute, value in state.get("attributes", {}).items():
                setattr(callback, attribute, values.decode(value, arrays))
            notes += [
                f"callback {name}: {change}"
                for change in script.differences(
                    state.get("configuration", {}), self._configurations[name]
                )
            ]
        kept = set(partners.values())
        for name, callback in self._callbacks.items():
            has_any = self._base[name] or (
                _has_protocol(callback) and callback.get_state()
            )
            if name not in kept and has_any:
                notes.append(f"callback {name} begins anew")
        places = [n for n in self._callbacks if n in kept]
        if places != list(partners.values()):
            notes.append(f"callbacks are in another order: {', '.join(places)}")
        return notes

    def _partners(self, states: dict[str, Any]) -> dict[str, str]:
        """For each saved name the name of the callback that is meant: of the
        same class, and of several the one that is set as it was."""
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
        # The best value of one log says nothing about another log.
        monitor = configuration.get("monitor")
        return monitor in (None, self._configurations[name].get("monitor"))

    def _encode_protocol(self, name, callback, encoder):
        try:
            state = encoder.encode(callback.get_state(), f"callbacks/{name}")
        except values.Unsaveable as e:
            self.unsaved.append(f"{name}.get_state() ({e})")
            return {}
        return {"protocol": state}


def check_states(states: Any, tensors: dict[str, tuple]) -> None:
    """Raises where `states` are not what `CallbackStates.capture()` gives.

    Args:
        states: What was read.
        tensors: Dict from name to `(dtype, shape, bytes)`, those there are.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: They are not.
    """
    for name, state in states.items():
        size = state.get("bytes")
        if size is not None and not values.is_count(size):
            raise ValueError(f"{name} has no size of a file")
        if not isinstance(state.get("file", ""), str):
            raise TypeError(f"{name} has no name of a file")
        script.check_texts(state.get("configuration", {}))
        values.check(state.get("protocol"), tensors)
        for value in state.get("attributes", {}).values():
            values.check(value, tensors)


def continue_logs(callbacks, states: dict[str, Any]) -> None:
    """Makes every CSVLogger go on with its file, as long as it was then.

    To be called before the callbacks' `on_train_begin`, in which a CSVLogger
    empties its file. Rows of epochs that are done again are cut off. A file of
    another name is not the one that was logged to.
    """
    sizes = {
        state["file"]: state["bytes"]
        for state in states.values()
        if state.get("file") is not None and state.get("bytes") is not None
    }
    for callback in callbacks:
        if not _is_csv_logger(callback) or callback.filename not in sizes:
            continue
        if not os.path.isfile(callback.filename):
            continue
        size = sizes[callback.filename]
        if os.path.getsize(callback.filename) >= size:
            os.truncate(callback.filename, size)
        callback.append = True


def _named(callbacks) -> dict[str, keras.callbacks.Callback]:
    """Callbacks by class and, among those of one class, by order."""
    names = {}
    for callback in callbacks:
        kind = type(callback).__name__
        count = sum(1 for name in names if _kind(name) == kind)
        names[f"{kind}~{count}" if count else kind] = callback
    return names


def _kind(name: str) -> str:
    return name.split("~")[0]


def _has_protocol(callback) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _attributes(callback):
    """Its attributes, encoded, and the names of those that cannot be."""
    skipped = _skipped(callback)
    encoded = {}
    unknown = []
    for attribute, value in vars(callback).items():
        if attribute in skipped or _is_configuration(value):
            continue
        encoder = values.Encoder()
        try:
            encoded[attribute] = (
                encoder.encode(value, attribute),
                bool(encoder.arrays),
            )
        except values.Unsaveable:
            unknown.append(attribute)
    return encoded, unknown


def _skipped(callback) -> set[str]:
    return NOT_STATE | NOT_STATE_OF.get(type(callback).__name__, set())


def _is_configuration(value) -> bool:
    """Whether a value is part of the program rather than of its state."""
    if any(value is function for function in values.FUNCTIONS.values()):
        return False
    return callable(value) or isinstance(
        value,
        (
            types.ModuleType,
            io.IOBase,
            keras.Layer,
            AnyVariable,
            keras.optimizers.Optimizer,
            keras.callbacks.Callback,
        ),
    )


def _is_csv_logger(callback) -> bool:
    return isinstance(callback, keras.callbacks.CSVLogger)


def _flush_events(callback) -> None:
    """What a TensorBoard has logged so far must outlive this process: the next
    one does not log it again."""
    if isinstance(callback, keras.callbacks.TensorBoard):
        for writer in getattr(callback, "_writers", {}).values():
            writer.flush()


def _flushed_size(callback) -> int | None:
    file = callback.csv_file
    if file is None or file.closed:
        return None
    file.flush()
    return os.path.getsize(callback.filename)
