"""Lets tf_keras make the variables that it would make at the first batch."""

from typing import Any

import tensorflow as tf

from kerasbackup.tf_keras import epoch_iterator
from kerasbackup.tf_keras import model_parts
from kerasbackup.tf_keras import optimizer_parts
from kerasbackup.tf_keras import random_layers


def prepare(model: Any) -> None:
    """To be called when a `fit()` begins, before anything is restored: lets the
    random layers keep their state where it can be saved."""
    changed = random_layers.make_readable(model, model_parts.layers_of(model))
    if changed and model.train_function is not None:
        # An earlier `fit()` has traced it with the operations that the layers
        # used then.
        model.make_train_function(force=True)


def is_built(model: Any) -> bool:
    """Whether the model, its loss and its metrics have their variables."""
    made = (
        getattr(model, "compiled_loss", None),
        model_parts.compiled_metrics(model),
    )
    return model.built and all(one is None or one.built for one in made)


def build(model: Any, iterator: Any, lacks: bool = False) -> None:
    """Creates the variables that the first batch would create.

    Args:
        model: The model.
        iterator: The `View` of the `DataHandler` of its `fit()`.
        lacks: Whether some are known to be missing.
    """
    if not is_built(model) or lacks:
        build_by_step(model, iterator)
    build_optimizer(model)


def build_optimizer(model: Any) -> None:
    """Creates the variables of the optimizer that the model was compiled
    with."""
    optimizer = model.optimizer
    if optimizer is not None and not optimizer_parts.is_built(optimizer):
        with model.distribute_strategy.scope():
            optimizer_parts.build(optimizer, model.trainable_variables)


def build_by_step(model: Any, iterator: Any) -> None:
    """Creates what the first step creates, by tracing one. Nothing is
    computed."""
    strategy = model.distribute_strategy

    @tf.function
    def step(data):
        return strategy.run(model.train_step, args=(data,))

    spec = epoch_iterator.pipeline(iterator).element_spec
    with strategy.scope():
        step.get_concrete_function(spec)
