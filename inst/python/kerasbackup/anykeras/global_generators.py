"""Captures and restores the states of the global random generators of Keras,
torch and TensorFlow. Those of packages that are not loaded are left alone."""

import random
import sys
from typing import Any

import numpy as np

from kerasbackup.anykeras import ask


def keras_generator() -> Any:
    """Keras 3's global seed generator; `None` until it is first used."""
    known = ask.module_in("keras3", __name__)
    return None if known is None else known.keras_generator()


def keras_state() -> list[int] | None:
    """The state of Keras 3's global seed generator, if it exists."""
    known = ask.module_in("keras3", __name__)
    return None if known is None else known.keras_state()


def restore_keras(state: list[int] | None) -> None:
    """Restores what `keras_state()` returned."""
    known = ask.module_in("keras3", __name__)
    if known is not None:
        known.restore_keras(state)


def tf_keras_generator() -> random.Random | None:
    """The generator that tf_keras draws seeds from; `None` where no seed was
    set."""
    known = ask.module_in("tf_keras", __name__)
    return None if known is None else known.seed_source()


def torch_bytes(state: np.ndarray) -> Any:
    """The `torch.ByteTensor` of bytes."""
    import torch

    return torch.from_numpy(state)


def check_torch(state: np.ndarray) -> None:
    """Raises `ValueError` if torch would refuse that state."""
    if "torch" not in sys.modules:
        return
    import torch

    try:
        torch.Generator().set_state(torch.from_numpy(state))
    except RuntimeError as e:
        raise ValueError(str(e)) from e


def torch_states() -> dict[str, Any]:
    """The state under "cpu" is a `torch.ByteTensor`. Where there are GPUs,
    "cuda" is a list with one for each."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_torch(cpu: Any, cuda: list[Any]) -> None:
    """Restores what `torch_states()` returned; `cuda` may be empty."""
    import torch

    torch.set_rng_state(cpu)
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(cuda)


def tensorflow_states() -> tuple[tuple | None, list[int] | None]:
    """The state of the eager context's generator, as Python's `random` has it,
    and that of the global generator. TensorFlow draws the seeds of stateful
    operations from the former."""
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    eager = getattr(context.context(), "_rng", None)
    generator = stateful_random_ops.global_generator
    return (
        None if eager is None else eager.getstate(),
        None if generator is None else generator.state.numpy().tolist(),
    )


def restore_tensorflow(state: tuple | None, whole: list[int] | None) -> None:
    """Restores what `tensorflow_states()` returned."""
    from tensorflow.python.eager import context

    eager = getattr(context.context(), "_rng", None)
    if state is not None and eager is not None and eager.getstate() != state:
        eager.setstate(state)
        # An operation that ran with a seed in this process is cached with its
        # own state, and would continue from there.
        context.context().clear_kernel_cache()
    if whole is not None:
        import tensorflow as tf

        tf.random.get_global_generator().state.assign(whole)
