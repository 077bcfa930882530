"""Owns what is learned by looking at the stack of a running `fit()`.

Keras tells a callback neither which `CallbackList` runs it nor where the data
come from. Both are local variables of frames that are on the stack while a hook
runs; here they are looked up, and nowhere else.
"""

import sys
import weakref
from typing import Any

import keras

from kerasbackup import errors


class RunningFit:
    """The `fit()` that is calling a hook right now.

    Attributes:
        callback_list: The `keras.callbacks.CallbackList` that runs the hook.
        epoch_iterator: Keras' `EpochIterator` over the training data.

    Raises:
        UnsupportedError: One of them is not on the stack.
    """

    def __init__(self):
        self.callback_list = None
        self.epoch_iterator = None
        frame = sys._getframe(1)
        while frame is not None and self.epoch_iterator is None:
            found = frame.f_locals
            if self.callback_list is None:
                if isinstance(found.get("self"), keras.callbacks.CallbackList):
                    self.callback_list = found["self"]
            else:
                self.epoch_iterator = found.get("epoch_iterator")
            frame = frame.f_back
        for name in ("callback_list", "epoch_iterator"):
            if getattr(self, name) is None:
                raise errors.UnsupportedError(
                    "The callback was not called from a `fit()` that this "
                    f"package knows: no {name} was found (Keras "
                    f"{keras.__version__}). Pass it to `fit()` in `callbacks`."
                )


def is_running(callback_list: "weakref.ref[Any]") -> bool:
    """Whether the `fit()` that owns a `CallbackList` is still under way.

    A `fit()` that raised calls no hook, and its frames may be kept by a stored
    traceback: what counts is whether a frame on a stack has the list.
    """
    wanted = callback_list()
    if wanted is None:
        return False
    ours = sys._getframe()
    for frame in list(sys._current_frames().values()):
        while frame is not None:
            held = frame.f_locals.values() if frame is not ours else ()
            if any(value is wanted for value in held):
                return True
            frame = frame.f_back
    return False
