"""Owns what is learned by looking at the stack of a running `fit()`.

Keras tells a callback neither which `CallbackList` runs it nor where the data
come from. Both are local variables of frames that are on the stack while a hook
runs; here they are looked up, and nowhere else.
"""

import inspect
import sys
import types
import weakref
from collections.abc import Iterator
from typing import Any

import keras

from kerasbackup.store import errors

# What is read of it.
_OF_FIT = ("epoch_iterator", "x", "y", "validation_data", "validation_freq")


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
            owner = _locals(frame, "self").get("self")
            if isinstance(owner, keras.callbacks.CallbackList):
                callback_list = owner
            if callback_list is None:
                continue
            found = _locals(frame, *_OF_FIT)
            if "epoch_iterator" in found:
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
        if _is_fit(frame):
            return _locals(frame, "logs").get("logs")
    return None


def is_running(callback_list: "weakref.ref[Any]") -> bool:
    """Whether the `fit()` that owns a `CallbackList` is still under way.

    A `fit()` that raised calls no hook, and its frames may be kept by a stored
    traceback: what counts is whether a frame on a stack has the list.
    """
    wanted = callback_list()
    if wanted is None:
        return False
    return any(
        _locals(frame, name).get(name) is wanted
        for innermost in list(sys._current_frames().values())
        for frame in _callers(innermost)
        for name in _names_of_list(frame)
    )


def _names_of_list(frame: Any) -> tuple[str, ...]:
    """The local variable that may be a `CallbackList`: `fit()` has none yet
    while it makes one."""
    if _is_fit(frame):
        return ("callbacks",)
    own = frame.f_code.co_filename == inspect.getfile(
        keras.callbacks.CallbackList
    )
    return ("self",) if own else ()


def _is_fit(frame: Any) -> bool:
    code = frame.f_code
    return code.co_name == "fit" and "epoch_iterator" in _names(code)


def _names(code: types.CodeType) -> tuple[str, ...]:
    return code.co_varnames + code.co_cellvars + code.co_freevars


def _locals(frame: Any, *names: str) -> dict[str, Any]:
    """Those local variables of a frame that have one of the names.

    Before Python 3.13, reading `f_locals` makes a dict of all local variables
    that the frame keeps: a state of the model that `fit()` has replaced since
    would stay alive until somebody reads it again.
    """
    if not any(name in _names(frame.f_code) for name in names):
        return {}
    every = frame.f_locals
    found = {name: every[name] for name in names if name in every}
    # A debugger writes the dict back to the variables, and somebody else may
    # read it: then it has more references than the frame's, ours, and the
    # argument's.
    if (
        sys.version_info < (3, 13)
        and frame.f_code.co_flags & inspect.CO_OPTIMIZED
        and frame.f_trace is None
        and sys.getrefcount(every) <= 3
    ):
        every.clear()
    return found


def _callers(frame: Any) -> Iterator[Any]:
    """A frame, and those that called it, outwards."""
    while frame is not None:
        yield frame
        frame = frame.f_back
