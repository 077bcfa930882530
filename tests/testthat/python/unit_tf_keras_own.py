"""What tf_keras tests of its own BackupAndRestore holds for ours.

Each test names its equal in tf_keras/callbacks_test.py. Ours saves between two
batches, and an epoch after all other callbacks. So what interrupts a training
here does so when the next batch or epoch begins, where theirs does it in the
hook that also saves. The rest of theirs:

- test_experimental_backup_and_restore: a name that is out of date.
- test_backup_and_restore_steps_clean_up, and testCheckpointExists of
  distribute/worker_training_state_test.py: test-keras-tfkeras.R.
- test_backupandrestore_checkpoint_works_with_interruption of
  distribute/multi_worker_callback_tf2_test.py: the rows of tests/distributed
  with MultiWorkerMirroredStrategy.
"""

import unittest

from unit_tf_keras import HAS_TF_KERAS
from unit_tf_keras import needs_tf_keras

if HAS_TF_KERAS:
    import numpy as np
    import tensorflow as tf
    import tf_keras
    import tf_keras_helpers as training
    from memory_store import MemoryStore

    from kerasbackup.callback import BackupAndRestore

    class Interrupted(Exception):
        pass

    class Begin(tf_keras.callbacks.Callback):
        """Counts the epochs and batches that have begun, notes the first batch,
        and raises once at each of the numbers given."""

        def __init__(self, epochs=(), batches=()):
            super().__init__()
            self.left = {"epoch": {*epochs}, "batch": {*batches}}
            self.first = self.epoch = None
            self.batches = 0

        def get_state(self):
            """Nothing, so that each training counts for itself."""
            return {}

        def set_state(self, state):
            pass

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch
            self._interrupt("epoch", epoch)

        def on_train_batch_begin(self, batch, logs=None):
            if self.first is None:
                self.first = (self.epoch, batch)
            self._interrupt("batch", self.batches)
            self.batches += 1

        def _interrupt(self, kind, number):
            if number in self.left[kind]:
                raise Interrupted


def fit(store, save_freq, begin, model=None):
    """Trains for 20 epochs of 5 batches, as the tests of tf_keras do."""
    if model is None:
        training.begin()
        model = tf_keras.Sequential([tf_keras.layers.Dense(10)])
        model.compile(tf_keras.optimizers.SGD(), "mse")
    draw = np.random.RandomState(3)
    x, y = draw.uniform(size=(24, 10)), draw.uniform(size=(24,))
    data = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(2)
    callback = BackupAndRestore(
        store.functions, "memory", save_freq=save_freq, delete_checkpoint=False
    )
    model.fit(
        data,
        epochs=20,
        steps_per_epoch=5,
        verbose=0,
        callbacks=[callback, begin],
    )
    return model


@needs_tf_keras
class OfTfKeras(unittest.TestCase):
    def check(self, save_freq, at, first):
        """Interrupts a training, gives the model a new optimizer, and resumes.

        Args:
            save_freq: That of the callback.
            at: Dict, the arguments of `Begin`.
            first: `(epoch, batch)`, where it must go on.
        """
        expected = training.state(fit(MemoryStore(), save_freq, Begin()))
        store, begin = MemoryStore(), Begin()
        with self.assertRaises(Interrupted):
            fit(store, save_freq, Begin(**at))
        model = fit(store, save_freq, begin)
        self.assertEqual(begin.first, first)
        self.assertEqual(begin.epoch, 19)
        self.assertEqual(training.state(model), expected)
        # In one process, with an optimizer that has no variables yet.
        store = MemoryStore()
        training.begin()
        model = tf_keras.Sequential([tf_keras.layers.Dense(10)])
        model.compile(tf_keras.optimizers.SGD(), "mse")
        with self.assertRaises(Interrupted):
            fit(store, save_freq, Begin(**at), model)
        model.optimizer = tf_keras.optimizers.SGD()
        begin = Begin()
        fit(store, save_freq, begin, model)
        self.assertEqual(begin.first, first)

    def test_trivial_backup_restore(self):
        for eagerly in (False, True):
            model = tf_keras.Sequential([tf_keras.layers.Dense(1)])
            model.compile("sgd", "mse", run_eagerly=eagerly)
            store = MemoryStore()
            callback = BackupAndRestore(store.functions, "memory")
            ones = np.ones((10, 1))
            model.fit(ones, ones, verbose=0, callbacks=[callback])
            self.assertEqual(store.kinds(), set())

    def test_backup_restore_train_counter(self):
        training.begin()
        model = tf_keras.Sequential([tf_keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        store, ones = MemoryStore(), np.ones((10, 1))
        for at, expected in ((6, 6), (13, 13)):
            callback = BackupAndRestore(store.functions, "memory")
            with self.assertRaises(Interrupted):
                model.fit(
                    ones,
                    ones,
                    epochs=20,
                    verbose=0,
                    callbacks=[callback, Begin(epochs=[at])],
                )
            self.assertEqual(int(model._train_counter), expected)

    def test_backup_and_restore(self):
        self.check("epoch", {"epochs": [16]}, (16, 0))

    def test_backup_and_restore_steps(self):
        # Before the first save, after it, and after an epoch.
        self.check(7, {"batches": [3]}, (0, 0))
        self.check(7, {"batches": [8]}, (1, 2))
        self.check("epoch", {"epochs": [2]}, (2, 0))

    def test_backup_and_restore_steps_last_batch(self):
        self.check(7, {"batches": [35]}, (7, 0))

    def test_backup_and_restore_steps_false_save_freq(self):
        # Theirs saves every seven batches here too.
        self.check(7, {"batches": [8]}, (1, 2))
