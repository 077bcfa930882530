"""The Python side of the R package kerasbackup: hooks into Keras."""

from kerasbackup.callback import BackupAndRestore

__all__ = ["BackupAndRestore"]
