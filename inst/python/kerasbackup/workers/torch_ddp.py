"""Processes of a `torch.distributed` process group that train one model through
`DistributedDataParallel`."""

import gc
from typing import Any

import numpy as np

from kerasbackup.store import errors
from kerasbackup.workers.workers import Workers


class TorchRanks(Workers):
    """The ranks of torch's default process group.

    Args:
        index, count: See `Workers`.
        regroups: Whether `DistributedDataParallel` sends gradients in other
            groups after its first step.
    """

    def __init__(self, index: int, count: int, regroups: bool):
        super().__init__(index, count)
        self._regroups = regroups

    def notes(self) -> list[str]:
        # The order in which gradients are added depends on their place in a
        # group. Two numbers have the same sum in any order.
        if self.count == 2 or not self._regroups:
            return []
        return [
            "`DistributedDataParallel` sends gradients in other groups after "
            "its first step, and this process begins with a first step, so "
            "sums of it may be rounded otherwise (with "
            "`find_unused_parameters=True` it keeps the groups)"
        ]

    def gather(self, row: np.ndarray) -> list[np.ndarray]:
        import torch
        from torch import distributed

        # NCCL only takes what is on a GPU.
        on_gpu = distributed.get_backend() == "nccl"
        device = "cuda" if on_gpu else "cpu"
        own = torch.from_numpy(row.copy()).to(device)
        rows = [torch.empty_like(own) for _ in range(self.count)]
        distributed.all_gather(rows, own)
        return [one.cpu().numpy() for one in rows]


def find(model: Any) -> TorchRanks | None:
    """The ranks that train a model; `None` if there is only this one.

    Raises:
        UnsupportedError: Each of them trains by itself.
    """
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return None
    count = distributed.get_world_size()
    if count == 1:
        return None
    found = _of_model(model)
    if not found:
        raise errors.UnsupportedError(
            "This training runs in several processes (the size of its "
            f"`torch.distributed` process group is {count}), and each of them "
            "trains the model by itself: its gradients do not go through "
            "`DistributedDataParallel`. Nothing was saved or restored. Let the "
            "model's `call()` go through a `DistributedDataParallel`, or train "
            "without this callback."
        )
    return TorchRanks(
        distributed.get_rank(),
        count,
        any(not one.find_unused_parameters for one in found),
    )


def _of_model(model: Any) -> list[Any]:
    """Every `DistributedDataParallel` that has weights of the model. It may be
    anywhere, such as in a list or a closure, where torch does not see it."""
    from torch.nn.parallel import DistributedDataParallel

    own = {id(one) for one in model.parameters()}
    return [
        one
        for one in gc.get_objects()
        if type(one) is DistributedDataParallel
        and any(id(parameter) in own for parameter in one.parameters())
    ]
