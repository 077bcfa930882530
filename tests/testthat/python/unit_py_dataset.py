"""py_dataset.py: the state that a source keeps, where threads use it."""

import unittest

import keras
import numpy as np
from unit_position import Run
from unit_position import lost


class Numbers(keras.utils.PyDataset):
    def __len__(self):
        return 9

    def __getitem__(self, index):
        return (np.full((4, 1), index, "float32"),)


class Ready(unittest.TestCase):
    """Batches that the workers of a PyDataset had ready at an epoch's end."""

    def test_they_come_once_where_an_iterator_lives_on(self):
        # Not shuffled: the workers' thread would draw for that while we do.
        settings = {"steps_per_epoch": 5, "shuffle": False}
        before = lost((1, 2), x=Numbers(workers=2), epochs=3, **settings)
        run = Run(x=Numbers(workers=2), **settings)
        self.assertEqual(run.restore(before.saved, 1), [])
        run.run_epochs(2)
        numbers = [drawn[-1] for drawn in run.drawn]
        following = before.drawn[before.drawn_before :]
        self.assertEqual(numbers, [drawn[-1] for drawn in following])
        self.assertEqual(numbers[:2], [7, 8])
