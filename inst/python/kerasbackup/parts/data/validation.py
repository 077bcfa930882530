"""Owns where in the validation data a training is.

May not touch variables, other callbacks or files.
"""

from collections.abc import Callable
from typing import Any

import keras

from kerasbackup.parts.data import drawn_batches
from kerasbackup.parts.data import epoch_count
from kerasbackup.parts.data import replay
from kerasbackup.parts.data.data_source import DataSource
from kerasbackup.parts.data.data_source import DrawnAhead
from kerasbackup.parts.data.data_source import check_state
from kerasbackup.parts.data.data_source import loader_generators
from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.parts.data.position_format import MOST_ITERATORS
from kerasbackup.parts.random import rng
from kerasbackup.store import values

# How many there are for an epoch, at most.
MOST_VALIDATIONS = 8

# That Keras makes for a validation of all data.
ITERATORS = 2 if keras.backend.backend() == "tensorflow" else 1


class ValidationPosition:
    """The position in validation data that do not begin anew in every epoch: a
    generator, a tf.data pipeline that may reshuffle, or a source that has a
    state.

    Args:
        model: The `keras.Model` being trained; it keeps the `EpochIterator`.
        frequency: `validation_freq` of that `fit()`; `None` where it has no
            validation data.
        generators: `rng.IdleGenerators`, but for those that training may draw
            from meanwhile.
        progress: `replay.Progress`, told of every epoch drawn again.
        tell: Callable that is given what is no longer as it was, a list.
        data: What `fit()` was given as `validation_data`; it is not kept.

    Attributes:
        trained_on: The `PyDataset` or `DataLoader` that is trained on, or
            `None`: where it is validated on too, its state is no matter of
            validation's.
        unsaved: List of strings, what of the data had changed at the last
            capture and could not be saved.
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
        self._begun = 0
        self._to_replay = 0
        # What the data are drawn from, once there is an iterator; and the state
        # it had in the lost run, until it has it again.
        self._source = None
        self._is_looked_at = False
        # The `EpochIterator` whose method is wrapped.
        self._counted = None
        self._to_restore = None
        # The batches of the newest validation, a `DrawnBatches`; and what the
        # lost run had noted of them, until they were drawn again.
        self._batches = None
        self._to_expect = []
        self._ahead = DrawnAhead(data)
        self._ahead_then = []
        self._use = IteratorsMade(data)
        # Iterators that Keras has made, in the whole run.
        self._made = 0
        self._made_earlier = self._use.times
        self.trained_on = None
        self.unsaved = []
        # The generators when the iterator was made, where that drew from them;
        # when the training data before it had ended; and when the first
        # validation began, where what it drew is kept for all.
        self._at_creation = None
        self._before = None
        self._at_first = None
        # The epochs that the lost run had counted, until they are counted here.
        self._epochs_before = {}

    def capture(self, encoder: values.Encoder) -> dict[str, Any]:
        """How many validations there were, how they began, and the state of
        their data; its arrays go to the encoder."""
        return {
            "begun": self._begun,
            "made": self._made,
            "made_earlier": self._made_earlier,
            "at_creation": self._at_creation,
            "at_first": self._at_first,
            **self._epochs_counted(),
            "checksums": (
                self._to_expect
                if self._to_replay or self._batches is None
                else self._batches.capture()
            ),
            "source": self._capture_source(encoder),
            "ahead": encoder.encode(
                self._ahead_then if self._to_replay else self._ahead.capture(),
                "validation/ahead",
            ),
        }

    def restore(
        self, saved: dict[str, Any], arrays, training: IteratorsMade
    ) -> list[str]:
        """To be drawn again when the first validation begins.

        Args:
            saved: What `capture()` gave.
            arrays: Callable from tensor name to a new array.
            training: How the training data are used.

        Returns:
            What is no longer as it was.
        """
        self._begun = self._to_replay = saved["begun"]
        self._made = saved["made"]
        missing = saved["made_earlier"] - self._made_earlier
        self._made_earlier = saved["made_earlier"]
        self._at_creation = saved["at_creation"]
        self._at_first = saved["at_first"]
        # Checkpoints of earlier versions of this package have none.
        self._to_expect = saved.get("checksums", [])
        self._epochs_before = epoch_count.total(saved)
        self._to_restore = values.decode(
            saved.get("source"), arrays, has_tags=True
        )
        self._ahead_then = values.decode(saved["ahead"], arrays)
        if self._use.shares_with(training):
            # Who restores those makes up for it, see `moved()`.
            self._to_replay = 0
            return []
        each = self._made // self._begun if self._begun else ITERATORS
        validations, rest = divmod(missing, max(each, 1))
        if (
            rest
            or self._begun + validations < 0
            or (missing and not self._use.is_countable)
        ):
            return [f"validation: {self._use.NOTE}"]
        self._to_replay += validations
        return [f"validation: {self._use.DOUBT}"] if missing < 0 else []

    def moved(self, training: IteratorsMade) -> int:
        """How many iterators of the training data validation has made: where
        both are made of one tf.data pipeline, each moves the other.

        Args:
            training: How the training data are used.
        """
        if not self._use.shares_with(training):
            return 0
        return self._made

    def on_data_end(self, epoch: int) -> None:
        """To be called when the training data of an epoch have been drawn.

        If a validation follows, and is the first, Keras makes its iterator now
        and draws the first batches of a generator, to learn their shapes. It
        keeps them for every validation to come.
        """
        is_first = self._to_replay or not self._begun
        if not is_first or not self._is_due(epoch):
            self._before = None
            return
        self._before = self._generators.capture()
        if self._to_replay and self._at_creation is not None:
            self._generators.restore(self._at_creation)

    def on_test_begin(self) -> None:
        """To be called when validation begins."""
        replays, self._to_replay = self._to_replay, 0
        iterator = getattr(self._model, "_eval_epoch_iterator", None)
        # A callback may evaluate on its own, without that iterator.
        if iterator is None:
            self._to_replay = replays
            return
        self._begun += 1
        made = self._made
        is_distributed = replay.is_distributed(iterator)
        if is_distributed and not self._counts_itself(iterator):
            # Keras has drawn a batch, to build what there may be to build.
            self._note()
        self._count(iterator)
        adapter = iterator.data_adapter
        if self._batches is None:
            self._batches = DrawnBatches(adapter)
        kind = type(adapter).__name__
        counted = epoch_count.capture(adapter)
        self._look_at_source(iterator)
        if kind == "PyDatasetAdapter" and replays:
            self._begin_again(iterator)
        if kind == "TorchDataLoaderAdapter" and replays:
            self._settle_loader()
        before, self._epochs_before = self._epochs_before, {}
        # In every process they are counted from zero.
        epoch_count.restore(adapter, epoch_count.total(counted, before))
        if kind not in ("GeneratorDataAdapter", "TFDatasetAdapter"):
            return
        states = self._generators.capture()
        if kind == "GeneratorDataAdapter":
            states = self._settle(states, bool(replays))
        elif self._use.keeps_first_pass:
            if self._at_first is None:
                self._at_first = states
            elif replays:
                self._generators.restore(self._at_first)
        for i in range(replays):
            if i == replays - 1:
                self._batches.expect(self._to_expect)
            replay.draw_epoch(iterator)
            if not self._counts_itself(iterator):
                self._use.note()
            iterator.reset()
            if is_distributed:
                # As Keras does before each validation, today's included.
                next(iter(iterator._get_iterator()))
            self._progress.at(i, replays)
        self._progress.end()
        if replays:
            # Those were counted in the lost run.
            self._made = made + (
                is_distributed or not self._counts_itself(iterator)
            )
            self._ahead.restore(self._ahead_then)
            self._ahead_then = []
            self._generators.restore(states)
            self._tell_of(self._batches.notes())

    def is_left_undone(self) -> bool:
        """Whether the lost run had drawn from data that do not begin anew, and
        no validation has come since that would bring them there."""
        state = self._to_restore or {}
        return self._to_replay > 0 and (
            not self._use.begins_anew
            or any(state[name] for name in state if name != "unchanged")
        )

    def release(self) -> None:
        """Gives Keras its own method back."""
        iterator, self._counted = self._counted, None
        if iterator is not None:
            vars(iterator).pop("_get_iterator", None)
        if self._batches is not None:
            self._batches.release()

    def _count(self, iterator) -> None:
        """Counts the iterators that are made of the data: on TensorFlow by
        Keras' method, elsewhere one is made when the first batch is drawn."""
        if keras.backend.backend() != "tensorflow":
            self._note()
        elif not self._counts_itself(iterator):
            get_iterator = iterator._get_iterator

            def counted():
                self._note()
                return get_iterator()

            iterator._get_iterator = counted
            self._counted = iterator

    def _counts_itself(self, iterator) -> bool:
        return "_get_iterator" in vars(iterator)

    def _note(self) -> None:
        self._made += 1
        self._use.note()

    def _epochs_counted(self) -> dict[str, int]:
        iterator = getattr(self._model, "_eval_epoch_iterator", None)
        if self._epochs_before or iterator is None:
            return self._epochs_before
        return epoch_count.capture(iterator.data_adapter)

    def _look_at_source(self, iterator) -> None:
        if self._is_looked_at:
            return
        self._is_looked_at = True
        source = DataSource(iterator, left=loader_generators(self.trained_on))
        user = source.written_by_user
        if user is not None and user is not self.trained_on:
            self._source = source
        state, self._to_restore = self._to_restore, None
        if state is not None and self._source is not None:
            notes = self._source.restore(state)
            self._source.restore_generators(state.get("generators", []))
            self._tell_of(notes)

    def _begin_again(self, iterator) -> None:
        """Keras ends an epoch of a `PyDataset` before each validation, too.
        Today it did so before the state was put back, and on TensorFlow it has
        drawn batches first, for their shapes."""
        before, self._before = self._before, None
        if self._source is None:
            return
        if before is not None:
            self._generators.restore(before)
        iterator.reset()

    def _settle_loader(self) -> None:
        """Today Keras draws, or did to learn the shapes of a batch, what the
        lost run had drawn long before."""
        states, self._before = self._before, None
        if states is None:
            states = self._generators.capture()
        if self._source is not None:
            self._tell_of(self._source.start_workers())
        self._generators.restore(states, ("torch",))

    def _tell_of(self, notes: list[str]) -> None:
        """Tells what of the data is no longer as it was, if anything is."""
        if notes:
            self._tell([f"validation: {note}" for note in notes])

    def _capture_source(self, encoder: values.Encoder) -> Any:
        state = self._to_restore
        self.unsaved = []
        if self._source is not None:
            state = self._source.capture()
            # Those of training are in its position.
            generators = self._source.capture_generators()
            if generators:
                state["generators"] = generators
            self.unsaved += self._source.unsaved
        try:
            return encoder.encode(state, "validation")
        except values.Unsaveable as e:
            self.unsaved.append(f"the state of the validation data ({e})")
            return None

    def _settle(self, states, is_resumed: bool):
        """What the generators are to be, once the iterator is made: `states`
        are what they are."""
        before, self._before = self._before, None
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

    def _is_due(self, epoch: int) -> bool:
        should_eval = getattr(self._model, "_should_eval", None)
        if self._frequency is None or should_eval is None:
            return False
        return should_eval(epoch, self._frequency)


def check(saved: Any, done: int, tensors: dict[str, tuple]) -> None:
    """Raises where it is not what `ValidationPosition.capture()` gives.

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
        "made": MOST_ITERATORS * (saved["begun"] + 1),
    }
    for field, most in limits.items():
        if saved[field] > most:
            raise ValueError(f"{field} is {saved[field]}, at most {most}")
    for field in ("at_creation", "at_first"):
        if saved[field] is not None:
            rng.check(saved[field])
    if not isinstance(values.check(saved["ahead"], tensors), list):
        raise TypeError("what was drawn ahead is no list")
    drawn_batches.check(saved.get("checksums", []))
    epoch_count.check(saved)
    source = values.check(saved.get("source"), tensors, has_tags=True)
    if source is not None:
        check_state(source)
