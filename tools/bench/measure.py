"""Owns: how an operation is measured: time, memory at its peak, bytes written.

Linux tells the last two; elsewhere they are missing.
"""

import gc
import os
import random
import re
import time
from pathlib import Path

_PROC = Path("/proc/self")


class Meter:
    """Measures one operation, which may have several ends ("laps")."""

    def __init__(self):
        gc.collect()
        _reset_peak()
        self._memory = _status("VmRSS")
        self._written = _written()
        self.laps = []
        self._start = time.perf_counter()

    def lap(self, name, seconds=None):
        """Notes that an end was reached now, or after so many seconds."""
        if seconds is None:
            seconds = time.perf_counter() - self._start
        peak = _difference(_status("VmHWM"), self._memory)
        written = _difference(_written(), self._written)
        self.laps.append((name, seconds, peak, written))
        return seconds


def measure(systems, rounds, add):
    """Runs each operation of each system once a round, one after the other.

    Args:
        systems: List of objects with `name` and `operations`, callables that
            take a `lap` function. One with the attribute `forgets` is to find
            its files on the disk only.
        rounds: How many count; one more comes before, and does not.
        add: Called with system, round and a lap's name and figures.
    """
    for number in range(rounds + 1):
        # Who comes after whom must not decide.
        for system in random.Random(number).sample(systems, len(systems)):
            for operation in system.operations:
                # What the one before left to be written is not this one's.
                os.sync()
                if getattr(operation, "forgets", False):
                    system.forget()
                meter = Meter()
                operation(meter.lap)
                for lap in meter.laps:
                    if number > 0:
                        add(system.name, number, *lap)


def _reset_peak():
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        pass


def _number(name, key):
    try:
        text = (_PROC / name).read_text()
    except OSError:
        return None
    found = re.search(rf"^{key}:\s*(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def _status(key):
    kilobytes = _number("status", key)
    return None if kilobytes is None else kilobytes * 1024


def _written():
    return _number("io", "wchar")


def _difference(after, before):
    return None if None in (after, before) else max(0, after - before)
