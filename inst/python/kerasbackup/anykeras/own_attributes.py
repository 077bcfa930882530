"""Which attributes of its objects Keras keeps for itself."""

from kerasbackup.anykeras import ask

kept = ask.its_own(__name__, "kept")
used_names = ask.its_own(__name__, "used_names")


def kept_by_all() -> frozenset[str]:
    """The names of attributes that are no state of the script's, whichever
    Keras the object is of."""
    return frozenset.intersection(
        *(known.kept() for known in ask.modules(__name__))
    )
