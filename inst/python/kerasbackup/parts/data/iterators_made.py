"""Counts the iterators that this process has made of data that do not start
over: a tf.data pipeline shuffles on from where it was left, and a generator has
lost the batches that were drawn.

A pipeline that reshuffles takes new seeds for each iterator that is made of it,
whoever makes it. So a resume makes as many as the lost run had made since its
process began. Keras makes one by itself where it builds a model, which only
the first `fit()` does.
"""

import inspect
import weakref
from typing import Any

from kerasbackup.keras3 import epoch_iterator
from kerasbackup.parts.data.sources import pipelines

# For each stage of a pipeline and each generator, the number of iterators that
# were seen being made of it.
_made = weakref.WeakKeyDictionary()


class IteratorsMade:
    """How often this process has begun data that do not start over.

    Args:
        data: What `fit()` was given; it is not kept.

    Attributes:
        NOTE: String, the message if a resume cannot make up for that.
        DOUBT: String, the message if a resume can make up for it, provided that
            nothing else used the data.
        times: Integer, the number of iterators before this object was made; 0
            for data that start over.
        is_countable: Whether the number of iterators determines the state of
            the data.
        keeps_first_pass: Whether a pipeline caches what it has drawn.
        ends_by_itself: Whether TensorFlow prefetches, and so reaches the end of
            an iterator that has given all batches. A stage that repeats takes
            one more seed there.
    """

    NOTE = (
        "the data continue from where this session had left them (set the "
        "seed and create them again)"
    )
    DOUBT = (
        "the data were used in this session, and it is not known what has "
        "drawn from them besides `fit()` with this callback (create them again)"
    )

    def __init__(self, data: Any):
        found = list(pipelines.stages(data))
        is_generator = inspect.isgenerator(data)
        moved = [s for s in found if is_generator or pipelines.is_moved(s)]
        self._draws_throughout = pipelines.have_behind(
            found, pipelines.begins_again
        ) or any(map(pipelines.has_other_within, found))
        self._draws_late = self._draws_throughout or pipelines.have_behind(
            found, pipelines.shuffles
        )
        self.is_countable = not (
            is_generator
            or self._draws_late
            or pipelines.have_behind(found, pipelines.caches)
        )
        self.keeps_first_pass = any(map(pipelines.caches, found))
        self.ends_by_itself = (
            self._draws_throughout and pipelines.is_drawn_ahead(data)
        )
        self._moved = [weakref.ref(stage) for stage in moved]
        self.times = max((_made[stage] for stage in self._known()), default=0)

    @property
    def begins_anew(self) -> bool:
        """Whether each iterator gives the same batches as the one before."""
        return not self._moved

    def settled_after(self, length: int | None) -> int | None:
        """How many batches of an iterator must be drawn until its whole order
        is known; `None` for all batches. One batch suffices if a stage shuffles
        data that are shuffled already, but not if a stage starts another one
        again.

        Args:
            length: Integer, how many there are; `None` if that is not known.
        """
        if self._draws_throughout:
            return length
        return 1 if self._draws_late else 0

    def shares_with(self, other: "IteratorsMade") -> bool:
        """Whether an iterator of the one also moves the other."""
        return any(
            one is another
            for one in self._alive()
            for another in other._alive()
        )

    def note(self, number: int = 1) -> None:
        """To be called when this number of iterators is made of the data."""
        for stage in self._alive():
            _made[stage] = _made.get(stage, 0) + number

    def _known(self) -> list[Any]:
        return [stage for stage in self._alive() if stage in _made]

    def _alive(self) -> list[Any]:
        found = (reference() for reference in self._moved)
        return [stage for stage in found if stage is not None]


def is_built_from_data(model: Any, data: Any) -> bool:
    """Whether Keras has made an iterator of the data to build the model. To be
    called once per `fit()`, before anything is restored; it counts that
    iterator."""
    has_drawn = epoch_iterator.has_drawn_to_build(model)
    if has_drawn:
        IteratorsMade(data).note()
    return has_drawn
