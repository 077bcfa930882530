"""Owns how a row of the exactness table is put together and compared.

A row is `data/model/callbacks`, or `guide/page/none` for a training that does
what a page of Keras' guides does. `build()` makes everything anew from a fixed
seed, as a script that is run again does.
"""

import hashlib
import os
import signal

import case_data
import numpy as np
from case_callbacks import CALLBACKS
from case_callbacks import Kill  # noqa: F401
from case_callbacks import WrittenInR  # noqa: F401
from case_data import DATA
from case_grain import GRAIN
from case_loose import CALLBACKS as LOOSE_CALLBACKS
from case_loose import MODELS as LOOSE_MODELS
from case_models import MODELS
from which_keras import IS_TF_KERAS
from which_keras import keras
from which_keras import ops
from which_keras import to_numpy

EPOCHS = 5

# Models that are trained on several devices.
DEVICES = {"mirrored": 2, "mirrored-four": 4, "data-parallel": 2}


def redirect(path):
    """Sends what this process prints to a file."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)


def lead_group():
    """Makes this process, and those that it starts, a group of their own."""
    os.setpgid(0, 0)


def end_group(leader):
    """Kills what is left of such a group.

    Args:
        leader: Number, the process that called `lead_group()`.
    """
    try:
        os.killpg(int(leader), signal.SIGKILL)
    except ProcessLookupError:
        pass  # Nothing is.


def hasten(callback):
    """Lets `save_freq = "auto"` save from the third step on, and whatever it
    costs: no training here takes a second."""
    from kerasbackup.fit.save_interval import SaveInterval

    SaveInterval.FIRST = SaveInterval.LEAST = SaveInterval.LOOK = 0.0
    callback.max_overhead = 1e9


def build(row, out):
    """A model, the arguments of its `fit()`, and the other callbacks.

    Args:
        row: String, `data/model/callbacks`.
        out: String, a directory for what callbacks write.
    """
    data, model, callbacks = row.split("/")
    case_data.FOLDER = f"{os.path.abspath(out)}-data"
    os.makedirs(case_data.FOLDER, exist_ok=True)
    if model in DEVICES:
        _split_cpu(DEVICES[model])
    keras.utils.set_random_seed(11)
    if keras.backend.backend() != "torch" and data.startswith("loader"):
        import torch

        # set_random_seed() seeds torch only where it is the backend.
        torch.manual_seed(11)
    if data == "guide":
        from guides import GUIDES

        return GUIDES[model](out)
    return (
        (MODELS | LOOSE_MODELS)[model](),
        (DATA | GRAIN)[data](),
        (CALLBACKS | LOOSE_CALLBACKS)[callbacks](out),
    )


def digest(model, history, callbacks, out):
    """Everything a run ends with, as text: equal means bitwise equal.

    Args:
        model: The trained model.
        history: What `fit()` returned.
        callbacks: List of the row's callbacks.
        out: String, the directory of what they wrote.
    """
    variables = _of_tf_keras if IS_TF_KERAS else _of_keras3
    lines = variable_lines(
        [*variables(model), *getattr(model, "more_variables", list)()]
    )
    for name, column in sorted(history.history.items()):
        values = " ".join(float(v).hex() for v in column)
        lines.append(f"log {name} {history.epoch} {values}")
    for callback in callbacks:
        kind = type(callback).__name__
        for name, value in sorted(vars(callback).items()):
            text = _state(value)
            # Times differ; a log that goes on is appended to.
            if text and "time" not in name and not name.startswith("append"):
                lines.append(f"callback {kind}.{name} {text}")
    for folder, _, names in sorted(os.walk(out)):
        # TensorBoard's files, one a process, are one log.
        logs = [name for name in names if "tfevents" in name]
        if logs:
            paths = [os.path.join(folder, name) for name in sorted(logs)]
            part = os.path.relpath(folder, out)
            lines += [f"board {part} {line}" for line in _events(paths)]
        for name in sorted(set(names) - set(logs)):
            with open(os.path.join(folder, name), "rb") as f:
                content = f.read()
            if name.endswith(".h5"):
                content = _weights(os.path.join(folder, name))
            lines.append(f"file {name} {_hash(content)}")
    return "\n".join(lines)


def _of_keras3(model):
    optimizers = [
        one
        for one in vars(model).values()
        if isinstance(one, keras.optimizers.Optimizer)
        and one is not model.optimizer
    ]
    return [
        *model.variables,
        *model.optimizer.variables,
        *(variable for one in optimizers for variable in one.variables),
        *model.metrics_variables,
    ]


def _of_tf_keras(model):
    """Also what tf_keras does not list: the generators of random layers, what
    scales a loss, and the settings of legacy optimizers."""
    found = [*model.variables]
    for layer in model.submodules:
        generator = getattr(layer, "_random_generator", None)
        made = getattr(generator, "_generator", None)
        found += [] if made is None else [made.state]
        states = getattr(layer, "states", None) or []
        found += [one for one in states if hasattr(one, "assign")]
    optimizer = model.optimizer
    while optimizer is not None:
        listed = optimizer.variables
        found += listed() if callable(listed) else listed
        found += getattr(optimizer, "_hyper", {}).values()
        if hasattr(optimizer, "dynamic_counter"):
            found += [optimizer.dynamic_counter, optimizer.loss_scale]
        optimizer = getattr(optimizer, "inner_optimizer", None)
    found += [one for metric in model.metrics for one in metric.variables]
    return [one for one in found if hasattr(one, "dtype")]


def variable_lines(variables):
    """The bits of variables, a line for each."""
    return [
        f"variable {i} {_hash(part.tobytes())}"
        for i, variable in enumerate(variables)
        for part in _parts(variable)
    ]


def _split_cpu(count):
    """Makes several devices of the CPU. To be called before the backend has
    looked for its devices."""
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_num_cpu_devices", count)
        return
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    made = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, made)


def _hash(content):
    return hashlib.sha256(content).hexdigest()[:16]


def _state(value):
    """A callback's number, array or collection of them; else nothing."""
    if isinstance(value, (bool, int, float, np.number)):
        return repr(value)
    if isinstance(value, dict):
        value = [item for pair in sorted(value.items()) for item in pair]
    if isinstance(value, (list, tuple)):
        return ",".join(filter(None, map(_state, value)))
    if isinstance(value, np.ndarray) or ops.is_tensor(value):
        return _hash(np.asarray(to_numpy(value)).tobytes())
    return ""


def _parts(variable):
    """A variable's value, or those of all its replicas."""
    value = variable if IS_TF_KERAS else variable.value
    replicas = getattr(value, "values", None)
    if keras.backend.backend() == "tensorflow" and replicas is not None:
        return [part.numpy() for part in replicas]
    return [np.asarray(to_numpy(variable))]


def _weights(path):
    """The numbers of a file of weights; the container has times in it."""
    import h5py

    found = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.append((name, item[()].tobytes()))
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return repr(sorted(found)).encode()


def _events(paths):
    """All values that were logged, without the times."""
    from tensorflow.compat.v1.train import summary_iterator

    found = set()
    for path in paths:
        try:
            for event in summary_iterator(path):
                for value in event.summary.value:
                    found.add(
                        (value.tag, event.step, value.tensor.tensor_content)
                    )
        except Exception as e:  # The last record of a killed process.
            if type(e).__name__ != "DataLossError":
                raise
    return [f"{tag} {step} {value.hex()}" for tag, step, value in sorted(found)]
