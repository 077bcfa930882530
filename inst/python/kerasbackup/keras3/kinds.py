"""Tells which objects are Keras', and of which kind they are."""

from typing import Any

import keras
from keras.src import backend

_OPTIMIZERS = (keras.optimizers.Optimizer,)
_PY_DATASETS = (keras.utils.PyDataset,)
_SEED_GENERATORS = (keras.random.SeedGenerator,)

# `keras.Variable` is derived from this class. Older versions make variables
# that are not of `keras.Variable`.
_VARIABLES = (keras.Variable.__bases__[0],)

_COMPONENTS = (
    keras.Initializer,
    keras.Regularizer,
    keras.constraints.Constraint,
    keras.optimizers.schedules.LearningRateSchedule,
)
_HOLDERS = (
    *_COMPONENTS,
    keras.Loss,
    keras.Metric,
    keras.Layer,
    keras.callbacks.Callback,
)
_ALL = (*_VARIABLES, *_HOLDERS, *_OPTIMIZERS, *_SEED_GENERATORS)


def optimizers() -> tuple[type, ...]:
    """The classes that all optimizers are derived from."""
    return _OPTIMIZERS


def py_datasets() -> tuple[type, ...]:
    """The classes that every `PyDataset` is derived from."""
    return _PY_DATASETS


def seed_generators() -> tuple[type, ...]:
    """The classes of random generators of Keras'."""
    return _SEED_GENERATORS


def is_of_keras(one: Any) -> bool:
    """Whether it is an object whose variables are saved with the model, or
    that is configuration."""
    return isinstance(one, _ALL)


def is_class_of_keras(cls: type) -> bool:
    """Whether Keras defines a class itself."""
    return cls.__module__.split(".")[0] == "keras"


def holds_functions(one: Any) -> bool:
    """Whether it is an object that a script may give its own functions to."""
    return isinstance(one, _HOLDERS)


def is_variable(one: Any) -> bool:
    """Whether it is a variable of Keras', on any backend."""
    return isinstance(one, _VARIABLES)


def is_layer(one: Any) -> bool:
    """Whether it is a layer; a model is one too."""
    return isinstance(one, keras.Layer)


def is_model(one: Any) -> bool:
    """Whether it is a model."""
    return isinstance(one, keras.Model)


def is_optimizer(one: Any) -> bool:
    """Whether it is an optimizer."""
    return isinstance(one, _OPTIMIZERS)


def is_metric(one: Any) -> bool:
    """Whether it is a metric object."""
    return isinstance(one, keras.Metric)


def is_loss(one: Any) -> bool:
    """Whether it is a loss object."""
    return isinstance(one, keras.Loss)


def is_component(one: Any) -> bool:
    """Whether it is an initializer, a regularizer, a constraint or a learning
    rate schedule."""
    return isinstance(one, _COMPONENTS)


def is_py_dataset(one: Any) -> bool:
    """Whether it is a `PyDataset`."""
    return isinstance(one, _PY_DATASETS)


def is_seed_generator(one: Any) -> bool:
    """Whether it is a random generator of Keras'."""
    return isinstance(one, _SEED_GENERATORS)


def is_of_tf_data(seed_generator: Any) -> bool:
    """Whether it is the second generator of a preprocessing layer, which on JAX
    and torch draws inside of a tf.data pipeline."""
    return not isinstance(seed_generator.state, backend.Variable)
