"""Owns what is known of where the training data come from: which kind of source
it is, what of it must stay the same, and the state that it keeps itself.

May not draw data, and may not touch variables, callbacks or files.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Any

import keras

from kerasbackup.parts import script
from kerasbackup.parts.data import dataset_attributes
from kerasbackup.parts.data import grain_source
from kerasbackup.parts.data import loader_attributes
from kerasbackup.parts.random import rng
from kerasbackup.store import values
from kerasbackup.store.values import check_texts

# What batches are drawn from, by Keras' data adapter.
KINDS = {
    "ArrayDataAdapter": "arrays",
    "GeneratorDataAdapter": "a generator",
    "GrainDatasetAdapter": "a Grain dataset",
    "PyDatasetAdapter": "a PyDataset",
    "TFDatasetAdapter": "a tf.data pipeline",
    "TorchDataLoaderAdapter": "a torch DataLoader",
}

# What a source may offer to tell its state, and to be given it.
PROTOCOLS = (("get_state", "set_state"), ("state_dict", "load_state_dict"))


class DrawnAhead:
    """The batches that a generator has drawn and not handed over yet.

    What reticulate makes of a function in R draws a batch before it is asked
    for. keras3 has a generator around it.

    Args:
        data: What `fit()` was given; kept where it is a generator.
    """

    def __init__(self, data):
        if keras.backend.backend() == "tensorflow":
            # Its thread takes batches before they are trained on: what is left
            # here says nothing, and a replay leaves what is right.
            data = None
        self._generator = data if hasattr(data, "gi_yieldfrom") else None
        self._known = _queue_of(data)

    @property
    def _queue(self):
        # What a generator yields from is known once it has begun.
        if self._known is None and self._generator is not None:
            self._known = _queue_of(self._generator.gi_yieldfrom)
        return self._known

    def capture(self) -> list[Any]:
        """The batches."""
        return [] if self._queue is None else list(self._queue.queue)

    def restore(self, batches: list[Any]) -> None:
        """Puts back what `capture()` gave, in place of what is there."""
        if self._queue is not None and batches:
            _refill(self._queue, batches)


def _queue_of(source: Any) -> Any:
    if not hasattr(source, "prefetch"):
        return None
    return getattr(source, "values_queue", None)


def _refill(queue, items: list[Any]) -> None:
    """Gives a queue these items, in place of those it has."""
    with queue.mutex:
        queue.queue.clear()
        queue.queue.extend(items)


class DataSource:
    """What an `EpochIterator` draws from.

    Args:
        epoch_iterator: Keras' `EpochIterator`.
        data: What `fit()` was given; it is not kept.
        left: Generators of torch's that another source cares for.

    Attributes:
        NEW_WORKERS: String, what to say where workers that live on are new.
        ahead: What of it was drawn ahead, a `DrawnAhead`.
        is_pipeline: Whether it is a tf.data pipeline.
        is_generator: Whether it is a generator, which ends once for all.
        written_by_user: The `PyDataset` or `DataLoader`; `None` where it is
            neither.
        runs_ahead: Whether TensorFlow or Grain call it in threads of their own,
            which may have drawn more than was trained on.
        draws_at_end: Whether that thread draws random numbers when there are
            no batches left.
    """

    NEW_WORKERS = (
        "the DataLoader's workers live across epochs (`persistent_workers`): "
        "their state and their random generators could not be restored"
    )

    def __init__(self, epoch_iterator, data=None, left=()):
        self.ahead = DrawnAhead(data)
        self._left = left
        self._iterator = epoch_iterator
        self._adapter = epoch_iterator.data_adapter
        self._loader = getattr(self._adapter, "_dataloader", None)
        kind = type(self._adapter).__name__
        self.is_pipeline = kind == "TFDatasetAdapter"
        self.is_generator = kind == "GeneratorDataAdapter"
        self.runs_ahead = keras.backend.backend() == "tensorflow" and (
            kind not in ("ArrayDataAdapter", "TFDatasetAdapter")
        )
        if kind == "GrainDatasetAdapter" and not self.runs_ahead:
            self.runs_ahead = grain_source.reads_ahead(self._adapter._dataset)
        self.draws_at_end = self.runs_ahead and (
            kind == "TorchDataLoaderAdapter"
        )
        self.written_by_user = self._find_written_by_user()
        self._attributes = self._parts = None
        if any(
            hasattr(self.written_by_user, get)
            and hasattr(self.written_by_user, put)
            for get, put in PROTOCOLS
        ):
            return
        if kind == "PyDatasetAdapter":
            self._attributes = dataset_attributes.DatasetAttributes(
                self.written_by_user
            )
        elif kind == "TorchDataLoaderAdapter":
            self._parts = loader_attributes.LoaderAttributes(self._loader)

    # What it is -------------------------------------------------------------

    @property
    def may_end_early(self) -> bool:
        """Whether it may end before as many batches were drawn as Keras
        believes there are. Only arrays cannot: a `__len__` may be wrong."""
        return (
            self._iterator.steps_per_epoch is not None
            or type(self._adapter).__name__ != "ArrayDataAdapter"
        )

    def describe(self) -> dict[str, Any]:
        """What must be the same for a resume to be exact."""
        seeds = self._seeds_of_shuffle
        return {
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
            **({"seed of shuffle()": seeds} if seeds else {}),
            **self._count_generators(),
        }

    def _count_generators(self) -> dict[str, int]:
        if self._loader is None:
            return {}
        return {
            "number of the DataLoader's generators": len(
                self._loader_generators()
            )
        }

    @functools.cached_property
    def _seeds_of_shuffle(self) -> list[int]:
        """Those of a tf.data pipeline; 0 where there is none."""
        # Described with each checkpoint, and always the same.
        if not self.is_pipeline:
            return []
        return [
            int(getattr(stage, name))
            for stage in stages(self._adapter._dataset)
            for name in ("_seed", "_seed2")
            if hasattr(stage, "_reshuffle_each_iteration")
            and hasattr(stage, name)
        ]

    def keeps_first_order(self) -> bool:
        """Whether a tf.data pipeline caches what it has shuffled: then the
        order of the first epoch is that of all, and must be drawn again."""
        return any(
            map(caches, stages(getattr(self._adapter, "_dataset", None)))
        )

    def dataset(self) -> Any:
        """The tf.data pipeline that iterators are made of."""
        if keras.backend.backend() == "tensorflow":
            return self._iterator._distributed_dataset
        return self._adapter._dataset

    def batches(self) -> Any:
        """What a generator still has, as Keras hands it out."""
        return self._adapter.generator()

    # What it keeps itself ---------------------------------------------------

    def capture(self) -> dict[str, Any]:
        """Its own state: as it offers it; else, of a `PyDataset`, what of its
        attributes has changed since this object was made."""
        state = {}
        enqueuer = getattr(self._adapter, "enqueuer", None)
        if enqueuer is not None and hasattr(enqueuer, "ready_queue"):
            # Batches that were ready when the epoch ended come first in the
            # next one.
            state["ready"] = list(enqueuer.ready_queue.queue)
        for get, _ in PROTOCOLS:
            if hasattr(self.written_by_user, get):
                state[get] = getattr(self.written_by_user, get)()
                break
        if self._attributes is not None:
            state["changed"] = self._attributes.capture()
            state["unchanged"] = self._attributes.unchanged()
        if self._parts is not None:
            state["parts"] = self._parts.capture()
        return state

    def restore(self, state: dict[str, Any]) -> list[str]:
        """Puts back what `capture()` gave.

        Returns:
            What is no longer as it was.
        """
        if "ready" in state:
            # Drawing again has started its threads. Keras stops them at the end
            # of an epoch; till then they take batches and put others there.
            self._adapter.enqueuer.stop()
            _refill(self._adapter.enqueuer.ready_queue, state["ready"])
        self._put_state(state)
        if self._parts is not None:
            failed = self._parts.restore(state.get("parts", {}))
            return [
                f"the DataLoader's {name} could not be restored"
                for name in failed
            ]
        if self._attributes is None or not has_attributes(state):
            return []
        changed = _changed(state)
        return [
            *(
                f"the data's {name} could not be restored"
                for name in self._attributes.restore(changed)
            ),
            *(
                f"the data's {name} differs from when training began"
                for name in self._attributes.differing(state["unchanged"])
            ),
        ]

    @contextlib.contextmanager
    def as_in(self, state: dict[str, Any]) -> Iterator[None]:
        """Lets it be described with the state that `capture()` gave."""
        if self._attributes is not None and has_attributes(state):
            dataset = self._adapter.py_dataset
            self._adapter.py_dataset = self._attributes.as_in(_changed(state))
            try:
                yield
            finally:
                self._adapter.py_dataset = dataset
            return
        own = self._copy_of_state(state)
        try:
            self._put_state(state)
            yield
        finally:
            self._put_state(own)

    def _copy_of_state(self, of: dict[str, Any]) -> dict[str, Any]:
        """What it tells of itself, where `capture()` gave that too."""
        encoder = values.Encoder()
        told = {
            get: getattr(self.written_by_user, get)()
            for get, _ in PROTOCOLS
            if get in of and hasattr(self.written_by_user, get)
        }
        encoded = encoder.encode(told, "copy")
        return values.decode(encoded, lambda name: encoder.arrays[name].copy())

    def _put_state(self, state: dict[str, Any]) -> None:
        for get, put in PROTOCOLS:
            if get in state and hasattr(self.written_by_user, put):
                getattr(self.written_by_user, put)(state[get])

    @property
    def unsaved(self) -> list[str]:
        """What of it had changed at the last `capture()` and is not in it."""
        looked_at = self._attributes or self._parts
        return [] if looked_at is None else looked_at.unsaved

    def start_workers(self) -> list[str]:
        """Starts the workers of a DataLoader that keeps them, if there are none
        yet, as the lost run had in an earlier epoch: a seed for them is drawn
        once in the loader's life. The global generators are to be put back
        afterwards.

        Returns:
            What is no longer as it was.
        """
        if not getattr(self._loader, "persistent_workers", False):
            return []
        if getattr(self._loader, "_iterator", None) is None:
            states = self.capture_generators()
            iter(self._loader)
            self.restore_generators(states)
        is_plain = _is_of_tensors(self._loader.dataset)
        return [] if is_plain else [self.NEW_WORKERS]

    def capture_generators(self) -> list[str]:
        """The states of the generators of torch's that a DataLoader draws
        from."""
        return [
            rng.encode_torch(generator.get_state())
            for generator in self._loader_generators()
        ]

    def restore_generators(self, states: list[str]) -> None:
        """Puts back what `capture_generators()` gave."""
        for generator, state in zip(self._loader_generators(), states):
            generator.set_state(rng.decode_torch(state))

    def _loader_generators(self) -> list[Any]:
        return [
            one
            for one in loader_generators(self._loader)
            if all(one is not other for other in self._left)
        ]

    def _find_written_by_user(self) -> Any:
        for name in ("py_dataset", "_dataloader"):
            source = getattr(self._adapter, name, None)
            if source is not None:
                return source
        return None


def _is_of_tensors(dataset: Any) -> bool:
    """Whether a dataset of torch's has nothing but tensors, or a part of
    them."""
    while type(dataset).__name__ == "Subset":
        dataset = dataset.dataset
    return type(dataset).__name__ == "TensorDataset"


def loader_generators(loader: Any) -> list[Any]:
    """The generators of torch's that a DataLoader has, each once, in the same
    order in every process; of anything else none."""
    if "torch" not in sys.modules:
        return []
    batches = getattr(loader, "batch_sampler", None)
    owners = (
        loader,
        getattr(loader, "sampler", None),
        batches,
        getattr(batches, "sampler", None),
    )
    found = []
    for owner in owners:
        generator = getattr(owner, "generator", None)
        # A sampler of one's own may have another thing of that name.
        if isinstance(generator, sys.modules["torch"].Generator) and all(
            generator is not one for one in found
        ):
            found.append(generator)
    return found


def stages(dataset: Any) -> Iterator[Any]:
    """A tf.data pipeline and all that it is made of; of anything else, only
    that."""
    pending = [dataset]
    while pending:
        stage = pending.pop()
        yield stage
        # Something else may have an attribute of that name.
        if hasattr(stage, "element_spec") and hasattr(stage, "_inputs"):
            pending += stage._inputs()


def caches(stage: Any) -> bool:
    """Whether a stage of a tf.data pipeline keeps what its first pass has
    drawn."""
    return type(stage).__name__ == "CacheDataset"


def _changed(state: dict[str, Any]) -> dict[str, Any]:
    """What had changed of a dataset's attributes."""
    changed = state.get("changed")
    if changed is None:
        changed = dataset_attributes.from_first_version(state["attributes"])
    return changed


def check_state(state: Any) -> None:
    """Raises where it is not what `DataSource.capture()` gives.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not.
    """
    if not isinstance(state, dict) or not isinstance(
        state.get("ready", []), list
    ):
        raise TypeError("the data's state is none")
    for text in state.get("generators", []):
        rng.check_torch(text)
    loader_attributes.check(state.get("parts", {}))
    if has_attributes(state):
        dataset_attributes.check(
            state["changed"]
            if "changed" in state
            else dataset_attributes.from_first_version(state["attributes"])
        )
        check_texts(state["unchanged"])


def has_attributes(state: dict[str, Any]) -> bool:
    """Whether there are attributes in what `DataSource.capture()` gave, now or
    in the first version of this package."""
    return "changed" in state or "attributes" in state


def changes_meanwhile(state: dict[str, Any]) -> bool:
    """Whether the data had changed in the course of training."""
    names = ("changed", "attributes", "parts")
    return any(state.get(name) for name in names) or any(
        get in state for get, _ in PROTOCOLS
    )


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What of two descriptions differs, in words."""
    return script.differences(before, now, _sentence)


def _sentence(name: str, before: Any, now: Any) -> str:
    if name == "data":
        then, today = (KINDS.get(str(one), one) for one in (before, now))
        return f"the data were {then} {script.THEN} and are {today} now"
    if name == "batches":
        then, today = (_batches(one) for one in (before, now))
        return f"an epoch had {then} {script.THEN} and has {today} now"
    if name == "rows in the last batch":
        then, today = (_rows(one) for one in (before, now))
        return f"the last batch had {then} {script.THEN} and has {today} now"
    return script.was_and_is(name, before, now)


def _batches(number: int | None) -> str:
    if number is None:
        return "an unknown number of batches"
    return f"{number} batch{'' if number == 1 else 'es'}"


def _rows(number: int | None) -> str:
    """In words: Keras has 0 for a last batch that is full."""
    return f"{number} row{'' if number == 1 else 's'}" if number else "all rows"


def is_other(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a batch's number means nothing in the data of today."""
    same = (
        "backend",
        "data",
        "batch_size",
        "batches",
        "rows in the last batch",
        "shuffle",
    )
    lives_on = (before["steps_per_epoch"] is None) != (
        now["steps_per_epoch"] is None
    )
    return lives_on or any(
        before.get(name, now[name]) != now[name] for name in same
    )
