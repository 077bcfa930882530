"""What a checkpoint may say that is JSON, and of the wrong kind."""

import collections
import copy
import enum
import json
import random


class Kind(enum.Enum):
    ONE = 1
    TWO = 2


# In the place of any part.
WRONG = [
    None,
    True,
    -1,
    0.5,
    10**30,
    "x",
    "\ud800",
    [],
    {},
    [[]],
    {"a": 1},
    {"$array": "nothing"},
    {"$array": []},
    {"$scalar": "nothing"},
    {"$bytes": 10**12},
    {"$bytes": [256]},
    {"$tuple": 1},
    {"$dict": [[[], 1]]},
    {"$dict": ["ab"]},
    {"$set": [[]]},
    {"$function": "os.system"},
    {"$function": []},
    {"$float": "x"},
    {"$float": []},
    {"$float": "1", "$tuple": []},
    {"$import": "os"},
    {"$at": ["Keeps", "on_epoch_end"]},
    {"$at": "Keeps"},
    {"$same": [10**9]},
    {"$box": [0, ["Keeps", "seen"], {"$object": [{"$dict": []}, 3]}]},
    {"$member": ["Kind", "mro"]},
    {"$numbers": [None, None, None]},
    {"$small": ["array", "F32", [10**12], ""]},
    {"$records": [[], []]},
]


def try_fit(model, x, y, callbacks, epochs):
    """Trains; the class of what was raised, if anything, and its message."""
    try:
        model.fit(x, y, epochs=epochs, verbose=0, callbacks=callbacks)
    except Exception as e:
        return type(e).__name__, str(e)
    return "trained", ""


def deep(depth):
    """Arrays in arrays."""
    return "[" * depth + "]" * depth


def mutations(metadata, seed, number):
    """Texts for fields of the metadata: every part replaced by what it is not.

    Returns:
        List of `[field, where, text]`, `number` of them for each field.
    """
    draw = random.Random(seed)
    every = []
    for field in ("history", "callbacks", "position"):
        value = json.loads(metadata[field])
        found = []
        for path in _paths(value):
            # What an attribute of a callback may be is the callback's business:
            # below it, only what is no encoded value is wrong.
            inside = field == "callbacks" and len(path) > 2
            for wrong in WRONG:
                if inside and not isinstance(wrong, dict):
                    continue
                changed = _replaced(value, path, wrong)
                if changed != value:
                    found.append([field, f"{path} {wrong!a}", changed])
            if path and isinstance(path[-1], str):
                found.append([field, f"{path} gone", _without(value, path)])
        draw.shuffle(found)
        every += found[:number]
    return [[field, where, json.dumps(value)] for field, where, value in every]


def counts(metadata):
    """Texts for fields of the metadata: each count that the rest belies."""
    many = 10**12
    changed = [["epoch", "", str(many)], ["batch", "", str(many)]]
    for field, names in (
        ("position", ("made", "made_to_build", "epochs")),
        ("validation", ("begun", "made")),
    ):
        value = json.loads(metadata[field])
        for name in names:
            changed.append([field, name, json.dumps({**value, name: many})])
    history = json.loads(metadata["history"])
    history["epoch"] = [many for _ in history["epoch"]]
    changed.append(["history", "epoch", json.dumps(history)])
    return changed


def _paths(value, path=()):
    yield path
    items = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        # The others are of the same kind.
        items = list(enumerate(value))[:3]
    for key, item in items:
        yield from _paths(item, (*path, key))


def _replaced(value, path, wrong):
    if not path:
        return wrong
    value = copy.deepcopy(value)
    part = value
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = wrong
    return value


def _without(value, path):
    value = copy.deepcopy(value)
    part = value
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return value


def metadata_of(text):
    """The metadata of a header, and of which parts they consist."""
    return json.loads(text)["__metadata__"]


def keeper():
    """A callback with a state of every kind, that does nothing with it."""
    import keras
    import numpy as np

    class Keeps(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []
            self.counts = collections.Counter()
            self.kind = Kind.ONE

        def on_epoch_end(self, epoch, logs=None):
            self.number = epoch
            self.array = np.arange(3.0)
            self.scalar = np.float32(epoch)
            self.pair = (1, "x", float("inf"))
            self.table = {"a": [1, 2], 3: {4}}
            self.bytes = b"ab"
            self.seen.extend(range(40))
            self.counts.update("ab")
            self.last = collections.deque([self.table], maxlen=2)
            self.kind = Kind.TWO
            self.rows = [(i, i / 7) for i in range(40)]

    return Keeps()


def looper():
    """A callback with a list that contains itself, and one that is deep."""
    import keras

    class Loops(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.loop = [epoch]
            self.loop.append(self.loop)
            self.deep = []
            for _ in range(3000):
                self.deep = [self.deep]

    return Loops()


def refuse_captures(number):
    """Lets so many saves fail before the store has a part in them.

    Returns:
        Callable that ends that.
    """
    from kerasbackup.checkpoint.training_state import TrainingState
    from kerasbackup.store import errors

    capture = TrainingState.capture
    left = [number]

    def refuse(self, *args):
        if left[0]:
            left[0] -= 1
            raise errors.UnsupportedError("The state is too odd.")
        return capture(self, *args)

    def allow():
        TrainingState.capture = capture

    TrainingState.capture = refuse
    return allow
