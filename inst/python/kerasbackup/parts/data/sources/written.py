"""Data of a class that a script may have written. Such a class may offer its
state by methods, and training may change its attributes."""

import contextlib
from collections.abc import Iterator
from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.parts.data.sources.source import Source
from kerasbackup.store import values

# The pairs of methods by which data may give their state and take it back.
PROTOCOLS = (("get_state", "set_state"), ("state_dict", "load_state_dict"))


class Written(Source):
    """A `PyDataset` or a `DataLoader`.

    Its attributes are saved if the data do not offer their state; otherwise
    `_attributes` is `None`.
    """

    # The class that saves the attributes; each kind has its own.
    ATTRIBUTES: Any

    def __init__(self, iterator, use=None, left=()):
        super().__init__(iterator, use, left)
        self.written_by_user = data_adapters.source(self._adapter)
        offers_state = any(
            hasattr(self.written_by_user, get)
            and hasattr(self.written_by_user, put)
            for get, put in PROTOCOLS
        )
        self._attributes = (
            None if offers_state else self.ATTRIBUTES(self.written_by_user)
        )

    @property
    def not_saved(self) -> list[str]:
        return [] if self._attributes is None else self._attributes.not_saved

    def capture(self) -> dict[str, Any]:
        for get, _ in PROTOCOLS:
            if hasattr(self.written_by_user, get):
                return {get: getattr(self.written_by_user, get)()}
        return {}

    def restore(self, state: dict[str, Any]) -> list[str]:
        for get, put in PROTOCOLS:
            if get in state and hasattr(self.written_by_user, put):
                getattr(self.written_by_user, put)(state[get])
        return []

    @contextlib.contextmanager
    def as_in(self, state: dict[str, Any]) -> Iterator[None]:
        own = self._copy_of_state(state)
        try:
            Written.restore(self, state)
            yield
        finally:
            Written.restore(self, own)

    def _copy_of_state(self, of: dict[str, Any]) -> dict[str, Any]:
        """What those methods return now, for each that a state has too."""
        encoder = values.Encoder()
        told = {
            get: getattr(self.written_by_user, get)()
            for get, _ in PROTOCOLS
            if get in of and hasattr(self.written_by_user, get)
        }
        encoded = encoder.encode(told, "copy")
        return values.decode(encoded, lambda name: encoder.arrays[name].copy())
