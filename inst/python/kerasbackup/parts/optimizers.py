"""Finds the optimizers of a model, and those that they contain.

An optimizer may wrap another one (`LossScaleOptimizer`), or share the layers
out among several. A model may have further ones in its attributes.
"""

from collections.abc import Iterator
from typing import Any

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras.model_parts import layers_of


def optimizers_of(model: Any) -> dict[str, Any]:
    """The optimizers by where they are found, each once: first the model's own
    optimizer and those inside it (`""`, `"inner_optimizer"`), then those in
    other attributes of the model and in its layers.

    Args:
        model: The `keras.Model`.
    """
    found = {}
    own = getattr(model, "optimizer", None)
    if own is not None:
        _add("", own, found)
    for layer in layers_of(model):
        label = "model" if layer is model else f"layer {layer.name}"
        for path, one in children(layer):
            _add(f"{label}.{path}", one, found)
    return found


def classes_of(optimizer: Any) -> str:
    """The names of its class and of the classes of optimizers inside it."""
    name = type(optimizer).__name__
    inner = [classes_of(one) for _, one in children(optimizer)]
    return f"{name} of {', '.join(inner)}" if inner else name


def children(owner: Any) -> Iterator[tuple[str, Any]]:
    """The optimizers in the attributes of an object, also in lists and dicts
    there, each once."""
    seen = set()
    for name, value in getattr(owner, "__dict__", {}).items():
        # TensorFlow lists the objects that it tracks there, under other names.
        if name.startswith("_self_"):
            continue
        for path, one in _in_containers(name, value):
            if id(one) not in seen:
                seen.add(id(one))
                yield path, one


def _add(path: str, optimizer: Any, found: dict[str, Any]) -> None:
    if any(one is optimizer for one in found.values()):
        return
    found[path] = optimizer
    for name, one in children(optimizer):
        _add(f"{path}.{name}" if path else name, one, found)


def _in_containers(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if type(value) in _SIMPLE:
        return
    if kinds.is_optimizer(value):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, _CONTAINERS) or kinds.is_optimizer(item):
                yield from _in_containers(f"{path}[{key!r}]", item)
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            if isinstance(item, _CONTAINERS) or kinds.is_optimizer(item):
                yield from _in_containers(f"{path}[{place}]", item)


_CONTAINERS = (dict, list, tuple)

# Most attributes are of these, and to ask whether they are optimizers costs
# more than all else.
_SIMPLE = frozenset((bool, float, int, str, type(None)))
