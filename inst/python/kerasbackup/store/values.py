"""Converts Python values to JSON and arrays, and back, without pickle.

A value that JSON lacks is written as an object with one key that begins with
"$". Large arrays and long lists of numbers are not in the JSON: they become
tensors of the checkpoint, and the JSON has their names. A value that fits
neither is refused. Only those subclasses are known that are named here, from
the standard library.
"""

import base64
import collections
import datetime
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasbackup.store import number_lists
from kerasbackup.store.dtypes import DTYPES
from kerasbackup.store.dtypes import numpy_dtype

# The header of a checkpoint may have 100 MB. A value beyond this limit is
# refused, so that the others can still be saved.
MOST_TEXT = 64 * 2**20  # bytes of JSON, of all values of one encoder

# Smaller arrays are written into the JSON, as a tensor takes more space.
LEAST_TENSOR = 256  # bytes

# The factories that a `defaultdict` may have. A checkpoint has their names.
FACTORIES = {
    one.__name__: one for one in (bool, dict, float, int, list, set, str, tuple)
}

# Functions that callbacks keep, by name. A checkpoint's names are looked up
# here, and nothing is imported.
FUNCTIONS = {"numpy.less": np.less, "numpy.greater": np.greater}

# Values that are nested more deeply are not saved, so that reading can refuse
# them before it reaches Python's own limit.
MOST_NESTED = 100

# Modules that know the tensors of a Keras.
_TENSORS = []


def register_tensors(tensors: Any) -> None:
    """Makes the tensors of a Keras known.

    Args:
        tensors: Module with `is_tensor()`, `dtype_of()`, `to_numpy()` and
            `from_numpy()`, see `keras3/tensors.py`.
    """
    _TENSORS.append(tensors)


def register_functions(functions: dict[str, Callable]) -> None:
    """Makes functions known that callbacks may keep, by name."""
    FUNCTIONS.update(functions)


class Unsaveable(TypeError):
    """A value that is neither JSON nor an array."""


class Tagged:
    """A tag with values, which users of an encoder may put among the values.

    Args:
        tag: String, one of `TAGS`.
        items: List of values.
    """

    def __init__(self, tag: str, items: list[Any]):
        self.tag = tag
        self.items = items


# A box that nothing refers to is written as its content.
NO_BOX = [None, None]


class Encoder:
    """Encodes values and collects their arrays.

    Args:
        is_plain: Whether to write all numbers as JSON, and to refuse arrays,
            for a text that is compared and not decoded.

    Attributes:
        arrays: Dict from tensor name to `numpy.ndarray`.
    """

    def __init__(self, is_plain: bool = False):
        self.is_plain = is_plain
        self.arrays = {}
        self._text = 0

    def encode(self, value: Any, name: str) -> Any:
        """A value for JSON.

        Args:
            value: The value to encode.
            name: String, unique; the arrays in `value` are named after it.

        Raises:
            Unsaveable: `value`, or a part of it, cannot be encoded. No array
                of it was collected.
        """
        run = _Encoding(self.is_plain, MOST_TEXT - self._text)
        encoded = run.encode(value, name, 0)
        self._text += run.text
        self.arrays.update(run.arrays)
        return encoded


def decode(value: Any, arrays, has_tags: bool = False) -> Any:
    """The value that was encoded.

    Args:
        value: What `Encoder.encode()` returned.
        arrays: Callable from tensor name to a new `numpy.ndarray`.
        has_tags: Whether there may be a `Tagged` in it.
    """
    return _Decoder(arrays, _new_tensor, has_tags).decode(value)


def _new_tensor(array: np.ndarray) -> Any:
    return _TENSORS[0].from_numpy(array)


def check(value: Any, tensors: dict[str, tuple], has_tags: bool = False) -> Any:
    """Decodes without making arrays: they are views of a single zero.

    Args:
        value: The value that was read.
        tensors: Dict from name to `(dtype, shape, bytes)`, the existing
            tensors.
        has_tags: As for `decode()`.

    Returns:
        The same as `decode()`, except for the content of arrays.

    Raises:
        KeyError, TypeError, ValueError: `decode()` would fail.
    """

    def lookalike(name):
        dtype, shape, _ = tensors[name]
        return np.broadcast_to(np.zeros((), numpy_dtype(dtype)), shape)

    return _Decoder(lookalike, lambda array: array, has_tags).decode(value)


class _Encoding:
    """The encoding of one value."""

    def __init__(self, is_plain: bool, most_text: int):
        self.arrays = {}
        # An upper bound of the bytes of JSON.
        self.text = 0
        self._is_plain = is_plain
        self._most_text = most_text

    def encode(self, value, name, depth):
        if depth > MOST_NESTED:
            raise Unsaveable("nested too deeply")
        self._count(ITEM_TEXT)
        kind = type(value)
        if kind is str:
            self._count(_length(value))
            return value
        if value is None or kind in (bool, int):
            self._count(value.bit_length() // 3 if kind is int else 0)
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if kind is list:
            packed = None if self._is_plain else number_lists.pack(value)
            if packed is not None:
                return self._encode_packed(packed, name)
            rows = None if self._is_plain else number_lists.pack_rows(value)
            if rows is not None:
                return self._encode_rows(rows, name, depth)
            return [
                self.encode(item, f"{name}/{i}", depth + 1)
                for i, item in enumerate(value)
            ]
        if kind is number_lists.Packed:
            return self._encode_packed(value, name)
        if kind is number_lists.Rows:
            return self._encode_rows(value, name, depth)
        if kind in _WRITERS:
            tag, parts = _WRITERS[kind](value, self._is_plain)
            return {tag: self.encode(parts, name, depth + 1)}
        if kind is Tagged and value.tag == "box" and value.items[:2] == NO_BOX:
            return self.encode(value.items[2], name, depth)
        if kind is Tagged:
            return {
                f"${value.tag}": [
                    self.encode(item, f"{name}/{i}", depth + 2)
                    for i, item in enumerate(value.items)
                ]
            }
        for known, function in FUNCTIONS.items():
            if value is function:
                return {"$function": known}
        return self._encode_array(value, name)

    def _encode_rows(self, rows, name, depth):
        if rows.keys is None:
            return {"$rows": self.encode(rows.columns, name, depth + 1)}
        return {"$records": self.encode(list(rows), name, depth + 1)}

    def _encode_packed(self, packed, name):
        self._count(2 * _length(name) + 4 * ITEM_TEXT)
        names = []
        for part, array in (
            ("numbers", packed.numbers),
            ("types", packed.types),
        ):
            names.append(None if array is None else f"{name}/{part}")
            if array is not None:
                # It needs no copy, because nothing writes to it.
                self.arrays[names[-1]] = array
        return {"$numbers": [*names, packed.count, packed.of_numpy]}

    def _encode_array(self, value, name):
        if self._is_plain:
            raise Unsaveable("array")
        if isinstance(value, np.generic):
            kind, array = "scalar", np.array(value)
        elif isinstance(value, np.ndarray):
            kind, array = "array", _native(value)
        else:
            kind, array = "tensor", _array_of(value)
        if array.dtype.name not in DTYPES:
            raise Unsaveable(f"array of {array.dtype.name}")
        if array.nbytes > LEAST_TENSOR:
            self._count(_length(name))
            self.arrays[name] = array
            return {f"${kind}": name}
        content = base64.b64encode(array.tobytes()).decode()
        self._count(len(content) + ITEM_TEXT * (4 + array.ndim))
        return {
            "$small": [
                kind,
                DTYPES[array.dtype.name],
                list(array.shape),
                content,
            ]
        }

    def _count(self, more: int) -> None:
        self.text += more
        if self.text > self._most_text:
            raise Unsaveable("too large")


# The most bytes that an item takes besides the length of a text: digits, a
# comma, and quotes, which are escaped again because the JSON is a string in the
# header.
ITEM_TEXT = 26


def _native(array: np.ndarray) -> np.ndarray:
    """The array in the order of bytes and of elements that a file has: itself,
    if it can be. The store copies it once, before training goes on."""
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")


def _array_of(value: Any) -> np.ndarray:
    """The value of a tensor.

    Raises:
        Unsaveable: It is no tensor, or one of a dtype that cannot be saved.
    """
    for tensors in _TENSORS:
        if tensors.is_tensor(value):
            if tensors.dtype_of(value) not in DTYPES:
                raise Unsaveable(f"tensor of {value.dtype}")
            return _native(tensors.to_numpy(value))
    raise Unsaveable(type(value).__name__)


def _length(text: str) -> int:
    """The most bytes of a text, in JSON that is itself a string in JSON."""
    if text.isascii() and text.isprintable():
        return len(text) + 3 * (text.count('"') + text.count("\\"))
    return 14 * len(text)


# Each of these returns a tag and the value to write under it.


def _write_dict(value, is_plain):
    if not is_plain and len(value) >= number_lists.SHORTEST:
        return "$items", [list(value), list(value.values())]
    return "$dict", [[key, item] for key, item in value.items()]


def _write_bytes(value, is_plain):
    if not is_plain:
        return "$buffer", np.frombuffer(value, np.uint8)
    return "$bytes", list(value)


def _write_factory(value, is_plain):
    factory = value.default_factory
    for name, known in FACTORIES.items():
        if factory is known:
            return "$defaultdict", [name, dict(value)]
    if factory is None:
        return "$defaultdict", [None, dict(value)]
    raise Unsaveable("defaultdict with a factory of its own")


_WRITERS = {
    tuple: lambda value, _: ("$tuple", list(value)),
    set: lambda value, _: ("$set", list(value)),
    frozenset: lambda value, _: ("$frozenset", list(value)),
    bytes: _write_bytes,
    bytearray: lambda value, _: ("$bytearray", bytes(value)),
    dict: _write_dict,
    collections.OrderedDict: lambda value, _: ("$ordered", dict(value)),
    collections.Counter: lambda value, _: ("$counter", dict(value)),
    collections.defaultdict: _write_factory,
    datetime.timedelta: lambda value, _: (
        "$timedelta",
        [value.days, value.seconds, value.microseconds],
    ),
    collections.deque: lambda value, _: (
        "$deque",
        [list(value), value.maxlen],
    ),
}


class _Decoder:
    """Decodes a value, and checks every type on the way."""

    def __init__(self, arrays, tensor, has_tags):
        self._arrays = arrays
        self._tensor = tensor
        self._has_tags = has_tags

    def decode(self, value, depth=0):
        if depth > MOST_NESTED:
            raise ValueError("nested too deeply")
        if isinstance(value, list):
            return [self.decode(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        ((kind, inner),) = value.items()
        if kind in _OF_TEXTS:
            return getattr(self, _OF_TEXTS[kind])(_of_type(inner, str))
        if kind in _OF_RAW:
            return getattr(self, _OF_RAW[kind])(*_of_type(inner, list))
        if self._has_tags and kind in _TAGS:
            items = self.decode(_of_type(inner, list), depth + 1)
            return Tagged(kind[1:], items)
        return _OF_VALUES[kind](self.decode(inner, depth + 1))

    def _float(self, text):
        return float(text)

    def _function(self, name):
        return FUNCTIONS[name]

    def _array(self, name):
        return self._arrays(name)

    def _as_tensor(self, name):
        return self._tensor(self._arrays(name))

    def _scalar(self, name):
        return _scalar_of(self._arrays(name), name)

    def _numbers(self, numbers, types, count, of_numpy):
        return number_lists.unpack(
            number_lists.Packed(
                self._arrays(_of_type(numbers, str)),
                None if types is None else self._arrays(_of_type(types, str)),
                _count(count),
                _of_type(of_numpy, bool),
            )
        )

    def _small(self, kind, dtype, shape, content):
        array = (
            np.frombuffer(
                base64.b64decode(_of_type(content, str), validate=True),
                numpy_dtype(dtype),
            )
            .reshape([_count(size) for size in _of_type(shape, list)])
            .copy()
        )
        if kind == "tensor":
            return self._tensor(array)
        if kind == "scalar":
            return _scalar_of(array, "a scalar")
        if kind != "array":
            raise KeyError(kind)
        return array


def _scalar_of(array, name):
    if array.shape:
        raise ValueError(f"{name} is no scalar")
    return array[()]


def _count(value):
    if not is_count(value):
        raise ValueError("a size is no count")
    return value


def _of_type(value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def _of_list(make):
    return lambda items: make(_of_type(items, list))


def _dict(pairs):
    return {
        (tuple(key) if isinstance(key, list) else key): item
        for key, item in (_of_type(pair, list) for pair in pairs)
    }


def _items(columns):
    keys, items = columns
    return dict(zip(keys, items, strict=True))


def _rows(columns):
    if not all(isinstance(column, list) for column in columns):
        raise TypeError("a column is no list")
    return list(zip(*columns, strict=True))


def _records(parts):
    keys, columns = parts
    keys = [_of_type(key, str) for key in _of_type(keys, list)]
    if len(keys) != len(_of_type(columns, list)):
        raise ValueError("there is not a key for each column")
    return [dict(zip(keys, row)) for row in _rows(columns)]


def _buffer(array):
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise TypeError("bytes are no array of them")
    return array.tobytes()


def _default(parts):
    name, items = parts
    factory = None if name is None else FACTORIES[name]
    return collections.defaultdict(factory, _of_type(items, dict))


def _deque(parts):
    items, most = parts
    if most is not None:
        _count(most)
    return collections.deque(_of_type(items, list), most)


def _timedelta(parts):
    days, seconds, microseconds = (_of_type(part, int) for part in parts)
    try:
        return datetime.timedelta(days, seconds, microseconds)
    except OverflowError as e:
        raise ValueError("a duration is too long") from e


# The functions for a decoded value, for a text, and for a list as it is.
_OF_VALUES = {
    "$tuple": _of_list(tuple),
    "$set": _of_list(set),
    "$frozenset": _of_list(frozenset),
    "$bytes": _of_list(bytes),
    "$bytearray": lambda value: bytearray(_of_type(value, bytes)),
    "$buffer": _buffer,
    "$dict": _of_list(_dict),
    "$items": _of_list(_items),
    "$rows": _of_list(_rows),
    "$records": _of_list(_records),
    "$ordered": lambda value: collections.OrderedDict(_of_type(value, dict)),
    "$counter": lambda value: _counter(_of_type(value, dict)),
    "$defaultdict": _of_list(_default),
    "$deque": _of_list(_deque),
    "$timedelta": _of_list(_timedelta),
}
_OF_TEXTS = {
    "$float": "_float",
    "$function": "_function",
    "$scalar": "_scalar",
    "$array": "_array",
    "$tensor": "_as_tensor",
}
_OF_RAW = {"$numbers": "_numbers", "$small": "_small"}

# The tags of `object_states`.
TAGS = ("at", "box", "same", "object", "generator", "member", "row", "gone")
_TAGS = {f"${tag}" for tag in TAGS}


def _counter(items):
    counter = collections.Counter()
    # Its own `update()` would add.
    dict.update(counter, items)
    return counter


def is_count(value: Any) -> bool:
    """Whether a value that was read is a count; a flag is none."""
    return type(value) is int and value >= 0


def check_texts(texts: Any) -> None:
    """Checks that `texts` is a dict from text to text.

    Raises:
        AttributeError, TypeError: It is not.
    """
    for name, text in texts.items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise TypeError(f"{name} is no text")
