"""The position in the training data, and how to get there again.

Keras draws the data of `fit()` from an `EpochIterator`. While `fit()` runs,
this module wraps two of its methods. The wrapper of the method that makes an
iterator counts the calls and records the random generators. The wrapper of the
method that gives the steps of an epoch passes over the batches that were
trained on before the interruption: it draws them, and no callback sees them.
"""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NoReturn

from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data import drawn_data
from kerasbackup.parts.data import epoch_count
from kerasbackup.parts.data import replay
from kerasbackup.parts.data.drawn_data import DrawnData
from kerasbackup.parts.data.position_format import share
from kerasbackup.parts.data.position_format import unshare
from kerasbackup.parts.data.rehearsal import Rehearsal
from kerasbackup.parts.data.sources import state_format
from kerasbackup.parts.data.sources.source import Past
from kerasbackup.parts.random import rng
from kerasbackup.store import errors
from kerasbackup.store import values


class DataPosition:
    """The position in the training data of one `fit()`.

    Args:
        iterator: Keras' `EpochIterator`.
        generators: `rng.Generators`, all global generators.
        progress: `replay.Progress`, which reports how far a replay is.
        before_batch: Callable that is given the number of a batch before its
            data are drawn and before any callback hears of it; or `None`.
        at_end: Callable, called when the last batch of an epoch has been
            trained; or `None`. Not called if Keras learns of the end from the
            data.
        data: What `fit()` was given as `x`.
        is_built_from_data: Whether Keras has already made an iterator to build
            the model, see `iterators_made.is_built_from_data()`.
        tell: Callable that is given lines about what differs from before, if
            that shows only during an epoch; or `None`.

    Attributes:
        passed: Integer, batches that the first epoch passes over.
        use: An `IteratorsMade`, how often this process has begun the data.
        before_first_step: Callable, called once, just before the first step
            that is not passed over is announced; or `None`.
        reached: Integer, batches of the epoch that are done once the current
            step is.
    """

    def __init__(
        self,
        iterator,
        generators: rng.Generators,
        progress: replay.Progress,
        before_batch: Callable[[int], None] | None = None,
        at_end: Callable[[], None] | None = None,
        data: Any = None,
        is_built_from_data: bool = False,
        tell: Callable[[list[str]], None] | None = None,
    ):
        epoch_iterator.require(iterator)
        self._iterator = iterator
        self._data = DrawnData("data", "data", data, iterator)
        self._data.begin(iterator, self._capture_rng)
        self._source = self._data.source
        self._batches = self._data.batches
        self._rehearsal = Rehearsal(
            iterator, self._source, self._batches, self._capture_order
        )
        self._tell_notes = tell
        self.use = self._data.use
        # Iterators were also made to build the model, and by earlier trainings
        # in this process. After a restore, both are the counts of the lost run.
        # For data that start over with each iterator both are 0.
        self._made_to_build = int(is_built_from_data)
        self._data.made_earlier = max(0, self.use.times - self._made_to_build)
        self._generators = generators
        # Lines about generators of the checkpoint that there are not now.
        self._not_found = None
        self._progress = progress
        self._before_batch = before_batch
        self._at_end = at_end
        self._is_over = False
        # The steps of the current epoch, as Keras gets them.
        self._steps = None
        # The number of epochs that have begun.
        self._epochs = 0
        # The most batches that any epoch has drawn from a persistent iterator,
        # including the epochs before a resume.
        self._most_steps = epoch_iterator.most_steps(iterator)
        self._at_creation = None
        self._at_first_draw = None
        self._epoch_start = None
        self._resume_at = None
        self.passed = 0
        self.reached = 0
        self.before_first_step = None
        # The names of the generators that a replay has moved. They stay as the
        # replay leaves them: TensorFlow runs Python code of the data ahead of
        # training, so their captured states may belong to later batches.
        self._drawn = None
        self._before_replay = None
        epoch_iterator.before_making(iterator, self._before_making)
        epoch_iterator.replace_steps(iterator, self._begin_steps)
        # Counted as made before this training, as nothing is drawn from it.
        self.use.note(epoch_iterator.make_early(iterator))

    # Saving ---------------------------------------------------------------

    def on_epoch_begin(self) -> None:
        """To be called when an epoch begins, after all callbacks."""
        if self._resume_at is not None:
            self._restore_rng(
                self._resume_at["epoch_rng"],
                self._to_put_back() if self._has_iterator() else None,
            )
            self._before_replay = self._generators.capture()
        self._epoch_start = self._place(self._capture_rng())
        if (
            self._has_iterator()
            and epoch_iterator.steps_seen(self._iterator) == 0
        ):
            self._at_first_draw = self._epoch_start["epoch_rng"]
        self._epochs += 1

    def capture(self, batch: int, encoder: values.Encoder) -> dict[str, Any]:
        """The position before `batch` of this epoch; 0 means after its end."""
        # After an epoch, nothing of it is drawn again but what the rehearsal
        # draws, so the states are those that the rehearsal begins with.
        place = (
            self._epoch_start
            if batch
            else self._place(self._rehearsal.generators())
        )
        ahead = self._data.ahead.capture()
        return share(
            {
                **place,
                **self._data.encode(place["source"], ahead, encoder),
                "rng": self._capture_rng(),
                "epochs": self._epochs - (1 if batch else 0),
                "most_steps": self._most_steps,
                "made_earlier": self._data.made_earlier,
                "made_to_build": self._made_to_build,
                "num_batches": epoch_iterator.length(self._iterator),
                "at_creation": self._at_creation,
                "at_first_draw": self._at_first_draw,
                "source_kind": self._source.describe(),
                "checksums": self._checksums(batch, place),
                "changed_arrays": self._rehearsal.changed_arrays(),
            }
        )

    def _place(self, epoch_rng: dict[str, Any] | None) -> dict[str, Any]:
        """The fields of a position that are fixed when an epoch begins.

        Args:
            epoch_rng: The states of the generators when it began.
        """
        return {
            "epoch_rng": epoch_rng,
            "steps_seen": epoch_iterator.steps_seen(self._iterator),
            "has_iterator": self._has_iterator(),
            "made": self._data.made,
            "source": self._source.capture(),
        }

    def _checksums(self, batch: int, position) -> list[list[int]]:
        """The checksums of the batches that a resume at a position draws
        again."""
        found = self._batches.capture()
        if self._rehearsal.may_differ():
            return []
        if batch or (self._lives_on() and position["steps_seen"]):
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
        """Asks for the step after the last batch of an epoch, which Keras does
        not do if a callback stops training there. This has effects: torch draws
        a random number, and a dataset may shuffle itself."""
        next(self._steps, None)

    def end_epoch(self) -> None:
        """To be called if the current step had no data: no further step follows
        in this epoch."""
        self._is_over = True

    @property
    def not_saved(self) -> list[str]:
        """What had changed in the data and is missing in the last capture."""
        return self._data.not_saved

    @property
    def written_by_user(self) -> Any:
        """See `Source`."""
        return self._source.written_by_user

    # Restoring ------------------------------------------------------------

    def leave_out_batches(self) -> None:
        """Lets no line say which batch differs, because a message already says
        that the data do."""
        self._batches.leave_out_note()

    def script_changes(self, position: dict[str, Any], arrays) -> list[str]:
        """What has changed in the data and in the random generators, as far as
        it shows before anything is restored.

        Args:
            position: What `capture()` gave.
            arrays: Callable from tensor name to a new array.
        """
        now = self._describe_at(position, arrays)
        changes = state_format.changes(position["source_kind"], now)
        return changes + self._expect(unshare(position))

    def restore(
        self, position: dict[str, Any], batch: int, arrays, moved: int = 0
    ) -> list[str]:
        """Brings the data to a position, as far as that is possible before the
        epoch begins; `on_epoch_begin()` does the rest.

        Args:
            position: What `capture()` gave.
            batch: Integer, the number of batches of the epoch to pass over.
            arrays: Callable from tensor name to a new array.
            moved: Integer, iterators that validation has made of these data.

        Returns:
            What is no longer as it was.
        """
        position = unshare(position)
        is_between_epochs = not batch and position["epoch_rng"] is not None
        before = position["source_kind"]
        now = self._describe_at(position, arrays)
        notes = state_format.changes(before, now)
        has_other_data = state_format.is_other(before, now)
        if batch and (
            has_other_data or not self._can_reach(batch, position, arrays)
        ):
            notes.append("the unfinished epoch starts over")
            batch = 0
        self.passed = batch
        notes += self._expect(position)
        if has_other_data:
            # A position in the data of the lost run means nothing in others.
            self._restore_rng(position["rng"])
            return notes
        epoch_iterator.set_length(self._iterator, position["num_batches"])
        lives_on = self._lives_on() and position["has_iterator"]
        state, ahead = drawn_data.decode(position, arrays)
        changes = lives_on and state_format.has_changed(state)
        if (batch or lives_on) and not changes:
            # A persistent iterator drew its first batch before the data
            # changed, so batches of such data are not compared.
            self._batches.expect(_checksums_in(position))
        notes += self._restore_iterators(position, lives_on, moved)
        self._restore_counts(position)
        notes += self._source.restore(state)
        if not batch:
            self._data.ahead.restore(ahead)
            if position["epochs"]:
                epoch_iterator.end_epoch_first(self._iterator)
        if changes and self._source.runs_ahead:
            notes.append(
                "the data change during training, and TensorFlow prefetches "
                "them: the next batches may differ"
            )
        if is_between_epochs and self._rehearsal.is_possible:
            self._rehearsal.run(
                _checksums_in(position),
                lambda: self._restore_rng(position["epoch_rng"], rng.ORDER),
            )
        self._restore_rng(
            position["epoch_rng"] if batch else position["rng"],
            self._to_put_back() if lives_on else None,
        )
        # Batches that the epoch draws again are compared once it has begun.
        notes += self._batches.notes()
        notes += self._changed_arrays(position)
        if batch:
            self._resume_at = {
                "epoch_rng": position["epoch_rng"],
                "batch": batch,
                "rng": position["rng"],
                "ahead": ahead,
            }
        return notes

    def _can_reach(self, batch: int, position: dict[str, Any], arrays) -> bool:
        """Whether an epoch of today has a step that begins with this batch."""
        if batch % self._iterator.steps_per_execution:
            return False
        batches = epoch_iterator.coming_length(self._iterator)
        if batches and batch >= batches:
            # Data that grow may have more in the state of the position.
            state, _ = drawn_data.decode(position, arrays)
            with self._source.as_in(state):
                batches = epoch_iterator.coming_length(self._iterator)
        return not batches or batch < batches

    def _restore_iterators(
        self, position: dict[str, Any], lives_on: bool, moved: int
    ) -> list[str]:
        """Makes and draws from as many iterators as the lost run did.

        Args:
            position: What `capture()` gave.
            lives_on: Whether the lost run had an iterator that lives across
                epochs.
            moved: Integer, iterators that validation has made of these data.

        Returns:
            What is no longer as it was.
        """
        notes = []
        if moved and (lives_on or not self.use.is_countable):
            notes.append(
                "training and validation take turns to draw from the same "
                "data: their position in these is not exact"
            )
            moved = 0
        if position["made"] > 1 if lives_on else position["epochs"]:
            notes += self._source.start_workers()
        if lives_on:
            return notes + self._continue_iterator(position)
        number, each = position["made"], 1
        if not self._lives_on():
            # At the end of an epoch Keras may make one more iterator, from
            # which nothing is drawn. It counts only on TensorFlow, because
            # elsewhere nothing is made before the first batch is drawn.
            if not epoch_iterator.draws_in_graph(self._iterator):
                number = position["epochs"]
            each = max(1, number // max(1, position["epochs"]))
        return notes + self._use_up(number + moved, position, each)

    def _restore_counts(self, position: dict[str, Any]) -> None:
        self._data.made_earlier = position["made_earlier"]
        self._made_to_build = position["made_to_build"]
        self._data.made = position["made"]
        self._epochs = position["epochs"]
        self._most_steps = max(self._most_steps, position["most_steps"])

    def _changed_arrays(self, position: dict[str, Any]) -> list[str]:
        """A line if a callback had changed the arrays. If a callback holds
        them, they were restored with it, and there is no line."""
        changed = position.get("changed_arrays")
        if changed in (None, self._rehearsal.arrays()):
            return []
        return [
            "a callback had changed the arrays that `fit()` trains on: this is "
            "not saved, so they are as the script makes them"
        ]

    def begin_anew(self, position: dict[str, Any], arrays) -> list[str]:
        """Restores the generators, and the state that the source had when the
        unfinished epoch began. That epoch starts over.

        Args:
            position: What `capture()` gave.
            arrays: Callable from tensor name to a new array.

        Returns:
            What is no longer as it was.
        """
        before = position["source_kind"]
        now = self._describe_at(position, arrays)
        notes = self.restore_generators(position)
        if not state_format.is_other(before, now):
            state, _ = drawn_data.decode(position, arrays)
            notes += self._source.restore(state)
        return notes + state_format.changes(before, now)

    def restore_generators(self, position: dict[str, Any]) -> list[str]:
        """Restores only the generators.

        Returns:
            What is no longer as it was.
        """
        position = unshare(position)
        notes = self._expect(position)
        self._restore_rng(position["rng"])
        return notes

    def drawn_meanwhile(self) -> set[str]:
        """Names of the generators that a thread may draw from at any time, for
        batches that training has not reached, as far as a replay has shown."""
        is_alive = self._lives_on() and self._has_iterator()
        if not is_alive or self._drawn is None:
            return set()
        kept = self._to_put_back()
        return set() if kept is None else {*self._generators.names} - {*kept}

    def release(self) -> None:
        """Gives Keras its own methods back."""
        epoch_iterator.release(self._iterator)
        self._steps = None
        self._data.release()
        # The rehearsal refers to a method of this object, and the cycle would
        # keep the data alive.
        self._rehearsal = None

    # Wrapping -------------------------------------------------------------

    def _is_made_with_steps(self) -> bool:
        """Whether the iterator is made with the first step of an epoch, and not
        when Keras asks for one."""
        return not (
            self._lives_on() or epoch_iterator.draws_in_graph(self._iterator)
        )

    def _before_making(self) -> None:
        self._data.made += 1
        if not self._is_made_with_steps():
            self.use.note()
        if not self._lives_on():
            # A resume makes it again from the states with which its epoch
            # began, so no others are needed.
            return
        self._at_creation = self._capture_rng()
        # If the first batch is drawn in the next epoch, `on_epoch_begin()` sets
        # this. In the same epoch it is drawn at once, from the same states.
        self._at_first_draw = None

    def _begin_steps(self, steps: Callable[[], Iterator[tuple]]):
        self._steps = self._follow(steps)
        return self._steps

    def _follow(self, steps: Callable[[], Iterator[tuple]]):
        """The steps of an epoch that are trained on."""
        if self._is_made_with_steps():
            self.use.note()
        self._is_over = False
        remaining = iter(steps())
        upcoming = 0
        last = None
        while True:
            if self._resume_at is not None and (
                upcoming >= self._resume_at["batch"]
            ):
                self._end_replay()
            # A step is (first batch, last batch, iterator). Some versions of
            # Keras leave out the last batch.
            step = next(remaining, None)
            if step is None:
                self._source.await_end(last)
                break
            last = step[-1]
            upcoming = step[0] + epoch_iterator.batches_of(self._iterator, step)
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

    def _end_replay(self) -> None:
        self._progress.end()
        self._note_drawn(self._before_replay)
        self._restore_rng(self._resume_at["rng"], self._to_put_back())
        self._data.ahead.restore(self._resume_at["ahead"])
        self._resume_at = None
        self._tell_of_batches()

    def _tell_of_batches(self) -> None:
        notes = self._batches.notes(all_drawn=True)
        if notes and self._tell_notes is not None:
            self._tell_notes(notes)

    def _pass_over(self, step, upcoming: int) -> None:
        try:
            replay.draw_step(self._iterator, step)
        except StopIteration:
            # If the number of batches is unknown or wrong, Keras announces one
            # more step than there are batches for. If a step is several
            # batches, that step may have had some of them, and the lost run
            # went on. So it was in later epochs, because Keras had counted the
            # announced step by then.
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

    def _lives_on(self) -> bool:
        return epoch_iterator.lives_on(self._iterator)

    def _has_iterator(self) -> bool:
        return epoch_iterator.current(self._iterator) is not None

    def _continue_iterator(self, position) -> list[str]:
        notes = self._use_up(position["made"] - 1, position)
        self._restore_rng(position["at_creation"])
        drawn = position["steps_seen"]
        batches = epoch_iterator.begin_current(self._iterator, drawn)
        if drawn:
            if position["at_first_draw"] is not None:
                self._restore_rng(position["at_first_draw"])
            before = self._generators.capture()
            self._draw_again(batches, drawn)
            self._note_drawn(before)
        self._at_creation = position["at_creation"]
        self._at_first_draw = position["at_first_draw"]
        return notes

    def _draw_again(self, batches: Iterator, number: int) -> None:
        at_once = epoch_iterator.batches_per_draw(self._iterator)
        for i in range(0, number, at_once):
            if next(batches, None) is None:
                raise errors.MismatchError(
                    f"The data ended after {i} batches, but the checkpoint was "
                    f"made after {number}. Use the same data, or an empty "
                    "`backup_dir` to start over."
                )
            self._progress.at(i, number)
        self._progress.end()

    def _use_up(self, number: int, position, each: int = 1) -> list[str]:
        """Leaves the source as the iterators of the lost run have left it.

        Args:
            number: Integer, the number of iterators.
            position: What `capture()` gave.
            each: Integer; of every group of this many iterators, only the
                first was drawn from.

        Returns:
            What is no longer as it was.
        """
        drawn_epochs = position["epochs"] + 1
        past = Past(
            number,
            each,
            position["made_earlier"] - self._data.made_earlier,
            position["made_to_build"] - self._made_to_build,
            position["num_batches"],
            drawn_epochs * position["most_steps"] if self._lives_on() else None,
        )
        return self._source.use_up(past, self._progress)

    def _note_drawn(self, before: dict[str, Any]) -> None:
        """Notes which generators a replay has moved. To be called when it has
        ended.

        Args:
            before: The states of the generators before it.
        """
        now = self._generators.capture()
        moved = {name for name in now if now[name] != before.get(name)}
        self._drawn = (self._drawn or set()) | moved

    def _to_put_back(self) -> tuple[str, ...] | None:
        """The generators to put back after a replay; `None`: all."""
        return self._source.to_put_back(self._generators.names, self._drawn)

    # What describes it, and the generators ----------------------------------

    def _describe_at(self, position: dict[str, Any], arrays) -> dict[str, Any]:
        """Describes the data of today. The number of batches may depend on the
        state of the data. So if they are described alike once they have the
        state of the position, that description is returned."""
        before, now = position["source_kind"], self._source.describe()
        if not state_format.is_other(before, now):
            return now
        state, _ = drawn_data.decode(position, arrays)
        with self._source.as_in(state):
            then = self._source.describe()
        return now if state_format.is_other(before, then) else then

    def _expect(self, position: dict[str, Any]) -> list[str]:
        """Finds the generators of a checkpoint, once."""
        if self._not_found is None:
            self._not_found = self._generators.expect(position["rng"])
        return list(self._not_found)

    def _capture_rng(self) -> dict[str, Any]:
        return self._generators.capture() | self._capture_own()

    def _capture_order(self) -> dict[str, Any]:
        return self._generators.capture_order() | self._capture_own()

    def _capture_own(self) -> dict[str, Any]:
        """The states of generators and counters that only these data have."""
        return {
            "loader": self._source.capture_generators()
        } | epoch_count.capture(self._iterator.data_adapter)

    def _restore_rng(self, states, only=None) -> None:
        with self._batches.generators_put_back():
            self._generators.restore(states, only)
            # No thread changes this count, so it is always put back.
            epoch_count.restore(self._iterator.data_adapter, states)
            # A thread may draw from these ahead of training. Then they stay as
            # the replay leaves them.
            if only is None:
                self._source.restore_generators(states["loader"])


def _checksums_in(position: dict[str, Any]) -> list[list[int]]:
    """The checksums of batches in a checkpoint. Earlier versions of this
    package wrote none."""
    return position.get("checksums", [])
