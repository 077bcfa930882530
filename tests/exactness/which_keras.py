"""The Keras that the rows train with: Keras 3, or tf_keras (Keras 2). A case
imports `keras` from here. What else it needs that the two name differently has
one name here."""

import os

import numpy as np

IS_TF_KERAS = os.environ.get("EXACTNESS_KERAS") == "tf_keras"

if IS_TF_KERAS:
    import tensorflow as tf
    import tf_keras as keras

    PyDataset = keras.utils.Sequence
    Loss = keras.losses.Loss
    Variable = tf.Variable
    seed_generator = tf.random.Generator.from_seed
    ops = tf
    mean = tf.reduce_mean
    to_numpy = np.asarray

    def concatenate(tensors):
        return tf.concat(tensors, axis=0)

    def normal(shape, seed):
        return seed.normal(shape)

    def uniform(shape, seed):
        return seed.uniform(shape)

    def apply(optimizer, gradients, weights):
        optimizer.apply_gradients(zip(gradients, weights))

    def pydataset(data, **workers):
        """The arguments of `fit()`, which starts the workers."""
        return {"x": data(), **workers}

else:
    import keras

    PyDataset = keras.utils.PyDataset
    Loss = keras.Loss
    Variable = keras.Variable
    seed_generator = keras.random.SeedGenerator
    ops = keras.ops
    mean = keras.ops.mean
    to_numpy = keras.ops.convert_to_numpy
    concatenate = keras.ops.concatenate
    normal = keras.random.normal
    uniform = keras.random.uniform

    def apply(optimizer, gradients, weights):
        optimizer.apply(gradients, weights)

    def pydataset(data, **workers):
        """The arguments of `fit()`. The data start the workers."""
        return {"x": data(**workers)}
