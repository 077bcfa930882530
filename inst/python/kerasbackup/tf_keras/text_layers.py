"""The vocabularies of text and lookup layers, which no variable holds."""

from typing import Any

from tensorflow.python.ops import lookup_ops

from kerasbackup.tf_keras.model_parts import layers_of

# Counts of words, from which a vocabulary was made.
_NOT_LOOKED_UP = {"token_counts", "token_document_counts"}


def lookup_tables(layer: Any) -> list[Any]:
    """TensorFlow's lookup tables in a layer and the layers inside it."""
    kind = getattr(lookup_ops, "LookupInterface", ())
    return [
        value
        for one in layers_of(layer)
        for name, value in vars(one).items()
        if isinstance(value, kind) and name not in _NOT_LOOKED_UP
    ]


def word_weights(layer: Any) -> list[Any]:
    """The weights of words in a layer and the layers inside it."""
    found = (getattr(o, "idf_weights_const", None) for o in layers_of(layer))
    return [weights for weights in found if weights is not None]
