"""The optimizers that a model has beside the one that it is compiled with, as a
GAN has two, and building optimizers before their first step.

May not touch hooks, callbacks, data or files.
"""

from typing import Any

import keras

from kerasbackup.parts import optimizers


def has_own_step(model: keras.Model) -> bool:
    """Whether nobody but the model knows what a step does: it has a
    `train_step()` of its own, and may have no `call()`."""
    kind = type(model)
    return (
        kind.train_step is not keras.Model.train_step
        or kind.call is keras.Model.call
    )


def further(model: keras.Model) -> dict[str, keras.optimizers.Optimizer]:
    """The optimizers in the attributes of a model and of models in it, and in
    lists and dicts there, by where they are."""
    found = {}
    seen = {id(getattr(model, "optimizer", None))}
    for layer in getattr(model, "_flatten_layers", list)():
        if not isinstance(layer, keras.Model):
            continue
        prefix = "" if layer is model else f"{layer.name}/"
        for where, one in optimizers.children(layer):
            if where == "optimizer" and not has_own_step(model):
                # An inner model may have been trained by itself, before.
                continue
            if id(one) not in seen:
                seen.add(id(one))
                found[prefix + where] = one
    return found


def describe(model: keras.Model, names: dict[int, str]) -> dict[str, list[str]]:
    """Of every optimizer that is built, which variables it is built for.

    Args:
        model: The `keras.Model` being trained.
        names: Dict from the id of a variable to its name.

    Returns:
        Dict from where an optimizer is to names.
    """
    trained = {
        where: getattr(one, "_trainable_variables", [])
        for where, one in _all(model).items()
        if one.built
    }
    return {
        where: [names[id(variable)] for variable in variables]
        for where, variables in trained.items()
        if all(id(variable) in names for variable in variables)
    }


def build(
    model: keras.Model,
    trained: dict[str, list[str]],
    variables: dict[str, Any],
) -> None:
    """Builds the optimizers that are not built yet.

    Args:
        model: The `keras.Model` being trained.
        trained: What `describe()` gave.
        variables: Dict from name to the variable that is meant now.
    """
    for where, one in _all(model).items():
        names = trained.get(where)
        if names and not one.built and all(name in variables for name in names):
            one.build([variables[name] for name in names])


def check(trained: Any) -> None:
    """Raises where it is neither what `describe()` gives nor `None`.

    Raises:
        AttributeError, TypeError: It is not.
    """
    if trained is None:
        return
    for names in trained.values():
        if not isinstance(names, list) or not all(
            isinstance(name, str) for name in names
        ):
            raise TypeError("what an optimizer trains is no list of names")


def _all(model: keras.Model) -> dict[str, keras.optimizers.Optimizer]:
    compiled = getattr(model, "optimizer", None)
    own = {} if compiled is None else {"": compiled}
    return own | further(model)
