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
import sysconfig
import threading
import types
from collections.abc import Iterable
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
    types.MethodType,
    types.BuiltinMethodType,
)
DEPTH = 3

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

# Their objects draw for training, and from generators that we restore.
OF_TRAINING = ("jax", "keras", "numpy", "tensorflow", "torch")


def of(generators: list[Any]) -> list[list[Any]]:
    """For each generator the objects that hold it, directly or in containers.

    Those that only a running function or R holds have none here: nothing in
    Python's memory leads to these from a generator.
    """
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
            else:
                for one in those:
                    holders[one].append(holder)
        level = containers
        # By identity they are told apart for as long as they live.
        kept.append(level)
    return [holders[id(one)] for one in generators]


def is_of_library(holder: Any) -> bool:
    """Whether an object's class comes with Python or an installed package,
    other than those that train."""
    name = type(holder).__module__
    if not isinstance(name, str) or name.split(".")[0] in OF_TRAINING:
        return False
    path = getattr(sys.modules.get(name), "__file__", None)
    if not isinstance(path, str):
        return False
    path = pathlib.Path(path)
    return any(
        part in ("site-packages", "dist-packages") for part in path.parts
    ) or path.is_relative_to(sysconfig.get_path("stdlib"))


def is_for_threads(holder: Any) -> bool:
    """Whether an object is made to be used by several threads."""
    return any(_is(one, OF_THREADS) for one in _fields(holder))


def _fields(holder: Any) -> Iterable[Any]:
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
