"""Finds the objects that hold random number generators, to distinguish the
generators of libraries from those of a script.

A library that passes generators to its own threads, or sets a generator before
each use, relies on an order that a write from outside would break.
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

# The search passes through these objects, up to a depth.
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

# Seconds to wait before generators without a holder are searched again, if
# threads of a library run: a thread that has just been handed a generator
# cannot be seen to have it until it continues.
PAUSES = (0.001, 0.005, 0.025)

# An object with one of these in a field is made for several threads.
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

# The folder of Python's own modules. `sysconfig` returns a wrong one if R has
# started Python in a virtual environment.
STANDARD_LIBRARY = pathlib.Path(threading.__file__).parent

# This package's objects only look at generators.
OURS = __name__.split(".")[0]

# These packages' objects draw for training, from generators that are restored.
OF_TRAINING = ("jax", "keras", "numpy", "tensorflow", "torch")


def of(generators: list[Any]) -> tuple[list[list[Any]], set[int]]:
    """The holders of each generator.

    Returns:
        For each generator, the objects that hold it, directly or in containers.
        There are none if only a running function or R has it, because nothing
        in Python's memory leads to these. And the ids of the generators that
        other threads have at hand.
    """
    holders, at_hand = _scan(generators), _at_hand()
    for pause in PAUSES if has_threads_of_packages() else ():
        # A thread may take a generator and put it back between two looks.
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
    # By id, the generators and their containers: which generators are in each.
    within = {id(one): {id(one)} for one in generators}
    level, kept = [*generators], []
    for _ in range(DEPTH + 1):
        containers = []
        for holder in _referrers(level) if level else ():
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
        # They are told apart by id, so they must stay alive.
        kept.append(level)
    return [holders[id(one)] for one in generators]


def _referrers(objects: list[Any]) -> list[Any]:
    """The objects that refer to some objects.

    Python walks through the list of all objects for this. Some classes, among
    them TensorFlow's, create a dict while they are asked what they refer to. If
    this started a collection, it would move the objects to other lists, and the
    walk would leave its list and crash. So there is no collection meanwhile.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return gc.get_referrers(*objects)
    finally:
        if was_enabled:
            gc.enable()


def _frames_of_other_threads() -> Iterator[types.FrameType]:
    frames = sys._current_frames()
    # A frame that has itself in a variable would keep its callers alive.
    del frames[threading.get_ident()]
    for frame in frames.values():
        while frame is not None:
            yield frame
            frame = frame.f_back


def _at_hand() -> set[int]:
    """The ids of the local variables of functions that other threads run."""
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
        # A generator that has ended holds nothing and has no frame.
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
        # This may be its `__dict__`.
        yield from one.values() if type(one) is dict else (one,)


def _is(one: Any, kinds: tuple[type, ...]) -> bool:
    # `isinstance()` asks the object, which may answer anything.
    return issubclass(type(one), kinds)


def _is_of_module(holder: Any) -> bool:
    """Whether it is the dict of a module, which every function there has."""
    if type(holder) is not dict:
        return False
    module = sys.modules.get(str(holder.get("__name__")))
    return module is not None and getattr(module, "__dict__", None) is holder
