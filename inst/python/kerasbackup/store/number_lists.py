"""Packs lists of numbers into arrays and unpacks them.

A callback that keeps one number a batch has a list of millions. As JSON that
takes seconds a save; as an array it takes milliseconds.
"""

import math
from typing import Any
from typing import NamedTuple

import numpy as np

# A shorter list is as quick as JSON, and can be read there.
SHORTEST = 32

# Of a list of tuples or dicts.
MOST_COLUMNS = 64

# Which type a number has that was packed beside others.
TYPES = (float, int, bool, type(None))

# Up to here every integer is a float64.
MOST_EXACT = 2**53


class Packed(NamedTuple):
    """Numbers as an array.

    Attributes:
        numbers: 1D `numpy.ndarray`, longer than the list: so it has the same
            size at many saves, and need not be announced to the store anew.
        types: `numpy.ndarray` of indices into `TYPES` where Python's numbers
            are of several types, else `None`. As long.
        count: Integer, the length of the list.
        of_numpy: Whether they were NumPy's scalars.
    """

    numbers: np.ndarray
    types: np.ndarray | None
    count: int
    of_numpy: bool


class Rows(NamedTuple):
    """Tuples or dicts of numbers and texts, a column at a time.

    Attributes:
        keys: List of strings, those of the dicts; `None` of tuples.
        columns: List of `Packed`, or of lists of strings.
    """

    keys: list[str] | None
    columns: list[Packed | list[str]]


def pack(items: list[Any]) -> Packed | None:
    """Packs a list; `None` where it is short, or not of numbers only."""
    if len(items) < SHORTEST:
        return None
    kinds = set(map(type, items))
    if len(kinds) > 1 or kinds == {type(None)}:
        return _pack_mixed(items, kinds)
    (kind,) = kinds
    if kind in (float, bool):
        return Packed(_padded(np.array(items)), None, len(items), False)
    if kind is int:
        try:
            numbers = np.array(items, "int64")
        except OverflowError:
            return None
        return Packed(_padded(numbers), None, len(items), False)
    if issubclass(kind, np.generic) and _is_number(items[0].dtype):
        return Packed(_padded(np.array(items)), None, len(items), True)
    return None


def _is_number(dtype: np.dtype) -> bool:
    """Whether it is one of numbers that other languages have, too."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8


def _padded(array: np.ndarray) -> np.ndarray:
    """With up to an eighth more, zeros."""
    step = 1 << max(0, len(array).bit_length() - 4)
    more = -len(array) % step
    return np.concatenate([array, np.zeros(more, array.dtype)])


def _pack_mixed(items, kinds) -> Packed | None:
    if not kinds.issubset(TYPES) or any(
        type(one) is int and abs(one) > MOST_EXACT for one in items
    ):
        return None
    codes = {kind: i for i, kind in enumerate(TYPES)}
    types = np.array([codes[type(one)] for one in items], "uint8")
    numbers = [math.nan if one is None else one for one in items]
    numbers = _padded(np.array(numbers, "float64"))
    return Packed(numbers, _padded(types), len(items), False)


def pack_rows(items: list[Any]) -> Rows | None:
    """Packs a list of tuples of numbers and texts, or of dicts of them with
    equal keys; `None` where it is short, or of something else."""
    columns = _columns_of(items)
    if columns is None:
        return None
    keys = list(items[0]) if type(items[0]) is dict else None
    packed = []
    for column in columns:
        is_of_texts = set(map(type, column)) == {str}
        packed.append(column if is_of_texts else pack(column))
        if packed[-1] is None:
            return None
    return Rows(keys, packed)


def _columns_of(items: list[Any]) -> list[list[Any]] | None:
    """The columns of a list of tuples, or of dicts with equal keys; else
    `None`."""
    if len(items) < SHORTEST:
        return None
    kinds = set(map(type, items))
    if kinds == {dict}:
        (keys, *others) = set(map(tuple, items))
        if others or set(map(type, keys)) != {str}:
            return None
        items = [one.values() for one in items]
    elif kinds != {tuple}:
        return None
    widths = set(map(len, items))
    if len(widths) > 1 or not 0 < min(widths) <= MOST_COLUMNS:
        return None
    return list(map(list, zip(*items)))


def unpack(packed: Packed) -> list[Any]:
    """The list that was packed.

    Raises:
        IndexError, TypeError, ValueError: There was none.
    """
    numbers, types, count, of_numpy = packed
    if numbers.ndim != 1 or count > len(numbers):
        raise ValueError("a list of numbers has another size")
    if types is not None and (
        types.shape != numbers.shape or types.dtype != np.uint8
    ):
        raise ValueError("the types of a list of numbers are not its own")
    numbers = numbers[:count]
    if types is None:
        return list(numbers) if of_numpy else numbers.tolist()
    return [
        _of_type(code, number)
        for code, number in zip(types.tolist(), numbers.tolist())
    ]


def _of_type(code: int, number: float) -> Any:
    # Whatever the arrays hold, this gives something: by the time that their
    # content is read there is no way back.
    kind = TYPES[min(code, len(TYPES) - 1)]
    if kind is type(None):
        return None
    return kind(number) if math.isfinite(number) else float(number)


def are_equal(before: list[Any], now: list[Any]) -> bool:
    """Whether two lists are equal by Python's `==`. Only the references are
    looked at of items that are the same objects."""
    try:
        return before == now
    except (RuntimeError, TypeError, ValueError):
        # An array or a tensor has taken the place of something else.
        return False


class GrowingList:
    """Packs one list again and again, mostly in the time that its new items
    take."""

    def __init__(self):
        self._items = []
        self._packed = None

    def pack(self, items: list[Any]) -> Packed | None:
        """As `number_lists.pack()`. Later, only padding is written to."""
        known = len(self._items)
        if self._packed is not None and known <= len(items):
            added = items[known:]
            self._items += added
            if are_equal(self._items, items) and self._append(added):
                return self._packed
        self._packed = pack(items)
        self._items = list(items) if self._packed is not None else []
        return self._packed

    def _append(self, added: list[Any]) -> bool:
        """Appends where all is of one type."""
        if not added:
            return True
        before = self._packed
        kinds = {type(self._items[0]), *map(type, added)}
        if before.types is not None or len(kinds) > 1:
            return False
        try:
            new = np.array(added, before.numbers.dtype)
        except OverflowError:
            return False
        begin, end = before.count, before.count + len(new)
        if end > len(before.numbers):
            numbers = _padded(np.concatenate([before.numbers[:begin], new]))
        else:
            # Where there were zeros until now, which nobody reads.
            numbers = before.numbers
            numbers[begin:end] = new
        self._packed = before._replace(numbers=numbers, count=end)
        return True
