"""Gives the epochs before an interruption to what shows the metrics of a
running `fit()`: the live plot of RStudio, and the R package tfruns.

The R package keras3 feeds both with a callback of its own. It takes the names
of the logs from the first epoch, and has a row for each epoch that it hears of.
Without the earlier epochs it would have no names, and show nothing.
"""

from typing import Any

from kerasbackup.parts.history import History


def show_earlier_epochs(callbacks: list[Any], history: History) -> None:
    """Calls the hook of keras3's callback once for each epoch of `history`.

    Args:
        callbacks: List of those of the running `fit()`.
        history: The logs of the epochs that were complete.
    """
    for callback in filter(_shows_metrics, callbacks):
        for epoch, logs in history.rows():
            callback.on_epoch_end(epoch, logs)


def _shows_metrics(callback: Any) -> bool:
    # The class is made in R, where each package names its module in this way.
    cls = type(callback)
    made = (cls.__module__, cls.__name__)
    return made == ("<r-namespace:keras3>", "ViewMetricsCallback")
