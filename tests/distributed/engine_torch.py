"""Ranks of a process group of torch's, and a model that goes through
`DistributedDataParallel`."""

import keras
from models import layers
from torch import distributed
from torch.nn.parallel import DistributedDataParallel


def join(rank, count, ports):
    distributed.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{ports[0]}",
        rank=rank,
        world_size=count,
    )
    # The ranks draw other numbers, and DDP gives them the first one's weights.
    keras.utils.set_random_seed(1 + rank)


class Through(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        # In a tuple, or Keras would count its weights a second time.
        # Without regrouping: see "torch" in vignettes/several-workers.Rmd.
        self.through = (
            DistributedDataParallel(inner, find_unused_parameters=True),
        )

    def call(self, x, training=None):
        return self.through[0](x, training=training)


def ddp(rank, count, ports):
    join(rank, count, ports)
    model = Through(keras.Sequential([keras.Input((6,)), *layers(keras)]))
    model.build((None, 6))
    return model


def alone(rank, count, ports):
    join(rank, count, ports)
    return keras.Sequential([keras.Input((6,)), *layers(keras)])


STRATEGIES = {"DistributedDataParallel": ddp, "without DDP": alone}
SAME_ROWS = ()


def compile(model):
    model.compile("adam", "mse", metrics=["mae"])


def adapted(model, data):
    """The arguments of `fit()` that a function gives for the data."""
    return data()


def parts(variable):
    """What this process holds of a variable, by name."""
    return {"": keras.ops.convert_to_numpy(variable.value)}


def others():
    """The logs of the ranks differ, so what follows them would change the
    learning rate on some ranks only."""
    return [keras.callbacks.LearningRateScheduler(lambda _, rate: rate / 2)]


def leave():
    distributed.barrier()
    distributed.destroy_process_group()
