"""Traces the steps of a resumed training with the values that the first process
traced them with.

A step that TensorFlow or JAX compiles reads numbers in attributes only when it
is traced; on JAX the same is true of variables outside the model. So a callback
that sets them later has no effect, until a resumed process traces again. It
must trace with the values of the first trace, and the current values come back
after each step. The last batch of an epoch may have another shape and is traced
late, so this continues for one epoch.
"""

from typing import Any

from kerasbackup.anykeras import backend
from kerasbackup.anykeras import steps
from kerasbackup.anykeras.replace_once import replace_once


class FirstSteps:
    """The steps of the first epoch in a process.

    Args:
        model: The `keras.Model` being trained. places: List of the parts whose
        values are read when a step is traced. Each has `note_traced()`,
        `swap_traced()` and `swap_back()`.
    """

    def __init__(self, model, places: list[Any]):
        self._model = model
        self._places = places
        self._is_resumed = False
        self._is_over = not is_traced(model)

    def begin(self, is_resumed: bool) -> None:
        """To be called when all callbacks have begun the first epoch."""
        self._is_resumed = is_resumed
        if not self._is_over:
            replace_once(self._model, "train_function", self._step)
            if is_resumed and steps.keeps_test_function(self._model):
                replace_once(self._model, "make_test_function", self._make_test)

    def on_test_begin(self) -> None:
        """To be called when validation has begun."""
        if self._is_over or not self._is_resumed:
            return
        if steps.keeps_test_function(self._model):
            # For a further validation in this epoch.
            replace_once(self._model, "make_test_function", self._make_test)
        else:
            replace_once(self._model, "test_function", self._test)

    def end(self) -> None:
        """To be called at the end of an epoch."""
        self._is_over = True

    def _step(self, step, *args):
        if self._is_over:
            return step(*args)
        if not self._is_resumed:
            for place in self._places:
                place.note_traced()
            self._is_over = True
            return step(*args)
        result = self._swap(step, *args)
        if not self._is_over:
            replace_once(self._model, "train_function", self._step)
        return result

    def _make_test(self, make, *args, **kwargs):
        make(*args, **kwargs)
        if not self._is_over:
            replace_once(self._model, "test_function", self._test)
        return self._model.test_function

    def _test(self, step, *args):
        if self._is_over:
            return step(*args)
        result = self._swap(step, *args)
        if not self._is_over:
            replace_once(self._model, "test_function", self._test)
        return result

    def _swap(self, step, *args):
        swapped = [(place, place.swap_traced()) for place in self._places]
        # Swapping looks at every layer before each step, so it ends as soon as
        # it is not needed.
        self._is_over = not any(before for _, before in swapped)
        try:
            return step(*args)
        finally:
            for place, before in swapped:
                place.swap_back(before)


def is_traced(model) -> bool:
    """Whether a step reads attributes only when it is compiled. torch compiles
    again when an attribute has changed."""
    name = backend.name(model)
    if name == "torch" or getattr(model, "run_eagerly", False):
        return False
    return name == "tensorflow" or bool(getattr(model, "jit_compile", False))
