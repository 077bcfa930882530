"""Which checkpoint the workers resume from: the newest that all of them have.

The generations of checkpoints drift apart from worker to worker, so workers
compare positions: how many epochs are complete, and how many batches of the
next one.
"""

from typing import Any

from kerasbackup.store import errors

Position = list[int]


def newest_common(
    positions: list[list[Position]], have_one_save: list[bool]
) -> Position | None:
    """The position that all workers resume from.

    Args:
        positions: For each worker, the positions of its intact checkpoints, the
            newest first.
        have_one_save: For each worker, whether it has no checkpoint but its
            first.

    Returns:
        The position; `None` if training starts at its beginning: no worker has
        a checkpoint, or one was killed before it had its first and no other has
        a second, so no state was lost that all had.

    Raises:
        MismatchError: Some have checkpoints, and none is common to all.
    """
    # A position may be smaller than an older one, where `resume = "epoch"` has
    # started an epoch over. So the order of the first worker's files counts.
    for position in positions[0]:
        if all(position in others for others in positions[1:]):
            return position
    if not any(positions):
        return None
    if not all(positions) and all(have_one_save):
        return None
    listed = "".join(
        f"* worker {number}: {_listed(own)}\n"
        for number, own in enumerate(positions, 1)
    )
    raise errors.MismatchError(
        "The workers have no intact checkpoint in common, so training cannot "
        "resume. Nothing was restored, and the checkpoints were left as they "
        f"are.\n{listed}"
        "Restore the missing files from a copy, or delete the checkpoints of "
        "all workers with `backup_delete()` to start over. (If training was "
        "complete and a worker ended while the checkpoints were deleted, "
        "delete the rest.)"
    )


def newest_of_others(
    found: list[dict[str, Any] | None], own: str | None
) -> dict[str, Any] | None:
    """Which checkpoint of another number of workers all go on from.

    Args:
        found: For each worker, what `Store.others()` gives.
        own: When the newest checkpoint was saved that all workers have, as
            text; `None` if there is none.

    Returns:
        The newest; `None` if there is none, or the workers have a newer one of
        their own.

    Raises:
        MismatchError: Not all workers find it.
    """
    there = [one for one in found if one is not None]
    if not there:
        return None
    newest = max(there, key=lambda one: one["saved_at"])
    if own is not None and own >= newest["saved_at"]:
        return None
    if any(one != newest for one in found):
        listed = "".join(
            f"* worker {number}: "
            + ("none" if one is None else f"one of {one['workers']} workers")
            + "\n"
            for number, one in enumerate(found, 1)
        )
        raise errors.MismatchError(
            "The workers do not find the same checkpoint of another number of "
            "workers, so training cannot go on from it. Nothing was restored, "
            f"and the checkpoints were left as they are.\n{listed}"
            "Use a `backup_dir` that all workers see, or train with as many "
            "workers as before."
        )
    return newest


def check_settings(settings: list[dict[str, Any]]) -> None:
    """Compares what the workers were asked to do.

    Args:
        settings: For each worker, a dict from setting to value.

    Raises:
        MismatchError: A setting differs.
    """
    differences = [
        f"* `{name}`: {', '.join(str(one[name]) for one in settings)}\n"
        for name in settings[0]
        if any(one[name] != settings[0][name] for one in settings)
    ]
    if differences:
        raise errors.MismatchError(
            "The workers of this training have different settings (in the "
            "order of the workers):\n"
            f"{''.join(differences)}"
            "Run the same script on all workers."
        )


def _listed(positions: list[Position]) -> str:
    if not positions:
        return "none"
    return ", ".join(
        f"after {batch} batches of epoch {epoch + 1}"
        if batch
        else f"after {epoch} epochs"
        for epoch, batch in positions
    )
