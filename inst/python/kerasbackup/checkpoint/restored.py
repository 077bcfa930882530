"""A checkpoint that was read and checked, before any part is restored."""

import contextlib
import datetime
import re
from typing import Any

import numpy as np

from kerasbackup.checkpoint import schema
from kerasbackup.checkpoint.parts_list import PARTS
from kerasbackup.parts import pieces
from kerasbackup.parts.history import History
from kerasbackup.parts.part import REQUIRED
from kerasbackup.parts.part import Place
from kerasbackup.store.dtypes import numpy_view
from kerasbackup.store.values import check_texts
from kerasbackup.store.values import is_count


class Restored:
    """A checkpoint whose metadata are valid. Making one checks them.

    Args:
        checkpoint: A `Checkpoint` of the store.
        versions: Dict from name to version, of what runs now.

    Attributes:
        checkpoint: The `Checkpoint`.
        place: A `Place`, where it was made.
        history: The `History` until then.
        saved_at: String, the time when it was made; `None` if it does not say.
        began_at: String, the time when the run began; `None` if it does not
            say.
        resumes: List of lists, the earlier resumes of the run: the epochs and
            batches then, when that checkpoint was made, and when training
            resumed.
        stopped: Whether a callback had ended the training for good.
        versions: Dict from name to version, of what wrote it; may be empty.
        shards: See `pieces.Shards`: which tensors are pieces of variables.
        saved: Dict from the name of a part to what it captured.
    """

    def __init__(self, checkpoint, versions: dict[str, str] | None = None):
        self.checkpoint = checkpoint
        self._running = versions or {}
        with self.reading():
            self._metadata = schema.migrated(checkpoint.metadata)
            epoch = _count(self._metadata["epoch"])
            self.history = History.from_json(self._parse("history"), epoch)
            self.place = Place(
                epoch,
                _count(self._metadata["batch"]),
                len(self.history.epochs),
            )
            self.stopped = _flag(self._metadata["stopped"])
            self.versions = self._parse("versions", {})
            check_texts(self.versions)
            self.saved_at = self._metadata.get("saved_at")
            self.began_at = self._metadata.get("began_at")
            if self.began_at is not None:
                # It raises where that is no time.
                datetime.datetime.strptime(self.began_at, schema.TIME)
            self.resumes = self._parse("resumes", [])
            _check_resumes(self.resumes)
            self.shards = self._parse("shards", {})
            pieces.check(self.shards, checkpoint.tensors)
            self.saved = {}
            for part in PARTS:
                saved = self._parse(part.name, part.missing)
                part.check(saved, checkpoint.tensors, self.place)
                self.saved[part.name] = saved

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """A context in which faults of the metadata become errors that name the
        checkpoint."""
        return schema.reading(
            self.checkpoint.path, self.checkpoint.metadata, self._running
        )

    def array(self, name: str) -> np.ndarray:
        """A new array with the bytes of a tensor."""
        return numpy_view(*self.checkpoint.tensors[name]).copy()

    def _parse(self, field: str, missing: Any = REQUIRED) -> Any:
        if missing is not REQUIRED and field not in self._metadata:
            return missing
        return schema.parse(self._metadata[field])


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError(f"{text[:50]!r} is no count")
    return int(text)


def _check_resumes(resumes: Any) -> None:
    if not isinstance(resumes, list):
        raise TypeError("the resumes are no list")
    for epoch, batch, saved_at, resumed_at in resumes:
        if not (is_count(epoch) and is_count(batch)):
            raise ValueError("the place of a resume is none")
        if not isinstance(resumed_at, str) or not isinstance(
            saved_at, (str, type(None))
        ):
            raise TypeError("the time of a resume is no text")


def _flag(text: str) -> bool:
    return {"0": False, "1": True}[text]
