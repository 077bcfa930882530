"""Lets Keras make the variables that it would make at the first batch."""

import keras

from kerasbackup.keras3 import steps
from kerasbackup.keras3.model_parts import compiled_metrics
from kerasbackup.store import errors


def prepare(model) -> None:
    """To be called when a `fit()` begins, before anything is restored. Keras
    keeps the state of its random layers in variables, so there is nothing to
    do."""


def is_built(model) -> bool:
    """Whether the model and its metrics have their variables."""
    metrics = compiled_metrics(model)
    return model.built and (metrics is None or metrics.built)


def build(model, epoch_iterator, lacks: bool = False) -> None:
    """Creates the variables that Keras would create at the first batch.

    Args:
        model: The `keras.Model`.
        epoch_iterator: The `EpochIterator` of its `fit()`.
        lacks: Whether some are known to be missing. TensorFlow builds the loss
            with the first step, and with several outputs each has a metric.
    """
    if is_built(model) and not lacks:
        build_optimizer(model)
        return
    if not hasattr(model, "_symbolic_build"):
        raise errors.UnsupportedError(
            f"Keras {keras.__version__} cannot build this model before its "
            "first batch. Build it before `fit()`, for example with an Input."
        )
    if keras.backend.backend() == "tensorflow":
        model._symbolic_build(data_batch=_symbolic_batch(epoch_iterator))
    else:
        model._symbolic_build(iterator=epoch_iterator)


def build_optimizer(model) -> None:
    """Creates the variables of the optimizer that the model was compiled
    with."""
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def build_by_step(model, epoch_iterator) -> None:
    """Creates what the first step of a model's own `train_step()` creates, by
    tracing it as TensorFlow will. Nothing is computed."""
    import tensorflow as tf

    dataset = getattr(epoch_iterator, "_distributed_dataset", None)
    if not model.run_eagerly and isinstance(dataset, tf.data.Dataset):
        step = tf.function(model.train_step)
        step.get_concrete_function(dataset.element_spec)
    elif steps.has_call(model):
        build(model, epoch_iterator)
    else:
        raise errors.UnsupportedError(
            "The model creates variables in its first step, which Keras runs "
            "eagerly or on several devices, so they cannot be restored before "
            "it. Build the layers before `fit()`, for example with an Input. "
            "The checkpoint was left as it is."
        )


def _symbolic_batch(epoch_iterator):
    """A batch without data, from the dataset's own description."""
    import tensorflow as tf

    def symbolic(spec):
        # Under a tf.distribute strategy, the shape of one replica's batch.
        spec = getattr(spec, "_value_specs", (spec,))[0]
        return keras.KerasTensor(tuple(spec.shape), spec.dtype.name)

    dataset = getattr(epoch_iterator, "_distributed_dataset", None)
    if dataset is None:
        raise errors.UnsupportedError(
            f"Keras {keras.__version__} does not reveal the shapes of a batch. "
            "Build the model and its metrics before `fit()`."
        )
    return tf.nest.map_structure(symbolic, dataset.element_spec)
