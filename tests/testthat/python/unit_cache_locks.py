"""cache_locks.py: lock files of tf.data's caches are noted, or are an error."""

import importlib.util
import os
import tempfile
import unittest

from kerasbackup.fit.cache_locks import CacheLocks
from kerasbackup.store import errors


class Store:
    """Keeps what is noted."""

    def __init__(self):
        self.noted = []

    def note_cache_locks(self, paths):
        self.noted.append(paths)


class Steps:
    """As an epoch iterator has them."""

    def __init__(self, dataset):
        self.dataset = dataset

    def _enumerate_iterator(self):
        batches = iter(self.dataset)
        for i in range(3):
            next(batches)
            yield i, i, batches


@unittest.skipUnless(importlib.util.find_spec("tensorflow"), "no tf.data")
class Locks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "cache")
        self.lock = f"{self.file}_0.lockfile"
        self.store = Store()

    def dataset(self, rows=8):
        import tensorflow as tf

        return tf.data.Dataset.range(rows).cache(self.file).batch(2)

    def test_those_of_a_cache_that_is_being_filled_are_noted(self):
        # TensorFlow reads ahead of what is drawn.
        steps = Steps(self.dataset(10000))
        locks = CacheLocks(self.store, None, steps.dataset)
        locks.check()
        locks.watch(steps)
        locks.watch(steps)
        locks.watch(None)
        under_way = steps._enumerate_iterator()
        next(under_way)
        # TensorFlow has made it, and it is noted before the next step.
        self.assertTrue(os.path.exists(self.lock))
        next(under_way)
        self.assertEqual(self.store.noted, [[self.lock]])
        next(under_way)
        self.assertEqual(self.store.noted, [[self.lock]])
        with self.assertRaises(errors.LockedError) as caught:
            CacheLocks(self.store, self.dataset()).check()
        self.assertIn(f"'{self.lock}'", str(caught.exception))
        locks.release()
        self.assertNotIn("_enumerate_iterator", vars(steps))

    def test_that_of_a_cache_that_is_complete_is_not_looked_at(self):
        self.assertEqual(len(list(self.dataset())), 4)
        with open(self.lock, "w") as file:
            file.write("Created at: 1")
        CacheLocks(self.store, self.dataset()).check()
        self.assertEqual(len(list(self.dataset())), 4)

    def test_other_data_have_none(self):
        import tensorflow as tf

        cached = tf.data.Dataset.range(8).cache()
        for data in (None, [1.0], cached):
            steps = Steps(data)
            locks = CacheLocks(self.store, data)
            locks.check()
            locks.watch(steps)
            self.assertNotIn("_enumerate_iterator", vars(steps))
