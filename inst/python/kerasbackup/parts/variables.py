"""Lists the variables of a training with their names and bytes.

Three kinds are saved, each variable once: those of the model (weights, seed
generators, states of layers), of the optimizers and of the metrics. Their bytes
are passed on by address, without a copy where the backend allows it
(`keras3/memory.py`).
"""

import ctypes
import hashlib
import math
import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from kerasbackup.anykeras import memory
from kerasbackup.anykeras import model_parts
from kerasbackup.anykeras import optimizer_parts
from kerasbackup.anykeras import tensors
from kerasbackup.parts import further_optimizers
from kerasbackup.parts import pieces
from kerasbackup.store import changes
from kerasbackup.store import errors
from kerasbackup.store.changes import Change
from kerasbackup.store.dtypes import KERAS_DTYPES

GROUPS = ("variables", "optimizer", "metrics")

# What a checkpoint is of where only one of the groups differs.
OTHERS = {
    "optimizer": "another optimizer, or of other trainable weights",
    "metrics": "this model compiled with other metrics",
}
ADVICE = "Build and compile the model as before, or use another `backup_dir`."


class Variables:
    """All variables of one training, in file order.

    The variables with the largest elements come first, so that every tensor in
    the file is aligned to its element. Among equal sizes Keras' order is kept.

    Args:
        model: A built `keras.Model`, compiled and with a built optimizer unless
            `groups` leaves that out.
        groups: Tuple of strings out of `GROUPS`, which variables count.

    Attributes:
        spec: List of `(name, dtype, shape)`, in file order, dtype as
            safetensors names it.
        shards: See `pieces.Shards`.
        unsaved: List of strings, the buffers that were left out because their
            dtype cannot be saved.
    """

    def __init__(self, model: Any, groups: tuple[str, ...] = GROUPS):
        self._host = memory.of_backend(model)
        self._groups = groups
        self._compiled = _compiled(model)
        self._derived = model_parts.layers_to_finalize(model)
        self._unbuilt = _unbuilt(model)
        found = []
        own = [one for one in _walk(model) if _group(one[0]) in groups]
        buffers, self.unsaved = self._host.buffers(model, own_variables(model))
        self._buffers = _named(buffers, {name for name, _ in own})
        self.shards = {}
        for path, variable in [*own, *self._buffers]:
            for name, part in self._host.parts(path, variable):
                dtype, shape, width = self._host.describe(name, part)
                found.append((-width, name, dtype, shape, part))
                place = self._host.place_of(part)
                if place is not None:
                    self.shards[name] = {"variable": path, **place}
        found.sort(key=lambda one: one[0])
        self._variables = [one[4] for one in found]
        self.spec = [(one[1], one[2], one[3]) for one in found]

    def locate(self) -> tuple[list[int], list[Any]]:
        """The current addresses of the bytes of every variable.

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

    def is_current(self, model: Any) -> bool:
        """Whether these are still all variables of the model and `spec` holds.
        A callback may have compiled the model, and buffers of torch's modules
        may change their shapes, unlike Keras' variables."""
        return (
            all(
                one is before
                for one, before in zip(_compiled(model), self._compiled)
            )
            and not any(map(optimizer_parts.is_built, self._unbuilt))
            and all(buffer.is_as_it_was() for _, buffer in self._buffers)
        )

    def fitted(
        self, tensors: pieces.Tensors, shards: pieces.Shards
    ) -> tuple[pieces.Tensors, pieces.Shards]:
        """The tensors of a checkpoint, divided as these variables, and which of
        them are pieces. To be called before `check()`.

        Args:
            tensors, shards: Those of the checkpoint.
        """
        return pieces.fitted(tensors, shards, self.spec, self.shards, _pair)

    def check(
        self,
        checkpoint,
        other_backend: bool = False,
        other: str | None = None,
        advice: str = ADVICE,
        settings: Sequence[str] = (),
    ) -> list[str]:
        """Compares with a checkpoint and pairs the variables with its tensors.

        Keras numbers the names of layers over the life of a process (`dense`,
        `dense_1`, ...), so the same script run twice in one session gives other
        names. Names count as they are where they all agree, else without their
        numbers, in their order.

        Args:
            checkpoint: A `Checkpoint` of the store.
            other_backend: Whether another backend wrote it, where seeds and
                counters may be integers of another dtype.
            other: Text that says what the checkpoint is of, if it is known to
                be of another model or optimizer.
            advice: What to do where it does not fit.
            settings: Texts about settings of the optimizers that differ.

        Returns:
            The name of every variable's tensor, in the order of `spec`.

        Raises:
            MismatchError: Tensors are missing, extra, or have another shape or
                dtype; the message lists them. Nothing was assigned.
        """
        saved = {
            name: tensor
            for name, tensor in checkpoint.tensors.items()
            if _group(name) in self._groups
        }
        names = [name for name, _, _ in self.spec]
        partners = _pair(names, list(saved))
        alike = _is_integer if other_backend else None
        differences = _differences(self.spec, partners, saved, alike)
        if differences or other:
            # Where layers were added or removed, their numbers say more than
            # their order.
            by_name = _differences(self.spec, names, saved, alike)
            differences = min(differences, by_name, key=len)
            # What the rest depends on comes first.
            differences.sort(key=lambda line: GROUPS.index(_group(line)))
            # Nothing else is likely where the optimizer is known to be another.
            hint = "" if other else _hint(differences, settings)
            found = [other] if other else []
            if not other:
                # In the order of the groups: these are the first and the last.
                ends = {_group(differences[0]), _group(differences[-1])}
                is_one = len(ends) == 1
                other = OTHERS.get(ends.pop()) if is_one else None
            raise errors.MismatchError(
                f"The checkpoint '{checkpoint.path}' is of "
                f"{other or 'another model'}. "
                "Nothing was restored, and the checkpoint was left as it is.\n"
                + "".join(f"* {line}\n" for line in changes.first(differences))
                + hint
                + advice,
                [*found, *differences],
            )
        return partners

    def revive(self, checkpoint, partners: list[str]) -> None:
        """Gives variables that have lost their memory that of their tensors:
        older versions of Keras look at them before training begins.

        Args:
            checkpoint: A `store.Checkpoint`.
            partners: What `check()` returned.
        """
        for variable, name in zip(self._variables, partners):
            if self._host.has_lost(variable):
                tensor = checkpoint.tensors[name]
                self._host.assign(variable, *tensor, copies=True)

    def assign(self, checkpoint, partners: list[str], copies: bool) -> None:
        """Assigns the bytes of its tensor to every variable.

        Args:
            checkpoint: A `Checkpoint` of the store.
            partners: What `check()` returned.
            copies: Whether the checkpoint must stay unchanged. Otherwise the
                variables may take over its memory and write to it.
        """
        for variable, name in zip(self._variables, partners):
            self._host.assign(variable, *checkpoint.tensors[name], copies)
        for layer in self._derived:
            layer.finalize_state()


def count_bytes(model: Any) -> int:
    """The approximate size in bytes of the variables that exist so far."""
    return sum(
        math.prod(variable.shape) * _width(tensors.dtype_of(variable) or "")
        for _, variable in _walk(model)
    )


def digest(model: Any, trainable: bool = False, most: int = 32) -> str | None:
    """A checksum of the first bytes of the first variables, to distinguish the
    weights of one model from another's; `None` if the model is not built or has
    lost its weights.

    Args:
        model: The model.
        trainable: Whether only trainable weights count, so that states of seed
            generators, which change by themselves, do not.
        most: The number of variables.
    """
    if not model.built:
        return None
    host = memory.of_backend(model)
    found = hashlib.blake2b(digest_size=16)
    try:
        variables = model.trainable_weights if trainable else model.variables
        for variable in variables[:most]:
            for name, part in host.parts("", variable):
                _, shape, width = host.describe(name, part)
                address, owner = host.locate(part)
                size = min(math.prod(shape) * width, 4096)
                found.update(ctypes.string_at(address, size))
                del owner
    except (RuntimeError, TypeError):
        # On JAX, a training that was interrupted without this callback leaves
        # variables without a value.
        return None
    return found.hexdigest()


def _compiled(model: Any) -> list[Any]:
    """The objects with variables that `compile()` makes."""
    return [
        getattr(model, "optimizer", None),
        model_parts.compiled_metrics(model),
        model_parts.loss_tracker(model),
    ]


def _unbuilt(model: Any) -> list[Any]:
    """The optimizers that get their variables with their first step."""
    return [
        one
        for one in further_optimizers.further(model).values()
        if not optimizer_parts.is_built(one)
    ]


def build_optimizers(
    model: Any, trained: dict[str, list[str]], saved: list[str]
) -> None:
    """Builds the optimizers that were built when a checkpoint was made.

    Args:
        model: The `keras.Model` being trained.
        trained: What `describe_optimizers()` returned.
        saved: Names of the checkpoint's tensors.
    """
    own = dict(_walk(model))
    saved = [name for name in saved if _group(name) == "variables"]
    partners = _pair([n for n in own if _group(n) == "variables"], saved)
    further_optimizers.build(
        model, trained, {name: own[n] for n, name in zip(own, partners)}
    )


def describe_optimizers(model: Any) -> dict[str, list[str]]:
    """The names of the variables that each optimizer is built for."""
    return further_optimizers.describe(model, dict(_walk(model)))


def lacks_some(model: Any, saved: list[str]) -> bool:
    """Whether a checkpoint has more variables of the model and its metrics."""
    own = [name for name, _ in _walk(model)]
    counts = [
        sum(_group(name) in ("variables", "metrics") for name in names)
        for names in (own, saved)
    ]
    return counts[0] < counts[1]


def own_variables(model: Any) -> set[int]:
    """The ids of the training's Keras variables and of the backend's variables
    inside them."""
    own = [variable for _, variable in _walk(model)]
    inside = [memory.value_of(variable) for variable in own]
    return {id(one) for one in (*own, *inside) if one is not None}


def wait_for_steps(model: Any) -> None:
    """Returns when the backend has finished every step that it was given."""
    if model.optimizer is not None:
        # All results of a step become available together, and this is the
        # smallest of them.
        tensors.to_numpy(model.optimizer.iterations)


def _width(dtype: str) -> int:
    bits = re.search(r"\d+", dtype)
    return max(1, int(bits[0]) // 8) if bits else 1


def _walk(model: Any) -> Iterator[tuple[str, Any]]:
    """Every variable once, with a unique name."""
    optimizer = getattr(model, "optimizer", None)
    groups = [
        ("variables", model_parts.variables(model)),
        (
            "optimizer",
            optimizer_parts.variables(optimizer) if optimizer else [],
        ),
        *(
            (f"optimizer/{where}", optimizer_parts.variables(one))
            for where, one in further_optimizers.further(model).items()
        ),
        ("metrics", model_parts.metrics_variables(model)),
    ]
    seen = set()
    names = set()
    for group, variables in groups:
        for variable in variables:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            name = _unused(f"{group}/{model_parts.path_of(variable)}", names)
            names.add(name)
            yield name, variable


def _group(name: str) -> str:
    return name.split("/")[0]


def _unused(path: str, names) -> str:
    """The path, with a number if it is already among the names."""
    name = path
    count = 1
    while name in names:
        name = f"{path}~{count}"
        count += 1
    return name


def _named(buffers, names: set[str]) -> list[tuple[str, Any]]:
    """Buffers with unique names, which are added to `names`."""
    named = []
    for path, buffer in buffers:
        name = _unused(f"variables/{path}", names)
        names.add(name)
        named.append((name, buffer))
    return named


def _pair(names: list[str], saved: list[str]) -> list[str | None]:
    """For each name the saved name of the same variable, or `None`."""
    if set(names) == set(saved):
        return names
    pairs = {}
    # An optimizer inside another one names its variables by the place where
    # they are made first, so only the last part of a path is compared.
    for key in (_unnumbered, _unnumbered_end):
        left = {}
        taken = set(pairs.values())
        for name in saved:
            if name not in taken:
                left.setdefault(key(name), []).append(name)
        for name in names:
            if name not in pairs and left.get(key(name)):
                pairs[name] = left[key(name)].pop(0)
    # A variable's own name does not count: another variable may have it now.
    return [pairs.get(name) for name in names]


def _unnumbered_end(name: str) -> str:
    group, *_, end = name.split("/")
    return f"{group}/{_unnumbered(end)}" if group == "optimizer" else name


def _unnumbered(name: str) -> str:
    return re.sub(r"_\d+(?=[_/~@]|$)", "", name)


def _differences(spec, partners, saved, alike) -> list[str]:
    """The differences as lines of text. Two dtypes for which `alike` is true
    count as equal; it may be `None`."""
    lines = []
    for (name, dtype, shape), partner in zip(spec, partners):
        if partner not in saved:
            lines.append(_difference(name, _kind(dtype, shape), None))
            continue
        saved_dtype, saved_shape, _ = saved[partner]
        same = dtype == saved_dtype or (
            alike is not None and alike(dtype) and alike(saved_dtype)
        )
        if not same or list(shape) != list(saved_shape):
            lines.append(
                _difference(
                    name, _kind(dtype, shape), _kind(saved_dtype, saved_shape)
                )
            )
    taken = set(partners)
    for name in saved:
        if name not in taken:
            saved_dtype, saved_shape, _ = saved[name]
            lines.append(
                _difference(name, None, _kind(saved_dtype, saved_shape))
            )
    return lines


def _difference(
    name: str, in_model: str | None, in_checkpoint: str | None
) -> Change:
    return Change(
        f"{name}: {in_model or 'missing'} in the model, "
        f"{in_checkpoint or 'missing'} in the checkpoint",
        (name, in_model, in_checkpoint),
    )


def _hint(differences: list[str], settings: Sequence[str]) -> str:
    """A likely cause, if only variables of optimizers differ."""
    if all(d.startswith("optimizer/") for d in differences):
        if settings:
            return (
                "Settings decide which variables an optimizer has, and some "
                f"have changed: {'; '.join(settings)}.\n"
            )
        return (
            "An optimizer has variables for each trainable weight. Was a layer "
            "frozen or unfrozen (`trainable`) since the checkpoint was made?\n"
        )
    return ""


def _is_integer(dtype: str) -> bool:
    return re.fullmatch(r"[IU]\d+", dtype) is not None


def _kind(dtype: str, shape) -> str:
    return f"{KERAS_DTYPES[dtype]} ({', '.join(str(d) for d in shape)})"
