"""The variables of a training as a part of its checkpoints.

The tensors of a checkpoint hold these variables, in file order. The field of
this part says which of them each optimizer trains. A restore creates the
variables that Keras has not created yet, and pairs each with its tensor.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from kerasbackup.anykeras import backend
from kerasbackup.anykeras import building
from kerasbackup.parts import further_optimizers
from kerasbackup.parts import pieces
from kerasbackup.parts.part import Part
from kerasbackup.parts.part import Place
from kerasbackup.parts.variables import ADVICE
from kerasbackup.parts.variables import GROUPS
from kerasbackup.parts.variables import Variables
from kerasbackup.parts.variables import build_optimizers
from kerasbackup.parts.variables import describe_optimizers
from kerasbackup.parts.variables import lacks_some
from kerasbackup.store import errors

# The advice if a checkpoint does not fit and a callback had compiled the model.
ADVICE_RECOMPILED = (
    "A callback had compiled the model again during the interrupted `fit()`. "
    "Build the model as before and compile it before `fit()` as that callback "
    "did, or use another `backup_dir`."
)

# The advice outside of `fit()`.
ADVICE_OUTSIDE = (
    "Build the model as for the training that saved the checkpoint. "
    "`backup_info()` lists the checkpoint's variables."
)


class ModelVariables(Part):
    """The variables of one training, which Keras may not have made yet.

    Args:
        model: The `keras.Model` being trained.
        epoch_iterator: The `EpochIterator` of its `fit()`; it is asked for the
            shapes of a batch where the model is not built yet. `None` outside
            of `fit()`, where the model must be built.
        place: A `Place`, that of the restore under way.
        groups: Tuple of strings, which variables count, see `Variables`.

    Attributes:
        all: The `Variables`; `None` until the first save or restore.
    """

    name = "optimizers"
    missing = None
    is_put_again = True

    def __init__(
        self,
        model: Any,
        epoch_iterator,
        place: Place,
        groups: tuple[str, ...] = GROUPS,
    ):
        self._model = model
        self._groups = groups
        self._epoch_iterator = epoch_iterator
        self._place = place
        self._is_on_tensorflow = backend.name(model) == "tensorflow"
        self._checkpoint = self._trained = self._partners = None
        self._shards = {}
        self._pairs_again = None
        self._is_put = False
        self.all = None

    @property
    def not_saved(self) -> list[str]:
        """The buffers that were left out because of their dtype."""
        return [] if self.all is None else self.all.unsaved

    def is_built(self) -> bool:
        """Whether all variables exist, or can be created without a batch. If a
        callback has compiled the model, Keras creates some with the next
        batch."""
        return self._is_on_tensorflow or building.is_built(self._model)

    def capture(self, encoder) -> dict[str, list[str]] | None:
        """The names of the variables that each optimizer trains; `None` if
        there is only the one that Keras' own step uses."""
        if self.all is None or not self.all.is_current(self._model):
            self._build()
        return self._optimizers

    @staticmethod
    def check(saved, tensors, place) -> None:
        further_optimizers.check(saved)

    def load(
        self,
        checkpoint,
        trained,
        other_backend: bool,
        other: str | None,
        was_recompiled: bool,
        settings: Sequence[str] = (),
        shards: pieces.Shards | None = None,
    ) -> None:
        """Creates all variables, and pairs each with its tensor. To be called
        before anything is restored.

        Args:
            checkpoint: A `Checkpoint` of the store.
            trained: What `capture()` gave.
            other_backend: Whether another backend wrote it.
            other: A text that says what the checkpoint is of, if it is known to
                be of another model or optimizer.
            was_recompiled: Whether a callback had compiled the model in the
                interrupted training.
            settings: Texts about settings of the optimizers that differ.
            shards: Which of its tensors are pieces of variables.

        Raises:
            MismatchError: It is of another model or optimizer.
        """
        self._checkpoint, self._trained = checkpoint, trained
        self._shards = shards or {}
        self._build()

        advice = ADVICE_RECOMPILED if was_recompiled else ADVICE
        if self._epoch_iterator is None:
            advice = ADVICE_OUTSIDE

        def pair(other):
            checkpoint.tensors, self._shards = self.all.fitted(
                checkpoint.tensors, self._shards
            )
            self._partners = self.all.check(
                checkpoint, other_backend, other, advice, settings
            )

        self._pairs_again = lambda: pair(None)
        pair(other)
        self.all.revive(checkpoint, self._partners)

    def restore(self, saved: Any, arrays: Callable[[str], Any]) -> list[str]:
        """Assigns the variables. If batches are passed over, it does so twice;
        the last time, variables may take over the checkpoint's memory.
        """
        if not self.all.is_current(self._model):
            if not self.is_built():
                raise errors.UnsupportedError(
                    "A callback compiles the model when training or an epoch "
                    "begins, and the checkpoint has the optimizer and metrics "
                    "of that `compile()`. They cannot be restored, because "
                    "Keras builds the new ones with the next batch. The "
                    "checkpoint was left as it is. Compile before `fit()`, or, "
                    "if the callback compiles when an epoch begins, use "
                    '`resume = "epoch"` to start that epoch over.'
                )
            self._build()
            self._pairs_again()
        is_put_again = self._place.batch > 0 and not self._is_put
        self._is_put = True
        self.all.assign(self._checkpoint, self._partners, copies=is_put_again)
        return []

    def release(self) -> None:
        """Frees the checkpoint. Idempotent."""
        self._checkpoint = self._trained = self._pairs_again = None

    def _build(self) -> None:
        """Finds all variables, and creates those that Keras would create with
        the first batch. After a step all exist already."""
        checkpoint, trained = self._checkpoint, self._trained
        saved = None
        if checkpoint is not None:
            names = (
                pieces.variable_of(name, self._shards)
                for name in checkpoint.tensors
            )
            saved = [*dict.fromkeys(names)]
        own_step = further_optimizers.has_own_step(self._model)
        is_known = checkpoint is None or trained is not None
        lacks = (
            self._is_on_tensorflow
            and saved is not None
            and lacks_some(self._model, saved)
        )
        if self._epoch_iterator is None:
            if trained is None and "optimizer" in self._groups:
                building.build_optimizer(self._model)
        elif self._is_on_tensorflow and own_step and is_known:
            # Keras asks for less there: any train_step() will do.
            if lacks:
                building.build_by_step(self._model, self._epoch_iterator)
        else:
            building.build(self._model, self._epoch_iterator, lacks)
        if trained is not None and "optimizer" in self._groups:
            build_optimizers(self._model, trained, saved)
        self.all = Variables(self._model, self._groups)
        self._optimizers = None
        if own_step or further_optimizers.further(self._model):
            self._optimizers = describe_optimizers(self._model)
