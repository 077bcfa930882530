"""Owns what is learned by looking at the stack of a running `fit()`.

Keras tells a callback neither which `CallbackList` runs it nor where the data
come from. Both are local variables of frames that are on the stack while a hook
runs; here they are looked up, and nowhere else.
"""

import sys
import weakref
from collections.abc import Iterator
from typing import Any

import keras

from kerasbackup import errors


class RunningFit:
    """The `fit()` that is calling a hook.

    Attributes:
        callback_list: The `keras.callbacks.CallbackList` that runs the hook.
        epoch_iterator: Keras' `EpochIterator` over the training data.
        data, targets: `x` and `y` of `fit()`.
        validation_data: That argument of `fit()`.
        validation_freq: That argument of `fit()`, `None` where it has no
            validation data.
    """

    def __init__(
        self,
        callback_list,
        epoch_iterator,
        data=None,
        targets=None,
        validation_data=None,
        validation_freq=None,
    ):
        self.callback_list = callback_list
        self.epoch_iterator = epoch_iterator
        self.data = data
        self.targets = targets
        self.validation_data = validation_data
        self.validation_freq = validation_freq

    @classmethod
    def find(cls) -> "RunningFit | None":
        """The one on the stack; `None` where a hook was not called by one."""
        callback_list = None
        for frame in _callers(sys._getframe(1)):
            found = frame.f_locals
            if isinstance(found.get("self"), keras.callbacks.CallbackList):
                callback_list = found["self"]
            if callback_list is not None and "epoch_iterator" in found:
                # evaluate() and predict() have one too.
                if frame.f_code.co_name != "fit":
                    return None
                return cls(
                    callback_list,
                    found["epoch_iterator"],
                    found.get("x"),
                    found.get("y"),
                    found.get("validation_data"),
                    found.get("validation_freq")
                    if found.get("validation_data") is not None
                    else None,
                )
        return None

    @classmethod
    def require(cls) -> "RunningFit":
        """The one on the stack.

        Raises:
            UnsupportedError: There is none that this package knows.
        """
        fit = cls.find()
        if fit is None:
            raise errors.UnsupportedError(
                "The callback was not called by a `fit()` that this package "
                f"knows (Keras {keras.__version__}). Pass it to `fit()` in "
                "`callbacks`."
            )
        return fit


def last_logs() -> Any:
    """What the last step of the `fit()` on the stack returned; `None` where
    none has run or it is not known."""
    for frame in _callers(sys._getframe(1)):
        if frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_locals:
            return frame.f_locals.get("logs")
    return None


def is_running(callback_list: "weakref.ref[Any]") -> bool:
    """Whether the `fit()` that owns a `CallbackList` is still under way.

    A `fit()` that raised calls no hook, and its frames may be kept by a stored
    traceback: what counts is whether a frame on a stack has the list.
    """
    wanted = callback_list()
    if wanted is None:
        return False
    ours = sys._getframe()
    for innermost in list(sys._current_frames().values()):
        for frame in _callers(innermost):
            held = frame.f_locals.values() if frame is not ours else ()
            if any(value is wanted for value in held):
                return True
    return False


def _callers(frame: Any) -> Iterator[Any]:
    """A frame, and those that called it, outwards."""
    while frame is not None:
        yield frame
        frame = frame.f_back
