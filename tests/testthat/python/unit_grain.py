"""grain.py: datasets of Grain's, and positions in those that threads
read."""

import importlib.util
import threading
import types
import unittest
from unittest import mock

import keras
import numpy as np
from unit_position import Run

from kerasbackup.keras3 import epoch_iterator
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


class Stage:
    """A stage of a pipeline, as Grain makes them."""

    def __init__(self, *parents, threads=None, buffer=None):
        self.parents = parents
        if threads is not None:
            self._read_options = types.SimpleNamespace(
                num_threads=threads, prefetch_buffer_size=buffer
            )


class InterleaveIterDataset(Stage):
    """Of this name Grain's is told."""


class ThreadPrefetchIterDataset(Stage):
    pass


class Stages(unittest.TestCase):
    """Without Grain."""

    def test_threads_need_a_number_and_a_buffer(self):
        for threads, buffer, expected in (
            (2, 3, True),
            (0, 3, False),
            (2, 0, False),
            (None, None, False),
        ):
            stage = Stage(threads=threads, buffer=buffer)
            self.assertIs(grain_source.reads_ahead(stage), expected)
        only_one = Stage()
        for name in ("num_threads", "prefetch_buffer_size"):
            only_one._read_options = types.SimpleNamespace(**{name: 1})
            self.assertIs(grain_source.reads_ahead(only_one), False)

    def test_some_stages_always_have_threads(self):
        for kind in (InterleaveIterDataset, ThreadPrefetchIterDataset):
            self.assertIs(grain_source.reads_ahead(kind()), True)

    def test_every_stage_is_looked_at(self):
        reads = Stage(threads=2, buffer=3)
        plain = Stage()
        for dataset, expected in (
            (Stage(Stage(reads), plain), True),
            (Stage(plain, Stage(reads)), True),
            (Stage(Stage(plain), plain), False),
            (types.SimpleNamespace(_dataset=Stage(reads)), True),
            (types.SimpleNamespace(_dataset=Stage()), False),
            # A source has no stage before it.
            (Stage(types.SimpleNamespace(), reads), True),
            (types.SimpleNamespace(), False),
        ):
            self.assertIs(grain_source.reads_ahead(dataset), expected)

    def test_keras_makes_threads_for_a_map_dataset(self):
        dataset = types.SimpleNamespace(to_iter_dataset=None)
        self.assertIs(grain_source.reads_ahead(dataset), True)

    def test_a_graph_of_tensorflows_reads_ahead_of_any(self):
        for dataset, draws, expected in (
            (Stage(), False, False),
            (Stage(), True, True),
            (Stage(threads=2, buffer=3), False, True),
        ):
            adapter = types.SimpleNamespace(_dataset=dataset)
            iterator = types.SimpleNamespace(data_adapter=adapter)
            with mock.patch.object(
                epoch_iterator, "draws_in_graph", return_value=draws
            ) as asked:
                source = grain_source.Grain(iterator)
                self.assertIs(source.runs_ahead, expected)
            # The Keras of that iterator is asked.
            self.assertIs(asked.call_args.args[0], iterator)
