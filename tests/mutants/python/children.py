"""Runs a function in a forked child, which tells its result through a pipe and
may hang or crash without harm."""

import json
import os
import select
import signal
import time
from collections.abc import Callable


class Hung(Exception):
    pass


class Crashed(Exception):
    pass


def _read(pipe: int, seconds: float) -> bytes:
    until = time.monotonic() + seconds
    received = b""
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise Hung
        piece = os.read(pipe, 1 << 20)
        if not piece:
            return received
        received += piece


def _become_child(function: Callable, pipe: int) -> None:
    status = 1
    try:
        # A group of its own: what it starts is killed with it.
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        result = json.dumps(function()).encode()
        while result:
            result = result[os.write(pipe, result) :]
        status = 0
    finally:
        os._exit(status)


def run(function: Callable, seconds: float):
    """What `function` returns, as JSON has it."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _become_child(function, theirs)
    os.close(theirs)
    try:
        received = _read(ours, seconds)
    finally:
        os.close(ours)
        # Not before it has left this process's group.
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not received:
        raise Crashed(f"status {status}")
    return json.loads(received)
