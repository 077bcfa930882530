"""Which callbacks are tf_keras', and what of them is state."""

import os
from typing import Any

from tf_keras import callbacks

# Set by tf_keras, or made again in every process.
_NOT_STATE = {
    "_chief_worker_only",
    "_supports_tf_logs",
    "model",
    "params",
    "validation_data",
}
_NOT_STATE_OF = {
    "CSVLogger": {"append", "append_header", "csv_file", "writer"},
    "TensorBoard": {
        "_batch_start_time",
        "_batch_trace_context",
        "_epoch_start_time",
        "_prev_summary_state",
        "_should_write_train_graph",
        "_train_accumulated_time",
        "_writers",
    },
}


def base_classes() -> list[type]:
    """The class that every callback is derived from."""
    return [callbacks.Callback]


def is_callback(one: Any) -> bool:
    """Whether it is a callback."""
    return isinstance(one, callbacks.Callback)


def is_progress_bar(one: Any) -> bool:
    """Whether it is the callback that shows the progress of `fit()`."""
    return isinstance(one, callbacks.ProgbarLogger)


def only_displays(callback: Any) -> bool:
    """Whether it only displays or records the training, so that it needs no
    state."""
    return is_progress_bar(callback) or isinstance(callback, callbacks.History)


def is_csv_logger(callback: Any) -> bool:
    """Whether it logs to a CSV file."""
    return isinstance(callback, callbacks.CSVLogger)


def is_backup(callback: Any) -> bool:
    """Whether it is Keras' own backup."""
    return isinstance(callback, callbacks.BackupAndRestore)


def model_of(callback: Any) -> Any:
    """The model that `fit()` gave it."""
    return getattr(callback, "model", None)


def not_state_of(callback: Any) -> set[str]:
    """The names of its attributes that are no state of the training."""
    return _NOT_STATE | _NOT_STATE_OF.get(type(callback).__name__, set())


def flushed_size(csv_logger: Any) -> int | None:
    """The size of its file in bytes after all rows are written; `None` where
    the file was never open. tf_keras writes each row at once, and makes the
    file with the first."""
    if csv_logger.csv_file is None:
        return None
    if not os.path.exists(csv_logger.filename):
        return 0
    return os.path.getsize(csv_logger.filename)


def flush_events(callback: Any) -> None:
    """Writes the events of a TensorBoard to its files: after a resume they are
    not logged again."""
    if isinstance(callback, callbacks.TensorBoard):
        for writer in getattr(callback, "_writers", {}).values():
            writer.flush()
