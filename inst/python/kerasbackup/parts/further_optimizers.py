"""Finds the optimizers that a model has besides the one that it is compiled
with (a GAN has two), and builds optimizers before their first step."""

from typing import Any

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import optimizer_parts
from kerasbackup.anykeras import steps
from kerasbackup.anykeras.model_parts import layers_of
from kerasbackup.parts import optimizers


def has_own_step(model: Any) -> bool:
    """Whether only the model's class defines what a step does: it has its own
    `train_step()`, and may have no `call()`."""
    return steps.has_own_train_step(model) or not steps.has_call(model)


def further(model: Any) -> dict[str, Any]:
    """The optimizers in the attributes of a model and of the models in it, also
    in lists and dicts there, by where they are found."""
    found = {}
    seen = {id(getattr(model, "optimizer", None))}
    for layer in layers_of(model):
        if not kinds.is_model(layer):
            continue
        prefix = "" if layer is model else f"{layer.name}/"
        for where, one in optimizers.children(layer):
            if where == "optimizer" and not has_own_step(model):
                # An inner model may have been trained by itself before.
                continue
            if id(one) not in seen:
                seen.add(id(one))
                found[prefix + where] = one
    return found


def describe(model: Any, variables: dict[str, Any]) -> dict[str, list[str]]:
    """The variables that each built optimizer is built for.

    Args:
        model: The `keras.Model` being trained.
        variables: Dict from the name of a variable to the variable.

    Returns:
        Dict from where an optimizer is found to names of variables.
    """
    names = {id(one): name for name, one in variables.items()}
    every = list(variables.values())
    trained = {
        where: optimizer_parts.trained_variables(one, every)
        for where, one in _all(model).items()
        if optimizer_parts.is_built(one)
    }
    return {
        where: [names[id(variable)] for variable in found]
        for where, found in trained.items()
        if all(id(variable) in names for variable in found)
    }


def build(
    model: Any,
    trained: dict[str, list[str]],
    variables: dict[str, Any],
) -> None:
    """Builds the optimizers that are not built yet.

    Args:
        model: The `keras.Model` being trained.
        trained: What `describe()` returned.
        variables: Dict from these names to variables of today.
    """
    for where, one in _all(model).items():
        names = trained.get(where)
        if not names or optimizer_parts.is_built(one):
            continue
        if all(name in variables for name in names):
            optimizer_parts.build(one, [variables[name] for name in names])


def check(trained: Any) -> None:
    """Validates a result of `describe()` that was read, or `None`.

    Raises:
        AttributeError, TypeError: It is invalid.
    """
    if trained is None:
        return
    for names in trained.values():
        if not isinstance(names, list) or not all(
            isinstance(name, str) for name in names
        ):
            raise TypeError("what an optimizer trains is no list of names")


def _all(model: Any) -> dict[str, Any]:
    compiled = getattr(model, "optimizer", None)
    own = {} if compiled is None else {"": compiled}
    return own | further(model)
