"""When workers tell each other what came up between two saves: signals, and
what the clock says.

A signal comes to one worker at any moment, and `save_freq = "auto"` follows the
clock, but all workers must save at the same step. So the workers meet before
certain steps. At each meeting the first worker says how many steps later the
next one is: about a second, whatever a step takes. Nothing crosses between
workers at other steps, and a step without a meeting costs the counting of it.
"""

import time
from collections.abc import Callable

from kerasbackup.workers.workers import Workers

# Seconds between two meetings, about.
EVERY = 1.0


class Meetings:
    """The meetings of the workers of one `fit()`.

    Args:
        workers: The `Workers`.
        has_come: Callable, whether a signal has come to this worker.
        is_due: Callable, whether a save is due by the clock. Only that of the
            first worker counts.
        clock: Callable: seconds.

    Attributes:
        signal: Whether a signal had come to any worker at the last meeting.
        due: Whether a save was due at the last meeting. Whoever makes that
            save sets it back.
    """

    def __init__(
        self,
        workers: Workers,
        has_come: Callable[[], bool],
        is_due: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._workers = workers
        self._has_come = has_come
        self._is_due = is_due
        self._clock = clock
        self._interval = 1
        self._left = 1
        self._met = None
        self.signal = False
        self.due = False

    def before_step(self) -> None:
        """To be called before each step."""
        self._left -= 1
        if self._left <= 0:
            self._meet("a meeting between steps", self._next())

    def at_epoch_end(self) -> None:
        """To be called when an epoch ends."""
        self._meet("a meeting at the end of an epoch", 1)
        # The time until the next step is not that of steps.
        self._met = None

    def _meet(self, where: str, steps: int) -> None:
        rows = self._workers.together(
            where,
            lambda: [bool(self._has_come()), bool(self._is_due()), steps],
        )
        self.signal = any(has_come for has_come, _, _ in rows)
        self.due = rows[0][1]
        self._interval = self._left = rows[0][2]
        self._met = self._clock()

    def _next(self) -> int:
        """After how many steps the next meeting should be."""
        if self._met is None:
            return 1
        seconds = self._clock() - self._met
        most = 2 * self._interval
        fitting = int(EVERY * self._interval / seconds) if seconds > 0 else most
        return max(1, min(fitting, most))
