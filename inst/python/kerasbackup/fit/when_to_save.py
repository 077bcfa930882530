"""When `save_freq` asks for a save: at a step, or at the end of an epoch.

A save before a step comes before any callback hears of that step. A resumed
training begins with the same step, and the callbacks hear of it then.
"""

import time
from collections.abc import Callable
from typing import Any

from kerasbackup.fit.save_interval import SaveInterval


class OnlyWhenStopped:
    """`save_freq = FALSE`: a signal or a callback that stops training is all
    that leads to a save.

    Attributes:
        looks_at_steps: Whether `is_due_at_step()` is to be called at all.
        saves: Whether saves are planned, so that memory for their copy is worth
            preparing.
    """

    looks_at_steps = False
    saves = False

    def begin_epoch(self, passed: int) -> None:
        """To be called when an epoch begins.

        Args:
            passed: Integer, its batches that are trained already.
        """

    def is_due_at_step(self, batch: int) -> bool:
        """To be called before each step, with the number of its first batch."""
        return False

    def is_due_at_epoch_end(self) -> bool:
        """To be called at the end of each epoch."""
        return False

    def is_due_by_clock(self) -> bool:
        """Whether a save is due now, where the clock decides."""
        return False

    def needs_more_than(self, batches: int | None) -> bool:
        """Whether there is no save yet after so many batches; `None`: after
        those since training began."""
        return False

    def begin_validation(self) -> None:
        """To be called when steps stop for a validation."""

    def begin_save(self) -> None:
        """To be called before each save, whatever led to it."""

    def end_save(self) -> list[str]:
        """To be called after each save.

        Returns:
            What is to be told about how often saves come; may be empty.
        """
        return []


class EachEpoch(OnlyWhenStopped):
    """`save_freq = "epoch"`."""

    saves = True

    def is_due_at_epoch_end(self) -> bool:
        return True


class EveryBatches(OnlyWhenStopped):
    """A save every so many batches, wherever epochs end.

    Args:
        number: Integer, how many.
        steps_per_execution: Integer, how many of them are one step of `fit()`.
    """

    looks_at_steps = True
    saves = True

    def __init__(self, number: int, steps_per_execution: int):
        self._number = number
        self._steps_per_execution = steps_per_execution
        # Batches trained since the last save, up to `_counted` of this epoch.
        self._since_save = 0
        self._counted = 0

    def begin_epoch(self, passed: int) -> None:
        self._counted = passed

    def is_due_at_step(self, batch: int) -> bool:
        self._since_save += batch - self._counted
        self._counted = batch
        return self._is_due()

    def is_due_at_epoch_end(self) -> bool:
        # The step that was about to run at the last look is done.
        self._since_save += self._steps_per_execution
        return self._is_due()

    def needs_more_than(self, batches: int | None) -> bool:
        return self._number > (self._since_save if batches is None else batches)

    def _is_due(self) -> bool:
        if self._since_save < self._number:
            return False
        self._since_save = 0
        return True


class EveryTime(OnlyWhenStopped):
    """A save once so much time has passed since the last one began.

    Args:
        seconds: Float, how much.
        clock: Callable: seconds. It is read once for each step.
    """

    looks_at_steps = True
    saves = True

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ):
        self._seconds = seconds
        self._clock = clock
        # When the last save or, before it, the first epoch began.
        self._began = None
        self._passed = 0

    def begin_epoch(self, passed: int) -> None:
        self._passed = passed
        if self._began is None:
            self._began = self._clock()

    def is_due_at_step(self, batch: int) -> bool:
        # Before its first step an epoch has begun for the callbacks, who would
        # see it begin once more after a resume.
        return batch > self._passed and self._is_due()

    def is_due_at_epoch_end(self) -> bool:
        return self._is_due()

    def is_due_by_clock(self) -> bool:
        return self._began is not None and self._is_due()

    def begin_save(self) -> None:
        self._began = self._clock()

    def _is_due(self) -> bool:
        return self._clock() - self._began >= self._seconds


class Auto(OnlyWhenStopped):
    """`save_freq = "auto"`: as often as costs little enough.

    Args:
        interval: A `SaveInterval`.
        steps_per_execution: Integer, how many batches are one step of `fit()`.
    """

    looks_at_steps = True
    saves = True

    def __init__(self, interval: SaveInterval, steps_per_execution: int):
        self._interval = interval
        self._steps_per_execution = steps_per_execution

    def is_due_at_step(self, batch: int) -> bool:
        return self._interval.step()

    def is_due_at_epoch_end(self) -> bool:
        self._interval.pause()
        return self._interval.is_due()

    def is_due_by_clock(self) -> bool:
        return self._interval.is_due()

    def begin_validation(self) -> None:
        self._interval.pause()

    def begin_save(self) -> None:
        self._interval.begin_save()

    def end_save(self) -> list[str]:
        self._interval.end_save()
        news = self._interval.news()
        if news is None:
            return []
        steps, seconds, cost = news
        batches = steps * self._steps_per_execution
        return [
            f"about every {batches} batches, or {seconds:.1f} seconds",
            f"a checkpoint costs {1000 * cost:.1f} ms of training time",
        ]


class ByClockTogether(OnlyWhenStopped):
    """A `save_freq` that follows the clock, of several workers: they save when
    the first of them has told the others that a save is due.

    Args:
        own: What decides in one process: an `Auto` or an `EveryTime`.

    Attributes:
        meetings: The `Meetings` where the first worker tells the others.
    """

    looks_at_steps = True
    saves = True
    meetings: Any = None

    def __init__(self, own: OnlyWhenStopped):
        self._own = own
        self._passed = 0

    def begin_epoch(self, passed: int) -> None:
        self._passed = passed
        self._own.begin_epoch(passed)

    def is_due_by_clock(self) -> bool:
        return self._own.is_due_by_clock()

    def is_due_at_step(self, batch: int) -> bool:
        # It measures the steps, and what it says counts when workers meet.
        self._own.is_due_at_step(batch)
        return batch > self._passed and self._take()

    def is_due_at_epoch_end(self) -> bool:
        self._own.is_due_at_epoch_end()
        return self._take()

    def needs_more_than(self, batches: int | None) -> bool:
        return self._own.needs_more_than(batches)

    def begin_validation(self) -> None:
        self._own.begin_validation()

    def begin_save(self) -> None:
        self._own.begin_save()

    def end_save(self) -> list[str]:
        return self._own.end_save()

    def _take(self) -> bool:
        due, self.meetings.due = self.meetings.due, False
        return due


def when_to_save(
    save_freq: str | int | float | bool,
    steps_per_execution: int,
    make_interval: Callable[[], SaveInterval],
    are_several: bool = False,
) -> OnlyWhenStopped:
    """What decides for a `save_freq`.

    Args:
        save_freq: See `BackupAndRestore`.
        steps_per_execution: Integer, how many batches are one step of `fit()`.
        make_interval: Callable that makes the `SaveInterval` of `"auto"`.
        are_several: Whether there are several workers.
    """
    if save_freq is False:
        return OnlyWhenStopped()
    if save_freq == "epoch":
        return EachEpoch()
    if save_freq == "auto":
        own = Auto(make_interval(), steps_per_execution)
        return ByClockTogether(own) if are_several else own
    if isinstance(save_freq, float):
        own = EveryTime(save_freq)
        return ByClockTogether(own) if are_several else own
    return EveryBatches(save_freq, steps_per_execution)
