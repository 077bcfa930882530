"""Tells what in attributes is neither state nor a setting: what only displays
or manages a training, and the time at which something began.

It differs in every process, and the result does not.
"""

import time
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


def is_display(value: Any) -> bool:
    """Whether it displays or manages a training: a progress bar, a tuner."""
    return type(value).__module__.split(".")[0] in PACKAGES


def is_time(value: Any) -> bool:
    """Whether it is a reading of a clock in this process."""
    return type(value) is float and any(
        begun <= value <= clock() for clock, begun in zip(_CLOCKS, _BEGUN)
    )
