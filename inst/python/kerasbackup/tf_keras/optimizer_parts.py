"""The parts of an optimizer that tf_keras keeps in private attributes, or
names otherwise than Keras 3."""

from typing import Any

import tensorflow as tf


def variables(optimizer: Any) -> list[Any]:
    """Its variables, those of an optimizer inside it included.

    An optimizer does not list the variables that it keeps its settings in: a
    legacy one all of them, others the learning rate and what scales the loss.
    """
    listed = optimizer.variables
    # A method of legacy optimizers.
    found = list(listed if isinstance(listed, list) else listed())
    inner = getattr(optimizer, "inner_optimizer", None)
    scale = getattr(optimizer, "_loss_scale", None)
    found += [] if inner is None else variables(inner)
    others = [
        *getattr(optimizer, "_hyper", {}).values(),
        *_attributes(scale).values(),
        getattr(optimizer, "_learning_rate", None),
        # What the rate of a schedule is at this step.
        getattr(optimizer, "_current_learning_rate", None),
    ]
    found += [one for one in others if isinstance(one, tf.Variable)]
    return list({id(one): one for one in found}.values())


def _attributes(one: Any) -> dict[str, Any]:
    return getattr(one, "__dict__", {})


def is_built(optimizer: Any) -> bool:
    """Whether it has its variables."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return is_built(inner)
    if _is_legacy(optimizer):
        return bool(optimizer._slots)
    return bool(getattr(optimizer, "_built", False))


def build(optimizer: Any, trained: list[Any]) -> None:
    """Makes its variables for those that it trains."""
    if _is_legacy(optimizer):
        with tf.init_scope():
            optimizer._create_all_weights(trained)
    else:
        optimizer.build(trained)


def trained_variables(optimizer: Any, variables: list[Any]) -> list[Any]:
    """The variables among some that it was built for, in its order; none where
    that is not known. It only knows their keys."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return trained_variables(inner, variables)
    of_legacy = getattr(optimizer, "_slots", {})
    keys = getattr(optimizer, "_index_dict", of_legacy)
    key_of = _key_of_legacy if _is_legacy(optimizer) else _key
    by_key = {key_of(one): one for one in variables}
    return [by_key[key] for key in keys if key in by_key]


def _key(variable: Any) -> Any:
    return getattr(variable, "_unique_id", None)


def _key_of_legacy(variable: Any) -> Any:
    if getattr(variable, "_in_graph_mode", False):
        return getattr(variable, "_shared_name", None)
    return _key(variable)


def given_learning_rate(optimizer: Any) -> Any:
    """Its learning rate: a variable, or the script's schedule or function."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return given_learning_rate(inner)
    if _is_legacy(optimizer):
        return optimizer._hyper.get("learning_rate")
    return getattr(optimizer, "_learning_rate", None)


def _is_legacy(optimizer: Any) -> bool:
    return hasattr(optimizer, "_create_all_weights")
