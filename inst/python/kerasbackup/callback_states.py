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

from kerasbackup import values

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
            states[name] = {"attributes": changed}
            _flush_events(callback)
            if _is_csv_logger(callback):
                states[name]["bytes"] = _flushed_size(callback)
        return states

    def check(self, states: dict[str, Any]) -> None:
        """Raises `ValueError` where a state has what is no state of its
        callback: a method, or what Keras sets."""
        for name, state in states.items():
            callback = self._callbacks.get(name)
            if callback is None or "protocol" in state:
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
            What is no longer as it was: callbacks that came or went.
        """
        notes = []
        for name, state in states.items():
            callback = self._callbacks.get(name)
            if callback is None and any(state.values()):
                notes.append(f"the state of callback {name} is not used")
            elif callback is None:
                continue
            elif "protocol" in state:
                if hasattr(callback, "set_state"):
                    callback.set_state(values.decode(state["protocol"], arrays))
            else:
                for attribute, value in state.get("attributes", {}).items():
                    setattr(callback, attribute, values.decode(value, arrays))
        for name in self._callbacks:
            if name not in states and self._base[name]:
                notes.append(f"callback {name} begins anew")
        return notes

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
        if size is not None and not (type(size) is int and size >= 0):
            raise ValueError(f"{name} has no size of a file")
        values.check(state.get("protocol"), tensors)
        for value in state.get("attributes", {}).values():
            values.check(value, tensors)


def continue_logs(callbacks, states: dict[str, Any]) -> None:
    """Makes every CSVLogger go on with its file, as long as it was then.

    To be called before the callbacks' `on_train_begin`, in which a CSVLogger
    empties its file. Rows of epochs that are done again are cut off.
    """
    for name, callback in _named(callbacks).items():
        size = states.get(name, {}).get("bytes")
        if size is None or not _is_csv_logger(callback):
            continue
        if not os.path.isfile(callback.filename):
            continue
        if os.path.getsize(callback.filename) >= size:
            os.truncate(callback.filename, size)
        callback.append = True


def _named(callbacks) -> dict[str, keras.callbacks.Callback]:
    """Callbacks by class and, among those of one class, by order."""
    names = {}
    for callback in callbacks:
        kind = type(callback).__name__
        count = sum(1 for name in names if name.split("~")[0] == kind)
        names[f"{kind}~{count}" if count else kind] = callback
    return names


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
            keras.Variable,
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
