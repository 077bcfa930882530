"""Owns Keras' own callback, made to tell when it saves and what it restored."""

import json
import os

import keras


class KerasBackup(keras.callbacks.BackupAndRestore):
    """Saves and restores as it always does.

    Args:
        notes: `witness.Notes`: "saving" before each save, with the epoch and
            the batch that it is going to write; "restored" where there was
            something to restore, with those that it read.
        marker: String, a file that is there as long as a save takes.
    """

    def __init__(self, backup_dir, notes, marker, **kwargs):
        super().__init__(backup_dir, **kwargs)
        self._notes = notes
        self._marker = marker
        self._saves = 0

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if os.path.exists(self._weights_path):
            at = {"epoch": 0, "batch": 0}
            if os.path.exists(self._training_metadata_path):
                with open(self._training_metadata_path) as file:
                    at = json.load(file)
            self._notes.add("restored", at["epoch"], at["batch"], self.model)

    def _save_model(self):
        self._notes.add(
            "saving", self._current_epoch, self._last_batch_seen, self.model
        )
        self._saves += 1
        marker = f"{self._marker}-{self._saves}.tmp"
        with open(marker, "x"):
            pass
        super()._save_model()
        os.remove(marker)
