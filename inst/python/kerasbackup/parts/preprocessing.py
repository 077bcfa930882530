"""Describes what layers have learned from the data before training and no
variable of the model holds: the vocabularies of text and lookup layers in the
model and in the data, and the other layers in the data.

A layer that is adapted again to larger data gives other numbers for the same
words, while the restored weights were trained with the old numbers. The
description is only compared; nothing is restored from it.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import tensors
from kerasbackup.anykeras import text_layers
from kerasbackup.anykeras.model_parts import layers_of
from kerasbackup.parts import script
from kerasbackup.parts.data.sources.pipelines import stages
from kerasbackup.parts.objects import reachable
from kerasbackup.parts.part import Part
from kerasbackup.store.changes import Change
from kerasbackup.store.values import check_texts


class Learned(Part):
    """What layers have learned from the data, as a part of a checkpoint.

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

    def script_changes(self, saved, arrays) -> list[str]:
        return changes(saved, self._now)

    def restore(self, saved, arrays) -> list[str]:
        """Restores nothing; only names the differences."""
        return changes(saved, self._now)


def describe(model: Any, data: Any) -> dict[str, str]:
    """A text for each layer that has learned something, by where it is found.

    Args:
        model: The `keras.Model`.
        data: The training data of `fit()`.
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
    """The differences, as lines of text.

    Args:
        saved, now: What `describe()` returned.
    """
    notes = []
    for where, before in saved.items():
        text = now.get(where, before)
        if text == before:
            continue
        if "entries" in before and "entries" in text:
            was, is_now = (one.split(" entries")[0] for one in (before, text))
            notes.append(
                Change(
                    f"the vocabulary of {where} differs ({was} entries "
                    f"{script.THEN}, {is_now} now): it may give words other "
                    "numbers than those that the weights were trained with",
                    (
                        f"vocabulary of {where}",
                        f"{is_now} entries",
                        f"{was} entries",
                    ),
                )
            )
        else:
            notes.append(
                f"{where} has other settings, or was adapted to other data, "
                f"than {script.THEN}"
            )
    return notes


def _note(where: str, text: str, described: dict[str, str]) -> None:
    # Keras numbers names over the life of a process.
    where = re.sub(r"_\d+( |$)", r"\1", where)
    number = sum(1 for other in described if other.split("~")[0] == where)
    described[f"{where}~{number}" if number else where] = text


def _whole_layers(roots: list[Any], known: set[int]) -> Iterator[Any]:
    """The layers of models and layers, without those inside a layer that is no
    model, such as the lookup in a `TextVectorization`."""
    for root in roots:
        for layer in layers_of(root):
            if id(layer) not in known and not kinds.is_model(layer):
                known.update(map(id, layers_of(layer)))
                yield layer


def _layers_of(data: Any) -> list[Any]:
    """The layers that make the data. They are in the functions of a tf.data
    pipeline, or in attributes and closures of other data."""
    roots = {}
    for one in data if isinstance(data, (list, tuple)) else [data]:
        for stage in stages(one):
            functions = getattr(stage, "_functions", None)
            if functions is None:
                roots[f"{len(roots)}"] = stage
                continue
            for wrapper in functions():
                roots[f"{len(roots)}"] = getattr(wrapper, "_func", None)
    found = reachable.walk(roots, kinds.is_layer)
    return list(found.values())


def _vocabulary(layer: Any) -> str | None:
    """The number of entries in its lookup tables, with a checksum of them and
    of the weights of words; `None` if it has no such tables."""
    tables = text_layers.lookup_tables(layer)
    if not tables:
        return None
    digest, count = hashlib.blake2b(digest_size=8), 0
    for table in tables:
        keys, numbers = (one.numpy() for one in table.export())
        count += len(keys)
        # The order of an export is arbitrary.
        order = np.lexsort((keys, numbers)) if numbers.ndim == 1 else ...
        for one in (keys[order], numbers[order]):
            digest.update(
                b"\0".join(one.ravel())
                if one.dtype.hasobject
                else one.tobytes()
            )
    for weights in text_layers.word_weights(layer):
        digest.update(np.asarray(weights).tobytes())
    return f"{count} entries {digest.hexdigest()}"


def _rest(layer: Any) -> str:
    """A checksum of the settings and weights of a layer."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(repr(sorted(script.settings(layer).items())).encode())
    for variable in layer.weights[:32]:
        array = tensors.to_numpy(variable)
        digest.update(array.ravel()[:4096].tobytes())
    return f"{type(layer).__name__} {digest.hexdigest()}"
