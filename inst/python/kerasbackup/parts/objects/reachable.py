"""Finds objects that can be reached from the parts of a training: through
attributes, containers, closures and the globals that a function names.

Objects that are found this way belong to the training. The rest of the process,
where other models may exist, is not searched.
"""

import functools
import sys
import types
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras.model_parts import given_metrics
from kerasbackup.anykeras.model_parts import layers_of
from kerasbackup.anykeras.optimizer_parts import given_learning_rate
from kerasbackup.parts.optimizers import optimizers_of

# The classes and functions of these packages have no state of the script.
LIBRARIES = sys.stdlib_module_names | {
    "PIL",
    "absl",
    "grain",
    "jax",
    "jaxlib",
    "keras",
    "kerasbackup",
    "matplotlib",
    "numpy",
    "pandas",
    "rpytools",
    "scipy",
    "sklearn",
    "tensorflow",
    "torch",
    "tqdm",
}
# Scripts do not nest the objects of a training more deeply.
DEEPEST = 12
# A container with more items holds data and is not searched.
MOST_ITEMS = 1000
# These are not searched.
LEAVES = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    np.ndarray,
    np.generic,
    types.ModuleType,
    types.CodeType,
    type,
)


def walk(
    roots: dict[str, Any],
    is_wanted: Callable[[Any], bool],
    is_closed: Callable[[Any], bool] = lambda one: False,
) -> dict[str, Any]:
    """The wanted objects by path, each once, in an order that the script
    determines.

    Args:
        roots: Dict from name to object, where the search begins.
        is_wanted: Whether an object is searched for.
        is_closed: Whether the inside of an object is not to be searched.
    """
    found = {}
    seen = set()
    # The objects that were seen, so that no id is used again.
    kept = []
    pending = [(name, one, 0) for name, one in reversed(roots.items())]
    while pending:
        path, one, depth = pending.pop()
        if isinstance(one, LEAVES) or id(one) in seen:
            continue
        seen.add(id(one))
        kept.append(one)
        if is_wanted(one):
            found[path] = one
        elif depth < DEEPEST and not is_closed(one):
            inside = [(f"{path}{p}", o, depth + 1) for p, o in _inside(one)]
            pending.extend(reversed(inside))
    return found


def _inside(one: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(one, types.FunctionType):
        yield from _of_function(one)
    elif isinstance(one, types.MethodType):
        yield "", one.__self__
        yield "", one.__func__
    elif isinstance(one, functools.partial):
        yield "", one.func
        yield from _of_items(one.args)
        yield from _of_items(one.keywords)
    elif isinstance(one, types.GeneratorType):
        if one.gi_frame is not None:
            yield from _of_names(dict(one.gi_frame.f_locals))
    elif isinstance(one, (dict, list, tuple, set, frozenset)):
        yield from _of_items(one)
    elif kinds.holds_functions(one) or not is_of_library(type(one)):
        yield from _of_names(getattr(one, "__dict__", {}))
        yield from _of_methods(type(one))


def is_of_library(thing: Any) -> bool:
    """Whether a class or function is of a library, rather than the script's."""
    module = getattr(thing, "__module__", None) or ""
    return module.split(".")[0] in LIBRARIES


def _of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    for name, cell in cells:
        try:
            yield f".{name}", cell.cell_contents
        except ValueError:
            # The name has no value yet.
            continue
    yield from _of_items(function.__defaults__ or ())
    yield from _of_items(function.__kwdefaults__ or {})
    if not is_of_library(function):
        for name in _global_names(function.__code__):
            if name in function.__globals__:
                yield f".{name}", function.__globals__[name]


def _global_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _of_methods(cls: type) -> Iterator[tuple[str, Any]]:
    for base in cls.__mro__:
        if not is_of_library(base):
            for name, value in vars(base).items():
                if isinstance(value, (classmethod, staticmethod)):
                    value = value.__func__
                if isinstance(value, types.FunctionType):
                    yield f".{name}", value


def _of_names(names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in list(names.items()):
        yield f".{name}", value


def _of_items(items: Any) -> Iterator[tuple[str, Any]]:
    if len(items) > MOST_ITEMS:
        return
    if isinstance(items, (set, frozenset)):
        # Its order is arbitrary, so only a single item has a path.
        items = list(items) if len(items) == 1 else []
    pairs = items.items() if isinstance(items, dict) else enumerate(items)
    for place, value in list(pairs):
        yield f"[{place!r}]", value


def parts_of(model: Any, callbacks: list[Any]) -> dict[str, Any]:
    """The parts of a training that a script may write itself, by name; then the
    global names of the Python script that runs.

    Args:
        model: The compiled model.
        callbacks: The other callbacks.
    """
    import __main__

    parts = {"loss": getattr(model, "loss", None)}
    for name, given in given_metrics(model).items():
        parts[f"metrics{name}"] = given
    for path, optimizer in optimizers_of(model).items():
        parts[f"learning rate {path}"] = given_learning_rate(optimizer)
    parts["model"] = model
    for place, layer in enumerate(layers_of(model)):
        parts[f"layer {place}"] = layer
    for place, callback in enumerate(callbacks):
        parts[f"callback {place}"] = callback
    for name, value in list(vars(__main__).items()):
        if not name.startswith("__"):
            parts[f"__main__.{name}"] = value
    return parts
