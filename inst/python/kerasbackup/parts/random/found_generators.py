"""Finds random number generators that are neither global nor the model's: those
of layers that augment the data, wherever the layers are kept (in a tf.data
pipeline, an attribute, a closure, a variable of R's), and the script's own.

Their places are not known. So all generators that exist when training begins
are looked at, and those that training advances are state. In another process,
the generator that was made in the same way takes the state.
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

import numpy as np

from kerasbackup.anykeras import kinds
from kerasbackup.anykeras.global_generators import keras_generator
from kerasbackup.anykeras.global_generators import tf_keras_generator
from kerasbackup.parts.random import generator_holders
from kerasbackup.parts.random import generator_kinds

# Their names begin with this among the names of all generators.
PREFIX = "loose "

# The possible lengths of a state, for the kinds that `generator_kinds` lacks.
# On JAX and torch, a layer in a pipeline has a second generator, of
# TensorFlow's.
SEED_GENERATORS = ("SeedGenerator", "SeedGenerator of tf.data")
LENGTHS = dict.fromkeys(SEED_GENERATORS, (2,)) | {"tf.random": (2, 3)}

# The kinds whose states `generator_kinds` knows.
KNOWN = (*generator_kinds.BIT_GENERATORS, "Random", "RandomState")

# The global generators of Python and NumPy, which are saved elsewhere, and
# those of SymPy, which torch compiles with: numbers that a library draws for
# itself are no state of a training.
OTHERS = (
    ("random", "_inst"),
    ("numpy.random.mtrand", "_rand"),
    ("sympy.core.random", "rng"),
    ("sympy.core.random", "_assumptions_rng"),
    ("sympy.core.symbol", "Dummy._prng"),
)


class FoundGenerators:
    """The generators that exist, without the global ones.

    Args:
        owned: Keras variables that are saved elsewhere, and whose generators do
            not count therefore.
        left: Generators that are saved elsewhere.
    """

    def __init__(self, owned: Iterable[Any] = (), left: Iterable[Any] = ()):
        self._all = _find(
            {id(variable) for variable in owned}, {id(one) for one in left}
        )
        self._all.sort(key=lambda one: _natural(one.name))
        self._next = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the generators that training is known to advance."""
        return tuple(one.key for one in self._all if one.key is not None)

    def capture(self) -> dict[str, Any]:
        """The states of the generators that have advanced, for JSON."""
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
        """Finds the generators whose states a checkpoint has.

        Args:
            states: What `capture()` returned, in another process or earlier.

        Returns:
            Lines about the generators that were not found.
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
                    f"the random generator {which}, which training draws from, "
                    "was made differently or is one of several that are alike: "
                    "it starts from its initial state"
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
        """Restores the states.

        Args:
            states: What `capture()` returned.
            only: Names of the generators to restore; by default all.
        """
        for one in self._all:
            if one.key is not None and (only is None or one.key in only):
                # Without an entry it had not advanced yet.
                entry = states.get(one.key)
                one.write(one.first if entry is None else entry["state"])

    def _alike(self, entry: dict[str, Any]) -> list["FoundGenerator"]:
        """The generators that are most likely to be the captured one."""
        free = [one for one in self._all if one.key is None]
        most = max((one.likeness(entry) for one in free), default=0)
        return [one for one in free if most and one.likeness(entry) == most]

    def _new_key(self) -> str:
        self._next += 1
        return f"{PREFIX}{self._next - 1}"


def check(name: str, entry: Any) -> None:
    """Validates an item of a result of `FoundGenerators.capture()`.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is invalid.
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


class FoundGenerator:
    """One generator.

    Attributes:
        generator: The generator.
        is_of_library: Whether an object of a library has it.
        kind: String, one of `LENGTHS` or `KNOWN`.
        name: String, the name that Keras gave it; may be empty.
        first: Its state when training began.
        key: String, its name in a checkpoint, once it has advanced.
    """

    def __init__(self, generator, kind):
        self.generator = generator
        self.is_of_library = False
        self.kind = kind
        self.name = str(getattr(generator, "name", ""))
        self.key = None
        self.first = self._last = self._look()

    def is_of(self, generator: Any) -> bool:
        """Whether it is the given generator."""
        return self.generator is generator

    def is_set_by_library(self, state: Any) -> bool:
        """Whether a library has set it to a state that drawing cannot reach.
        Then its state does not determine what will be drawn next."""
        return self.is_of_library and (
            _seed_of(self.kind, state) != _seed_of(self.kind, self.first)
        )

    def read(self) -> Any:
        """Its state, for JSON."""
        try:
            self._last = self._look()
        except RuntimeError:
            # On JAX, an interrupted training of another model leaves variables
            # without a value.
            pass
        return self._last

    def _look(self) -> Any:
        if self.kind in KNOWN:
            state = generator_kinds.state_of(self.generator, self.kind)
            return _to_json(state)
        return self.generator.state.numpy().tolist()

    def write(self, state: Any) -> None:
        """Restores what `read()` returned."""
        if self.kind in KNOWN:
            generator_kinds.put(self.generator, self.kind, _from_json(state))
        else:
            self.generator.state.assign(np.array(state))

    def likeness(self, entry: dict[str, Any]) -> int:
        """How likely it is the captured generator; 0 if it is not.

        In another process, the same script makes a generator with the same name
        and state. In the same process, a generator that is made again has
        another name, and one that was used before has another state.
        """
        if self.kind != entry["kind"]:
            return 0
        is_named_so = self.name != "" and self.name == entry["name"]
        if self.first == entry["first"]:
            return 4 if is_named_so else 3
        # The draws that built the model do not count.
        seed = _seed_of(self.kind, self.first)
        if seed is not None and seed == _seed_of(self.kind, entry["first"]):
            return 2
        return int(is_named_so)


def _find(own: set[int], left: set[int]) -> list[FoundGenerator]:
    bases = (
        *kinds.seed_generators(),
        np.random.Generator,
        np.random.RandomState,
        random.Random,
    )
    if _tensorflow("Generator") is not None:
        bases += (_tensorflow("Generator"),)
    # Classes are told apart by identity: comparing them, or asking an object
    # for its class, could run code of the script.
    classes = set(map(id, _with_subclasses(bases)))
    names = getattr(tempfile, "_RandomNameSequence", None)
    found, left = [], left | _cared_for()
    for one in gc.get_objects():
        if id(type(one)) in classes:
            found.append(one)
        elif type(one) is names:
            # Two processes must not go through the same temporary names.
            left.add(id(vars(one).get("_rng")))
    generators = []
    for one in found:
        try:
            kind = _kind_of(one)
            state = getattr(one, "state", None)
            if kind and id(one) not in left and id(state) not in own:
                generators.append(FoundGenerator(one, kind))
        except Exception:
            # It is half made, of another graph, or has no value. It cannot be
            # drawn from, and must not prevent a training.
            continue
    return _without_those_of_threads(generators)


def _without_those_of_threads(
    found: list[FoundGenerator],
) -> list[FoundGenerator]:
    """Notes which generators belong to libraries, and leaves out those that
    other threads may draw from at any time."""
    # The search for holders takes time. Generators of Keras and TensorFlow are
    # variables, which no other library has.
    looked_at = [one for one in found if one.kind in KNOWN]
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
    return [one for one in found if id(one) not in left]


def _is_of_threads_after_all(one: FoundGenerator) -> bool:
    """Whether a second look, when it has advanced, finds that threads of a
    library use it. The first look may have missed that, while one thread passed
    it to another."""
    return (
        one.kind in KNOWN
        and generator_holders.has_threads_of_packages()
        and not _without_those_of_threads([one])
    )


def _cared_for() -> set[int]:
    """The ids of generators that are saved elsewhere, or are no state."""
    left = {
        id(keras_generator()),
        id(tf_keras_generator()),
        id(_tensorflow("global_generator")),
        id(_tensorflow_context_generator()),
    }
    for module, path in OTHERS:
        try:
            left.add(id(operator.attrgetter(path)(sys.modules[module])))
        except (AttributeError, KeyError):
            # The module is not loaded, or is of another version.
            continue
    return left


def _with_subclasses(classes: Iterable[type]) -> Iterator[type]:
    for one in classes:
        yield one
        yield from _with_subclasses(one.__subclasses__())


def _kind_of(generator: Any) -> str | None:
    """Its kind; `None` if its state is not known, as with a `SystemRandom`."""
    if isinstance(generator, (random.Random, np.random.RandomState)):
        return generator_kinds.kind_of(generator)
    if isinstance(generator, np.random.Generator):
        return type(generator.bit_generator).__name__
    if not kinds.is_seed_generator(generator):
        return "tf.random"
    in_data = kinds.is_of_tf_data(generator)
    return "SeedGenerator of tf.data" if in_data else "SeedGenerator"


def _tensorflow(name: str) -> Any:
    """An attribute of TensorFlow's `stateful_random_ops`, if it is loaded."""
    module = sys.modules.get("tensorflow.python.ops.stateful_random_ops")
    return getattr(module, name, None)


def _tensorflow_context_generator() -> Any:
    """The generator from which TensorFlow draws seeds of eager operations."""
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "context_safe", lambda: None)()
    return getattr(context, "_rng", None)


def _seed_of(kind: str, state: Any) -> Any:
    """The part of a state that the seed determines and no draw changes; `None`
    if there is none. (TensorFlow counts on from the seed.)"""
    if kind in SEED_GENERATORS:
        return state[0]
    if kind in ("PCG64", "PCG64DXSM"):
        return state["state"]["inc"]
    if kind == "Philox":
        # It counts in the first of four words, and no training overflows it.
        counter = _from_json(state["state"]["counter"])
        return state["state"]["key"], counter[1:].tolist()
    return None


def _natural(name: str) -> list[Any]:
    """A key for sorting, in which numbers are sorted by value."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", name)
    ]


# Values for JSON ------------------------------------------------------


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
