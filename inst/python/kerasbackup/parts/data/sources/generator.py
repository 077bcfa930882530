"""Python generators: they end once and for all, and may draw batches ahead."""

from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.sources.source import Past
from kerasbackup.parts.data.sources.source import Source
from kerasbackup.store import queues


class Generator(Source):
    """A Python generator, or an R function that reticulate has made into
    one."""

    goes_on = True
    is_drawn_when_made = True

    def use_up(self, past: Past, progress) -> list[str]:
        is_new = past.iterators == 0
        notes = [] if is_new else self._draw_to_end(past.length, progress)
        return [*notes, self._use.NOTE] if past.earlier else notes

    def _draw_to_end(self, announced: int | None, progress) -> list[str]:
        """Draws all batches. Later iterators have only the batches that Keras
        took from the generator before training began."""
        rest = data_adapters.rest_of_generator(self._adapter)
        for drawn, _ in enumerate(rest):
            # Keras counts one more: the batch that it asked for in vain.
            if announced is None or drawn >= announced:
                return ["the generator has more batches than before"]
            progress.at(drawn, announced)
        progress.end()
        return []


class DrawnAhead:
    """The batches that a generator has drawn and not handed over yet.

    The iterator that reticulate makes of an R function draws a batch before it
    is asked for one. keras3 puts a generator around it.

    Args:
        data: What `fit()` was given; kept where it is a generator.
        asked: The model, or Keras' `EpochIterator` over the data.
    """

    def __init__(self, data: Any, asked: Any):
        if epoch_iterator.draws_in_graph(asked):
            # TensorFlow's thread takes batches before they are trained on, so
            # the queue says nothing. A replay leaves it as it must be.
            data = None
        self._generator = data if hasattr(data, "gi_yieldfrom") else None
        self._known = _queue_of(data)

    @property
    def _queue(self):
        # A generator shows what it yields from once it has begun.
        if self._known is None and self._generator is not None:
            self._known = _queue_of(self._generator.gi_yieldfrom)
        return self._known

    def capture(self) -> list[Any]:
        """The batches."""
        return [] if self._queue is None else list(self._queue.queue)

    def restore(self, batches: list[Any]) -> None:
        """Puts back what `capture()` gave, in place of what is there."""
        if self._queue is not None and batches:
            queues.refill(self._queue, batches)


def _queue_of(source: Any) -> Any:
    if not hasattr(source, "prefetch"):
        return None
    return getattr(source, "values_queue", None)
