"""Two processes that train one model."""

import contextlib
import json
import os
import socket

import keras


def free_ports(count):
    """Ports of this machine that nobody listens to."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def join(rank, ports):
    """Makes this process the first (0) or the second (1) of two.

    Args:
        rank: Integer.
        ports: Two of `free_ports()`, the same for both processes.

    Returns:
        The context in which to make the model.
    """
    addresses = [f"127.0.0.1:{port}" for port in ports]
    if keras.backend.backend() == "jax":
        import jax

        jax.distributed.initialize(addresses[0], 2, rank)
    elif keras.backend.backend() == "torch":
        from torch import distributed

        distributed.init_process_group(
            "gloo",
            init_method=f"tcp://{addresses[0]}",
            rank=rank,
            world_size=2,
        )
    else:
        import tensorflow as tf

        os.environ["TF_CONFIG"] = json.dumps(
            {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": rank},
            }
        )
        return tf.distribute.MultiWorkerMirroredStrategy().scope()
    return contextlib.nullcontext()


def leave():
    """To be called when all is done: waits for the other, which may end with
    an error where this one is gone."""
    if keras.backend.backend() == "jax":
        import jax

        jax.distributed.shutdown()
    elif keras.backend.backend() == "torch":
        from torch import distributed

        distributed.barrier()
        distributed.destroy_process_group()
