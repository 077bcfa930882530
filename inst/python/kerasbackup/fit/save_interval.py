"""Decides when `save_freq = "auto"` saves, so that all saves together cost at
most a given part of the training time.

A save costs the time that training waits for it, and the slowdown of the steps
that run while it is written in the background. Both are measured for every
save: the steps during the write are compared with the undisturbed steps after
it. The next save is due when this one is paid for, so the sum of all costs
stays below the given part of the time since the first save.
"""

import time
from collections.abc import Callable


class SaveInterval:
    """Decides when a save is due.

    Call `step()` before every step of an epoch, and `pause()` at its end. Call
    `begin_save()` and `end_save()` around each save, whatever led to it.

    Args:
        max_overhead: Float, the part of the training time that saves may cost.
        writing_time: Callable: how many seconds it took to write the last save
            in the background, `None` while one is being written.
        settle: Callable that returns when all steps that were begun are done.
            (Keras begins a step before the previous ones have ended, so the
            time from one call of `step()` to the next says little.)
        clock: Callable: seconds.
    """

    WARM_UP = 2  # steps that must be done before the first save
    FIRST = 1.0  # seconds of training before the first save
    LEAST = 5.0  # seconds between saves: more of them only wear the disk out
    LOOK = 0.01  # seconds between two looks at the clock, about

    def __init__(
        self,
        max_overhead: float,
        writing_time: Callable[[], float | None],
        settle: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._max_overhead = max_overhead
        self._writing_time = writing_time
        self._settle = settle
        self._clock = clock
        # The number of steps between two looks at the clock, and how many of
        # them are left.
        self._stride = 1
        self._left = 1
        self._usual_stride = 1
        # The time of the last look; None before the first of an epoch.
        self._looked = None
        # Whether the epoch's first step began there. It often has work of its
        # own (compiling, filling buffers), so it is not compared.
        self._is_first = False
        # Whether the writer was at work then.
        self._is_writing = False
        self._began = None
        self._saved = None
        # Since the last save.
        self._steps = 0
        self._stall = 0.0
        self._disturbed = _Stretch()
        self._undisturbed = _Stretch()
        self._chosen = None
        self._told = None

    def step(self) -> bool:
        """To be called before each step.

        Returns:
            Whether a save is due.
        """
        self._left -= 1
        return self._left <= 0 and self._look()

    def pause(self) -> None:
        """To be called when the epoch's last step has been begun."""
        if self._looked is not None:
            # The first step counts too if none came after it.
            self._is_first = False
            self._settle()
            self._note(self._stride - self._left + 1)
            self._looked = None
            self._left = 1

    def is_due(self) -> bool:
        """Whether a save is due, now."""
        now = self._clock()
        if self._saved is None:
            return (
                self._steps >= self.WARM_UP and now - self._began >= self.FIRST
            )
        since = now - self._saved
        cost = None if since < self.LEAST else self._cost()
        return cost is not None and cost <= self._max_overhead * since

    def begin_save(self) -> None:
        """To be called when a save begins; from now on training waits."""
        self._settle()
        now = self._clock()
        if self._saved is not None:
            self._chosen = (self._steps, now - self._saved, self._cost())
        self._saved = now

    def end_save(self) -> None:
        """To be called when training goes on."""
        now = self._clock()
        self._stall = now - self._saved
        self._saved = now
        self._steps = 0
        self._disturbed = _Stretch()
        self._undisturbed = _Stretch()
        if self._looked is not None:
            self._is_first = False
            self._begin(now, stride=1)

    def news(self) -> tuple[int, float, float] | None:
        """The interval between saves, if it is new or has changed a lot.

        Returns:
            Steps and seconds from the save before the last to the last, and
            how many seconds that one had cost.
        """
        chosen, self._chosen = self._chosen, None
        if chosen is None or chosen[2] is None:
            return None
        if self._told is not None:
            if self._told / 2 <= chosen[1] <= self._told * 2:
                return None
        self._told = chosen[1]
        return chosen

    def _look(self) -> bool:
        if self._looked is None:
            # Nothing is trained yet in this epoch, and `is_due()` was asked at
            # the end of the last one.
            now = self._clock()
            if self._began is None:
                self._began = now
            self._is_first = True
            self._begin(now, stride=1)
            return False
        if self._is_writing and self._writing_time() is not None:
            # The write has ended: the steps begun beside it count as disturbed.
            self._settle()
        self._note(self._stride)
        return self.is_due()

    def _note(self, steps: int) -> None:
        """Counts the steps since the last look, which are done."""
        now = self._clock()
        seconds = now - self._looked
        self._steps += steps
        if not self._is_first:
            stretch = self._disturbed if self._is_writing else self._undisturbed
            stretch.seconds += seconds
            stretch.steps += steps
            most = 2 * self._usual_stride
            fitting = int(self.LOOK * steps / seconds) if seconds > 0 else most
            self._usual_stride = max(1, min(fitting, most))
        self._is_first = False
        self._begin(now, self._usual_stride)

    def _begin(self, now: float, stride: int) -> None:
        self._looked = now
        self._is_writing = self._writing_time() is None
        self._stride = self._left = stride

    def _cost(self) -> float | None:
        """Seconds of training that the last save has cost; `None`: that is not
        known yet."""
        if not self._disturbed.steps:
            return None if self._writing_time() is None else self._stall
        written = self._writing_time()
        # The undisturbed steps must cover as much time as the write took.
        if written is None or self._undisturbed.seconds < written:
            return None
        usual = self._undisturbed.seconds / max(1, self._undisturbed.steps)
        seconds = self._disturbed.seconds
        lost = max(0.0, seconds - self._disturbed.steps * usual)
        if seconds < written:
            # The rest of the write ran beside steps that are not compared.
            lost *= written / seconds
        # The writer cannot have held them up for longer; something else has,
        # such as compiling anew.
        return self._stall + min(lost, written)


class _Stretch:
    """Steps that are done, and the seconds they took."""

    def __init__(self):
        self.steps = 0
        self.seconds = 0.0
