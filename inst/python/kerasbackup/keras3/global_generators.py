"""The global generators of random numbers of Keras, torch and TensorFlow: their
states, out and in. Of torch and TensorFlow only where the process has them."""

import sys
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import global_seed_generator


def keras_state() -> list[int] | None:
    """Of Keras' global seed generator, if there is one yet."""
    generator = global_state.get_global_attribute("global_seed_generator")
    if generator is None:
        return None
    return keras.ops.convert_to_numpy(generator.state).tolist()


def restore_keras(state: list[int] | None) -> None:
    """Puts back what `keras_state()` gave."""
    if state is not None:
        value = np.array(state, dtype="uint32")
        global_seed_generator().state.assign(value)


def torch_bytes(state: np.ndarray) -> Any:
    """The `torch.ByteTensor` of bytes."""
    import torch

    return torch.from_numpy(state)


def check_torch(state: np.ndarray) -> None:
    """Raises `ValueError` where torch would not take that state."""
    if "torch" not in sys.modules:
        return
    import torch

    try:
        torch.Generator().set_state(torch.from_numpy(state))
    except RuntimeError as e:
        raise ValueError(str(e)) from e


def torch_states() -> dict[str, Any]:
    """`torch.ByteTensor`s: "cpu" is one, "cuda", where there is a GPU, a list
    of one for each."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_torch(cpu: Any, cuda: list[Any]) -> None:
    """Puts back what `torch_states()` gave; `cuda` may be empty."""
    import torch

    torch.set_rng_state(cpu)
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(cuda)


def tensorflow_states() -> tuple[tuple | None, list[int] | None]:
    """Of the eager context's generator, which the seeds of stateful operations
    are drawn from (as Python's `random` has it), and of the global one."""
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    eager = getattr(context.context(), "_rng", None)
    generator = stateful_random_ops.global_generator
    return (
        None if eager is None else eager.getstate(),
        None if generator is None else generator.state.numpy().tolist(),
    )


def restore_tensorflow(state: tuple | None, whole: list[int] | None) -> None:
    """Puts back what `tensorflow_states()` gave."""
    from tensorflow.python.eager import context

    eager = getattr(context.context(), "_rng", None)
    if state is not None and eager is not None and eager.getstate() != state:
        eager.setstate(state)
        # An operation that was run with a seed in this process would go on
        # where it was: it is kept with its own state.
        context.context().clear_kernel_cache()
    if whole is not None:
        import tensorflow as tf

        tf.random.get_global_generator().state.assign(whole)
