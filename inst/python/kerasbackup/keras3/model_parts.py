"""The parts of a model that Keras keeps in private attributes."""

from typing import Any

import keras

from kerasbackup.keras3 import kinds
from kerasbackup.keras3 import nested

_NORMALIZATIONS = (keras.layers.Normalization,)


def layers_of(model: Any) -> list[Any]:
    """The layers of a model or layer at any depth, itself included; none of any
    other object."""
    return getattr(model, "_flatten_layers", list)()


def layers_inside(model: Any) -> list[Any]:
    """The layers of a model at any depth, without the model."""
    return model._flatten_layers(include_self=False)


def variables(model: Any) -> list[Any]:
    """The variables of a model, with the states of stateful recurrent layers,
    which its own list leaves out."""
    states = []
    for layer in layers_of(model):
        kept = nested.flatten(getattr(layer, "states", None))
        states += [one for one in kept if kinds.is_variable(one)]
    return [*model.variables, *states]


def metrics_variables(model: Any) -> list[Any]:
    """The variables of a model's metrics, that of the loss included."""
    return model.metrics_variables


def path_of(variable: Any) -> str:
    """The name of a variable, with those of what it is in."""
    return variable.path


def layers_to_finalize(model: Any) -> list[Any]:
    """The layers that compute with values derived from their variables, and
    need `finalize_state()` after these are assigned."""
    return [one for one in layers_of(model) if isinstance(one, _NORMALIZATIONS)]


def compiled_metrics(model: Any) -> Any:
    """The object that `compile()` makes for all metrics, if there is one."""
    return getattr(model, "_compile_metrics", None)


def loss_tracker(model: Any) -> Any:
    """The metric that `compile()` makes for the loss, if there is one."""
    return getattr(model, "_loss_tracker", None)


def given_metrics(model: Any) -> dict[str, Any]:
    """The metrics as the script gave them to `compile()`, by the names of
    Keras' attributes for them."""
    compiled = compiled_metrics(model)
    return {
        name: getattr(compiled, name, None)
        for name in ("_user_metrics", "_user_weighted_metrics")
    }
