"""Puts a checkpoint into a model outside of `fit()`.

The checkpoint is read, checked and assigned as `fit()` does it. Without a
`fit()` there are no data to build variables from, and no callbacks, position in
the data or random generators to put back.
"""

from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import building
from kerasbackup.anykeras import kinds
from kerasbackup.anykeras.steps import renew_compiled
from kerasbackup.checkpoint.restored import Restored
from kerasbackup.checkpoint.training_state import load_variables
from kerasbackup.parts.model_variables import ModelVariables
from kerasbackup.parts.part import Place
from kerasbackup.parts.script import Script
from kerasbackup.store import errors
from kerasbackup.store.client import Store

# The variables that are restored. Those of metrics are not: `fit()` and
# `evaluate()` reset them when they begin.
GROUPS = {"weights": ("variables",), "all": ("variables", "optimizer")}


def restore_model(
    model: Any,
    functions: dict[str, Callable],
    what: str,
    versions: dict[str, str],
) -> dict[str, Any]:
    """Restores a model from a checkpoint.

    Args:
        model: A built `keras.Model`.
        functions: Dict of callables, `load` and `read` of `Store`.
        what: A key of `GROUPS`.
        versions: Dict from name to version, of what runs now.

    Returns:
        Dict with the key `value`, whether there was a checkpoint; or with
        `error`, the class of an R condition, `message`, and, if the checkpoint
        does not fit, its `differences`. An exception would reach R without its
        class where reticulate is older than 1.29.
    """
    try:
        return {"value": _restore(model, Store(functions), what, versions)}
    except errors.KerasBackupError as e:
        failure = {"error": errors.r_class(e), "message": str(e)}
        if isinstance(e, errors.MismatchError):
            failure["differences"] = e.differences
        return failure


def _restore(
    model: Any, store: Store, what: str, versions: dict[str, str]
) -> bool:
    _check(model, what)
    checkpoint = store.load()
    if checkpoint is None:
        return False
    building.prepare(model)
    script = Script(model, versions)
    restored = Restored(checkpoint, script.versions)
    variables = ModelVariables(model, None, Place(), GROUPS[what])
    compared = script if what == "all" else None
    load_variables(model, variables, restored, compared)
    variables.restore(restored.saved[variables.name], restored.array)
    renew_compiled(model)
    return True


def _check(model: Any, what: str) -> None:
    if not kinds.is_model(model):
        cls = type(model)
        raise errors.UnsupportedError(
            "`model` must be a model of Keras 3 or of tf_keras, not an object "
            f"of the Python class `{cls.__module__}.{cls.__qualname__}`. "
            "Nothing was restored. Give the model itself, as the script has it "
            "before `fit()`."
        )
    if not model.built:
        raise errors.ArgumentError(
            "The model is not built, so it has no variables to restore. Build "
            "it before: begin it with an Input, call `build()` with the shape "
            "of its input, or call it once on data."
        )
    if what == "all" and getattr(model, "optimizer", None) is None:
        raise errors.ArgumentError(
            "The model is not compiled, so it has no optimizer to restore. "
            "Compile it as for the training, or restore the weights alone with "
            '`what = "weights"`.'
        )
