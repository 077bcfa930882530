"""Which epoch is the best so far, by a log.

A checkpoint that is made at the end of an epoch has that epoch's value. One
from within an epoch has none, because no log is about its weights.
"""

import math

from kerasbackup.parts.history import History


class BestEpoch:
    """The best epoch of a training.

    Args:
        name: String, the log; `None`: no epoch is the best.
        mode: `"min"` or `"max"`.

    Attributes:
        name: See `Args`.
        is_missing: Whether the last epoch had no number under that name.
    """

    def __init__(self, name: str | None, mode: str | None):
        self.name = name
        self.is_missing = False
        self._sign = -1.0 if mode == "max" else 1.0
        # The lowest value so far, with that sign; None before the first epoch.
        self._lowest = None

    def end_epoch(self, history: History) -> bool:
        """To be called when an epoch is in the history.

        Returns:
            Whether it is better than all before it.
        """
        if self.name is None:
            return False
        column = history.logs.get(self.name, [None])
        if self._lowest is None:
            self._lowest = min(map(self._rank, column[:-1]), default=math.inf)
        self.is_missing = column[-1] is None
        rank = self._rank(column[-1])
        is_best = rank < self._lowest
        self._lowest = min(rank, self._lowest)
        return is_best

    def value_at(self, history: History, epoch: int, batch: int) -> float:
        """The value that a checkpoint counts as, NaN where it has none.

        Args:
            history: The epochs that are done.
            epoch, batch: Integers, where the checkpoint is made.
        """
        column = history.logs.get(self.name)
        if batch or not column or history.epochs[-1] + 1 != epoch:
            return math.nan
        return math.nan if column[-1] is None else column[-1]

    def _rank(self, value: float | None) -> float:
        if value is None or math.isnan(value):
            return math.inf
        return self._sign * value
