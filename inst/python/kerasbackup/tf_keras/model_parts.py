"""The parts of a model that tf_keras keeps in private attributes."""

from typing import Any

import tf_keras

from kerasbackup.tf_keras import kinds
from kerasbackup.tf_keras import nested
from kerasbackup.tf_keras import random_layers

_NORMALIZATIONS = (tf_keras.layers.Normalization,)


def layers_of(model: Any) -> list[Any]:
    """The layers of a model or layer at any depth, itself included; none of any
    other object."""
    return list(getattr(model, "_flatten_layers", list)())


def layers_inside(model: Any) -> list[Any]:
    """The layers of a model at any depth, without the model."""
    return list(model._flatten_layers(include_self=False))


def variables(model: Any) -> list[Any]:
    """The variables of a model, with those that its own list leaves out: the
    states of recurrent layers, the generators of random layers, and how many
    batches `fit()` has trained on."""
    return [
        *_listed(model),
        *_recurrent_states(model),
        *random_layers.states(layers_of(model)),
        *(
            one
            for one in (getattr(model, "_train_counter", None),)
            if kinds.is_variable(one)
        ),
    ]


def _listed(model: Any) -> list[Any]:
    """What a model lists itself. One that is not built yet, or has such a model
    in it, may refuse that; then what the layers in it have already."""
    models = [
        one for one in layers_of(model) if isinstance(one, tf_keras.Model)
    ]
    if all(one.built for one in models):
        return list(model.variables)
    found = [
        one
        for layer in layers_of(model)
        for one in (*layer._trainable_weights, *layer._non_trainable_weights)
    ]
    return list({id(one): one for one in found}.values())


def _recurrent_states(model: Any) -> list[Any]:
    states = []
    for layer in layers_of(model):
        if getattr(layer, "stateful", False):
            kept = nested.flatten(getattr(layer, "states", None))
            states += [one for one in kept if kinds.is_variable(one)]
    return states


def metrics_variables(model: Any) -> list[Any]:
    """The variables of a model's metrics, that of the loss included."""
    return [one for metric in model.metrics for one in metric.variables]


def path_of(variable: Any) -> str:
    """The name of a variable. Others may have the same."""
    return variable.name.removesuffix(":0")


def layers_to_finalize(model: Any) -> list[Any]:
    """The layers that compute with values derived from their variables, and
    need `finalize_state()` after these are assigned."""
    return [one for one in layers_of(model) if isinstance(one, _NORMALIZATIONS)]


def compiled_metrics(model: Any) -> Any:
    """The object that `compile()` makes for all metrics, if there is one."""
    return getattr(model, "compiled_metrics", None)


def loss_tracker(model: Any) -> Any:
    """What `compile()` makes for the loss, if there is anything."""
    return getattr(model, "compiled_loss", None)


def given_metrics(model: Any) -> dict[str, Any]:
    """The metrics as the script gave them to `compile()`, by the names of
    tf_keras' attributes for them."""
    compiled = compiled_metrics(model)
    return {
        name: getattr(compiled, name, None)
        for name in ("_user_metrics", "_user_weighted_metrics")
    }
