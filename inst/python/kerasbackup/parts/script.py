"""Describes what the script decides and no variable holds (optimizer, loss, the
layers' configuration, versions), and finds what has changed.

The description is made when training begins, kept in every checkpoint, and
compared at a restore. It is only compared and named in messages; nothing is
restored from it. `get_config()` is not used, because that of a layer imports
every backend.
"""

import hashlib
import json
import re
import types
import weakref
from collections.abc import Callable
from typing import Any
from typing import ClassVar

import numpy as np

from kerasbackup.anykeras import backend
from kerasbackup.anykeras import kinds
from kerasbackup.anykeras import losses
from kerasbackup.anykeras import nested
from kerasbackup.anykeras import tensors
from kerasbackup.anykeras.model_parts import given_metrics
from kerasbackup.anykeras.model_parts import layers_inside
from kerasbackup.anykeras.optimizer_parts import given_learning_rate
from kerasbackup.parts.objects import no_state
from kerasbackup.parts.optimizers import classes_of
from kerasbackup.parts.optimizers import optimizers_of
from kerasbackup.parts.part import Part
from kerasbackup.parts.part import Place
from kerasbackup.parts.plain_attributes import is_part
from kerasbackup.parts.plain_attributes import is_plain
from kerasbackup.store.changes import Change
from kerasbackup.store.values import check_texts

# Longer descriptions are replaced by a checksum.
LONGEST = 200

# Keras numbers names over the life of a process, seeds may be random, and the
# others are no settings.
NOT_SETTINGS = {"name", "seed", "built", "training"}

# These are compared by value, all others by identity.
SIMPLE = (bool, int, float, str)

# What `drift()` says where a callback has called `compile()`.
COMPILED = "the model was compiled again"

# The earlier of two points in time.
THEN = "when the checkpoint was made"

# By optimizer, the learning rate before any training in this process.
_given = weakref.WeakKeyDictionary()


class Script(Part):
    """The decisions of the script for one `fit()`.

    To be made before anything is restored or trained.

    Args:
        model: The `keras.Model` being trained.
        versions: Dict from name to version, in addition to Keras', the
            backend's and NumPy's.

    Attributes:
        versions: Dict from name to version, all of them.
        versions_before: The same for the process that wrote the checkpoint.
    """

    name = "script"
    missing: ClassVar[dict[str, Any]] = {}

    def __init__(self, model, versions: dict[str, str]):
        self._model = model
        self._optimizer = getattr(model, "optimizer", None)
        self._classes = classes_of(self._optimizer)
        self._metrics = _metrics(model)
        self._rates = _given_rates(model)
        self._description = None
        # The layers at the first and at the last look, and a short form of the
        # latter.
        self._begun = self._layers = self._look = None
        self._begun_settings = None
        self.versions = {**versions, **_versions(model)}
        self._package = backend.package(model)
        self.versions_before = {}

    @classmethod
    def begin(cls, training) -> "Script":
        script = super().begin(training)
        if training.model.built:
            # Otherwise it is described with the first save, which builds it.
            script.describe()
        return script

    def capture(self, encoder) -> dict[str, Any]:
        """The description."""
        return self.describe()

    @staticmethod
    def check(saved, tensors, place) -> None:
        check_description(saved)

    def script_changes(self, saved, arrays) -> list[str]:
        return self.changes(saved, self.versions_before)

    def restore(self, saved, arrays) -> list[str]:
        """Restores nothing; only names the differences."""
        changes = self.changes(saved, self.versions_before)
        rates = self.describe()["learning_rates"]
        for path, rate in saved.get("learning_rates", {}).items():
            if path in rates and _is_variable(rate, rates[path]):
                # The checkpoint's rate is used, so the next resume must compare
                # the script's rate with that.
                rates[path] = rate
        return changes

    def describe(self) -> dict[str, Any]:
        """The description, which can be written as JSON. To be called when the
        model is built."""
        if self._description is None:
            self._description = self._describe()
            self._begun = self._layers = _layers(self._model, _settings_known)
            self._begun_settings = self._describe_settings(_settings_not_saved)
            self._look = _look(self._model)
        # Looked up each time: a callback may have compiled the model again.
        self._description["optimizer"] = classes_of(
            getattr(self._model, "optimizer", None)
        )
        return self._description

    def drift(self) -> list[str]:
        """Lines about what has changed since the description was made. Only a
        callback can have done that. What `plain_attributes.py` saves is left
        out."""
        self.describe()
        look = _look(self._model)
        if look != self._look:
            self._look = look
            self._layers = _layers(self._model, _settings_known)
        optimizer = getattr(self._model, "optimizer", None)
        is_other = optimizer is not self._optimizer
        now = self._describe_settings(_settings_not_saved)
        return [
            *([COMPILED] if is_other else []),
            *_changes_of_settings(self._begun_settings, now, _changed_to),
            *_layer_changes(self._begun, self._layers, "changed"),
        ]

    def is_compiled_otherwise(self) -> bool:
        """Whether a callback has compiled the model with another optimizer or
        other metrics than the script."""
        optimizer = getattr(self._model, "optimizer", None)
        if optimizer is self._optimizer:
            return False
        settings_now = self._describe_settings(settings)
        return (
            classes_of(optimizer) != self._classes
            or _metrics(self._model) != self._metrics
            or settings_now["optimizer_settings"]
            != self.describe()["optimizer_settings"]
        )

    def _describe(self) -> dict[str, Any]:
        return {
            **self._describe_settings(settings),
            "learning_rates": self._rates,
            "layers": _layers(self._model, settings),
        }

    def _describe_settings(
        self, settings_of: Callable[[Any], dict[str, str]]
    ) -> dict[str, Any]:
        model = self._model
        return {
            "optimizer_settings": {
                _within(path, name): text
                for path, optimizer in optimizers_of(model).items()
                for name, text in settings_of(optimizer).items()
            },
            "fit": {
                "loss_weights": brief(losses.weights(model)),
                "loss": _loss(model, settings_of),
                **{
                    name: brief(getattr(model, name, None))
                    for name in ("run_eagerly", "jit_compile")
                },
            },
        }

    def other_optimizer(self, saved: dict[str, Any]) -> str | None:
        """A text if the optimizer is of another class, even if its variables
        have the same names and shapes; else `None`.

        Args:
            saved: What `describe()` returned.
        """
        before, now = saved.get("optimizer"), self._classes
        if before in (None, now):
            return None
        return Change(
            f"another optimizer: {before}, not {now}",
            ("class of the optimizer", now, before),
        )

    def other_settings(self, saved: dict[str, Any]) -> list[str]:
        """Lines about the settings of optimizers that differ.

        Args:
            saved: What `describe()` returned.
        """
        now = self._describe_settings(settings)["optimizer_settings"]
        return differences(saved.get("optimizer_settings", {}), now)

    def changes(
        self, saved: dict[str, Any], versions: dict[str, str]
    ) -> list[str]:
        """Lines about differences from a checkpoint.

        Args:
            saved: What `describe()` returned; may be empty.
            versions: The attribute `versions` of that time.
        """
        notes = differences(versions, self.versions)
        now = self.describe()
        rates = now["learning_rates"]
        for path, rate in saved.get("learning_rates", {}).items():
            if rates.get(path, rate) == rate:
                continue
            notes.append(_other_rate(path, rate, rates[path]))
        notes += _changes_of_settings(saved, now)
        # Another version of Keras may describe the same layer differently.
        is_same_version = (
            versions.get(self._package) == (self.versions[self._package])
        )
        if "layers" in saved and is_same_version:
            notes += _layer_changes(saved["layers"], now["layers"])
        return notes


class Drift(Part):
    """Which of the script's decisions have changed since training began. A
    restore cannot repeat such a change, so a resume names it.

    Args:
        script: The `Script`.
        place: A `Place`, that of the save under way.
    """

    name = "drift"
    missing: ClassVar[list[str]] = []

    def __init__(self, script: Script, place: Place):
        self._script = script
        self._place = place
        self._looked_at, self._found = None, []

    @classmethod
    def begin(cls, training) -> "Drift":
        return cls(training.made[Script.name], training.place)

    def capture(self, encoder) -> list[str]:
        """The changes as lines of text. Found only once an epoch, because every
        layer is looked at."""
        if self._place.epoch != self._looked_at:
            self._looked_at = self._place.epoch
            self._found = self._script.drift()
        return self._found

    @staticmethod
    def check(saved, tensors, place) -> None:
        if not isinstance(saved, list) or not all(
            isinstance(line, str) for line in saved
        ):
            raise TypeError("what has changed is no list of texts")

    def restore(self, saved, arrays) -> list[str]:
        return [
            f"during the interrupted training {text}: this is not saved, so it "
            "is as the script sets it, unless a callback changes it again"
            for text in saved
        ]


def check_description(saved: Any) -> None:
    """Validates a result of `Script.describe()` that was read; it may be empty.

    Raises:
        AttributeError, TypeError, ValueError: It is invalid.
    """
    if not isinstance(saved.get("optimizer"), (str, types.NoneType)):
        raise TypeError("optimizer is no text")
    for field in ("learning_rates", "optimizer_settings", "fit"):
        check_texts(saved.get(field, {}))
    for name, checksum in saved.get("layers", []):
        check_texts({name: checksum})


def is_other_backend(model: Any, versions: dict[str, str]) -> bool:
    """Whether these versions are of a training on another backend than a
    model's."""
    return bool(versions) and backend.name(model) not in versions


def was_and_is(name: str, before: Any, now: Any) -> str:
    """What a setting was in a checkpoint, and what it is in the script."""
    return f"{name} was {before} {THEN} and is {now} now"


def _changed_to(name: str, before: Any, now: Any) -> str:
    return f"{name} changed from {before} to {now}"


def differences(
    before: dict[str, Any],
    now: dict[str, Any],
    words: Callable[[str, Any, Any], str] = was_and_is,
) -> list[str]:
    """The entries in both that are not equal, in words."""
    return [
        Change(words(name, value, now[name]), (name, now[name], value))
        for name, value in before.items()
        if name in now and value != now[name]
    ]


def brief(value: Any) -> str:
    """A value as text, which is the same for equal values in every process."""
    if value is None or isinstance(value, bool):
        return str(value)
    text = json.dumps(_plain(value))
    if len(text) > LONGEST:
        return f"{type(value).__name__} {_digest(text.encode())}"
    return text.strip('"')


def settings(thing: Any) -> dict[str, str]:
    """The public attributes of a Keras object, in brief."""
    return {
        name: brief(_number_of(value))
        for name, value in vars(thing).items()
        if not (
            name.startswith("_")
            or name in NOT_SETTINGS
            or no_state.is_of_run(name, value)
        )
    }


def _number_of(value: Any) -> Any:
    """The number that a constant tensor holds, as the strength of an `L1`;
    anything else as it is."""
    is_constant = (
        tensors.is_tensor(value)
        and not hasattr(value, "assign")
        and not getattr(value, "requires_grad", False)
        and len(value.shape) == 0
    )
    return tensors.to_numpy(value).item() if is_constant else value


def _plain(value: Any) -> Any:
    """The part of a value that is the same in every process."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, np.ndarray):
        return ["array", list(value.shape), _digest(value.tobytes())]
    if kinds.is_component(value):
        return [type(value).__name__, settings(value)]
    return getattr(value, "__name__", type(value).__name__)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _given_rates(model) -> dict[str, str]:
    """The learning rates that the script set, by optimizer. Training changes
    them, so an optimizer that trained before in this process is not asked
    again."""
    rates = {}
    for path, optimizer in optimizers_of(model).items():
        if optimizer not in _given:
            _given[optimizer] = _rate_of(optimizer)
        if _given[optimizer] is not None:
            rates[_within(path, "learning_rate")] = _given[optimizer]
    return rates


def _rate_of(optimizer) -> str | None:
    rate = given_learning_rate(optimizer)
    if kinds.is_variable(rate):
        try:
            rate = float(tensors.to_numpy(rate))
        except RuntimeError:
            # On JAX, a training that was interrupted without this callback
            # leaves variables without a value.
            return None
    return None if rate is None else brief(rate)


def _other_rate(name: str, before: str, now: str) -> str:
    before_text, now_text = _short(before), _short(now)
    text = was_and_is(name, before_text, now_text)
    if _is_variable(before, now):
        text = (
            f"{name} is {now_text} in the script and {before_text} in the "
            "checkpoint: the checkpoint's is used (a callback can set another)"
        )
    return Change(text, (name, now_text, before_text))


def _is_variable(before: str, now: str) -> bool:
    """Whether both rates are numbers. Then they are in a variable, which is
    restored, whereas a schedule is taken from the script."""
    return _is_number(before) and _is_number(now)


def _metrics(model) -> str:
    """The metrics given to `compile()`."""
    return brief(given_metrics(model))


def _within(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _loss(model: Any, settings_of: Callable[[Any], dict[str, str]]) -> str:
    return brief(
        nested.map_leaves(
            getattr(model, "loss", None),
            lambda loss: _one_loss(model, loss, settings_of),
        )
    )


def _one_loss(
    model: Any, loss: Any, settings_of: Callable[[Any], dict[str, str]]
) -> Any:
    if isinstance(loss, str):
        return losses.function_name(model, loss)
    if kinds.is_loss(loss):
        more = {k: brief(v) for k, v in losses.parameters(loss).items()}
        found = sorted({**settings_of(loss), **more}.items())
        return f"{type(loss).__name__} ({', '.join(map(' '.join, found))})"
    return loss


def _changes_of_settings(before, now, words=was_and_is) -> list[str]:
    return [
        text
        for part in ("optimizer_settings", "fit")
        for text in differences(before.get(part, {}), now[part], words)
    ]


def _layers(model, settings_of) -> list[list[str]]:
    """For every layer its name without its number, and a checksum of its class
    and settings."""
    found = []
    for layer in layers_inside(model):
        text = json.dumps(
            [
                type(layer).__name__,
                layer.trainable,
                layer.dtype_policy.name,
                # The layers of a model in the model are listed themselves.
                {} if kinds.is_model(layer) else settings_of(layer),
            ],
            sort_keys=True,
        )
        name = re.sub(r"_\d+$", "", layer.name)
        found.append([name, _digest(text.encode())])
    return found


def _settings_known(layer) -> dict[str, str]:
    """The settings of a layer of Keras'. Attributes of other layers may be no
    settings."""
    if not kinds.is_class_of_keras(type(layer)):
        return {}
    return _settings_not_saved(layer)


def _settings_not_saved(thing: Any) -> dict[str, str]:
    """The settings without those that are saved if training changes them."""
    return {
        name: brief(type(value).__name__ if is_part(value) else value)
        for name, value in vars(thing).items()
        if not (name.startswith("_") or name in NOT_SETTINGS or is_plain(value))
    }


def _look(model) -> list[list[Any]]:
    """A value that differs whenever `_layers()` differs, in a tenth of the
    time."""
    return [
        [
            layer.trainable,
            *(
                value if type(value) in SIMPLE else id(value)
                for name, value in vars(layer).items()
                if name[0] != "_"
            ),
        ]
        for layer in layers_inside(model)
    ]


def _layer_changes(
    before, now, verb: str = f"differ from those {THEN}"
) -> list[str]:
    if len(before) != len(now):
        return [
            Change(
                f"the model had {len(before)} layers and has {len(now)} now",
                ("number of layers", len(now), len(before)),
            )
        ]
    names = [
        name for (_, was), (name, is_now) in zip(before, now) if was != is_now
    ]
    if not names:
        return []
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    whose = "layer" if len(names) == 1 else "layers"
    return [
        Change(
            f"the settings of {whose} {', '.join(names[:5])}{more} {verb}",
            *((f"settings of layer {name}", None, None) for name in names),
        )
    ]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(rate: str) -> str:
    """A rate without the digits that float32 adds."""
    return f"{float(rate):.6g}" if _is_number(rate) else rate


def _versions(model: Any) -> dict[str, str]:
    return {**backend.versions(model), "numpy": np.__version__}
