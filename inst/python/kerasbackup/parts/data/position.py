"""Owns where in the data a training is, and how to get there again.

Keras draws the data of `fit()` from an `EpochIterator`. This wraps two of its
methods, for as long as `fit()` runs: `_get_iterator`, to know how many
iterators there were and how the random number generators stood when one was
made; and the method that yields the steps of an epoch, to pass over the batches
that were trained on before the interruption: they are drawn, and no callback
sees them.

May not touch variables, other callbacks or files.
"""

import itertools
from collections.abc import Callable
from typing import Any
from typing import NoReturn

import keras

from kerasbackup.parts.data import data_source
from kerasbackup.parts.data import epoch_count
from kerasbackup.parts.data import replay
from kerasbackup.parts.data.data_source import DataSource
from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.parts.data.position_format import share
from kerasbackup.parts.data.position_format import unshare
from kerasbackup.parts.data.rehearsal import Rehearsal
from kerasbackup.parts.random import rng
from kerasbackup.store import errors
from kerasbackup.store import values


class DataPosition:
    """The position in the training data of one `fit()`.

    Args:
        epoch_iterator: Keras' `EpochIterator`.
        generators: `rng.Generators`, all global generators.
        progress: `replay.Progress`, told how far a replay is.
        before_batch: Callable that is given the number of a batch before its
            data are drawn and before any callback hears of it; or `None`.
        at_end: Callable: the last batch of an epoch has been trained; or
            `None`. Not called where Keras learns of the end from the data.
        data: What `fit()` was given as `x`.
        is_built_from_data: Whether Keras has made an iterator already, see
            `earlier_use.is_built_from_data()`.
        tell: Callable that is given what is no longer as it was, a list, where
            an epoch shows it after `restore()`; or `None`.

    Attributes:
        NEEDED: What this uses of an `EpochIterator`.
        passed: Integer, batches that the first epoch passes over.
        use: How the data were used before, an `IteratorsMade`.
        before_first_step: Callable, called once: the first step that is not
            passed over is about to be announced; or `None`.
        reached: Integer, batches of the epoch that are done when the last step
            that began is.
    """

    NEEDED = (
        "_enumerate_iterator",
        "_get_iterator",
        "_current_iterator",
        "_steps_seen",
        "_num_batches",
        "steps_per_epoch",
        "steps_per_execution",
    )

    def __init__(
        self,
        epoch_iterator,
        generators: rng.Generators,
        progress: replay.Progress,
        before_batch: Callable[[int], None] | None = None,
        at_end: Callable[[], None] | None = None,
        data: Any = None,
        is_built_from_data: bool = False,
        tell: Callable[[list[str]], None] | None = None,
    ):
        self._iterator = epoch_iterator
        self._source = DataSource(epoch_iterator, data)
        self._unsaved_source = []
        self._batches = DrawnBatches(
            epoch_iterator.data_adapter, self._capture_rng
        )
        self._rehearsal = Rehearsal(
            epoch_iterator, self._batches, self._capture_rng
        )
        self._tell_notes = tell
        self.use = IteratorsMade(data)
        # Those made before: by earlier trainings, and to build the model. Once
        # restored, those of the lost run.
        self._made_to_build = int(is_built_from_data)
        # Of data that begin anew none counts.
        self._made_earlier = max(0, self.use.times - self._made_to_build)
        self._generators = generators
        self._progress = progress
        self._before_batch = before_batch
        self._at_end = at_end
        if not all(hasattr(epoch_iterator, name) for name in self.NEEDED):
            raise errors.UnsupportedError(
                f"Keras {keras.__version__} is not known: its EpochIterator "
                f"lacks one of {', '.join(self.NEEDED)}."
            )
        self._is_over = False
        # The steps of the epoch under way, as Keras draws them.
        self._steps = None
        # Iterators made so far; epochs begun so far.
        self._made = 0
        self._epochs = 0
        # Batches that an epoch draws at most, in the whole run, from an
        # iterator that lives across epochs.
        self._most_steps = replay.steps_at_most(epoch_iterator)
        self._at_creation = None
        self._at_first_draw = None
        self._epoch_start = None
        self._resume_at = None
        self.passed = 0
        self.reached = 0
        self.before_first_step = None
        # Python code that TensorFlow runs may have run ahead when a state was
        # captured: what it draws from, which a replay shows, is left as the
        # replay leaves it.
        self._drawn = None
        self._before_replay = None
        self._wrap()

    # Saving ---------------------------------------------------------------

    def on_epoch_begin(self) -> None:
        """To be called last of all when an epoch begins."""
        if self._resume_at is not None:
            self._restore_rng(
                self._resume_at["epoch_rng"],
                self._to_put_back() if self._has_iterator() else None,
            )
            self._before_replay = self._generators.capture()
        self._epoch_start = {
            "epoch_rng": self._capture_rng(),
            "steps_seen": self._steps_seen(),
            "has_iterator": self._has_iterator(),
            "made": self._made,
            "source": self._source.capture(),
        }
        if self._has_iterator() and self._steps_seen() == 0:
            self._at_first_draw = self._epoch_start["epoch_rng"]
        self._epochs += 1

    def capture(self, batch: int, encoder: values.Encoder) -> dict[str, Any]:
        """The position before `batch` of this epoch; 0: after its end."""
        if batch:
            position = dict(self._epoch_start)
            position["epochs"] = self._epochs - 1
        else:
            position = {
                # Of the epoch that is over.
                "epoch_rng": self._rehearsal.generators(),
                "steps_seen": self._steps_seen(),
                "has_iterator": self._has_iterator(),
                "made": self._made,
                "source": self._source.capture(),
                "epochs": self._epochs,
            }
        position["rng"] = self._capture_rng()
        position["source"] = self._encode_source(position["source"], encoder)
        position["ahead"] = encoder.encode(
            self._source.ahead.capture(), "data/ahead"
        )
        position["most_steps"] = self._most_steps
        position["made_earlier"] = self._made_earlier
        position["made_to_build"] = self._made_to_build
        position["num_batches"] = self._iterator._num_batches
        position["at_creation"] = self._at_creation
        position["at_first_draw"] = self._at_first_draw
        position["source_kind"] = self._describe()
        position["checksums"] = self._checksums(batch, position)
        position["changed_arrays"] = self._rehearsal.changed_arrays()
        return share(position)

    def _encode_source(self, source, encoder):
        self._unsaved_source = []
        try:
            return encoder.encode(source, "data")
        except values.Unsaveable as e:
            self._unsaved_source = [f"the state of the data ({e})"]
            return encoder.encode({}, "data")

    def _checksums(self, batch: int, position) -> list[list[int]]:
        """Those of the batches that a resume at a position draws again."""
        found = self._batches.capture()
        if self._rehearsal.may_differ():
            return []
        if batch or (self._is_persistent() and position["steps_seen"]):
            return found
        is_rehearsed = position["epoch_rng"] is not None
        return found[:1] if is_rehearsed else []

    @property
    def may_end_early(self) -> bool:
        """Whether a batch that is announced may turn out not to exist."""
        return self._source.may_end_early

    def has_more(self) -> bool:
        """Whether batches of this epoch are left, as far as is known."""
        batches = self._iterator.num_batches
        return batches is None or self.reached < batches

    def finish_epoch(self) -> None:
        """To be called after the last batch of an epoch, where Keras stops and
        asks for no further step: what it does when there is none is done now.
        Torch draws a random number, and a dataset may shuffle itself."""
        next(self._steps, None)

    def end_epoch(self) -> None:
        """The step under way had no data, and Keras knows: none follows in this
        epoch."""
        self._is_over = True

    @property
    def unsaved(self) -> list[str]:
        """What of the data had changed and could not be saved."""
        return [*self._source.unsaved, *self._unsaved_source]

    @property
    def written_by_user(self) -> Any:
        """See `DataSource`."""
        return self._source.written_by_user

    # Restoring ------------------------------------------------------------

    def leave_out_batches(self) -> None:
        """Lets no note say which batch differs, where it is known that the data
        do."""
        self._batches.leave_out_note()

    def restore(
        self, position: dict[str, Any], batch: int, arrays, moved: int = 0
    ) -> list[str]:
        """Brings the data to a position, as far as that is possible before the
        epoch begins; `on_epoch_begin()` does the rest.

        Args:
            position: What `capture()` gave.
            batch: Integer, batches of the epoch to pass over.
            arrays: Callable from tensor name to a new array.
            moved: Integer, iterators that validation has made of these data.

        Returns:
            What is no longer as it was.
        """
        position = unshare(position)
        is_between_epochs = not batch and position["epoch_rng"] is not None
        before = position["source_kind"]
        now = self._describe_at(position, arrays)
        notes = data_source.changes(before, now)
        other_data = data_source.is_other(before, now)
        steps = self._iterator.num_batches
        at_once = self._iterator.steps_per_execution
        if batch and (
            other_data or batch % at_once or (steps and batch >= steps)
        ):
            notes.append("the unfinished epoch starts over")
            batch = 0
        self.passed = batch
        notes += self._generators.expect(position["rng"])
        if other_data:
            # Their places mean nothing here.
            self._restore_rng(position["rng"])
            return notes
        if self._iterator._num_batches is None:
            self._iterator._num_batches = position["num_batches"]
        lives_on = self._is_persistent() and position["has_iterator"]
        if moved and (lives_on or not self.use.is_countable):
            notes.append(
                "training and validation take turns to draw from the same "
                "data: their position in these is not exact"
            )
            moved = 0
        if position["made"] > 1 if lives_on else position["epochs"]:
            notes += self._source.start_workers()
        state = values.decode(position["source"], arrays, has_tags=True)
        changes = data_source.changes_meanwhile(state)
        if batch or lives_on:
            # Of data that change, an iterator that lives on drew its first
            # batch as they were then. Checkpoints of earlier versions of this
            # package have no checksums.
            is_comparable = not (lives_on and changes)
            expected = position.get("checksums", []) if is_comparable else []
            self._batches.expect(expected)
        if self._is_persistent():
            if lives_on:
                notes += self._continue_iterator(position)
            else:
                # Those made so far have ended.
                notes += self._use_up(position["made"] + moved, position)
        else:
            # There may be one more at the end of every epoch, never drawn from.
            number = position["made" if self._is_made_at_once() else "epochs"]
            each = number // max(1, position["epochs"])
            notes += self._use_up(number + moved, position, each)
        if self.use.is_generator and (
            position["made_earlier"] != self._made_earlier
        ):
            notes.append(self.use.NOTE)
        self._made_earlier = position["made_earlier"]
        self._made_to_build = position["made_to_build"]
        self._made = position["made"]
        self._epochs = position["epochs"]
        self._most_steps = max(self._most_steps, position["most_steps"])
        notes += self._source.restore(state)
        ahead = values.decode(position["ahead"], arrays)
        if not batch:
            self._source.ahead.restore(ahead)
        if lives_on and self._source.runs_ahead and changes:
            notes.append(
                "the data change during training, and TensorFlow prefetches "
                "them: the next batches may differ"
            )
        if is_between_epochs and self._rehearsal.is_possible:
            self._rehearsal.run(
                position.get("checksums", []),
                lambda: self._restore_rng(
                    position["epoch_rng"], self._rehearsal.GENERATORS
                ),
            )
        self._restore_rng(
            position["epoch_rng"] if batch else position["rng"],
            self._to_put_back() if lives_on else None,
        )
        # Those that the epoch draws again are compared when it has begun.
        notes += self._batches.notes()
        changed = position.get("changed_arrays")
        if changed not in (None, self._rehearsal.arrays()):
            # Where a callback has them, they were put back with the callback.
            notes.append(
                "a callback had changed the arrays that `fit()` trains on: "
                "this is not saved, so they are as the script makes them"
            )
        if batch:
            self._resume_at = {
                "epoch_rng": position["epoch_rng"],
                "batch": batch,
                "rng": position["rng"],
                "ahead": ahead,
            }
        return notes

    def begin_anew(self, position: dict[str, Any], arrays) -> list[str]:
        """Puts back the generators, and the state that the source had when the
        epoch began, which is begun anew.

        Args:
            position: What `capture()` gave.
            arrays: Callable from tensor name to a new array.

        Returns:
            What is no longer as it was.
        """
        before = position["source_kind"]
        now = self._describe_at(position, arrays)
        notes = self.restore_generators(position)
        if not data_source.is_other(before, now):
            state = values.decode(position["source"], arrays, has_tags=True)
            notes += self._source.restore(state)
        return notes + data_source.changes(before, now)

    def restore_generators(self, position: dict[str, Any]) -> list[str]:
        """Only the generators.

        Returns:
            What is no longer as it was.
        """
        position = unshare(position)
        notes = self._generators.expect(position["rng"])
        self._restore_rng(position["rng"])
        return notes

    def drawn_meanwhile(self) -> set[str]:
        """Names of the generators that a thread may draw from at any time, for
        batches that training has not come to yet; as far as a replay showed."""
        is_alive = self._is_persistent() and self._has_iterator()
        if not is_alive or self._drawn is None:
            return set()
        kept = self._to_put_back()
        return set() if kept is None else {*self._generators.names} - {*kept}

    def release(self) -> None:
        """Gives Keras its own methods back."""
        for name in ("_get_iterator", "_enumerate_iterator"):
            vars(self._iterator).pop(name, None)
        self._steps = None
        self._batches.release()
        # It refers to a method of ours: a cycle would keep the data alive.
        self._rehearsal = None

    # Wrapping -------------------------------------------------------------

    def _wrap(self) -> None:
        get_iterator = self._iterator._get_iterator
        steps = self._iterator._enumerate_iterator

        def counted():
            self._made += 1
            if self._is_persistent() or self._is_made_at_once():
                self.use.note()
            self._at_creation = self._capture_rng()
            # What making it draws has its place between the two states: a
            # first draw in the same epoch follows at once.
            self._at_first_draw = None
            return get_iterator()

        def passing():
            if not self._is_persistent() and not self._is_made_at_once():
                self.use.note()
            self._is_over = False
            remaining = iter(steps())
            upcoming = 0
            last = None
            while True:
                if self._resume_at is not None:
                    if upcoming >= self._resume_at["batch"]:
                        self._progress.end()
                        self._note_drawn(self._before_replay)
                        self._restore_rng(
                            self._resume_at["rng"], self._to_put_back()
                        )
                        self._source.ahead.restore(self._resume_at["ahead"])
                        self._resume_at = None
                        self._tell_of_batches()
                # (first batch, last batch, iterator), or without the last.
                step = next(remaining, None)
                if step is None:
                    self._await_end(last)
                    break
                last = step[-1]
                upcoming = step[0] + self._iterator.steps_per_execution
                self.reached = upcoming
                if self._resume_at is not None:
                    self._pass_over(step, upcoming)
                    self._progress.at(upcoming, self._resume_at["batch"])
                    continue
                if self._before_batch is not None:
                    self._before_batch(step[0])
                tell, self.before_first_step = self.before_first_step, None
                if tell is not None:
                    tell()
                yield step
                if self._is_over:
                    return
            if self._resume_at is not None:
                self._say_too_short()
            if self._at_end is not None:
                self._at_end()

        def kept():
            self._steps = passing()
            return self._steps

        self._iterator._get_iterator = counted
        self._iterator._enumerate_iterator = kept

    def _tell_of_batches(self) -> None:
        notes = self._batches.notes(all_drawn=True)
        if notes and self._tell_notes is not None:
            self._tell_notes(notes)

    def _await_end(self, iterator) -> None:
        """A DataLoader's sampler draws once more when it has ended, which on
        TensorFlow a thread may find out later than Keras: not in the middle of
        what is captured next."""
        if self._source.draws_at_end and not self._is_persistent():
            next(iterator, None)

    def _pass_over(self, step, upcoming: int) -> None:
        try:
            replay.draw_step(self._iterator, step)
        except StopIteration:
            # Where nobody knows how many batches there are, or somebody is
            # wrong, the last step of several has the rest, and one more is
            # announced; in later epochs too: Keras has counted steps by then.
            is_last = upcoming >= self._resume_at["batch"]
            at_once = self._iterator.steps_per_execution
            if not (is_last and at_once > 1 and self._source.may_end_early):
                self._say_too_short()

    def _say_too_short(self) -> NoReturn:
        raise errors.MismatchError(
            "The data ended too early: the checkpoint was made after "
            f"{self._resume_at['batch']} batches of this epoch. Use the same "
            'data, or `resume = "epoch"` to start the epoch over.'
        ) from None

    # The iterator that lives across epochs ----------------------------------

    def _is_persistent(self) -> bool:
        return self._iterator.steps_per_epoch is not None

    def _has_iterator(self) -> bool:
        return getattr(self._iterator, "_current_iterator", None) is not None

    def _is_made_at_once(self) -> bool:
        """Whether Keras' `_get_iterator()` gives what the data are drawn from;
        elsewhere that is made for the first batch."""
        return keras.backend.backend() == "tensorflow"

    def _steps_seen(self) -> int:
        return self._iterator._steps_seen if self._has_iterator() else 0

    def _continue_iterator(self, position) -> list[str]:
        iterator = self._iterator
        notes = self._use_up(position["made"] - 1, position)
        self._restore_rng(position["at_creation"])
        iterator._current_iterator = iter(iterator._get_iterator())
        if position["steps_seen"]:
            if position["at_first_draw"] is not None:
                self._restore_rng(position["at_first_draw"])
            before = self._generators.capture()
            at_once = replay.batches_per_draw(iterator)
            for i in range(0, position["steps_seen"], at_once):
                self._draw_again(i, position["steps_seen"])
            self._progress.end()
            self._note_drawn(before)
        iterator._steps_seen = position["steps_seen"]
        self._at_creation = position["at_creation"]
        self._at_first_draw = position["at_first_draw"]
        return notes

    def _draw_again(self, i: int, number: int) -> None:
        try:
            next(self._iterator._current_iterator)
        except StopIteration:
            raise errors.MismatchError(
                f"The data ended after {i} batches, but the checkpoint was "
                f"made after {number}. Use the same data, or an empty "
                "`backup_dir` to start over."
            ) from None
        self._progress.at(i, number)

    def _use_up(self, number: int, position, each: int = 1) -> list[str]:
        """Leaves the source as so many iterators have left it.

        Args:
            number: Integer, how many.
            position: What `capture()` gave.
            each: Integer, of so many the first was drawn from.

        Returns:
            What is no longer as it was.
        """
        if self._source.is_pipeline:
            return self._make_iterators(number, position, each)
        if self._source.is_generator and number:
            return self._draw_to_end(position["num_batches"])
        return []

    def _draw_to_end(self, announced: int | None) -> list[str]:
        """Draws what a generator has. Later iterators have only the batches
        that Keras took from it before training began."""
        for drawn, _ in enumerate(self._source.batches()):
            # Keras counts one more: the batch that was not there.
            if announced is None or drawn >= announced:
                return ["the generator has more batches than before"]
            self._progress.at(drawn, announced)
        self._progress.end()
        return []

    def _make_iterators(self, number: int, position, each: int) -> list[str]:
        """Makes as many as the lost run had made and used up: a pipeline that
        reshuffles draws a seed at each `iter()`, and some draw more later."""
        earlier = position["made_earlier"] - self._made_earlier
        to_build = position["made_to_build"] - self._made_to_build
        missing = number + earlier + to_build
        if missing < 0 or (
            (earlier or to_build < 0) and not self.use.is_countable
        ):
            return [self.use.NOTE]
        dataset, length = self._source.dataset(), position["num_batches"]
        if length is None and self._is_persistent():
            # None was drawn from further, and this one may have no end.
            length = (position["epochs"] + 1) * position["most_steps"]
        for i in range(missing):
            batches = iter(dataset)
            self.use.note()
            after = i - max(0, to_build)
            if after < 0:
                # What repeats makes its first pass when it is drawn from.
                needed = 1
            elif after == 0 and self._source.keeps_first_order():
                needed = length
            else:
                needed = 0 if after % each else self.use.settled_after(length)
            if needed == 0:
                self._progress.at(i, missing)
            for drawn, _ in enumerate(itertools.islice(batches, needed)):
                self._progress.at(drawn, needed)
            if needed == length and self.use.ends_by_itself:
                # Now, and not while the next iterator is made.
                next(batches, None)
        self._progress.end()
        # The session that was interrupted goes on.
        return [self.use.DOUBT] * (earlier < 0)

    def _note_drawn(self, before: dict[str, Any]) -> None:
        """To be called after a replay: which generators did it draw from?"""
        now = self._generators.capture()
        moved = {name for name in now if now[name] != before.get(name)}
        self._drawn = (self._drawn or set()) | moved

    def _to_put_back(self) -> tuple[str, ...] | None:
        """The generators to put back after a replay; `None`: all."""
        if self._source.runs_ahead and self._drawn is None:
            return ("torch",)
        if self._source.runs_ahead or self._source.is_pipeline:
            # Python code in a pipeline is called by a thread that reads ahead,
            # too.
            left = (self._drawn or set()) - {"torch"}
            return tuple(n for n in self._generators.names if n not in left)
        return None

    # What describes it, and the generators ----------------------------------

    def _describe(self) -> dict[str, Any]:
        return self._source.describe()

    def _describe_at(self, position: dict[str, Any], arrays) -> dict[str, Any]:
        """The data of today; with the state of a position where they differ
        only without it: how many batches there are may be part of that."""
        before, now = position["source_kind"], self._describe()
        if not data_source.is_other(before, now):
            return now
        state = values.decode(position["source"], arrays, has_tags=True)
        with self._source.as_in(state):
            then = self._describe()
        return now if data_source.is_other(before, then) else then

    def _capture_rng(self) -> dict[str, Any]:
        return (
            self._generators.capture()
            | {"loader": self._source.capture_generators()}
            | epoch_count.capture(self._iterator.data_adapter)
        )

    def _restore_rng(self, states, only=None) -> None:
        with self._batches.generators_put_back():
            self._generators.restore(states, only)
            # No thread moves it, whatever runs ahead.
            epoch_count.restore(self._iterator.data_adapter, states)
            # After a replay that runs ahead they are where it leaves them.
            if only is None:
                self._source.restore_generators(states["loader"])
