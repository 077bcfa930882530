"""The Python side of the R package kerasbackup: hooks into Keras."""

from kerasbackup.callback import BackupAndRestore
from kerasbackup.checkpoint.rescue import restore_model

__all__ = ["BackupAndRestore", "restore_model"]
