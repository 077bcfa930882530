"""What crosses between workers in a `fit()`, and when: with a save, when
training begins and when it ends, and otherwise nothing."""

import unittest
from unittest import mock

import keras
import numpy as np
from memory_store import MemoryStore

from kerasbackup import callback
from kerasbackup.workers.workers import Workers

BATCHES, EPOCHS = 4, 3


class Mirrored(Workers):
    """One of two workers. The other does and says the same.

    Attributes:
        crossed: List of what happened, in order: the places of `together()`,
            and what `note` appends.
    """

    def __init__(self):
        super().__init__(0, 2)
        self.crossed = []
        self._rows = 0

    def together(self, where, make):
        self.crossed.append(where)
        rows = self._rows
        found = super().together(where, make)
        # One collective operation each time.
        assert self._rows == rows + 1
        return found

    def gather(self, row):
        self._rows += 1
        return [row, row]


def fit(save_freq, signals=(), epochs=EPOCHS):
    """The order of batches, and of what crosses between workers."""
    workers = Mirrored()

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            workers.crossed.append(batch)

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    rows = np.ones((2 * BATCHES, 2), "float32")
    with mock.patch.object(callback.engines, "find", lambda model: workers):
        model.fit(
            rows,
            rows[:, :1],
            batch_size=2,
            epochs=epochs,
            verbose=0,
            validation_data=(rows[:3], rows[:3, :1]),
            callbacks=[
                callback.BackupAndRestore(
                    MemoryStore().functions,
                    "memory",
                    save_freq,
                    save_before_preemption=list(signals),
                ),
                Note(),
            ],
        )
    return workers.crossed


def without_ends(crossed):
    """Without what comes before the first batch and after the last."""
    first = crossed.index(0)
    last = len(crossed) - crossed[::-1].index(BATCHES - 1)
    return crossed[first:last]


class Crossings(unittest.TestCase):
    def test_nothing_crosses_while_no_save_is_due(self):
        self.assertEqual(
            without_ends(fit(save_freq=1000)), [*range(BATCHES)] * EPOCHS
        )

    def test_a_save_is_one_crossing(self):
        epoch = [*range(BATCHES)]
        self.assertEqual(
            without_ends(fit("epoch")),
            [
                *epoch,
                "a save after 1 epochs and 0 batches",
                *epoch,
                "a save after 2 epochs and 0 batches",
                *epoch,
            ],
        )
        self.assertEqual(
            without_ends(fit(5)),
            [
                *epoch,
                0,
                "a save after 1 epochs and 1 batches",
                *epoch[1:],
                *epoch[:2],
                "a save after 2 epochs and 2 batches",
                *epoch[2:],
            ],
        )

    def test_training_begins_and_ends_with_a_few(self):
        crossed = fit(save_freq=1000)
        first = crossed.index(0)
        self.assertEqual(
            crossed[:first],
            [
                "opening the directory",
                "dropping checkpoints that not all workers have",
                "loading the checkpoint",
                "restoring the checkpoint",
            ],
        )
        last = len(crossed) - crossed[::-1].index(BATCHES - 1)
        self.assertEqual(
            crossed[last:],
            ["the end of training", "the end of a complete training"],
        )

    def test_they_are_as_many_however_long_training_is(self):
        counts = {
            len([one for one in fit(1000, epochs=n) if isinstance(one, str)])
            for n in (1, 5)
        }
        self.assertEqual(len(counts), 1)


if __name__ == "__main__":
    unittest.main()
