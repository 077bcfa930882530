"""The exceptions of the package, one for each class of R condition.

An R error that crosses into Python keeps only its message. So R returns its
failures, and `client.py` raises these exceptions. reticulate makes R classes of
their names, which `R/bridge.R` maps to the names of the R conditions.
"""

from typing import Any

from kerasbackup.store import changes

# What reading raises where something is not what it should be.
DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class KerasBackupError(RuntimeError):
    """Base of all errors of the package."""


class ArgumentError(KerasBackupError, ValueError):
    """An argument is invalid."""


class StorageError(KerasBackupError, OSError):
    """A file could not be read or written."""


class CorruptError(KerasBackupError):
    """A checkpoint is damaged."""


def corrupt(path: str, cause: Any) -> CorruptError:
    """The error for a file whose bytes are whole, but say what cannot be."""
    return CorruptError(
        f"The checkpoint '{path}' is damaged: its checksums are valid, but its "
        f"metadata cannot be used ({cause}). It was left as it is. Restore it "
        "from a copy, or move it away to start over."
    )


class LockedError(KerasBackupError):
    """Another training uses the directory."""


class MismatchError(KerasBackupError, ValueError):
    """A checkpoint does not fit the model.

    Args:
        message: String.
        differences: List of strings, all differences, of which the message may
            list a part only; see `changes.table()`.

    Attributes:
        differences: Their columns; `None` if there are none.
    """

    def __init__(self, message: str, differences: list[str] | None = None):
        super().__init__(message)
        self.differences = changes.table(differences) if differences else None


class UnsupportedError(KerasBackupError):
    """The model, or this version of Keras, cannot be handled."""


class PreemptedError(RuntimeError):
    """A signal came, and training was stopped for it. No error of the package:
    nothing went wrong."""


def r_class(error: KerasBackupError) -> str:
    """The class of the R condition that stands for an exception."""
    return next(
        (name for name, one in BY_R_CLASS.items() if isinstance(error, one)),
        "kerasbackup_error",
    )


BY_R_CLASS = {
    "kerasbackup_error_argument": ArgumentError,
    "kerasbackup_error_io": StorageError,
    "kerasbackup_error_corrupt": CorruptError,
    "kerasbackup_error_locked": LockedError,
    "kerasbackup_error_mismatch": MismatchError,
    "kerasbackup_error_unsupported": UnsupportedError,
    "kerasbackup_error": KerasBackupError,
}
