"""Traces the steps of a resumed training with the values that the first process
traced them with.

Compiled by TensorFlow or JAX, a step reads a number in an attribute once, when
it is traced; on JAX also a variable that is not the model's. What a callback
sets later has no effect, but a resumed process traces anew. So it traces with
the values of then, and the current ones come back after each step. Shapes that
come at an epoch's end are traced later, so this goes on for one epoch.
"""

from typing import Any

import keras

from kerasbackup.keras3.replace_once import replace_once


class FirstSteps:
    """The steps of the first epoch in a process.

    Args:
        model: The `keras.Model` being trained.
        places: List of what is read when a step is traced: each has
            `note_traced()`, `swap_traced()` and `swap_back()`.
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

    def on_test_begin(self) -> None:
        """To be called when validation has begun."""
        if not self._is_over and self._is_resumed:
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

    def _test(self, step, *args):
        if self._is_over:
            return step(*args)
        result = self._swap(step, *args)
        if not self._is_over:
            replace_once(self._model, "test_function", self._test)
        return result

    def _swap(self, step, *args):
        swapped = [(place, place.swap_traced()) for place in self._places]
        # A look at every layer before each step is for those who need it.
        self._is_over = not any(before for _, before in swapped)
        try:
            return step(*args)
        finally:
            for place, before in swapped:
                place.swap_back(before)


def is_traced(model) -> bool:
    """Whether a step reads attributes when it is compiled, not when it runs.
    What torch compiles is compiled anew where an attribute is another."""
    backend = keras.backend.backend()
    if backend == "torch" or getattr(model, "run_eagerly", False):
        return False
    return backend == "tensorflow" or bool(getattr(model, "jit_compile", False))
