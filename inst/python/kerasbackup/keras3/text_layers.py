"""The vocabularies of text and lookup layers, which no variable holds."""

import sys
from typing import Any

from kerasbackup.keras3.model_parts import layers_of

# Counts of words, from which a vocabulary was made.
_NOT_LOOKED_UP = {"token_counts", "token_document_counts"}


def lookup_tables(layer: Any) -> list[Any]:
    """TensorFlow's lookup tables in a layer and the layers inside it."""
    module = sys.modules.get("tensorflow.python.ops.lookup_ops")
    kind = getattr(module, "LookupInterface", None)
    if kind is None:
        # Without TensorFlow there are none.
        return []
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
