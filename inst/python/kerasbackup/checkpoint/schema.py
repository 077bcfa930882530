"""The schema version of checkpoints, and what is said of another version.

A checkpoint of an older version is read as if this one had written it, see
`MIGRATIONS`. A newer kerasbackup may write fields that this one does not know,
or lack fields that this one needs. Such a checkpoint is not damaged: the
version that wrote it can resume from it.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

from kerasbackup.store import errors
from kerasbackup.store import values

# Raise it by one, and add an item to `MIGRATIONS`, when a required field is
# added or removed, or when a field changes its meaning. A new field that may be
# missing does not count.
VERSION = 1


# How a time is written.
TIME = "%Y-%m-%dT%H:%M:%S"


class MissingFieldError(KeyError):
    """A field that this version needs is not there."""


class Fields(dict):
    """A JSON object. A missing field raises an error of its own, which no other
    KeyError is mistaken for."""

    def __missing__(self, name: str):
        raise MissingFieldError(name)


def parse(text: str) -> Any:
    """What a field of the metadata holds."""
    return json.loads(text, object_hook=Fields)


def migrated(metadata: dict[str, str]) -> dict[str, str]:
    """The metadata as this version writes them.

    Args:
        metadata: Dict of strings, of this or an older version.

    Raises:
        KeyError, TypeError, ValueError: No version wrote them.
    """
    metadata = Fields(metadata)
    for version in range(_version_of(metadata), VERSION):
        metadata = Fields(MIGRATIONS[version](metadata))
    return metadata


def _from_unnumbered(metadata: dict[str, str]) -> dict[str, str]:
    """The first checkpoints have no schema number, and count every stop as the
    end of the training."""
    stopped = metadata["stopped"]
    if stopped == "1" and not _has_stopped_early(parse(metadata["callbacks"])):
        stopped = "0"
    return {**metadata, "schema": "1", "stopped": stopped}


def _has_stopped_early(callbacks: dict[str, Any]) -> bool:
    """Whether one of the states is of a callback that has, as `EarlyStopping`
    does."""
    epochs = [
        state.get("changed", state.get("attributes", {})).get("stopped_epoch")
        for state in callbacks.values()
    ]
    return any(values.is_count(epoch) and epoch > 0 for epoch in epochs)


# For each version, the function that turns its metadata into those of the next.
MIGRATIONS = {0: _from_unnumbered}


@contextlib.contextmanager
def reading(
    path: str, metadata: dict[str, str], versions: dict[str, str]
) -> Iterator[None]:
    """A context in which faults of the metadata become errors that name the
    checkpoint.

    Args:
        path: String, the checkpoint.
        metadata: Dict of strings.
        versions: Dict from name to version, of what runs now.

    Raises:
        UnsupportedError: Another version of kerasbackup wrote them.
        CorruptError: No version of kerasbackup wrote them.
    """
    try:
        if _version_of(metadata) > VERSION:
            raise _other_version(path, metadata, versions)
        yield
    except MissingFieldError as e:
        raise _other_version(path, metadata, versions, e.args[0]) from e
    except errors.DAMAGE as e:
        cause = f"{type(e).__name__}: {e}"
        raise errors.corrupt(path, cause) from e


def _other_version(
    path: str,
    metadata: dict[str, str],
    versions: dict[str, str],
    missing: str | None = None,
) -> errors.UnsupportedError:
    if missing is None:
        kind = "a newer"
        cause = f"its metadata have version {metadata['schema']}, not {VERSION}"
    else:
        kind = "another"
        cause = f"its metadata lack `{missing}`"
    writer = _versions_in(metadata).get("kerasbackup", "unknown")
    now = versions.get("kerasbackup", "unknown")
    return errors.UnsupportedError(
        f"The checkpoint '{path}' was written by {kind} version of kerasbackup "
        f"({writer}; this is {now}): {cause}. Nothing was restored, and the "
        "checkpoint was left as it is. Resume with the version that wrote it, "
        "or use another `backup_dir` to start over."
    )


def _versions_in(metadata: dict[str, str]) -> dict[str, Any]:
    """The versions of what wrote the checkpoint, as far as it has them."""
    try:
        versions = json.loads(metadata.get("versions", "{}"))
    except errors.DAMAGE:
        return {}
    return versions if isinstance(versions, dict) else {}


def _version_of(metadata: dict[str, str]) -> int:
    text = metadata.get("schema", "0")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"{text[:50]!r} is no version of metadata")
    return int(text)
