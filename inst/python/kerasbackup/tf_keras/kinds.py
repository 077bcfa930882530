"""Tells which objects are tf_keras', and of which kind they are."""

from typing import Any

import tensorflow as tf
import tf_keras

# The optimizers of `tf_keras.optimizers.legacy` have a base class of their own.
_OPTIMIZERS = (
    tf_keras.optimizers.Optimizer,
    tf_keras.optimizers.legacy.Optimizer,
)
_PY_DATASETS = (tf_keras.utils.Sequence,)
_VARIABLES = (tf.Variable,)

_COMPONENTS = (
    tf_keras.initializers.Initializer,
    tf_keras.regularizers.Regularizer,
    tf_keras.constraints.Constraint,
    tf_keras.optimizers.schedules.LearningRateSchedule,
)
_HOLDERS = (
    *_COMPONENTS,
    tf_keras.losses.Loss,
    tf_keras.metrics.Metric,
    tf_keras.layers.Layer,
    tf_keras.callbacks.Callback,
)
_ALL = (*_HOLDERS, *_OPTIMIZERS)


def optimizers() -> tuple[type, ...]:
    """The classes that all optimizers are derived from."""
    return _OPTIMIZERS


def py_datasets() -> tuple[type, ...]:
    """The classes that every `Sequence` is derived from."""
    return _PY_DATASETS


def layers_and_metrics() -> tuple[type, ...]:
    """The classes that all layers and metrics are derived from."""
    return (tf_keras.layers.Layer, tf_keras.metrics.Metric)


def seed_generators() -> tuple[type, ...]:
    """The classes of random generators of tf_keras': it uses TensorFlow's."""
    return ()


def is_of_keras(one: Any) -> bool:
    """Whether it is an object whose variables are saved with the model, or
    that is configuration."""
    return isinstance(one, _ALL)


def is_class_of_keras(cls: type) -> bool:
    """Whether tf_keras defines a class itself."""
    return cls.__module__.split(".")[0] == "tf_keras"


def holds_functions(one: Any) -> bool:
    """Whether it is an object that a script may give its own functions to."""
    return isinstance(one, _HOLDERS)


def is_variable(one: Any) -> bool:
    """Whether it is a variable."""
    return isinstance(one, _VARIABLES)


def is_layer(one: Any) -> bool:
    """Whether it is a layer; a model is one too."""
    return isinstance(one, tf_keras.layers.Layer)


def is_model(one: Any) -> bool:
    """Whether it is a model."""
    return isinstance(one, tf_keras.Model)


def is_optimizer(one: Any) -> bool:
    """Whether it is an optimizer."""
    return isinstance(one, _OPTIMIZERS)


def is_metric(one: Any) -> bool:
    """Whether it is a metric object."""
    return isinstance(one, tf_keras.metrics.Metric)


def is_loss(one: Any) -> bool:
    """Whether it is a loss object."""
    return isinstance(one, tf_keras.losses.Loss)


def is_component(one: Any) -> bool:
    """Whether it is an initializer, a regularizer, a constraint or a learning
    rate schedule."""
    return isinstance(one, _COMPONENTS)


def is_py_dataset(one: Any) -> bool:
    """Whether it is a `Sequence`, which Keras 3 calls `PyDataset`."""
    return isinstance(one, _PY_DATASETS)


def is_seed_generator(one: Any) -> bool:
    """Whether it is a random generator of tf_keras'."""
    return False


def is_of_tf_data(seed_generator: Any) -> bool:
    """Whether a generator of tf_keras' draws inside of a tf.data pipeline."""
    return False
