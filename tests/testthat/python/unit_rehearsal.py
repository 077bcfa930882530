"""rehearsal.py: the first batch of the last epoch is drawn as Keras drew it."""

import types
import unittest
from unittest import mock

import keras
import numpy as np

from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.rehearsal import Rehearsal
from kerasbackup.parts.data.sources.kinds import source_of


class ArrayDataAdapter:
    """Of this name Keras' is told. Its batches may come several at once, as
    JAX's do since Keras 3.16."""

    def __init__(self):
        self._inputs = [np.arange(12.0)]

    def get_jax_iterator(self, super_batch=None):
        at_once = 2 * (super_batch or 1)
        return iter(self._inputs[0].reshape(-1, at_once))


class Drawing(unittest.TestCase):
    def test_as_many_batches_at_once_as_before(self):
        with mock.patch.object(keras.backend, "backend", return_value="jax"):
            for at_once, options in ((1, {}), (3, {"super_batch": 3})):
                with self.subTest(at_once=at_once):
                    adapter = ArrayDataAdapter()
                    steps = types.SimpleNamespace(
                        data_adapter=adapter,
                        steps_per_epoch=None,
                        steps_per_execution=at_once,
                    )
                    drawn = DrawnBatches(adapter)
                    rehearsal = Rehearsal(steps, source_of(steps), drawn, dict)
                    next(adapter.get_jax_iterator(**options))
                    rehearsal.run(drawn.capture(), lambda: None)
                    self.assertEqual(drawn.notes(all_drawn=True), [])
                    # And another one is noticed.
                    saved = drawn.capture()
                    adapter._inputs[0][0] = 7
                    rehearsal.run(saved, lambda: None)
                    self.assertEqual(len(drawn.notes(all_drawn=True)), 1)
