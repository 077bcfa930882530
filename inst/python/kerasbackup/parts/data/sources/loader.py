"""torch's DataLoaders: the generators that they draw from, and their
workers."""

import sys
from typing import Any

from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.loader_attributes import LoaderAttributes
from kerasbackup.parts.data.loader_attributes import without_subsets
from kerasbackup.parts.data.sources.written import Written
from kerasbackup.parts.random import rng


class Loader(Written):
    """A torch `DataLoader`.

    Attributes:
        NEW_WORKERS: String, the message if persistent workers were started
            again.
    """

    NEW_WORKERS = (
        "the DataLoader's workers live across epochs (`persistent_workers`): "
        "their state and their random generators could not be restored"
    )
    ATTRIBUTES = LoaderAttributes

    def describe(self) -> dict[str, Any]:
        return super().describe() | {
            "number of the DataLoader's generators": len(self._generators())
        }

    def capture(self) -> dict[str, Any]:
        state = super().capture()
        if self._attributes is not None:
            state["parts"] = self._attributes.capture()
        return state

    def restore(self, state: dict[str, Any]) -> list[str]:
        super().restore(state)
        if self._attributes is None:
            return []
        failed = self._attributes.restore(state.get("parts", {}))
        return [
            f"the DataLoader's {name} could not be restored" for name in failed
        ]

    def capture_generators(self) -> list[str]:
        return [
            rng.encode_torch(generator.get_state())
            for generator in self._generators()
        ]

    def restore_generators(self, states: list[str]) -> None:
        for generator, state in zip(self._generators(), states):
            generator.set_state(rng.decode_torch(state))

    def start_workers(self) -> list[str]:
        # A seed for workers that are kept is drawn once in the loader's life.
        loader = self.written_by_user
        if not getattr(loader, "persistent_workers", False):
            return []
        if getattr(loader, "_iterator", None) is None:
            states = self.capture_generators()
            iter(loader)
            self.restore_generators(states)
        dataset = without_subsets(loader.dataset)
        is_plain = type(dataset).__name__ == "TensorDataset"
        return [] if is_plain else [self.NEW_WORKERS]

    def resume_validation(
        self, generators, before: dict[str, Any] | None, is_own: bool
    ) -> list[str]:
        # Keras draws now, or drew to learn the shapes of a batch, what the lost
        # run had drawn long before.
        states = generators.capture() if before is None else before
        notes = self.start_workers() if is_own else []
        generators.restore(states, ("torch",))
        return notes

    def await_end(self, batches: Any) -> None:
        # A sampler draws once more when it ends. A thread of TensorFlow's may
        # notice the end later than Keras, in the middle of the next capture. So
        # the end is drawn here.
        if self.runs_ahead and not epoch_iterator.lives_on(self._iterator):
            next(batches, None)

    def _generators(self) -> list[Any]:
        return [
            one
            for one in generators_of(self.written_by_user)
            if all(one is not other for other in self._left)
        ]


def generators_of(loader: Any) -> list[Any]:
    """torch's generators in a DataLoader, each once, in the same order in every
    process; none for any other data."""
    if "torch" not in sys.modules:
        return []
    batches = getattr(loader, "batch_sampler", None)
    owners = (
        loader,
        getattr(loader, "sampler", None),
        batches,
        getattr(batches, "sampler", None),
    )
    found = []
    for owner in owners:
        generator = getattr(owner, "generator", None)
        # A sampler of the script's may have something else of that name.
        if isinstance(generator, sys.modules["torch"].Generator) and all(
            generator is not one for one in found
        ):
            found.append(generator)
    return found
