"""Keras' `PyDataset`, of which a script writes its own classes."""

import contextlib
from collections.abc import Iterator
from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.parts.data.dataset_attributes import DatasetAttributes
from kerasbackup.parts.data.sources import state_format
from kerasbackup.parts.data.sources.written import Written

MAY_END_TWICE = (
    "the thread that starts the workers may shuffle once more as an epoch "
    "ends, by chance: the batches may come in another order than without the "
    "interruption (`workers = 1`, or `shuffle = FALSE` and no `on_epoch_end()`)"
)


class PyDataset(Written):
    """A `PyDataset`; its workers may have batches ready."""

    ATTRIBUTES = DatasetAttributes

    def capture(self) -> dict[str, Any]:
        state = super().capture()
        ready = data_adapters.ready(self._adapter)
        if ready is not None:
            # Batches that were ready when the epoch ended come first in the
            # next one.
            state["ready"] = ready
        if self._attributes is not None:
            state["changed"] = self._attributes.capture()
            state["unchanged"] = self._attributes.unchanged()
        return state

    def restore(self, state: dict[str, Any]) -> list[str]:
        if "ready" in state:
            data_adapters.set_ready(self._adapter, state["ready"])
        super().restore(state)
        notes = [MAY_END_TWICE] * data_adapters.may_end_twice(self._adapter)
        changed = state_format.changed_attributes(state)
        if self._attributes is None or changed is None:
            return notes
        return [
            *notes,
            *(
                f"the data's {name} could not be restored"
                for name in self._attributes.restore(changed)
            ),
            *(
                f"the data's {name} differs from when training began"
                for name in self._attributes.differing(state["unchanged"])
            ),
        ]

    @contextlib.contextmanager
    def as_in(self, state: dict[str, Any]) -> Iterator[None]:
        changed = state_format.changed_attributes(state)
        if self._attributes is None or changed is None:
            with super().as_in(state):
                yield
            return
        other = self._attributes.as_in(changed)
        data_adapters.set_py_dataset(self._adapter, other)
        try:
            yield
        finally:
            data_adapters.set_py_dataset(self._adapter, self.written_by_user)

    def resume_validation(
        self, generators, before: dict[str, Any] | None, is_own: bool
    ) -> list[str]:
        # Keras ends an epoch of the data before each validation. This time that
        # was before the state was restored; on TensorFlow, Keras had also drawn
        # batches for their shapes. So the epoch is ended again.
        if is_own:
            if before is not None:
                generators.restore(before)
            self._iterator.reset()
        return []
