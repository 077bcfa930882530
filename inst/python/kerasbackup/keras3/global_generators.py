"""Captures and restores the states of the global random generators of Keras,
torch and TensorFlow. The latter two are touched only where they are loaded."""

import sys
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import global_seed_generator


def keras_generator() -> Any:
    """Keras' global seed generator; `None` until it is first used."""
    return global_state.get_global_attribute("global_seed_generator")


def keras_state() -> list[int] | None:
    """The state of Keras' global seed generator, if it exists."""
    generator = keras_generator()
    if generator is None:
        return None
    return keras.ops.convert_to_numpy(generator.state).tolist()


def restore_keras(state: list[int] | None) -> None:
    """Restores what `keras_state()` returned."""
    if state is not None:
        value = np.array(state, dtype="uint32")
        global_seed_generator().state.assign(value)


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
