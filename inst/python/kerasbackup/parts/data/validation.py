"""The position in the validation data, and how to get there again."""

from collections.abc import Callable
from typing import Any

from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data import drawn_data
from kerasbackup.parts.data import epoch_count
from kerasbackup.parts.data import replay
from kerasbackup.parts.data.drawn_data import DrawnData
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.parts.data.sources import loader
from kerasbackup.parts.random import rng
from kerasbackup.store import values
from kerasbackup.store.changes import Change

# The most validations that an epoch may have.
MOST_VALIDATIONS = 8


class ValidationPosition:
    """The position in validation data that do not start over in every epoch: a
    generator, a tf.data pipeline that may reshuffle, or data with a state.

    Args:
        model: The `keras.Model` being trained; it keeps the `EpochIterator`.
        frequency: `validation_freq` of that `fit()`; `None` where it has no
            validation data.
        generators: `rng.IdleGenerators`, without those that training may draw
            from at the same time.
        progress: `replay.Progress`, which reports every validation drawn again.
        tell: Callable that is given lines about what differs from before.
        data: What `fit()` was given as `validation_data`; it is not kept.

    Attributes:
        trained_on: The `PyDataset` or `DataLoader` that is trained on, or
            `None`. If it is also the validation data, its state is saved with
            the position in the training data.
    """

    def __init__(
        self,
        model,
        frequency: int | list[int] | None,
        generators: rng.Generators,
        progress: replay.Progress,
        tell: Callable[[list[str]], None],
        data: Any = None,
    ):
        self._tell = tell
        self._model = model
        self._frequency = frequency
        self._progress = progress
        self._generators = generators
        # The iterators that Keras makes for a validation of all data.
        self._usual = 2 if epoch_iterator.draws_in_graph(model) else 1
        self._begun = 0
        self._to_replay = 0
        self._data = DrawnData("validation", "validation data", data, model)
        # Whether the state of the data is saved here and not with the training
        # data. Known once Keras has made its iterator.
        self._has_own_state = False
        # The state that the data had in the lost run, until it is restored.
        self._to_restore = None
        # The `EpochIterator` that has been wrapped to count its iterators.
        self._counted = None
        # Until the lost run's validations are drawn again: the checksums of the
        # batches of its newest one, and the batches that it had drawn ahead.
        self._to_expect = []
        self._ahead_then = []
        self.trained_on = None
        # The states of the generators when Keras made its iterator, if making
        # it drew from them.
        self._at_creation = None
        # Their states when the training data of the epoch had ended.
        self._before = None
        # Their states when the first validation began, if a cache keeps what
        # that one drew for all others.
        self._at_first = None
        # The epochs that the lost run had counted, until they are added to
        # those of today's data adapter.
        self._epochs_before = {}

    def capture(self, encoder: values.Encoder) -> dict[str, Any]:
        """How many validations there were, how they began, and the state of
        their data; its arrays go to the encoder."""
        is_to_come = self._to_replay > 0
        data = self._data
        known = self._to_expect
        if not is_to_come and data.batches is not None:
            known = data.batches.capture()
        ahead = self._ahead_then if is_to_come else data.ahead.capture()
        return {
            "begun": self._begun,
            "made": data.made,
            "made_earlier": data.made_earlier,
            "at_creation": self._at_creation,
            "at_first": self._at_first,
            **self._epochs_counted(),
            "checksums": known,
            **data.encode(self._capture_source(), ahead, encoder),
        }

    @property
    def not_saved(self) -> list[str]:
        """What had changed in the data and is missing in the last capture."""
        return self._data.not_saved

    def restore(
        self, saved: dict[str, Any], arrays, training: IteratorsMade
    ) -> list[str]:
        """Notes what is to be drawn again when the first validation begins.

        Args:
            saved: What `capture()` gave.
            arrays: Callable from tensor name to a new array.
            training: How the training data are used.

        Returns:
            What is no longer as it was.
        """
        self._begun = self._to_replay = saved["begun"]
        data = self._data
        data.made = saved["made"]
        missing = saved["made_earlier"] - data.made_earlier
        data.made_earlier = saved["made_earlier"]
        self._at_creation = saved["at_creation"]
        self._at_first = saved["at_first"]
        # Checkpoints of earlier versions of this package have none.
        self._to_expect = saved.get("checksums", [])
        self._epochs_before = epoch_count.total(saved)
        self._to_restore, self._ahead_then = drawn_data.decode(saved, arrays)
        if data.use.shares_with(training):
            # The training data's restore makes up for it, see `moved()`.
            self._to_replay = 0
            return []
        each = data.made // self._begun if self._begun else self._usual
        validations, rest = divmod(missing, max(each, 1))
        if (
            rest
            or self._begun + validations < 0
            or (missing and not data.use.is_countable)
        ):
            return [f"validation: {data.use.NOTE}"]
        self._to_replay += validations
        return [f"validation: {data.use.DOUBT}"] if missing < 0 else []

    def moved(self, training: IteratorsMade) -> int:
        """How many iterators of the training data validation has made: where
        both are made of one tf.data pipeline, each moves the other.

        Args:
            training: How the training data are used.
        """
        return self._data.made if self._data.use.shares_with(training) else 0

    def on_data_end(self, epoch: int) -> None:
        """To be called when the training data of an epoch have been drawn.

        If the first validation follows, Keras makes its iterator now and draws
        the first batches of a generator, to learn their shapes. It keeps these
        batches for all validations.
        """
        is_first = self._to_replay or not self._begun
        if not is_first or not epoch_iterator.is_validation_due(
            self._model, epoch, self._frequency
        ):
            self._before = None
            return
        self._before = self._generators.capture()
        if self._to_replay and self._at_creation is not None:
            self._generators.restore(self._at_creation)

    def on_test_begin(self) -> None:
        """To be called when validation begins."""
        iterator = epoch_iterator.of_validation(self._model)
        # Until `fit()` has made it, any validation is an `evaluate()` that a
        # callback has called, and its data are not counted.
        if iterator is None:
            return
        replays, self._to_replay = self._to_replay, 0
        before, self._before = self._before, None
        self._begun += 1
        data = self._data
        made = data.made
        draws_before = epoch_iterator.draws_before_validation(iterator)
        if draws_before and not epoch_iterator.is_watched(iterator):
            self._note_made()
        self._count(iterator)
        counted = epoch_count.capture(iterator.data_adapter)
        if data.source is None:
            self._begin(iterator)
        if replays:
            self._tell_of(
                data.source.resume_validation(
                    self._generators, before, self._has_own_state
                )
            )
        self._put_epochs_back(iterator.data_adapter, counted)
        if not data.source.goes_on:
            return
        states = self._generators.capture()
        if data.source.is_drawn_when_made:
            states = self._settle(states, before, bool(replays))
        elif data.use.keeps_first_pass:
            if self._at_first is None:
                self._at_first = states
            elif replays:
                self._generators.restore(self._at_first)
        if replays:
            self._replay(iterator, replays, draws_before)
            # The lost run has counted the iterators that were just replayed.
            data.made = made + (
                draws_before or not epoch_iterator.is_watched(iterator)
            )
            data.ahead.restore(self._ahead_then)
            self._ahead_then = []
            self._generators.restore(states)
            self._tell_of(data.batches.notes())

    def _replay(self, iterator, replays: int, draws_before: bool) -> None:
        """Draws the validations of the lost run again."""
        for i in range(replays):
            if i == replays - 1:
                self._data.batches.expect(self._to_expect)
            replay.draw_epoch(iterator)
            if not epoch_iterator.is_watched(iterator):
                self._data.use.note()
            iterator.reset()
            if draws_before:
                # As Keras does before each validation.
                next(iter(epoch_iterator.make_iterator(iterator)))
            self._progress.at(i, replays)
        self._progress.end()

    def is_left_undone(self) -> bool:
        """Whether the lost run had drawn from data that do not start over, and
        no validation has followed, which would have replayed that."""
        state = self._to_restore or {}
        return self._to_replay > 0 and (
            not self._data.use.begins_anew
            or any(state[name] for name in state if name != "unchanged")
        )

    def release(self) -> None:
        """Gives Keras its own method back."""
        iterator, self._counted = self._counted, None
        if iterator is not None:
            epoch_iterator.release(iterator)
        self._data.release()

    def _count(self, iterator) -> None:
        """Counts the iterators that are made of the data. On TensorFlow Keras
        makes them; elsewhere one is made when the first batch is drawn."""
        if not epoch_iterator.draws_in_graph(iterator):
            self._note_made()
        elif not epoch_iterator.is_watched(iterator):
            epoch_iterator.before_making(iterator, self._note_made)
            self._counted = iterator

    def _note_made(self) -> None:
        self._data.made += 1
        self._data.use.note()

    def _epochs_counted(self) -> dict[str, int]:
        iterator = epoch_iterator.of_validation(self._model)
        if self._epochs_before or iterator is None:
            return self._epochs_before
        return epoch_count.capture(iterator.data_adapter)

    def _put_epochs_back(self, adapter, counted: dict[str, int]) -> None:
        """Adds the epochs of the lost run, because an adapter counts from zero
        in every process."""
        before, self._epochs_before = self._epochs_before, {}
        epoch_count.restore(adapter, epoch_count.total(counted, before))

    def _begin(self, iterator) -> None:
        """To be called once, when Keras has made its `EpochIterator`."""
        left = loader.generators_of(self.trained_on)
        self._data.begin(iterator, left=left)
        source = self._data.source
        user = source.written_by_user
        self._has_own_state = user is not None and user is not self.trained_on
        state, self._to_restore = self._to_restore, None
        if state is not None and self._has_own_state:
            notes = source.restore(state)
            source.restore_generators(state.get("generators", []))
            self._tell_of(notes)

    def _tell_of(self, notes: list[str]) -> None:
        """Tells the user what differs from before, if anything does."""
        if notes:
            self._tell(
                [
                    note.within("validation")
                    if isinstance(note, Change)
                    else f"validation: {note}"
                    for note in notes
                ]
            )

    def _capture_source(self) -> Any:
        if not self._has_own_state:
            return self._to_restore
        source = self._data.source
        state = source.capture()
        # Generators that training uses too are saved with its position.
        generators = source.capture_generators()
        if generators:
            state["generators"] = generators
        return state

    def _settle(
        self,
        states: dict[str, Any],
        before: dict[str, Any] | None,
        is_resumed: bool,
    ) -> dict[str, Any]:
        """Returns the states that the generators must have after Keras has
        drawn its first batches, and notes those before it if they differ.

        Args:
            states: Their states now.
            before: Their states before that, if known.
            is_resumed: Whether the lost run had validated.
        """
        if before is None:
            return states
        if not is_resumed:
            if states != before:
                self._at_creation = before
            return states
        # The lost run had made its iterator long before.
        if self._at_creation is None and states != before:
            self._tell(
                [
                    "the validation data draw from a global random generator: "
                    "their first batches differ"
                ]
            )
        return before


def check(saved: Any, done: int, tensors: dict[str, tuple]) -> None:
    """Raises if it is not what `ValidationPosition.capture()` gives.

    Args:
        saved: What was read.
        done: Integer, the epochs that are complete.
        tensors: Dict from name to `(dtype, shape, bytes)`, those there are.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    counts = [saved[field] for field in ("begun", "made", "made_earlier")]
    if not all(map(values.is_count, counts)):
        raise ValueError("the number of validations is none")
    # Keras validates once an epoch, after it; a callback may do so too.
    limits = {
        "begun": MOST_VALIDATIONS * (done + 1),
        "made": drawn_data.MOST_ITERATORS * (saved["begun"] + 1),
    }
    drawn_data.check_limits(saved, limits)
    for field in ("at_creation", "at_first"):
        if saved[field] is not None:
            rng.check(saved[field])
    epoch_count.check(saved)
    drawn_data.check(saved, tensors)
