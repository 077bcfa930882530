"""Counts the iterators that this process has made of data that do not start
over: a tf.data pipeline shuffles on from where it was left, and a generator has
lost the batches that were drawn.

A pipeline that reshuffles takes new seeds for each iterator that is made of it,
whoever makes it. So a resume makes as many iterators as the lost run had made
since its process began. Among them is the one that Keras makes in the first
`fit()`, to build the model.
"""

import inspect
import weakref
from typing import Any

from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.sources import pipelines

# The number of iterators made of each pipeline stage and each generator, as far
# as this package has seen them made.
_made = weakref.WeakKeyDictionary()


class IteratorsMade:
    """How often this process has begun data that do not start over.

    Args:
        data: What `fit()` was given; it is not kept.

    Attributes:
        NOTE: String, the message if the data have been used and a resume cannot
            make up for that.
        DOUBT: String, the message if a resume can make up for it only if
            nothing else used the data.
        times: Integer, the number of iterators that had been made before this
            object; 0 for data that start over.
        is_countable: Whether the number of iterators determines the state of
            the data.
        keeps_first_pass: Whether a pipeline caches what its first iterator
            draws.
        ends_by_itself: Whether TensorFlow prefetches, so that an iterator that
            has given all batches reaches its end without being asked. A stage
            that repeats takes one more seed there.
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
        # Seeds are taken in the course of an iterator, or with its first batch,
        # rather than when it is made.
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
        """Whether an iterator made of these data also changes what the next
        iterator of the other data gives."""
        return any(
            one is another
            for one in self._alive()
            for another in other._alive()
        )

    def note(self, number: int = 1) -> None:
        """Counts iterators. To be called when they are made of the data."""
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
