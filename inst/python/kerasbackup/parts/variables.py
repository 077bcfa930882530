"""Owns the variables of a training: which there are, their names and bytes.

Three kinds are saved, each variable once: the model's (weights, seed
generators, states of layers), the optimizer's and the metrics'. Their bytes are
handed over by address, without a copy where the backend allows it
(`keras3/memory.py`).

May not touch hooks, callbacks or files.
"""

import ctypes
import hashlib
import math
import re
from collections.abc import Iterator
from typing import Any

import keras

from kerasbackup.keras3 import memory
from kerasbackup.parts import further_optimizers
from kerasbackup.store import errors
from kerasbackup.store.dtypes import KERAS_DTYPES

# What all variables are. `keras.Variable` is derived from it, and in older
# versions Keras' own variables are not of that class.
AnyVariable = keras.Variable.__bases__[0]
GROUPS = ("variables", "optimizer", "metrics")


class Variables:
    """All variables of one training, in file order.

    The order is by size of an element, the largest first, so that every tensor
    in the file is aligned to its element. Within one size it is Keras' order.

    Args:
        model: A built and compiled `keras.Model` with a built optimizer.

    Attributes:
        spec: List of `(name, dtype, shape)`, in file order, dtype as
            safetensors names it.
        unsaved: List of strings, what of a dtype that cannot be saved was left
            out.
    """

    def __init__(self, model: keras.Model):
        self._host = memory.of_backend()
        self._compiled = _compiled(model)
        # They keep what they compute with beside the variables it is made of.
        self._derived = [
            layer
            for layer in getattr(model, "_flatten_layers", list)()
            if isinstance(layer, keras.layers.Normalization)
        ]
        self._unbuilt = _unbuilt(model)
        found = []
        own = list(_walk(model))
        buffers, self.unsaved = self._host.buffers(model, own_variables(model))
        self._buffers = _named(buffers, {name for name, _ in own})
        for path, variable in [*own, *self._buffers]:
            for name, part in self._host.parts(path, variable):
                dtype, shape, width = self._host.describe(name, part)
                found.append((-width, name, dtype, shape, part))
        found.sort(key=lambda one: one[0])
        self._variables = [one[4] for one in found]
        self.spec = [(one[1], one[2], one[3]) for one in found]

    def locate(self) -> tuple[list[int], list[Any]]:
        """Where the bytes of every variable are, now.

        Returns:
            The addresses, in file order; and the objects that keep that memory
            alive.
        """
        addresses = []
        owners = []
        for variable in self._variables:
            address, owner = self._host.locate(variable)
            addresses.append(address)
            owners.append(owner)
        return addresses, owners

    def is_current(self, model: keras.Model) -> bool:
        """Whether they are the model's and `spec` still holds: a callback may
        have compiled it. Keras' variables keep their shapes, what torch's
        modules keep may not."""
        return (
            all(
                one is before
                for one, before in zip(_compiled(model), self._compiled)
            )
            and not any(one.built for one in self._unbuilt)
            and all(buffer.is_as_it_was() for _, buffer in self._buffers)
        )

    def check(
        self,
        checkpoint,
        other_backend: bool = False,
        other: str | None = None,
    ) -> list[str]:
        """Compares with a checkpoint and pairs the variables with its tensors.

        Keras numbers the names of layers over the life of a process (`dense`,
        `dense_1`, ...), so the same script run twice in one session gives other
        names. Names count as they are where they all agree, else without their
        numbers, in order.

        Args:
            checkpoint: A `store.Checkpoint`.
            other_backend: Whether another backend wrote it: seeds and counters
                may be integers of another kind there.
            other: What the checkpoint is of, in words, where it is known to be
                of another model or optimizer.

        Returns:
            The name of every variable's tensor, in the order of `spec`.

        Raises:
            MismatchError: Lists all that is missing, extra or of another shape
                or dtype. Nothing was assigned.
        """
        saved = {
            name: tensor
            for name, tensor in checkpoint.tensors.items()
            if _group(name) in GROUPS
        }
        names = [name for name, _, _ in self.spec]
        partners = _pair(names, list(saved))
        alike = _is_integer if other_backend else None
        differences = _differences(self.spec, partners, saved, alike)
        if differences or other:
            # Where layers came or went, numbers tell more than their order.
            by_name = _differences(self.spec, names, saved, alike)
            differences = min(differences, by_name, key=len)
            raise errors.MismatchError(
                f"The checkpoint '{checkpoint.path}' is of "
                f"{other or 'another model'}. "
                "Nothing was restored, and the checkpoint was left as it is.\n"
                + "".join(f"* {line}\n" for line in differences)
                + _hint(differences)
                + "Train what it was saved from, or use another `backup_dir`."
            )
        return partners

    def assign(self, checkpoint, partners: list[str], copies: bool) -> None:
        """Gives every variable the bytes of its tensor.

        Args:
            checkpoint: A `store.Checkpoint`.
            partners: What `check()` returned.
            copies: Whether the checkpoint is to stay as it is: else the
                variables may take its memory for theirs, and write there.
        """
        for variable, name in zip(self._variables, partners):
            self._host.assign(variable, *checkpoint.tensors[name], copies)
        for layer in self._derived:
            layer.finalize_state()


def count_bytes(model: keras.Model) -> int:
    """About how many bytes the variables have, as far as there are any yet."""
    return sum(
        math.prod(variable.shape) * _width(variable.dtype)
        for _, variable in _walk(model)
    )


def digest(
    model: keras.Model, trainable: bool = False, most: int = 32
) -> str | None:
    """Tells one model's weights from another's, by the first bytes of the first
    variables; `None` where it is not built, or has none any more.

    Args:
        model: The model.
        trainable: Whether only what is trained counts, so that what else moves
            by itself (the states of seeds) does not.
        most: The number of variables.
    """
    if not model.built:
        return None
    host = memory.of_backend()
    found = hashlib.blake2b(digest_size=16)
    try:
        variables = model.trainable_weights if trainable else model.variables
        for variable in variables[:most]:
            for name, part in host.parts(variable.path, variable):
                _, shape, width = host.describe(name, part)
                address, owner = host.locate(part)
                size = min(math.prod(shape) * width, 4096)
                found.update(ctypes.string_at(address, size))
                del owner
    except (RuntimeError, TypeError):
        # On JAX a training that was interrupted without this callback leaves
        # variables without a value.
        return None
    return found.hexdigest()


def _compiled(model: keras.Model) -> list[Any]:
    """What `compile()` makes that has variables."""
    return [
        getattr(model, name, None)
        for name in ("optimizer", "_compile_metrics", "_loss_tracker")
    ]


def _unbuilt(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Optimizers that get variables with their first step."""
    return [
        one
        for one in further_optimizers.further(model).values()
        if not one.built
    ]


def build_optimizers(
    model: keras.Model, trained: dict[str, list[str]], saved: list[str]
) -> None:
    """Builds the optimizers that a checkpoint has built.

    Args:
        model: The `keras.Model` being trained.
        trained: What `describe_optimizers()` gave.
        saved: Names of the checkpoint's tensors.
    """
    own = dict(_walk(model))
    saved = [name for name in saved if _group(name) == "variables"]
    partners = _pair([n for n in own if _group(n) == "variables"], saved)
    further_optimizers.build(
        model, trained, {name: own[n] for n, name in zip(own, partners)}
    )


def describe_optimizers(model: keras.Model) -> dict[str, list[str]]:
    """For which variables each optimizer is built, by their names."""
    names = {id(variable): name for name, variable in _walk(model)}
    return further_optimizers.describe(model, names)


def lacks_some(model: keras.Model, saved: list[str]) -> bool:
    """Whether a checkpoint has more variables of the model and its metrics."""
    own = [name for name, _ in _walk(model)]
    counts = [
        sum(_group(name) in ("variables", "metrics") for name in names)
        for names in (own, saved)
    ]
    return counts[0] < counts[1]


def own_variables(model: keras.Model) -> set[int]:
    """The ids of the model's variables and of the backend's behind them."""
    own = [variable for _, variable in _walk(model)]
    return {id(one) for v in own for one in (v, v.value)}


def wait_for_steps(model: keras.Model) -> None:
    """Returns when the backend has done every step that it was given."""
    if model.optimizer is not None:
        # The smallest that each step changes. What a step changes is there all
        # at once.
        keras.ops.convert_to_numpy(model.optimizer.iterations)


def _width(dtype: str) -> int:
    bits = re.search(r"\d+", dtype)
    return max(1, int(bits[0]) // 8) if bits else 1


def _walk(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Every variable once, with a unique name."""
    groups = [
        ("variables", [*model.variables, *_recurrent_states(model)]),
        ("optimizer", model.optimizer.variables if model.optimizer else []),
        *(
            (f"optimizer/{where}", one.variables)
            for where, one in further_optimizers.further(model).items()
        ),
        ("metrics", model.metrics_variables),
    ]
    seen = set()
    names = set()
    for group, variables in groups:
        for variable in variables:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            name = _unused(f"{group}/{variable.path}", names)
            names.add(name)
            yield name, variable


def _group(name: str) -> str:
    return name.split("/")[0]


def _unused(path: str, names) -> str:
    """The path, with a number where there is one like it already."""
    name = path
    count = 1
    while name in names:
        name = f"{path}~{count}"
        count += 1
    return name


def _named(buffers, names: set[str]) -> list[tuple[str, Any]]:
    """With names that are not among those taken; they are, afterwards."""
    named = []
    for path, buffer in buffers:
        name = _unused(f"variables/{path}", names)
        names.add(name)
        named.append((name, buffer))
    return named


def _recurrent_states(model: keras.Model) -> list[AnyVariable]:
    """The states of stateful recurrent layers, which `variables` leaves out."""
    states = []
    for layer in getattr(model, "_flatten_layers", list)():
        kept = keras.tree.flatten(getattr(layer, "states", None))
        states += [one for one in kept if isinstance(one, AnyVariable)]
    return states


def _pair(names: list[str], saved: list[str]) -> list[str | None]:
    """For each name the saved one that is meant, or `None`."""
    if set(names) == set(saved):
        return names
    pairs = {}
    # An optimizer inside another one names its variables by where they are
    # made first, so the last part of a path has to do.
    for key in (_unnumbered, _unnumbered_end):
        left = {}
        taken = set(pairs.values())
        for name in saved:
            if name not in taken:
                left.setdefault(key(name), []).append(name)
        for name in names:
            if name not in pairs and left.get(key(name)):
                pairs[name] = left[key(name)].pop(0)
    # Not by its own name: that may be another one's by now.
    return [pairs.get(name) for name in names]


def _unnumbered_end(name: str) -> str:
    group, *_, end = name.split("/")
    return f"{group}/{_unnumbered(end)}" if group == "optimizer" else name


def _unnumbered(name: str) -> str:
    return re.sub(r"_\d+(?=[_/~@]|$)", "", name)


def _differences(spec, partners, saved, alike=None) -> list[str]:
    """What does not fit, in words. `alike`: of two dtypes that it holds for,
    one is as good as the other."""
    lines = []
    for (name, dtype, shape), partner in zip(spec, partners):
        if partner not in saved:
            lines.append(
                f"{name}: {_kind(dtype, shape)} in the model, "
                "missing in the checkpoint"
            )
            continue
        saved_dtype, saved_shape, _ = saved[partner]
        same = dtype == saved_dtype or (
            alike is not None and alike(dtype) and alike(saved_dtype)
        )
        if not same or list(shape) != list(saved_shape):
            lines.append(
                f"{name}: {_kind(dtype, shape)} in the model, "
                f"{_kind(saved_dtype, saved_shape)} in the checkpoint"
            )
    taken = set(partners)
    for name in saved:
        if name not in taken:
            saved_dtype, saved_shape, _ = saved[name]
            lines.append(
                f"{name}: missing in the model, "
                f"{_kind(saved_dtype, saved_shape)} in the checkpoint"
            )
    return lines


def _hint(differences: list[str]) -> str:
    """What is likely where nothing else differs."""
    if differences and all(d.startswith("optimizer/") for d in differences):
        return (
            "An optimizer has variables for each weight that is trained: was a "
            "layer frozen, or is it no longer (`trainable`)?\n"
        )
    return ""


def _is_integer(dtype: str) -> bool:
    return re.fullmatch(r"[IU]\d+", dtype) is not None


def _kind(dtype: str, shape) -> str:
    return f"{KERAS_DTYPES[dtype]} ({', '.join(str(d) for d in shape)})"
