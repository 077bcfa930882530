"""The attributes of what a script wrote for a torch `DataLoader`: its dataset
and its samplers.

Worker processes change only their own copies, which are made anew from the
script's objects in each epoch.
"""

from collections.abc import Iterator
from typing import Any

from kerasbackup.parts.data import dataset_attributes
from kerasbackup.parts.objects import reachable

PARTS = ("dataset", "sampler", "batch_sampler")


class LoaderAttributes:
    """The attributes of the parts of one `DataLoader`.

    Args:
        loader: A `torch.utils.data.DataLoader`, as it is when training begins.
    """

    def __init__(self, loader):
        self._states = dataset_attributes.states_of(
            _written_by_user(loader), _own
        )

    @property
    def not_saved(self) -> list[str]:
        """What had changed at the last capture and could not be copied."""
        return [
            f"DataLoader.{part}.{name}"
            for part, names in self._states.unsaved.items()
            for name in names
        ]

    def capture(self) -> dict[str, dict[str, Any]]:
        """For each part a copy of each changed attribute, for `values.Encoder`.
        Parts without a change are left out."""
        captured = self._states.capture()
        return {part: changed for part, changed in captured.items() if changed}

    def restore(self, captured: dict[str, dict[str, Any]]) -> list[str]:
        """Puts back what `capture()` gave. A part that no longer exists is left
        out.

        Returns:
            The names of those that could not be put back.
        """
        partners = {part: part for part in self._states.owners}
        failed = self._states.restore(captured, partners)
        return [f"{part}.{name}" for part, name in failed]


def _written_by_user(loader: Any) -> dict[str, Any]:
    found = {}
    for part in PARTS:
        one = without_subsets(getattr(loader, part, None))
        if hasattr(one, "__dict__") and not reachable.is_of_library(type(one)):
            found[part] = one
    return found


def without_subsets(dataset: Any) -> Any:
    """The dataset inside of torch's `Subset`s."""
    while type(dataset).__name__ == "Subset":
        dataset = dataset.dataset
    return dataset


def _own(part: Any) -> dict[str, Any]:
    # A copy, because a thread of tf.data may add attributes meanwhile. An
    # iterator is left out: it ends with its epoch, or a replay draws from it.
    return {
        name: value
        for name, value in dict(vars(part)).items()
        if not isinstance(value, Iterator)
    }


def check(captured: Any) -> None:
    """Raises where it is not what `LoaderAttributes.capture()` gives, but for
    arrays' content.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    for part, changed in captured.items():
        if part not in PARTS:
            raise ValueError(f"{part!r} is no part of a DataLoader")
        dataset_attributes.check(changed)
