"""Recognizes attributes that are neither state nor a setting: those that only
display or manage a training, the time at which something began, and the name of
a run.

They differ in every process, although the result is the same.
"""

import os
import re
import time
import uuid
from typing import Any

# By the package of its class. A tuner runs the training; nothing of it is read
# by a step.
PACKAGES = {
    "IPython",
    "alive_progress",
    "ipywidgets",
    "keras_tuner",
    "kerastuner",
    "logging",
    "matplotlib",
    "progressbar",
    "rich",
    "tqdm",
}

# The clocks that people note times from, and what they showed when this process
# was young.
_CLOCKS = (time.time, time.monotonic, time.perf_counter)
_AGE = time.process_time()
_BEGUN = [clock() - _AGE for clock in _CLOCKS]


_OF_PROCESS = re.compile("pid|process")
# With hyphens or without.
_UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


def is_display(value: Any) -> bool:
    """Whether it displays or manages a training: a progress bar, a tuner."""
    return type(value).__module__.split(".")[0] in PACKAGES


def is_of_run(name: str, value: Any) -> bool:
    """Whether an attribute is another in every run, and no setting of any.

    Args:
        name: String, the attribute's name.
        value: Its value.
    """
    return is_time(value) or is_name_of_run(name, value)


def is_time(value: Any) -> bool:
    """Whether it is a reading of a clock in this process."""
    return type(value) is float and any(
        begun <= value <= clock() for clock, begun in zip(_CLOCKS, _BEGUN)
    )


def is_name_of_run(name: str, value: Any) -> bool:
    """Whether an attribute tells this process or run from others: the number of
    the process, or a random identifier. The arguments are those of
    `is_of_run()`."""
    if type(value) is str:
        return _UUID.fullmatch(value.lower()) is not None
    # The first process of a container has the number 1, as many settings have.
    return type(value) is uuid.UUID or (
        type(value) is int
        and value == os.getpid()
        and _OF_PROCESS.search(name.lower()) is not None
    )
