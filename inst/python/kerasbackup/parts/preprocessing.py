"""Describes what layers have learned of the data before training, and no
variable of the model holds: the vocabularies of `TextVectorization` and of
lookups, in the model and in the data; other layers in the data.

Adapted to data that have grown since, a layer gives other numbers for the same
words, and weights that are restored were trained with the old ones. The
description is for comparing: nothing is ever made of it.
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbackup.parts import script
from kerasbackup.parts.data.data_source import stages
from kerasbackup.parts.objects import reachable
from kerasbackup.parts.part import Part
from kerasbackup.store.values import check_texts

# Counts of words, of which a vocabulary was made.
_NOT_LOOKED_UP = {"token_counts", "token_document_counts"}


class Learned(Part):
    """What layers have learned, as a part of a checkpoint.

    Args:
        now: What `describe()` gave.
    """

    name = "learned"

    def __init__(self, now: dict[str, str]):
        self._now = now

    def capture(self, encoder) -> dict[str, str]:
        """The description."""
        return self._now

    @staticmethod
    def check(saved, tensors, place) -> None:
        check_texts(saved)

    def restore(self, saved, arrays) -> list[str]:
        """Only tells what is another."""
        return changes(saved, self._now)


def describe(model: keras.Model, data: Any) -> dict[str, str]:
    """A text for each layer that has learned something, by where it is.

    Args:
        model: The `keras.Model`.
        data: What `fit()` was given.
    """
    described = {}
    known = set()
    for layer in _whole_layers([model], known):
        table = _vocabulary(layer)
        if table is not None:
            _note(f"layer {layer.name}", table, described)
    for layer in _whole_layers(_layers_of(data), known):
        where, table = f"layer {layer.name} of the data", _vocabulary(layer)
        if table is not None:
            _note(where, table, described)
        elif reachable.is_of_library(type(layer)):
            _note(where, _rest(layer), described)
    return described


def changes(saved: dict[str, str], now: dict[str, str]) -> list[str]:
    """What is another, in words.

    Args:
        saved, now: What `describe()` gave.
    """
    notes = []
    for where, before in saved.items():
        text = now.get(where, before)
        if text == before:
            continue
        if "entries" in before and "entries" in text:
            was, is_now = (one.split(" entries")[0] for one in (before, text))
            notes.append(
                f"the vocabulary of {where} is another ({was} entries, "
                f"now {is_now}): the numbers that it gives may not be those "
                "that the weights were trained with"
            )
        else:
            notes.append(f"{where} is configured or adapted otherwise")
    return notes


def _note(where: str, text: str, described: dict[str, str]) -> None:
    # Names are numbered over the life of a process.
    where = re.sub(r"_\d+( |$)", r"\1", where)
    number = sum(1 for other in described if other.split("~")[0] == where)
    described[f"{where}~{number}" if number else where] = text


def _whole_layers(roots: list[Any], known: set[int]) -> Iterator[keras.Layer]:
    """The layers of models and layers, but not those inside a layer: a
    `TextVectorization` has a lookup."""
    for root in roots:
        for layer in getattr(root, "_flatten_layers", list)():
            if id(layer) not in known and not isinstance(layer, keras.Model):
                known.update(map(id, layer._flatten_layers()))
                yield layer


def _layers_of(data: Any) -> list[keras.Layer]:
    """The layers that data are made with: in the functions of a tf.data
    pipeline, and in attributes and closures of everything else."""
    roots = {}
    for one in data if isinstance(data, (list, tuple)) else [data]:
        for stage in stages(one):
            functions = getattr(stage, "_functions", None)
            if functions is None:
                roots[f"{len(roots)}"] = stage
                continue
            for wrapper in functions():
                roots[f"{len(roots)}"] = getattr(wrapper, "_func", None)
    found = reachable.walk(roots, lambda one: isinstance(one, keras.Layer))
    return list(found.values())


def _vocabulary(layer: keras.Layer) -> str | None:
    """How many entries its lookup tables have, and a checksum of them and of
    the weights of words; `None` where it has none."""
    module = sys.modules.get("tensorflow.python.ops.lookup_ops")
    kind = getattr(module, "LookupInterface", None)
    if kind is None:
        # Without TensorFlow there are none.
        return None
    tables = [
        value
        for one in layer._flatten_layers()
        for name, value in vars(one).items()
        if isinstance(value, kind) and name not in _NOT_LOOKED_UP
    ]
    if not tables:
        return None
    digest, count = hashlib.blake2b(digest_size=8), 0
    for table in tables:
        keys, numbers = (one.numpy() for one in table.export())
        count += len(keys)
        # A table exports in any order.
        order = np.lexsort((keys, numbers)) if numbers.ndim == 1 else ...
        for one in (keys[order], numbers[order]):
            digest.update(
                b"\0".join(one.ravel())
                if one.dtype.hasobject
                else one.tobytes()
            )
    for one in layer._flatten_layers():
        weights = getattr(one, "idf_weights_const", None)
        if weights is not None:
            digest.update(np.asarray(weights).tobytes())
    return f"{count} entries {digest.hexdigest()}"


def _rest(layer: keras.Layer) -> str:
    """A checksum of the settings and weights of a layer."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(repr(sorted(script.settings(layer).items())).encode())
    for variable in layer.weights[:32]:
        array = keras.ops.convert_to_numpy(variable)
        digest.update(array.ravel()[:4096].tobytes())
    return f"{type(layer).__name__} {digest.hexdigest()}"
