"""Owns the exceptions of the package, one for each class of R condition.

An R error that crosses into Python keeps only its message, so R returns its
failures and `store.py` raises these. reticulate makes R classes of their names
again; `R/bridge.R` maps those to the names of the R conditions.
"""


class KerasBackupError(RuntimeError):
    """Base of all errors of the package."""


class ArgumentError(KerasBackupError, ValueError):
    """An argument is invalid."""


class StorageError(KerasBackupError, OSError):
    """A file could not be read or written."""


class CorruptError(KerasBackupError):
    """A checkpoint is damaged."""


class LockedError(KerasBackupError):
    """Another training uses the directory."""


class MismatchError(KerasBackupError, ValueError):
    """A checkpoint does not fit the model."""


class UnsupportedError(KerasBackupError):
    """The model, or this version of Keras, cannot be handled."""


BY_R_CLASS = {
    "kerasbackup_error_argument": ArgumentError,
    "kerasbackup_error_io": StorageError,
    "kerasbackup_error_corrupt": CorruptError,
    "kerasbackup_error_locked": LockedError,
    "kerasbackup_error_mismatch": MismatchError,
    "kerasbackup_error_unsupported": UnsupportedError,
}
