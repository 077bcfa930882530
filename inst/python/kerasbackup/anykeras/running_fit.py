"""Reads local variables of a running `fit()` from the stack.

Keras does not tell a callback which `CallbackList` runs it, nor where the data
come from. Both are local variables of frames that are on the stack while a hook
runs.
"""

import inspect
import sys
import types
import weakref
from collections.abc import Iterator
from typing import Any

from kerasbackup.anykeras import ask
from kerasbackup.store import errors

# The local variables that are read, besides what batches are drawn from.
_OF_FIT = ("x", "y", "validation_data", "validation_freq")


class RunningFit:
    """The `fit()` that is calling a hook.

    Attributes:
        callback_list: The `CallbackList` that runs the hook.
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
        """The `fit()` on the stack; `None` if the hook was called otherwise."""
        callback_list = keras = None
        for frame in _callers(sys._getframe(1)):
            owner = _locals(frame, "self").get("self")
            for known in _kerases():
                if known.is_callback_list(owner):
                    callback_list, keras = owner, known
            if callback_list is None:
                continue
            found = _locals(frame, keras.DRAWS_FROM, *_OF_FIT)
            if keras.DRAWS_FROM in found:
                # evaluate() and predict() have one too.
                if frame.f_code.co_name != "fit":
                    return None
                return cls(
                    callback_list,
                    keras.iterator_of(found[keras.DRAWS_FROM]),
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
        """The `fit()` on the stack.

        Raises:
            UnsupportedError: There is no `fit()` that this package knows.
        """
        fit = cls.find()
        if fit is None:
            raise errors.UnsupportedError(
                "The callback was not called by a `fit()` that this package "
                f"knows ({' or '.join(one.NAME for one in _kerases())}). Pass "
                "it to `fit()` in `callbacks`."
            )
        return fit


def last_logs() -> Any:
    """The logs that the last step of the `fit()` on the stack returned; `None`
    if no step has run or they are not known."""
    for frame in _callers(sys._getframe(1)):
        for known in _kerases():
            if _is_fit_of(known, frame):
                return known.local_logs(_locals(frame, "logs").get("logs"))
    return None


def is_running(callback_list: "weakref.ref[Any]") -> bool:
    """Whether the `fit()` that owns a `CallbackList` is still under way.

    A `fit()` that raised calls no hook, and a stored traceback may keep its
    frames. So it is running only if a frame on a stack has the list.
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
    """The local variable that may be a `CallbackList`. While `fit()` makes the
    list, only the list's own methods have it."""
    if _is_fit(frame):
        return ("callbacks",)
    return ("self",) if frame.f_code.co_filename in _files() else ()


def _is_fit(frame: Any) -> bool:
    return any(_is_fit_of(known, frame) for known in _kerases())


def _is_fit_of(known: Any, frame: Any) -> bool:
    code = frame.f_code
    return code.co_name == "fit" and known.DRAWS_FROM in _names(code)


def _kerases() -> list[Any]:
    return ask.modules(__name__)


def _files() -> set[str]:
    return {known.file_of_callback_list() for known in _kerases()}


def _names(code: types.CodeType) -> tuple[str, ...]:
    return code.co_varnames + code.co_cellvars + code.co_freevars


def _locals(frame: Any, *names: str) -> dict[str, Any]:
    """The local variables of a frame that have one of the names.

    Before Python 3.13, reading `f_locals` makes a dict of all local variables,
    and the frame keeps that dict. A state of the model that `fit()` has
    replaced would stay alive until `f_locals` is read again.
    """
    if not any(name in _names(frame.f_code) for name in names):
        return {}
    every = frame.f_locals
    found = {name: every[name] for name in names if name in every}
    # A debugger writes the dict back to the variables, and other code may hold
    # it. Then it has more references than the frame's, ours and the argument's.
    if (
        sys.version_info < (3, 13)
        and frame.f_code.co_flags & inspect.CO_OPTIMIZED
        and frame.f_trace is None
        and sys.getrefcount(every) <= 3
    ):
        every.clear()
    return found


def _callers(frame: Any) -> Iterator[Any]:
    """A frame and its callers, from the inside out."""
    while frame is not None:
        yield frame
        frame = frame.f_back
