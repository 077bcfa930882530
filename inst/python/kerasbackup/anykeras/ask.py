"""Chooses the Keras that is asked: a process may use Keras 3 and tf_keras.

No Keras is imported here. One that the process has not imported has no objects.
"""

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

# The package of a Keras, and the folder that knows it. What is of neither, like
# an array of NumPy's, is asked of the first that is imported.
FOLDERS = {"keras": "keras3", "tf_keras": "tf_keras"}


_asked_for = set()


def asked_for() -> set[tuple[str, str]]:
    """The modules and functions that can be asked, of what is imported: every
    folder has each."""
    return set(_asked_for)


def imported() -> list[str]:
    """The folders of those that this process has imported."""
    return [folder for name, folder in FOLDERS.items() if name in sys.modules]


def folder_of(one: Any) -> str:
    """The folder of the Keras that an object, or a class, is of."""
    found = imported()
    if len(found) == 1:
        return found[0]
    kind = one if isinstance(one, type) else type(one)
    for cls in kind.__mro__:
        package, *inside = cls.__module__.split(".", 2)
        if package in FOLDERS:
            return FOLDERS[package]
        # Our own view of an object of that Keras.
        if package == __package__.split(".")[0] and inside[0] in found:
            return inside[0]
        # A variable or a structure of TensorFlow's. Those of Keras 3 have a
        # class of its own.
        if package == "tensorflow" and "tf_keras" in found:
            return "tf_keras"
    return (found or [*FOLDERS.values()])[0]


def its_own(module: str, name: str) -> Callable:
    """The function of the Keras that the first argument is of.

    Args:
        module: String, `__name__` of the module that it is for.
        name: String, the function.
    """

    def asked(one: Any, *args: Any, **kwargs: Any) -> Any:
        return _get(folder_of(one), module, name)(one, *args, **kwargs)

    return _named(asked, module, name)


def some(module: str, name: str) -> Callable[..., bool]:
    """Whether the function of some Keras says yes. The arguments are those of
    `its_own()`."""

    def asked(*args: Any) -> bool:
        return any(_get(folder, module, name)(*args) for folder in imported())

    return _named(asked, module, name)


def all_of(module: str, name: str) -> Callable[..., list[Any]]:
    """What the functions of all return, put together in a list. The arguments
    are those of `its_own()`."""

    def asked(*args: Any) -> list[Any]:
        return [
            one
            for folder in imported()
            for one in _get(folder, module, name)(*args)
        ]

    return _named(asked, module, name)


def modules(module: str) -> list[Any]:
    """The modules of all. The argument is that of `its_own()`."""
    return [_module(folder, module) for folder in imported()]


def module_in(folder: str, module: str) -> Any:
    """The module in the folder of one Keras; `None` where that Keras is not
    imported. The last argument is the first of `its_own()`."""
    return _module(folder, module) if folder in imported() else None


def _get(folder: str, module: str, name: str) -> Any:
    return getattr(_module(folder, module), name)


@functools.cache
def _module(folder: str, module: str) -> Any:
    # A fit() asks thousands of times, and each import would go through the
    # hooks of reticulate.
    package, _, module = module.split(".")
    return importlib.import_module(f"{package}.{folder}.{module}")


def _named(function: Callable, module: str, name: str) -> Callable:
    _asked_for.add((module.split(".")[-1], name))
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    function.__doc__ = f"`{name}()` of {module.split('.')[-1]}.py in `keras3/`."
    return function
