"""Tells the kind of an object and its parts.

The kind decides how an object is compared, copied and restored
(`object_states.py`).
"""

import collections
import datetime
import decimal
import enum
import fractions
import functools
import inspect
import io
import logging
import pathlib
import random
import re
import sys
import threading
import types
import uuid
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import tensors
from kerasbackup.parts.objects import no_state
from kerasbackup.parts.objects import reachable
from kerasbackup.parts.random import generator_holders
from kerasbackup.parts.random import generator_kinds
from kerasbackup.store import values

# These never change, and are compared by value.
LEAVES = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    np.generic,
    datetime.timedelta,
)
PLAIN_LEAVES = frozenset((type(None), bool, int, float, str, bytes))

SEQUENCES = (list, collections.deque, tuple)
MAPPINGS = (dict,)

# Only these classes are written to, because a class derived from them may do
# anything then.
EXACT = {
    list: "sequence",
    collections.deque: "sequence",
    tuple: "sequence",
    dict: "mapping",
    collections.OrderedDict: "mapping",
    collections.Counter: "mapping",
    collections.defaultdict: "mapping",
    set: "set",
    frozenset: "set",
    bytearray: "bytes",
}

IN_PLACE = frozenset(EXACT) - {tuple, frozenset} | {np.ndarray}

# These never change, and are in no checkpoint.
VALUES = (
    datetime.date,
    datetime.time,
    range,
    slice,
    re.Pattern,
    pathlib.PurePath,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
)

# These are parts of the program or clocks, or cannot be in a checkpoint.
FIXED = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.ModuleType,
    functools.partial,
    np.ufunc,
    np.dtype,
    type,
    datetime.datetime,
    datetime.tzinfo,
    io.IOBase,
    logging.Logger,
    logging.Handler,
    weakref.ref,
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Thread,
    threading.Event,
    threading.Condition,
)

# Files in memory, of which a change can be detected.
TEXTS = (io.StringIO, io.BytesIO)

# Attributes of these packages' objects are private to them, except for the
# modules below.
FRAMEWORKS = {"jax", "jaxlib", "keras", "numpy", "tensorflow", "torch"}
OF_FIELDS = ("torch.nn.", "torch.optim.", "torch.utils.data.")

# An object with one of these is a collection of its own kind, or advances by
# itself.
COLLECTIONS = ("__array__", "__next__", "__setitem__")

HEAP_TYPE = 1 << 9  # `Py_TPFLAGS_HEAPTYPE`
OF_C = (
    types.BuiltinFunctionType,
    types.GetSetDescriptorType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
)

# Limits of the search for objects of Keras' in containers.
MOST_SEARCHED = 1000
MOST_DEPTH = 3


def kind_of(value: Any) -> str:
    """The kind of a value.

    Returns:
        `"leaf"`, `"function"` (one that is known by name), `"member"` (of an
        `Enum`), `"sequence"`, `"mapping"`, `"set"`, `"bytes"` (a `bytearray`),
        `"row"` (a named tuple), `"array"`, `"tensor"`, `"generator"` (of random
        numbers), `"object"` (has attributes and nothing else), `"value"` (never
        changes), `"fixed"` (no state), `"moving"` (has a state that cannot be
        read), or `"opaque"` (has no known state).
    """
    kind = type(value)
    if kind in PLAIN_LEAVES:
        return "leaf"
    if kind in EXACT:
        return EXACT[kind]
    if isinstance(value, enum.Enum):
        return "member"
    if isinstance(value, LEAVES):
        return "leaf"
    if is_row(kind):
        return "row"
    if isinstance(value, SEQUENCES):
        return "sequence"
    if isinstance(value, MAPPINGS):
        return "mapping"
    if isinstance(value, (set, frozenset)):
        return "set"
    if isinstance(value, np.ndarray):
        return "array"
    if any(value is one for one in values.FUNCTIONS.values()):
        return "function"
    if generator_kinds.kind_of(value) is not None:
        return "generator"
    if isinstance(value, TEXTS):
        return "opaque"
    if is_of_keras(value) or isinstance(value, FIXED):
        return "fixed"
    if tensors.is_tensor(value) or is_of_torch(value):
        return "tensor"
    if isinstance(value, VALUES):
        return "value"
    if no_state.is_display(value):
        return "fixed"
    if _has_only_fields(kind) and not hasattr(kind, "__array__"):
        return "object"
    if _is_moving(value):
        return "moving"
    return "fixed" if callable(value) else "opaque"


def kind_without(
    kind: str,
    value: Any,
    is_captured: Callable[[Any], bool] | None,
    is_nested: bool,
) -> str:
    """The kind of a value where other parts of a checkpoint have some objects.

    Args:
        kind: What `kind_of()` returned.
        value: The object.
        is_captured: Whether another part has it; `None` if no part has any.
            Otherwise other parts have all random generators.
        is_nested: Whether it is inside of an attribute, where
            `found_generators` finds generators.
    """
    if is_captured is None:
        return "fixed" if kind == "generator" and is_nested else kind
    if kind not in ("generator", "moving", "object"):
        return kind
    if is_captured(value):
        return "fixed"
    return "moving" if kind == "generator" else kind


def may_be_written(value: Any) -> bool:
    """Whether an object's attributes may be set from outside: its class is the
    script's, and it is not made for threads."""
    return not (
        generator_holders.is_of_library(value)
        or generator_holders.is_for_threads(value)
    )


def is_of_keras(value: Any) -> bool:
    """Whether it is an object of Keras', or a variable of TensorFlow's."""
    return kinds.is_of_keras(value) or is_variable(value)


def is_variable(value: Any) -> bool:
    """Whether it is a variable of Keras' or of TensorFlow's."""
    tensorflow = sys.modules.get("tensorflow")
    return kinds.is_variable(value) or (
        hasattr(tensorflow, "Variable")
        and isinstance(value, tensorflow.Variable)
    )


def is_of_torch(value: Any) -> bool:
    """Whether it is a tensor of torch's, which may change in place."""
    torch = sys.modules.get("torch")
    return hasattr(torch, "Tensor") and isinstance(value, torch.Tensor)


def is_row(kind: type) -> bool:
    """Whether it is the class of a named tuple."""
    return kind.__bases__ == (tuple,) and isinstance(
        getattr(kind, "_fields", None), tuple
    )


@functools.lru_cache(1000)
def _has_only_fields(kind: type) -> bool:
    """Whether objects of a class consist only of their attributes."""
    return kind is not object and all(
        base in (object, *kinds.py_datasets())
        or (
            _is_written_in_python(base)
            and (
                not _is_of_framework(base)
                or base.__module__.startswith(OF_FIELDS)
            )
        )
        for base in kind.__mro__
    )


def _is_written_in_python(kind: type) -> bool:
    """Whether a class statement made it. Other classes have methods in C."""
    return bool(kind.__flags__ & HEAP_TYPE) and not any(
        isinstance(one, OF_C) and getattr(one, "__objclass__", kind) is kind
        for name, one in vars(kind).items()
        if name not in ("__dict__", "__weakref__")
    )


def _is_of_framework(kind: type) -> bool:
    return kind.__module__.split(".")[0] in FRAMEWORKS


def _is_moving(value: Any) -> bool:
    kind = type(value)
    if isinstance(value, (np.random.RandomState, random.Random)):
        return True
    return any(hasattr(kind, name) for name in COLLECTIONS) or (
        # NumPy's, torch's and TensorFlow's.
        kind.__name__ == "Generator" and _is_of_framework(kind)
    )


def fields(value: Any) -> dict[str, Any]:
    """The attributes of an object."""
    found = {}
    for base in reversed(type(value).__mro__):
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{base.__name__.lstrip('_')}{name}"
            member = vars(base).get(name)
            if isinstance(member, types.MemberDescriptorType):
                try:
                    found[name] = member.__get__(value)
                except AttributeError:
                    pass  # It has no value now.
    # This copies, as another thread may add attributes meanwhile.
    found.update(getattr(value, "__dict__", {}))
    return found


def of_class(kind: type) -> dict[str, Any]:
    """The attributes of a script's class whose values can change in place. All
    its objects share them."""
    return {
        name: value
        for base in reversed(kind.__mro__)
        if not reachable.is_of_library(base)
        for name, value in vars(base).items()
        if not name.startswith("__") and type(value) in IN_PLACE
    }


def leaves_of_class(kind: type) -> dict[str, Any]:
    """The numbers, texts and flags in the attributes of a script's class. They
    cannot be restored, because no object owns them."""
    return {
        name: value
        for base in reversed(kind.__mro__)
        if not reachable.is_of_library(base)
        for name, value in vars(base).items()
        if not name.startswith("__") and type(value) in PLAIN_LEAVES
    }


def set_field(value: Any, name: str, content: Any) -> None:
    """Sets an attribute without running code of its class."""
    if name in getattr(value, "__dict__", {}):
        vars(value)[name] = content
    elif of_class(type(value)).get(name) is not content or content is None:
        object.__setattr__(value, name, content)
    # Otherwise it was restored in place, for all objects of the class.


def is_state(kind: type, name: str) -> bool:
    """Whether objects of a class may have a state of that name. It must be no
    method, and nothing that runs code when it is set."""
    known = inspect.getattr_static(kind, name, None)
    if isinstance(known, types.MemberDescriptorType):
        return True
    return not (
        name.startswith("__") or callable(known) or hasattr(known, "__get__")
    )


def can_have(value: Any, name: str) -> bool:
    """Whether an object may be given an attribute of that name as its state."""
    kind = type(value)
    has_slot = isinstance(
        inspect.getattr_static(kind, name, None), types.MemberDescriptorType
    )
    return is_state(kind, name) and (has_slot or hasattr(value, "__dict__"))


def parts(value: Any, kind: str) -> list[tuple[Any, Any]]:
    """The parts of a value, each with the step that leads to it."""
    if kind in ("sequence", "row"):
        return list(enumerate(items_of(value)))
    if kind == "mapping":
        # Only plain keys can be saved as a step; for others their position is.
        return [
            (key if type(key) in PLAIN_LEAVES else f"key #{place}", item)
            for place, (key, item) in enumerate(dict(value).items())
        ]
    return list(fields(value).items()) if kind == "object" else []


def items_of(value: Any) -> list[Any]:
    """The items of a sequence, without running code of a derived class."""
    kind = next(kind for kind in SEQUENCES if isinstance(value, kind))
    return list(kind.__iter__(value))


def is_large(value: Any) -> bool:
    """Whether it is a container with too many items to look at each."""
    return kind_of(value) in ("sequence", "mapping", "set") and (
        len(value) > MOST_SEARCHED
    )


def is_flat(items: list[Any]) -> bool:
    """Whether all items of a list are leaves."""
    return PLAIN_LEAVES.issuperset(set(map(type, items)))


def of_keras(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The objects of Keras' in a value, with their places in it."""
    pending = [(place, value, 0)]
    seen = set()
    while pending:
        at, one, depth = pending.pop(0)
        if is_of_keras(one):
            yield at, one
            continue
        kind = kind_of(one)
        if depth == MOST_DEPTH or id(one) in seen:
            continue
        if kind in ("sequence", "row", "mapping") and len(one) > MOST_SEARCHED:
            continue
        seen.add(id(one))
        for step, item in parts(one, kind):
            if type(item) not in PLAIN_LEAVES:
                text = f".{step}" if kind == "object" else f"[{step!r}]"
                pending.append((at + text, item, depth + 1))
