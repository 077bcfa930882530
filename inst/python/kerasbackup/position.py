"""Owns where in the data a training is, and how to get there again.

Keras draws the data of `fit()` from an `EpochIterator`. This wraps two of its
methods, for as long as `fit()` runs: `_get_iterator`, to know how many
iterators there were and how the random number generators stood when one was
made; and the method that yields the steps of an epoch, to pass over the batches
that were trained on before the interruption: they are drawn, and no callback
sees them.

May not touch variables, other callbacks or files.
"""

from collections.abc import Callable
from typing import Any
from typing import NoReturn

import keras

from kerasbackup import errors
from kerasbackup import replay
from kerasbackup import rng
from kerasbackup import values


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

    Attributes:
        passed: Integer, batches that the first epoch passes over.
    """

    def __init__(
        self,
        epoch_iterator,
        generators: rng.Generators,
        progress: replay.Progress,
        before_batch: Callable[[int], None] | None = None,
        at_end: Callable[[], None] | None = None,
    ):
        self._iterator = epoch_iterator
        self._adapter = epoch_iterator.data_adapter
        self._generators = generators
        self._progress = progress
        self._before_batch = before_batch
        self._at_end = at_end
        self._steps_method = replay.steps_method(epoch_iterator)
        needed = ("_get_iterator", "steps_per_epoch", "steps_per_execution")
        if self._steps_method is None or not all(
            hasattr(epoch_iterator, name) for name in needed
        ):
            raise errors.UnsupportedError(
                f"Keras {keras.__version__} is not known: its EpochIterator "
                f"lacks one of {', '.join((*needed, replay.STEPS_METHODS[0]))}."
            )
        # Iterators made so far; epochs begun so far.
        self._made = 0
        self._epochs = 0
        self._at_creation = None
        self._at_first_draw = None
        self._epoch_start = None
        self._resume_at = None
        self.passed = 0
        # Before 3.7 Keras does not count what it draws from an iterator that
        # lives across epochs, and where it builds a model from the first batch
        # it takes that batch from this very iterator, before any callback acts.
        self._counts_itself = hasattr(epoch_iterator, "_current_iterator") and (
            self._steps_method == replay.STEPS_METHODS[0]
        )
        self._pulled_before = (
            epoch_iterator.steps_per_execution
            if not self._counts_itself and self._has_iterator()
            else 0
        )
        self._pulled = self._pulled_before
        self._rng_before_draw = None
        # Python code that TensorFlow runs in a thread of its own may have run
        # ahead when a state was captured: what it draws from, which a replay
        # shows, is left as the replay leaves it.
        self._drawn = None
        self._before_replay = None
        self._runs_ahead = keras.backend.backend() == "tensorflow" and type(
            self._adapter
        ).__name__ not in ("ArrayDataAdapter", "TFDatasetAdapter")
        self._wrap()

    # Saving ---------------------------------------------------------------

    def on_epoch_begin(self) -> None:
        """To be called last of all when an epoch begins."""
        if self._resume_at is not None:
            self._restore_rng(
                self._resume_at["epoch_rng"],
                self._only() if self._has_iterator() else None,
            )
            self._before_replay = self._generators.capture()
        self._epoch_start = {
            "epoch_rng": self._capture_rng(),
            "steps_seen": self._steps_seen(),
            "has_iterator": self._has_iterator(),
            "made": self._made,
            "source": self._source_state(),
        }
        first = self._pulled_before if self._at_creation is None else 0
        if self._has_iterator() and self._steps_seen() in (0, first):
            self._at_first_draw = self._epoch_start["epoch_rng"]
        self._epochs += 1

    def capture(self, batch: int, encoder: values.Encoder) -> dict[str, Any]:
        """The position before `batch` of this epoch; 0: after its end."""
        if batch:
            position = dict(self._epoch_start)
            position["epochs"] = self._epochs - 1
        else:
            position = {
                "epoch_rng": None,
                "steps_seen": self._steps_seen(),
                "has_iterator": self._has_iterator(),
                "made": self._made,
                "source": self._source_state(),
                "epochs": self._epochs,
            }
        position["rng"] = self._rng_before_draw or self._capture_rng()
        position["source"] = encoder.encode(position["source"], "data")
        position["num_batches"] = self._iterator._num_batches
        position["at_creation"] = self._at_creation
        position["at_first_draw"] = self._at_first_draw
        position["source_kind"] = self._describe()
        return _share(position)

    # Restoring ------------------------------------------------------------

    def restore(
        self, position: dict[str, Any], batch: int, arrays
    ) -> list[str]:
        """Brings the data to a position, as far as that is possible before the
        epoch begins; `on_epoch_begin()` does the rest.

        Args:
            position: What `capture()` gave.
            batch: Integer, batches of the epoch to pass over.
            arrays: Callable from tensor name to a new array.

        Returns:
            What is no longer as it was.
        """
        position = unshare(position)
        notes = self._changes(position["source_kind"])
        other_data = self._is_other_data(position["source_kind"])
        steps = self._iterator.num_batches
        at_once = self._iterator.steps_per_execution
        if batch and (
            other_data or batch % at_once or (steps and batch >= steps)
        ):
            notes.append("the unfinished epoch begins anew")
            batch = 0
        self.passed = batch
        if other_data:
            # Their places mean nothing here.
            self._restore_rng(position["rng"])
            return notes
        if self._iterator._num_batches is None:
            self._iterator._num_batches = position["num_batches"]
        if self._is_persistent():
            if position["has_iterator"]:
                self._continue_iterator(position)
            elif not self._counts_itself:
                self._iterator._current_iterator = None
        elif self._is_pipeline():
            # With TensorFlow there is one more at the end of every epoch.
            as_many = (
                keras.backend.backend() == "tensorflow"
                and self._steps_method == replay.STEPS_METHODS[0]
            )
            self._make_iterators(position["made" if as_many else "epochs"])
            self._made = position["made"]
        self._epochs = position["epochs"]
        self._restore_source(values.decode(position["source"], arrays))
        lives_on = self._is_persistent() and position["has_iterator"]
        self._restore_rng(
            position["epoch_rng"] if batch else position["rng"],
            self._only() if lives_on else None,
        )
        if batch:
            self._resume_at = {
                "epoch_rng": position["epoch_rng"],
                "batch": batch,
                "rng": position["rng"],
            }
        return notes

    def restore_generators(self, position: dict[str, Any]) -> list[str]:
        """Only the generators: the epoch is begun anew.

        Returns:
            What is no longer as it was.
        """
        position = unshare(position)
        self._restore_rng(position["rng"])
        return self._changes(position["source_kind"])

    def release(self) -> None:
        """Gives Keras its own methods back."""
        for name in ("_get_iterator", self._steps_method):
            vars(self._iterator).pop(name, None)

    # Wrapping -------------------------------------------------------------

    def _wrap(self) -> None:
        get_iterator = self._iterator._get_iterator
        steps = getattr(self._iterator, self._steps_method)

        def note_creation():
            self._made += 1
            self._at_creation = self._capture_rng()
            # What making it draws has its place between the two states: a
            # first draw in the same epoch follows at once.
            self._at_first_draw = None
            self._pulled = 0

        def counted():
            note_creation()
            return get_iterator()

        def passing():
            if self._keeps_dataset() and not (
                self._is_persistent() and self._has_iterator()
            ):
                note_creation()
            remaining = iter(steps())
            upcoming = 0
            # Until 3.6, but on TensorFlow, asking for a step draws its data.
            draws = not self._counts_itself and not self._keeps_dataset()
            while True:
                if self._resume_at is not None:
                    if upcoming >= self._resume_at["batch"]:
                        self._progress.end()
                        self._note_drawn(self._before_replay)
                        self._restore_rng(self._resume_at["rng"], self._only())
                        self._resume_at = None
                told = (
                    self._resume_at is None and draws and self._tell(upcoming)
                )
                # (first batch, last batch, iterator), or without the last.
                step = next(remaining, None)
                if step is None:
                    self._rng_before_draw = None
                    break
                size = replay.size(self._iterator, step)
                self._pulled += size
                upcoming = step[0] + size
                if self._resume_at is not None:
                    self._pass_over(step, upcoming)
                    self._progress.at(upcoming, self._resume_at["batch"])
                    continue
                if not told and self._before_batch is not None:
                    self._before_batch(step[0])
                self._rng_before_draw = None
                yield step
            # Until 3.6 the steps themselves end where the data do.
            if self._resume_at is not None:
                self._say_too_short()
            if self._at_end is not None:
                self._at_end()

        self._iterator._get_iterator = counted
        setattr(self._iterator, self._steps_method, passing)

    def _tell(self, upcoming: int) -> bool:
        """Tells of a batch before its data are drawn, if it is known that there
        is one; else notes the generators, for when it is told."""
        if self._before_batch is None:
            return True
        batches = self._iterator.num_batches
        if batches is None:
            self._rng_before_draw = self._capture_rng()
        elif upcoming < batches:
            self._before_batch(upcoming)
        return batches is not None

    def _pass_over(self, step, upcoming: int) -> None:
        try:
            replay.draw_step(self._iterator, step)
        except StopIteration:
            # Where nobody knows how many batches there are, the last step of
            # several has the rest, and TensorFlow announces one after it.
            is_last = upcoming >= self._resume_at["batch"]
            at_once = self._iterator.steps_per_execution
            is_unknown = self._iterator.num_batches is None
            if not (is_last and at_once > 1 and is_unknown):
                self._say_too_short()

    def _say_too_short(self) -> NoReturn:
        raise errors.MismatchError(
            "The data ended too early: the checkpoint was made after "
            f"{self._resume_at['batch']} batches of this epoch. Use the same "
            'data, or `resume = "epoch"` to begin the epoch anew.'
        ) from None

    # The iterator that lives across epochs ----------------------------------

    def _is_persistent(self) -> bool:
        return self._iterator.steps_per_epoch is not None

    def _has_iterator(self) -> bool:
        return getattr(self._iterator, "_current_iterator", None) is not None

    def _keeps_dataset(self) -> bool:
        """Whether every iterator is made of one dataset, past the method that
        is wrapped: TensorFlow's before 3.7."""
        return self._steps_method == replay.STEPS_METHODS[1] and hasattr(
            self._iterator, "_distributed_dataset"
        )

    def _steps_seen(self) -> int:
        if not self._has_iterator():
            return 0
        if self._counts_itself:
            return self._iterator._steps_seen
        return self._pulled

    def _continue_iterator(self, position) -> None:
        iterator = self._iterator
        pulled = self._pulled_before
        # None: it was made before any callback acted, and so it was today.
        if position["at_creation"] is not None:
            pulled = 0
            if self._is_pipeline():
                self._make_iterators(position["made"] - 1)
            self._restore_rng(position["at_creation"])
            iterator._current_iterator = iter(
                iterator._distributed_dataset
                if self._keeps_dataset()
                else iterator._get_iterator()
            )
            iterator._insufficient_data = False
        if position["steps_seen"] > pulled:
            if position["at_first_draw"] is not None:
                self._restore_rng(position["at_first_draw"])
            before = self._generators.capture()
            for i in range(pulled, position["steps_seen"]):
                self._draw_again(i, position["steps_seen"])
            self._progress.end()
            self._note_drawn(before)
        self._pulled = position["steps_seen"]
        if self._counts_itself:
            iterator._steps_seen = position["steps_seen"]
        self._at_creation = position["at_creation"]
        self._at_first_draw = position["at_first_draw"]
        self._made = position["made"]

    def _draw_again(self, i: int, number: int) -> None:
        try:
            next(self._iterator._current_iterator)
        except StopIteration:
            raise errors.MismatchError(
                f"The data ended after {i} batches, but the checkpoint was "
                f"made after {number}. Use the same data, or an empty "
                "`backup_dir` to start anew."
            ) from None
        self._progress.at(i, number)

    def _is_pipeline(self) -> bool:
        return type(self._adapter).__name__ == "TFDatasetAdapter"

    def _make_iterators(self, number: int) -> None:
        """Makes as many as the lost run had made and used up: a pipeline that
        reshuffles draws a seed at each `iter()`."""
        dataset = (
            self._iterator._distributed_dataset
            if keras.backend.backend() == "tensorflow"
            else self._adapter._dataset
        )
        for i in range(number):
            batches = iter(dataset)
            if i == 0 and self._keeps_first_order():
                for drawn, _ in enumerate(batches):
                    self._progress.at(drawn, self._iterator._num_batches)
                self._progress.end()

    def _keeps_first_order(self) -> bool:
        """Whether a tf.data pipeline caches what it has shuffled: then the
        order of the first epoch is that of all, and must be drawn again."""
        pending = [getattr(self._adapter, "_dataset", None)]
        while pending:
            dataset = pending.pop()
            if type(dataset).__name__ == "CacheDataset":
                return True
            inputs = getattr(dataset, "_inputs", None)
            pending += inputs() if inputs is not None else []
        return False

    def _describe(self) -> dict[str, Any]:
        """What of the data must be the same for a resume to be exact."""
        before = {}
        if self._is_persistent() and not self._counts_itself:
            before["batches drawn to build the model"] = self._pulled_before
        return before | {
            "backend": keras.backend.backend(),
            "data": type(self._adapter).__name__,
            "batch_size": self._adapter.batch_size,
            "batches": self._adapter.num_batches,
            "rows in the last batch": getattr(
                self._adapter, "_partial_batch_size", None
            ),
            "shuffle": getattr(
                self._adapter,
                "_shuffle",
                getattr(self._adapter, "shuffle", None),
            ),
            "steps_per_epoch": self._iterator.steps_per_epoch,
            "steps_per_execution": self._iterator.steps_per_execution,
        }

    def _changes(self, before: dict[str, Any]) -> list[str]:
        now = self._describe()
        return [
            f"{name} was {value}, is {now.get(name)}"
            for name, value in before.items()
            if value != now.get(name)
        ]

    def _is_other_data(self, before: dict[str, Any]) -> bool:
        now = self._describe()
        same = (
            "backend",
            "data",
            "batch_size",
            "batches",
            "rows in the last batch",
            "shuffle",
        )
        lives_on = (
            before["steps_per_epoch"] is None,
            now["steps_per_epoch"] is None,
        )
        return lives_on[0] != lives_on[1] or any(
            before.get(name, now[name]) != now[name] for name in same
        )

    def _note_drawn(self, before: dict[str, Any]) -> None:
        """To be called after a replay: which generators did it draw from?"""
        now = self._generators.capture()
        moved = {name for name in now if now[name] != before.get(name)}
        self._drawn = (self._drawn or set()) | moved

    def _only(self) -> tuple[str, ...] | None:
        """The generators to put back after a replay; `None`: all."""
        if not self._runs_ahead:
            return None
        if self._drawn is None:
            return ("torch",)
        left = self._drawn - {"torch"}
        return tuple(n for n in self._generators.NAMES if n not in left)

    # What the source itself keeps -------------------------------------------

    def _capture_rng(self) -> dict[str, Any]:
        return self._generators.capture() | {
            "loader": [
                rng.encode_torch(generator.get_state())
                for generator in self._loader_generators()
            ]
        }

    def _restore_rng(self, states, only=None) -> None:
        self._generators.restore(states, only)
        for generator, state in zip(
            self._loader_generators(), states["loader"]
        ):
            generator.set_state(rng.decode_torch(state))

    def _loader_generators(self) -> list[Any]:
        """Generators of torch's own that a DataLoader draws from."""
        loader = getattr(self._adapter, "_dataloader", None)
        found = []
        for owner in (loader, getattr(loader, "sampler", None)):
            generator = getattr(owner, "generator", None)
            if generator is not None and all(generator is not g for g in found):
                found.append(generator)
        return found

    def _source_state(self) -> dict[str, Any]:
        state = {}
        enqueuer = getattr(self._adapter, "enqueuer", None)
        if enqueuer is not None and hasattr(enqueuer, "ready_queue"):
            # Batches that were ready when the epoch ended come first in the
            # next one.
            state["ready"] = list(enqueuer.ready_queue.queue)
        source = self._source()
        for get in ("get_state", "state_dict"):
            if hasattr(source, get):
                state[get] = getattr(source, get)()
                break
        return state

    def _restore_source(self, state: dict[str, Any]) -> None:
        if "ready" in state:
            queue = self._adapter.enqueuer.ready_queue
            with queue.mutex:
                queue.queue.clear()
                queue.queue.extend(state["ready"])
        source = self._source()
        for get, put in (
            ("get_state", "set_state"),
            ("state_dict", "load_state_dict"),
        ):
            if get in state and hasattr(source, put):
                getattr(source, put)(state[get])

    def _source(self) -> Any:
        for name in ("py_dataset", "_dataloader"):
            source = getattr(self._adapter, name, None)
            if source is not None:
                return source
        return None


# The states of the generators, several of which are often the same.
RNG_FIELDS = ("rng", "epoch_rng", "at_creation", "at_first_draw")


def _share(position: dict[str, Any]) -> dict[str, Any]:
    """Replaces equal states of the generators by one and its number."""
    position = dict(position)
    states = []
    for field in RNG_FIELDS:
        state = position[field]
        if state is not None:
            if state not in states:
                states.append(state)
            position[field] = states.index(state)
    position["states"] = states
    return position


def unshare(position: dict[str, Any]) -> dict[str, Any]:
    """What `capture()` gave, with the generators' states where they belong."""
    position = dict(position)
    for field in RNG_FIELDS:
        if position[field] is not None:
            position[field] = position["states"][position[field]]
    return position


def check_position(
    position: Any, batch: int, tensors: dict[str, tuple]
) -> None:
    """Raises where a position is not what `DataPosition.capture()` gives.

    Args:
        position: What was read.
        batch: Integer, the batches of the epoch that are trained.
        tensors: Dict from name to `(dtype, shape, bytes)`, those there are.

    Raises:
        AttributeError, IndexError, KeyError, TypeError, ValueError: It is not.
    """
    numbers = [position[field] for field in RNG_FIELDS]
    if not all(n is None or values.is_count(n) for n in numbers):
        raise TypeError("the states of the generators are no numbers")
    whole = unshare(position)
    for state in position["states"]:
        rng.check(state)
        for text in state["loader"]:
            rng.check_torch(text)
    counts = [whole[field] for field in ("steps_seen", "made", "epochs")]
    if whole["num_batches"] is not None:
        counts.append(whole["num_batches"])
    if not all(map(values.is_count, counts)):
        raise ValueError("the position's counts are none")
    if not isinstance(whole["has_iterator"], bool):
        raise TypeError("has_iterator is no flag")
    needed = ["rng"]
    if batch:
        needed.append("epoch_rng")
    for field in needed:
        if whole[field] is None:
            raise ValueError(f"{field} is missing")
    source = values.check(whole["source"], tensors)
    if not isinstance(source, dict) or not isinstance(
        source.get("ready", []), list
    ):
        raise TypeError("the data's state is none")
    whole["source_kind"].items()
    whole["source_kind"]["steps_per_epoch"]
