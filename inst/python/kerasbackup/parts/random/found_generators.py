"""Owns the random number generators that are neither global nor the model's:
those of layers that augment the data, wherever these are kept (in a tf.data
pipeline, an attribute, a closure, a variable of R's), and a script's own.

Nobody says where they are. So all that live when training begins are looked at,
and those that training moves are state. Another process has others: the one
that was made alike takes the place.

May not touch data, variables of models or files.
"""

import base64
import gc
import operator
import random
import re
import sys
import tempfile
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras.src import backend
from keras.src.backend.common import global_state

from kerasbackup.parts.random import generator_holders
from kerasbackup.parts.random import generator_kinds

# What their names begin with among those of all generators.
PREFIX = "loose "

# By kind, of what `generator_kinds` does not have: how many numbers a state is.
# On JAX and torch a layer in a pipeline has a second one, of TensorFlow's.
SEED_GENERATORS = ("SeedGenerator", "SeedGenerator of tf.data")
LENGTHS = dict.fromkeys(SEED_GENERATORS, (2,)) | {"tf.random": (2, 3)}

# Those of which `generator_kinds` knows the states.
KNOWN = (*generator_kinds.BIT_GENERATORS, "Random", "RandomState")

# Python's and NumPy's that others care for, and SymPy's, with which torch
# compiles: what a library draws for itself is no state of a training.
OTHERS = (
    ("random", "_inst"),
    ("numpy.random.mtrand", "_rand"),
    ("sympy.core.random", "rng"),
    ("sympy.core.random", "_assumptions_rng"),
    ("sympy.core.symbol", "Dummy._prng"),
)


class FoundGenerators:
    """The generators that live, but for the global ones.

    Args:
        owned: Keras variables whose generators somebody else cares for.
        left: Generators that somebody else cares for.
    """

    def __init__(self, owned: Iterable[Any] = (), left: Iterable[Any] = ()):
        self._all = _find(
            {id(variable) for variable in owned}, {id(one) for one in left}
        )
        self._all.sort(key=lambda one: _natural(one.name))
        self._next = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of those that are known to move."""
        return tuple(one.key for one in self._all if one.key is not None)

    def capture(self) -> dict[str, Any]:
        """The states of those that have moved, as values that JSON has."""
        captured = {}
        for one in list(self._all):
            state = one.read()
            if one.is_set_by_library(state):
                one.key = None
            elif one.key is None and state != one.first:
                if _is_of_threads_after_all(one):
                    self._all.remove(one)
                    continue
                one.key = self._new_key()
            if one.key is not None:
                captured[one.key] = {
                    "kind": one.kind,
                    "name": one.name,
                    "first": one.first,
                    "state": state,
                }
        return captured

    def has(self, generator: Any) -> bool:
        """Whether it is one of them."""
        return any(one.is_of(generator) for one in self._all)

    def expect(self, states: dict[str, Any]) -> list[str]:
        """Finds those of which a checkpoint has a state.

        Args:
            states: What `capture()` gave, in another process or earlier.

        Returns:
            What is no longer as it was.
        """
        lost = [key for key in states if key.startswith(PREFIX)]
        lost.sort(key=lambda key: _natural(states[key]["name"]))
        notes = []
        while lost:
            entry = states[lost[0]]
            places = self._alike(entry)
            peers = [k for k in lost if self._alike(states[k]) == places]
            if len(places) == 1:
                peers = [
                    max(peers, key=lambda k: places[0].likeness(states[k]))
                ]
            elif len(places) != len(peers) or not all(p.name for p in places):
                places, peers = [], lost[:1]
                which = f"{entry['kind']} {entry['name']}".strip()
                notes.append(
                    f"a generator of random numbers ({which}) that training "
                    "draws from was not made again as it was, or is one of "
                    "several that are alike: it begins anew"
                )
            for key, one in zip(peers, places):
                one.key, one.first = key, states[key]["first"]
            lost = [key for key in lost if key not in peers]
        self._next = 1 + max(
            (int(k[len(PREFIX) :]) for k in states if k.startswith(PREFIX)),
            default=-1,
        )
        return notes

    def restore(
        self, states: dict[str, Any], only: tuple[str, ...] | None = None
    ) -> None:
        """Puts back what `capture()` gave.

        Args:
            states: From `capture()`.
            only: Names of the generators to put back; by default all.
        """
        for one in self._all:
            if one.key is not None and (only is None or one.key in only):
                # It had not moved yet where there is none.
                entry = states.get(one.key)
                one.write(one.first if entry is None else entry["state"])

    def _alike(self, entry: dict[str, Any]) -> list["_Loose"]:
        """Those that may take its place, as surely as any."""
        free = [one for one in self._all if one.key is None]
        most = max((one.likeness(entry) for one in free), default=0)
        return [one for one in free if most and one.likeness(entry) == most]

    def _new_key(self) -> str:
        self._next += 1
        return f"{PREFIX}{self._next - 1}"


def check(name: str, entry: Any) -> None:
    """Raises where it is not an item of what `FoundGenerators.capture()` gives.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    number = name[len(PREFIX) :]
    if not number.isdecimal() or len(number) > 9:
        raise ValueError("a generator has no number")
    if not isinstance(entry["name"], str):
        raise TypeError("a generator has no name")
    for field in ("first", "state"):
        if entry["kind"] in KNOWN:
            generator_kinds.check(entry["kind"], _from_json(entry[field]))
            continue
        lengths = LENGTHS[entry["kind"]]
        if len(entry[field]) not in lengths or not all(
            type(n) is int and -(2**63) <= n < 2**63 for n in entry[field]
        ):
            raise TypeError("the state of a generator is damaged")


class _Loose:
    """One generator.

    Attributes:
        generator: The generator.
        is_of_library: Whether an object of a library has it.
        kind: String, one of `LENGTHS` or `KNOWN`.
        name: String, that which Keras gave it; may be empty.
        first: Its state when training began.
        key: String, its name in a checkpoint, once it has moved.
    """

    def __init__(self, generator, kind):
        self.generator = generator
        self.is_of_library = False
        self.kind = kind
        self.name = str(getattr(generator, "name", ""))
        self.key = None
        self.first = self._last = self._look()

    def is_of(self, generator: Any) -> bool:
        """Whether it is that one."""
        return self.generator is generator

    def is_set_by_library(self, state: Any) -> bool:
        """Whether a library has put it where drawing does not lead: then its
        state says nothing of what will be drawn next."""
        return self.is_of_library and (
            _seed_of(self.kind, state) != _seed_of(self.kind, self.first)
        )

    def read(self) -> Any:
        """Its state, as values that JSON has."""
        try:
            self._last = self._look()
        except RuntimeError:
            # On JAX a training of another model that was interrupted leaves
            # variables without a value.
            pass
        return self._last

    def _look(self) -> Any:
        if self.kind in KNOWN:
            state = generator_kinds.state_of(self.generator, self.kind)
            return _to_json(state)
        return self.generator.state.numpy().tolist()

    def write(self, state: Any) -> None:
        """Puts back what `read()` gave."""
        if self.kind in KNOWN:
            generator_kinds.put(self.generator, self.kind, _from_json(state))
        else:
            self.generator.state.assign(np.array(state))

    def likeness(self, entry: dict[str, Any]) -> int:
        """How sure it is that it takes the place of one that was captured; 0:
        it does not.

        In another process the same script makes one with the same name, in the
        same state. In the same process one that was made anew has another name,
        and one that was used before is in another state.
        """
        if self.kind != entry["kind"]:
            return 0
        is_named_so = self.name != "" and self.name == entry["name"]
        if self.first == entry["first"]:
            return 4 if is_named_so else 3
        # What it has drawn to build the model does not count.
        seed = _seed_of(self.kind, self.first)
        if seed is not None and seed == _seed_of(self.kind, entry["first"]):
            return 2
        return int(is_named_so)


def _find(own: set[int], left: set[int]) -> list[_Loose]:
    kinds = (
        keras.random.SeedGenerator,
        np.random.Generator,
        np.random.RandomState,
        random.Random,
    )
    if _tensorflow("Generator") is not None:
        kinds += (_tensorflow("Generator"),)
    # By identity: what others' classes do when they are compared is not known,
    # nor is what an object says of its class.
    classes = set(map(id, _with_subclasses(kinds)))
    names = getattr(tempfile, "_RandomNameSequence", None)
    found, left = [], left | _cared_for()
    for one in gc.get_objects():
        if id(type(one)) in classes:
            found.append(one)
        elif type(one) is names:
            # Two processes must not go through the same temporary names.
            left.add(id(vars(one).get("_rng")))
    loose = []
    for one in found:
        try:
            kind = _kind_of(one)
            state = getattr(one, "state", None)
            if kind and id(one) not in left and id(state) not in own:
                loose.append(_Loose(one, kind))
        except Exception:
            # Half made, of another graph, without a value: nobody can draw from
            # it, and it must not keep a model from being trained.
            continue
    return _without_those_of_threads(loose)


def _without_those_of_threads(loose: list[_Loose]) -> list[_Loose]:
    """Notes which of them libraries have, and leaves out those that other
    threads may be drawing from at any time."""
    # To look for holders takes time. Those of Keras and TensorFlow are
    # variables, which no other library has.
    looked_at = [one for one in loose if one.kind in KNOWN]
    left = set()
    generators = [one.generator for one in looked_at]
    all_holders, at_hand = generator_holders.of(generators)
    for one, holders in zip(looked_at, all_holders):
        libraries = [
            holder
            for holder in holders
            if generator_holders.is_of_library(holder)
        ]
        one.is_of_library = bool(libraries)
        is_for_threads = map(generator_holders.is_for_threads, libraries)
        if id(one.generator) in at_hand or any(is_for_threads):
            left.add(id(one))
    return [one for one in loose if id(one) not in left]


def _is_of_threads_after_all(one: _Loose) -> bool:
    """Whether a second look, when it has moved, finds a library's threads where
    the first met it on its way from one to another."""
    return (
        one.kind in KNOWN
        and generator_holders.has_threads_of_packages()
        and not _without_those_of_threads([one])
    )


def _cared_for() -> set[int]:
    """By identity, those that are state already, or none."""
    left = {
        id(global_state.get_global_attribute("global_seed_generator")),
        id(_tensorflow("global_generator")),
        id(_tensorflow_context_generator()),
    }
    for module, path in OTHERS:
        try:
            left.add(id(operator.attrgetter(path)(sys.modules[module])))
        except (AttributeError, KeyError):
            # It is not loaded, or of another version.
            continue
    return left


def _with_subclasses(classes: Iterable[type]) -> Iterator[type]:
    for one in classes:
        yield one
        yield from _with_subclasses(one.__subclasses__())


def _kind_of(generator: Any) -> str | None:
    """Its kind; `None` where its state is not known, as a `SystemRandom`'s."""
    if isinstance(generator, (random.Random, np.random.RandomState)):
        return generator_kinds.kind_of(generator)
    if isinstance(generator, np.random.Generator):
        return type(generator.bit_generator).__name__
    if not generator_kinds.is_seed_generator(generator):
        return "tf.random"
    is_of_keras = isinstance(generator.state, backend.Variable)
    return "SeedGenerator" if is_of_keras else "SeedGenerator of tf.data"


def _tensorflow(name: str) -> Any:
    """Of TensorFlow's `stateful_random_ops`, if it is loaded."""
    module = sys.modules.get("tensorflow.python.ops.stateful_random_ops")
    return getattr(module, name, None)


def _tensorflow_context_generator() -> Any:
    """That from which TensorFlow draws the seeds of eager operations."""
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "context_safe", lambda: None)()
    return getattr(context, "_rng", None)


def _seed_of(kind: str, state: Any) -> Any:
    """What of a state no draw changes and the seed decides; `None` where there
    is nothing. (TensorFlow makes the seed the place to count from.)"""
    if kind in SEED_GENERATORS:
        return state[0]
    if kind in ("PCG64", "PCG64DXSM"):
        return state["state"]["inc"]
    if kind == "Philox":
        # It counts in the first of four words, which no training fills.
        counter = _from_json(state["state"]["counter"])
        return state["state"]["key"], counter[1:].tolist()
    return None


def _natural(name: str) -> list[Any]:
    """For sorting: numbers by their value."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", name)
    ]


# As values that JSON has ------------------------------------------------------


def _to_json(state: Any) -> Any:
    if isinstance(state, np.ndarray):
        text = base64.b64encode(state.tobytes()).decode("ascii")
        return {"dtype": state.dtype.str, "bytes": text}
    if isinstance(state, dict):
        return {name: _to_json(value) for name, value in state.items()}
    if isinstance(state, list):
        return [_to_json(value) for value in state]
    return state


def _from_json(state: Any) -> Any:
    if isinstance(state, list):
        return [_from_json(value) for value in state]
    if not isinstance(state, dict):
        return state
    if state.keys() == {"dtype", "bytes"}:
        data = base64.b64decode(state["bytes"])
        return np.frombuffer(data, state["dtype"]).copy()
    return {name: _from_json(value) for name, value in state.items()}
