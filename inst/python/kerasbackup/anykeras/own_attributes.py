"""Which attributes of its objects Keras keeps for itself."""

import functools
import inspect

from kerasbackup.anykeras import ask
from kerasbackup.anykeras import kinds

kept = ask.its_own(__name__, "kept")


def kept_by_all() -> frozenset[str]:
    """The names of attributes that are no state of the script's, whichever
    Keras the object is of."""
    return frozenset.intersection(
        *(known.kept() for known in ask.modules(__name__))
    )


@functools.cache
def used_names(cls: type) -> frozenset[str]:
    """The names that the code of Keras' classes among a class's bases uses.
    Private names among them are Keras' own."""
    names = set()
    for base in cls.__mro__:
        if kinds.is_class_of_keras(base):
            for member in vars(base).values():
                code = (
                    getattr(inspect.unwrap(member), "__code__", None)
                    if callable(member)
                    else getattr(
                        getattr(member, "fset", None), "__code__", None
                    )
                )
                names.update(getattr(code, "co_names", ()))
    return frozenset(names)
