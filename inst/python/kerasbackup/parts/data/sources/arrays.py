"""Arrays: Keras knows the number of their batches, and draws them without any
code of the script."""

from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.sources.source import Source


class Arrays(Source):
    """Arrays in memory."""

    runs_ahead = False

    @property
    def may_end_early(self) -> bool:
        return epoch_iterator.lives_on(self._iterator)

    @property
    def arrays(self) -> Any:
        return data_adapters.arrays(self._adapter)
