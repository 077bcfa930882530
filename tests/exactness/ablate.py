"""Owns the deliberate breaks: each leaves out one kind of state at a restore.

A row of the table that stays equal under a break does not need that state.
"""

import inspect

from kerasbackup.parts import callback_states
from kerasbackup.parts import first_steps
from kerasbackup.parts import found_variables
from kerasbackup.parts import history
from kerasbackup.parts import last_logs
from kerasbackup.parts import plain_attributes
from kerasbackup.parts import variables
from kerasbackup.parts.data import iterators_made
from kerasbackup.parts.data import position
from kerasbackup.parts.data import replay
from kerasbackup.parts.data import validation
from kerasbackup.parts.data.sources import generator
from kerasbackup.parts.data.sources import loader
from kerasbackup.parts.data.sources import py_dataset
from kerasbackup.parts.random import found_generators
from kerasbackup.parts.random import rng


def _replace(owner, name, function):
    # A name that nothing has any more would break nothing, and one that takes
    # other arguments would break everything: each row would notice.
    taken = inspect.signature(getattr(owner, name)).parameters
    inspect.signature(function).bind(*taken)
    setattr(owner, name, function)


def _rng():
    _replace(rng.Generators, "restore", lambda self, states, only=None: None)


def _loose():
    _replace(
        found_generators.FoundGenerators,
        "restore",
        lambda self, states, only=None: None,
    )


def _late():
    _replace(
        iterators_made.IteratorsMade, "settled_after", lambda self, length: 0
    )


def _callbacks():
    _replace(callback_states.CallbackStates, "restore", lambda self, *args: [])
    _replace(callback_states, "continue_logs", lambda *args: None)


def _attributes():
    _replace(
        plain_attributes.PlainAttributes, "restore", lambda self, *args: []
    )


def _nobodys():
    _replace(found_variables.FoundVariables, "restore", lambda self, *args: [])


def _traced():
    _replace(first_steps, "is_traced", lambda model: False)


def _position():
    def restore(self, saved, batch, arrays, moved=0):
        self.restore_generators(saved)
        return []

    _replace(position.DataPosition, "restore", restore)


def _skip():
    _replace(replay, "draw_step", lambda iterator, step: None)


def _validation():
    _replace(validation.ValidationPosition, "restore", lambda self, *args: [])


def _source():
    for kind in (loader.Loader, py_dataset.PyDataset):
        _replace(kind, "restore", lambda self, state: [])


def _ahead():
    _replace(generator.DrawnAhead, "restore", lambda self, kept: None)


def _logs():
    _replace(last_logs.LastLogs, "restore", lambda self, *args: None)


def _history():
    _replace(history.History, "fill", lambda self, callback: None)


def _variables(part, but="\0"):
    whole = variables.Variables.assign

    def assign(self, checkpoint, partners, copies):
        every = self._variables
        kept = [
            i
            for i, name in enumerate(partners)
            if part not in name or but in name
        ]
        self._variables = [every[i] for i in kept]
        whole(self, checkpoint, [partners[i] for i in kept], copies)
        self._variables = every

    _replace(variables.Variables, "assign", assign)


KINDS = {
    "rng": _rng,
    "loose": _loose,
    "late": _late,
    "callbacks": _callbacks,
    "attributes": _attributes,
    "nobodys": _nobodys,
    "traced": _traced,
    "position": _position,
    "skip": _skip,
    "validation": _validation,
    "source": _source,
    "ahead": _ahead,
    "logs": _logs,
    "weights": lambda: _variables("variables/", but="seed_generator"),
    "seeds": lambda: _variables("seed_generator"),
    "optimizer": lambda: _variables("optimizer/"),
    "metrics": lambda: _variables("metrics/"),
    "moving": lambda: _variables("moving_"),
    "history": _history,
}


def ablate(kind):
    """Leaves out one kind of state, in this process from now on."""
    KINDS[kind]()
