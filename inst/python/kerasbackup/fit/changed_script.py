"""What to do if the script or its data have changed since the last checkpoint.

A message or a warning lists the changes, or an error refuses the checkpoint. By
default, a session that has trained with the directory before refuses other
data: they may be another fold of a cross-validation, and the weights in the
checkpoint have seen the rows that it holds out.
"""

from collections.abc import Callable

from kerasbackup.store import changes
from kerasbackup.store import errors
from kerasbackup.store.changes import OfData

# The choices of the user, and what counts if there is none.
USUAL, WARN, STOP = "usual", "warn", "stop"

UNTOUCHED = "Nothing was restored, and the checkpoint was left as it is."

ADVICE = (
    'To resume nevertheless, use `on_change = "message"`. To start over, '
    "delete the checkpoint with `backup_delete()` or use another `backup_dir`."
)


def check(
    choice: str,
    path: str,
    has_trained: bool,
    script_changes: Callable[[], list[str]],
) -> None:
    """To be called before anything is restored.

    Args:
        choice: String, one of the choices.
        path: String, the checkpoint.
        has_trained: Whether this process has trained with its directory before.
        script_changes: Callable that returns lines about what has changed.

    Raises:
        MismatchError: What has changed is refused.
    """
    if choice == STOP:
        lines = script_changes()
        if lines:
            raise _refusal(
                "The script or its data have changed since the checkpoint "
                f"'{path}' was made. {UNTOUCHED}",
                lines,
                ADVICE,
            )
    elif choice == USUAL and has_trained:
        lines = [one for one in script_changes() if isinstance(one, OfData)]
        if lines:
            raise _refusal(
                f"The checkpoint '{path}' was made with other data, and this "
                f"session has trained with the same `backup_dir` before. "
                f"{UNTOUCHED}",
                lines,
                "If this is another fold or another training, give each its "
                'own `backup_dir`: see `vignette("several-fits")`. ' + ADVICE,
            )


def refuse_late(choice: str, lines: list[str]) -> None:
    """To be called with lines about changes that show only when data are drawn
    again.

    Raises:
        MismatchError: They are refused.
    """
    found = [one for one in lines if isinstance(one, OfData)]
    if choice == STOP and found:
        raise _refusal(
            "The data have changed since the checkpoint was made. This showed "
            "only when batches were drawn again, so the model has been "
            "restored. The checkpoint was left as it is.",
            found,
            ADVICE,
        )


def _refusal(what: str, lines: list[str], advice: str) -> errors.MismatchError:
    listed = "".join(f"* {line}\n" for line in changes.first(lines))
    return errors.MismatchError(f"{what}\n{listed}{advice}", lines)
