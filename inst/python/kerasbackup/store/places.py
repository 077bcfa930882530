"""How a part of a variable is named: after its variable and its place there."""

from collections.abc import Sequence


def part_name(variable: str, begin: Sequence[int], end: Sequence[int]) -> str:
    """The name of a part's tensor, such as `kernel@0:4,8:16`: the first index
    and the one after the last, in each dimension, as Python writes slices."""
    places = ",".join(f"{one}:{other}" for one, other in zip(begin, end))
    return f"{variable}@{places}"
