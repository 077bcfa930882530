"""grain.py: datasets of Grain's, and positions in those that threads
read."""

import importlib.util
import threading
import unittest

import keras
import numpy as np
from unit_position import Run

from kerasbackup.parts.data.sources import grain as grain_source

BATCH = 4
ELEMENTS = 20
AHEAD = 5


class Source:
    """Elements that a script's own generator changes, read by one thread that
    is ahead.

    Args:
        stop_at: The element before which the thread waits in the second epoch
            until `go_on` is set; or `None`.

    Attributes:
        is_read: Event, set when the thread has read element 12 in the second
            epoch: as far as it goes when two batches were taken.
    """

    def __init__(self, stop_at=None):
        self.is_read, self.go_on = threading.Event(), threading.Event()
        self.stop_at = stop_at
        self.epoch = 0
        self._draw = np.random.default_rng(5)

    def dataset(self):
        import grain

        return (
            grain.MapDataset.source(list(range(ELEMENTS)))
            .map(self._changed)
            .to_iter_dataset(grain.ReadOptions(1, AHEAD))
            .batch(BATCH)
            .map(lambda batch: (batch.reshape(-1, 1),))
        )

    def _changed(self, element):
        if self.epoch == 1 and element == self.stop_at:
            self.go_on.wait(60)
        changed = element + self._draw.random()
        if self.epoch == 1 and element == 2 * BATCH + AHEAD - 1:
            self.is_read.set()
        return changed


class ReadAhead(Run):
    """A training on a `Source`, saved or resumed before the third batch of the
    second epoch."""

    def __init__(self, source, **kwargs):
        self.source = source
        keras.utils.set_random_seed(5)
        others = set(threading.enumerate())
        super().__init__(x=source.dataset(), **kwargs)
        # What Keras looked at first is still being read.
        for thread in set(threading.enumerate()) - others:
            if thread.name.startswith("grain-prefetch"):
                thread.join(60)

    def before_batch(self, batch):
        self.source.epoch = self.epoch
        if (self.epoch, batch) == (1, 2):
            if self.save_at is not None:
                self.source.is_read.wait(60)
            self.source.go_on.set()
        super().before_batch(batch)


@unittest.skipUnless(importlib.util.find_spec("grain"), "there is no Grain")
class Threads(unittest.TestCase):
    def test_what_the_thread_draws_from_is_left_to_it(self):
        whole = ReadAhead(Source())
        whole.run_epochs(3)
        lost = ReadAhead(Source(), save_at=(1, 2))
        lost.run_epochs(2)
        # The thread is in the middle when the position is reached.
        source = Source(stop_at=2 * BATCH + 1)
        resumed = ReadAhead(source)
        resumed.restore(lost.saved, 1)
        source.epoch = 1
        resumed.run_epochs(2)
        self.assertEqual(resumed.drawn, whole.drawn[lost.drawn_before :])

    def test_where_there_are_any(self):
        import grain

        source = grain.MapDataset.source(list(range(4)))
        alone = source.to_iter_dataset(grain.ReadOptions(0, 0))

        def loader(options):
            return grain.DataLoader(
                data_source=list(range(4)),
                sampler=grain.samplers.SequentialSampler(
                    4, shard_options=grain.sharding.NoSharding()
                ),
                read_options=options,
            )

        ahead = grain.experimental.ThreadPrefetchIterDataset(
            alone, prefetch_buffer_size=2
        )
        for dataset, is_ahead in (
            (source, True),
            (source.to_iter_dataset().batch(2), True),
            (loader(None), True),
            (ahead.map(lambda one: one), True),
            (alone.batch(2), False),
            (loader(grain.ReadOptions(0, 0)), False),
        ):
            with self.subTest(dataset=str(dataset)):
                self.assertEqual(grain_source.reads_ahead(dataset), is_ahead)
