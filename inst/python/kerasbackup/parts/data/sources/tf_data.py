"""tf.data pipelines. One that reshuffles takes new seeds for each iterator, so
a resume makes as many iterators as the lost run had made."""

import functools
import itertools
from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.anykeras import epoch_iterator
from kerasbackup.parts.data.sources import pipelines
from kerasbackup.parts.data.sources.source import Past
from kerasbackup.parts.data.sources.source import Source
from kerasbackup.parts.data.sources.source import all_but


class TfData(Source):
    """A tf.data pipeline."""

    goes_on = True
    runs_ahead = False

    def describe(self) -> dict[str, Any]:
        seeds = self._seeds
        return super().describe() | (
            {"seed of shuffle()": seeds} if seeds else {}
        )

    @functools.cached_property
    def _seeds(self) -> list[int]:
        # Looked up once: they never change, and every checkpoint has them.
        return pipelines.seeds(data_adapters.source(self._adapter))

    def dataset(self) -> Any:
        """The pipeline that iterators are made of."""
        return epoch_iterator.pipeline(self._iterator)

    def to_put_back(
        self, names: tuple[str, ...], drawn: set[str] | None
    ) -> tuple[str, ...]:
        # The thread that prefetches also calls Python code in a pipeline.
        return all_but(names, drawn or set())

    def use_up(self, past: Past, progress) -> list[str]:
        missing = past.iterators + past.earlier + past.to_build
        if missing < 0 or (
            (past.earlier or past.to_build < 0) and not self._use.is_countable
        ):
            return [self._use.NOTE]
        dataset, length = self.dataset(), past.length
        if length is None:
            # No iterator was drawn from further, and this one may have no end.
            length = past.most_drawn
        for i in range(missing):
            batches = iter(dataset)
            self._use.note()
            needed = self._needed(i - max(0, past.to_build), past.each, length)
            if needed == 0:
                progress.at(i, missing)
            for drawn, _ in enumerate(itertools.islice(batches, needed)):
                progress.at(drawn, needed)
            if needed == length and self._use.ends_by_itself:
                # Reach the end now, and not while the next iterator is made.
                next(batches, None)
        progress.end()
        # Fewer in the lost run than now: the interrupted session continues.
        return [self._use.DOUBT] * (past.earlier < 0)

    def _needed(self, number: int, each: int, length: int | None) -> int | None:
        """How many batches of an iterator must be drawn.

        Args:
            number: Integer, which iterator; below 0 for those made to build the
                model.
            each: Integer; of every group of this many iterators, only the
                first was drawn from.
            length: Integer, its batches; `None` if that is not known.

        Returns:
            Integer; `None` means all.
        """
        if number < 0:
            # A stage that repeats begins its first pass when it is drawn from.
            return 1
        if number == 0 and self._keeps_first_order():
            return length
        return 0 if number % each else self._use.settled_after(length)

    def _keeps_first_order(self) -> bool:
        """Whether the pipeline caches what it has shuffled. Then all epochs
        have the order of the first one, which must be drawn again."""
        stages = pipelines.stages(data_adapters.source(self._adapter))
        return any(map(pipelines.caches, stages))
