"""Finds the objects that hold random number generators, to tell those that
libraries look after from those of a script.

A library that hands generators to threads of its own, or sets one anew before
each use, keeps an order that a write from outside breaks.

May not touch data, variables, files or the generators.
"""

import collections
import concurrent.futures
import functools
import gc
import pathlib
import queue
import sys
import threading
import time
import types
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

# What only passes on what it holds. Deeper than so many of these inside each
# other nobody looks.
CONTAINERS = (
    dict,
    list,
    tuple,
    set,
    collections.deque,
    functools.partial,
    types.BuiltinMethodType,
    types.CellType,
    types.MethodType,
)
DEPTH = 3

# Seconds to wait before those that nobody seems to have are looked for again,
# where a library's threads run: where one of these has just been handed a
# generator, nothing in memory tells so until it goes on.
PAUSES = (0.001, 0.005, 0.025)

# An object that has one of these in a field is made to be used by several
# threads.
OF_THREADS = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.Semaphore,
    threading.Thread,
    queue.Queue,
    concurrent.futures.Executor,
)

# Where Python's own modules lie. What `sysconfig` says of it is untrue where R
# has started Python in a virtual environment.
STANDARD_LIBRARY = pathlib.Path(threading.__file__).parent

# Its objects only look at generators.
OURS = __name__.split(".")[0]

# Their objects draw for training, and from generators that we restore.
OF_TRAINING = ("jax", "keras", "numpy", "tensorflow", "torch")


def of(generators: list[Any]) -> tuple[list[list[Any]], set[int]]:
    """Who has each generator.

    Returns:
        For each the objects that hold it, directly or in containers: none where
        only a running function or R has it, as nothing in Python's memory leads
        to these. And, by identity, those that other threads have at hand.
    """
    holders, at_hand = _scan(generators), _at_hand()
    for pause in PAUSES if has_threads_of_packages() else ():
        # A thread may take one and put it back: here between two looks.
        unseen = [
            i
            for i, one in enumerate(generators)
            if not holders[i] and id(one) not in at_hand
        ]
        if not unseen:
            break
        time.sleep(pause)
        again = _scan([generators[i] for i in unseen])
        for i, found in zip(unseen, again):
            holders[i] = found
        at_hand |= _at_hand()
    return holders, at_hand


def _scan(generators: list[Any]) -> list[list[Any]]:
    holders = {id(one): [] for one in generators}
    # The generators and their containers, and which generators are in each.
    within = {id(one): {id(one)} for one in generators}
    level, kept = [*generators], []
    for _ in range(DEPTH + 1):
        containers = []
        for holder in gc.get_referrers(*level) if level else ():
            if holder is level or holder is generators or id(holder) in within:
                continue
            those = set().union(
                *(within.get(id(one), ()) for one in gc.get_referents(holder))
            )
            if _is(holder, CONTAINERS) and not _is_of_module(holder):
                within[id(holder)] = those
                containers.append(holder)
            elif str(type(holder).__module__).split(".")[0] != OURS:
                for one in those:
                    holders[one].append(holder)
        level = containers
        # By identity they are told apart for as long as they live.
        kept.append(level)
    return [holders[id(one)] for one in generators]


def _frames_of_other_threads() -> Iterator[types.FrameType]:
    frames = sys._current_frames()
    # A frame that has itself in a variable would keep all its callers have.
    del frames[threading.get_ident()]
    for frame in frames.values():
        while frame is not None:
            yield frame
            frame = frame.f_back


def _at_hand() -> set[int]:
    """By identity, what the functions that other threads run have at hand."""
    found = set()
    for frame in _frames_of_other_threads():
        found.update(map(id, list(frame.f_locals.values())))
    return found


def has_threads_of_packages() -> bool:
    """Whether another thread runs code of an installed package."""
    return any(map(_is_of_package, _frames_of_other_threads()))


def is_of_library(holder: Any) -> bool:
    """Whether an object's class, or a function's or generator's code, comes
    with Python or an installed package, other than those that train."""
    if _is_of_package(holder):
        return True
    _, path = _origin(holder)
    return isinstance(path, str) and (
        pathlib.Path(path).is_relative_to(STANDARD_LIBRARY)
        and not _is_installed(path)
    )


def _is_of_package(holder: Any) -> bool:
    """Whether it is of an installed package, other than those that train."""
    name, path = _origin(holder)
    if not isinstance(name, str) or not isinstance(path, str):
        return False
    return name.split(".")[0] not in OF_TRAINING and _is_installed(path)


def _is_installed(path: str) -> bool:
    return any(
        part in ("site-packages", "dist-packages")
        for part in pathlib.Path(path).parts
    )


def _origin(holder: Any) -> tuple[Any, Any]:
    """The module that an object comes from, and its file."""
    if isinstance(holder, types.FunctionType):
        return holder.__module__, holder.__code__.co_filename
    if isinstance(holder, types.GeneratorType):
        # What has ended holds nothing, and has no frame.
        holder = holder.gi_frame
    if isinstance(holder, types.FrameType):
        return holder.f_globals.get("__name__"), holder.f_code.co_filename
    name = type(holder).__module__
    return name, getattr(sys.modules.get(name), "__file__", None)


def is_for_threads(holder: Any) -> bool:
    """Whether an object is made to be used by several threads."""
    return any(_is(one, OF_THREADS) for one in _fields(holder))


def _fields(holder: Any) -> Iterable[Any]:
    if isinstance(holder, types.FunctionType):
        # Its globals are the module's.
        yield from gc.get_referents(*(holder.__closure__ or ()))
        return
    for one in gc.get_referents(holder):
        # Its `__dict__`, where it has one as an object of its own.
        yield from one.values() if type(one) is dict else (one,)


def _is(one: Any, kinds: tuple[type, ...]) -> bool:
    # What an object says of its class may be anything.
    return issubclass(type(one), kinds)


def _is_of_module(holder: Any) -> bool:
    """Whether it has the names of a module: every function there has it."""
    if type(holder) is not dict:
        return False
    module = sys.modules.get(str(holder.get("__name__")))
    return module is not None and getattr(module, "__dict__", None) is holder
