"""tf_keras/: a training with tf_keras goes on where it was, bit for bit."""

import functools
import importlib.util
import os
import tempfile
import unittest
from unittest import mock

import keras

HAS_TF_KERAS = (
    keras.backend.backend() == "tensorflow"
    and importlib.util.find_spec("tf_keras") is not None
)
if HAS_TF_KERAS:
    import tensorflow as tf
    import tf_keras
    import tf_keras_helpers as training
    from memory_store import MemoryStore
    from tf_keras.src import backend
    from tf_keras.src.engine import data_adapter

    from kerasbackup.anykeras import ask
    from kerasbackup.anykeras import kinds
    from kerasbackup.anykeras import optimizer_parts
    from kerasbackup.callback import BackupAndRestore
    from kerasbackup.checkpoint import rescue
    from kerasbackup.parts.data.sources.py_dataset import PyDataset
    from kerasbackup.parts.random import rng
    from kerasbackup.store import errors
    from kerasbackup.tf_keras import random_layers

needs_tf_keras = unittest.skipUnless(HAS_TF_KERAS, "there is no tf_keras")


def run(store, save_freq, *args, **data):
    """What `train()` gives, with checkpoints in a store."""
    callback = BackupAndRestore(
        store.functions, "memory", save_freq=save_freq, delete_checkpoint=False
    )
    return training.train(callback, *args, **data)


def csv_loggers(paths):
    return [tf_keras.callbacks.CSVLogger(next(paths))]


@needs_tf_keras
class Resume(unittest.TestCase):
    def check(self, build=None, save_freq=3, kill=(1, 3), **data):
        expected = run(MemoryStore(), save_freq, None, build, **data)
        store = MemoryStore()
        with self.assertRaises(training.Killed):
            run(store, save_freq, kill, build, **data)
        self.assertGreater(len(store.saved), 0)
        self.assertEqual(run(store, save_freq, None, build, **data), expected)
        told = [line for _, lines in store.said for line in lines]
        return [line for line in told if "KillAt" not in line]

    def test_arrays_in_the_middle_of_an_epoch(self):
        self.assertEqual(self.check(), [])

    def test_arrays_at_the_end_of_an_epoch(self):
        self.assertEqual(self.check(save_freq="epoch", kill=(2, None)), [])

    def test_a_pipeline_that_shuffles_each_epoch_anew(self):
        found = self.check(x=lambda: training.pipeline().shuffle(40).batch(8))
        self.assertEqual(found, [])

    def test_a_pipeline_of_unknown_length(self):
        self.check(
            x=lambda: training.pipeline().filter(lambda x, y: True).batch(8)
        )

    def test_a_sequence_that_shuffles_itself_when_an_epoch_ends(self):
        for save_freq, kill in (("epoch", (1, None)), (3, (1, 3))):
            with self.subTest(kill=kill):
                self.check(None, save_freq, kill, x=training.Shuffled)

    def test_a_sequence_that_grows_beyond_the_batches_of_its_first_epoch(self):
        batches = training.BATCHES
        for kill in ((1, batches - 2), (2, batches - 1)):
            with self.subTest(kill=kill):
                found = self.check(None, 1, kill, x=training.Growing)
                self.assertEqual(found, [])

    def test_validation_and_a_legacy_optimizer(self):
        self.check(
            lambda: training.model(tf_keras.optimizers.legacy.Adam(0.01)),
            validation_data=lambda: training.pipeline().shuffle(40).batch(8),
        )

    def test_a_pipeline_for_validation_that_a_strategy_distributes(self):
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])

        def build():
            with strategy.scope():
                return training.model()

        def shuffled():
            return training.pipeline().shuffle(40).batch(8)

        found = self.check(build, validation_data=shuffled)
        self.assertEqual(found, [])

    def test_a_model_that_the_first_batch_builds(self):
        class Own(tf_keras.Model):
            """Its layers draw the seeds of their weights at the first batch."""

            def __init__(self):
                super().__init__()
                self.hidden = tf_keras.layers.Dense(4)
                self.norm = tf_keras.layers.BatchNormalization()
                self.drop = tf_keras.layers.Dropout(0.2)
                self.out = tf_keras.layers.Dense(1)

            def call(self, x, training=False):
                x = self.norm(self.hidden(x), training=training)
                return self.out(self.drop(x, training=training))

        for made in (training.unbuilt, lambda: training.compiled(Own())):
            for save_freq, kill in ((3, (1, 3)), ("epoch", (2, None))):
                with self.subTest(kill=kill):
                    self.assertEqual(self.check(made, save_freq, kill), [])

    def test_a_learning_rate_that_is_the_first_one_at_the_save(self):
        """And another one when the epoch has begun again."""

        class Set(tf_keras.callbacks.Callback):
            def __init__(self):
                super().__init__()
                self.calls = 0

            def on_epoch_begin(self, epoch, logs=None):
                self.calls += 1
                rates = {1: 0.02, 2: 0.01, 3: 0.03}
                self.model.optimizer.learning_rate = rates.get(self.calls, 0.04)

        self.assertEqual(self.check(others=lambda: [Set()]), [])

    def test_a_csv_logger(self):
        for save_freq, kill in (("epoch", (2, 1)), (3, (2, 4)), (2, (0, 4))):
            with tempfile.TemporaryDirectory() as folder:
                whole, parts = (os.path.join(folder, n) for n in ("a", "b"))
                paths = iter([whole, parts, parts])
                self.check(
                    None,
                    save_freq,
                    kill,
                    others=functools.partial(csv_loggers, paths),
                )
                with open(whole) as one, open(parts) as other:
                    expected, found = one.read(), other.read()
                self.assertEqual(expected.count("\n"), 1 + training.EPOCHS)
                self.assertEqual(found, expected)

    def test_a_schedule(self):
        def build():
            rate = tf_keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
            return training.model(tf_keras.optimizers.SGD(rate, momentum=0.9))

        self.assertEqual(self.check(build), [])

    def test_several_batches_a_step(self):
        self.check(lambda: training.model(steps_per_execution=2), 2)


@needs_tf_keras
class Parts(unittest.TestCase):
    def setUp(self):
        training.begin()

    def test_random_layers_keep_their_state_in_variables(self):
        made = training.model()
        layers = list(made._flatten_layers())
        self.assertEqual(random_layers.unreadable(layers), ["dropout"])
        self.assertEqual(random_layers.states(layers), [])
        self.assertTrue(random_layers.make_readable(made, layers))
        self.assertEqual(random_layers.unreadable(layers), [])
        self.assertEqual(len(random_layers.states(layers)), 1)
        self.assertFalse(random_layers.make_readable(made, layers))

    def test_a_callback_without_a_state_is_not_missed(self):
        class Stateless(tf_keras.callbacks.Callback):
            pass

        store = MemoryStore()

        def fit(*others):
            callback = BackupAndRestore(store.functions, "memory")
            training.begin()
            training.fit(training.model(), [callback, *others])

        with self.assertRaises(training.Killed):
            fit(Stateless(), training.KillAt(1, 2))
        fit()
        self.assertIn("KillAt", repr(store.said))
        self.assertNotIn("Stateless", repr(store.said))

    def test_the_generator_that_seeds_are_drawn_from_comes_back(self):
        tf_keras.utils.set_random_seed(3)
        generators = rng.Generators(mock.Mock(**{"r_seed.return_value": ""}))
        states = generators.capture()
        rng.check(states)
        drawn = backend._SEED_GENERATOR.generator.random()
        self.assertNotEqual(backend._SEED_GENERATOR.generator.random(), drawn)
        generators.restore(states, only=("numpy",))
        generators.restore(states)
        self.assertEqual(backend._SEED_GENERATOR.generator.random(), drawn)
        self.assertFalse(generators.has(backend._SEED_GENERATOR.generator))
        del backend._SEED_GENERATOR.generator
        self.assertNotIn("tf_keras", generators.capture())
        generators.restore(states)

    def test_a_model_outside_of_a_training_gets_a_checkpoint(self):
        store = MemoryStore()
        callback = BackupAndRestore(
            store.functions, "memory", delete_checkpoint=False
        )
        before = training.model()
        training.fit(before, [callback])
        for what in ("weights", "all"):
            today = training.model()
            result = rescue.restore_model(today, store.functions, what, {})
            self.assertEqual(result, {"value": True})
            for one, its in zip(before.weights, today.weights, strict=True):
                self.assertEqual(one.numpy().tolist(), its.numpy().tolist())
        self.assertEqual(
            [one.numpy().tolist() for one in before.optimizer.variables],
            [one.numpy().tolist() for one in today.optimizer.variables],
        )

    def test_one_that_is_not_compiled_has_no_optimizer(self):
        made = tf_keras.Sequential([tf_keras.Input((1,))])
        result = rescue.restore_model(made, MemoryStore().functions, "all", {})
        self.assertEqual(result["error"], "kerasbackup_error_argument")
        self.assertIn("not compiled", result["message"])

    def test_workers_whose_thread_may_end_an_epoch_twice_are_told(self):
        class Ordered(training.Shuffled):
            on_epoch_end = tf_keras.utils.Sequence.on_epoch_end

        for data, settings, is_told in (
            (Ordered, {"workers": 2, "shuffle": True}, True),
            (Ordered, {"use_multiprocessing": True, "shuffle": True}, True),
            (training.Shuffled, {"workers": 2}, True),
            (Ordered, {"workers": 2}, False),
            (training.Shuffled, {"shuffle": True}, False),
        ):
            with self.subTest(f"{data.__name__} {settings}"):
                # No training: the workers of one that is killed live on.
                adapter = data_adapter.KerasSequenceAdapter(data(), **settings)
                iterator = mock.Mock(data_adapter=adapter)
                told = PyDataset(iterator).restore({})
                self.assertEqual("shuffle once more" in repr(told), is_told)

    def test_an_optimizer_tells_what_it_was_built_for(self):
        made = training.model()
        trained = made.trainable_variables[::-1]
        for kind in (tf_keras.optimizers, tf_keras.optimizers.legacy):
            optimizer = kind.Adam()
            self.assertEqual(
                optimizer_parts.trained_variables(optimizer, made.variables), []
            )
            optimizer_parts.build(optimizer, trained)
            found = optimizer_parts.trained_variables(optimizer, made.variables)
            self.assertEqual([*map(id, found)], [*map(id, trained)])

    def test_what_a_legacy_optimizer_keeps_to_itself_is_found(self):
        made = training.model(tf_keras.optimizers.legacy.SGD(0.25))
        self.assertFalse(optimizer_parts.is_built(made.optimizer))
        optimizer_parts.build(made.optimizer, made.trainable_variables)
        found = [
            float(one)
            for one in optimizer_parts.variables(made.optimizer)
            if one.shape == ()
        ]
        self.assertIn(0.25, found)

    def test_an_object_is_asked_about_at_its_own_keras(self):
        for one, folder in (
            (training.model(), "tf_keras"),
            (keras.Sequential([keras.Input((1,))]), "keras3"),
            (tf.Variable(1.0), "tf_keras"),
            (keras.Variable(1.0), "keras3"),
            ([], "keras3"),
        ):
            with self.subTest(type(one).__name__):
                self.assertEqual(ask.folder_of(one), folder)
        self.assertTrue(kinds.is_model(training.model()))
        self.assertFalse(kinds.is_model(tf.Variable(1.0)))

    def test_a_number_of_batches_that_tf_keras_measures_is_refused(self):
        made = training.model(steps_per_execution="auto")
        callback = BackupAndRestore(MemoryStore().functions, "memory")
        with self.assertRaisesRegex(errors.UnsupportedError, "auto"):
            training.fit(made, [callback])


@needs_tf_keras
class Interface(unittest.TestCase):
    def test_both_folders_have_every_function_that_is_asked_for(self):
        for module, name in sorted(ask.asked_for()):
            with self.subTest(f"{module}.{name}"):
                for folder in ask.FOLDERS.values():
                    found = importlib.import_module(
                        f"kerasbackup.{folder}.{module}"
                    )
                    self.assertTrue(hasattr(found, name))
