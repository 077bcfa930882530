"""iterators_made.py: what earlier trainings in this process did with data."""

import gc
import importlib.util
import unittest

import keras
import numpy as np
from unit_pipelines import CacheDataset
from unit_pipelines import Stage
from unit_pipelines import shuffle

from kerasbackup.parts.data import iterators_made
from kerasbackup.parts.data.iterators_made import IteratorsMade

is_tensorflow = keras.backend.backend() == "tensorflow"
needs_tensorflow = unittest.skipUnless(
    importlib.util.find_spec("tensorflow"), "there is no tf.data"
)


def shuffled(**kwargs):
    return fixed().shuffle(8, **kwargs)


def fixed():
    import tensorflow as tf

    return tf.data.Dataset.range(8)


class Using(unittest.TestCase):
    def setUp(self):
        iterators_made._made.clear()

    def test_each_note_says_what_to_do(self):
        for note in (IteratorsMade.NOTE, IteratorsMade.DOUBT):
            self.assertRegex(note, "this session.*create them again")

    @needs_tensorflow
    def test_what_is_made_of_it_counts_for_all_that_is_made_of_it(self):
        source = shuffled()
        IteratorsMade(source.batch(2)).note()
        IteratorsMade(source.batch(4)).note(2)
        self.assertEqual(IteratorsMade(source.take(3)).times, 3)
        self.assertEqual(IteratorsMade(shuffled()).times, 0)

    @needs_tensorflow
    def test_what_is_the_same_each_time_does_not(self):
        source = shuffled(reshuffle_each_iteration=False)
        IteratorsMade(source).note()
        self.assertEqual(IteratorsMade(source).times, 0)

    @needs_tensorflow
    def test_random_numbers_anew_each_time_do(self):
        import tensorflow as tf

        source = tf.data.Dataset.random(seed=4, rerandomize_each_iteration=True)
        IteratorsMade(source.take(3)).note()
        self.assertEqual(IteratorsMade(source).times, 1)

    def test_a_generator_counts_and_arrays_do_not(self):
        generator = (i for i in range(3))
        for data, times in ((generator, 1), (np.zeros(3), 0), (None, 0)):
            IteratorsMade(data).note()
            self.assertEqual(IteratorsMade(data).times, times)

    def test_nothing_is_kept_alive(self):
        generator = (i for i in range(3))
        use = IteratorsMade(generator)
        use.note()
        del generator
        gc.collect()
        self.assertEqual(len(iterators_made._made), 0)
        use.note()

    @needs_tensorflow
    def test_it_can_be_counted_where_each_iterator_is_one_pass(self):
        source = shuffled()
        self.assertTrue(IteratorsMade(source.batch(2)).is_countable)
        self.assertFalse(IteratorsMade(source.repeat()).is_countable)
        self.assertFalse(IteratorsMade(source.cache()).is_countable)
        self.assertTrue(IteratorsMade(fixed().cache().shuffle(3)).is_countable)
        self.assertFalse(IteratorsMade(source.shuffle(3)).is_countable)
        self.assertFalse(IteratorsMade(i for i in range(3)).is_countable)

    def test_what_is_no_pipeline_may_have_an_attribute_of_that_name(self):
        class Source:
            _inputs = np.zeros(3)

        self.assertEqual(IteratorsMade(Source()).times, 0)

        class Other:
            _functions = np.zeros(3)

        self.assertEqual(IteratorsMade(Other()).times, 0)

    def test_whether_each_iterator_gives_the_same(self):
        generator = (i for i in range(3))
        for data, expected in (
            (np.zeros(3), True),
            (Stage(), True),
            (shuffle(), False),
            (generator, False),
        ):
            self.assertIs(IteratorsMade(data).begins_anew, expected)

    def test_whether_the_first_pass_is_kept(self):
        for data, expected in (
            (Stage(CacheDataset()), True),
            (shuffle(), False),
            (None, False),
        ):
            self.assertIs(IteratorsMade(data).keeps_first_pass, expected)

    @needs_tensorflow
    def test_how_long_an_order_is_drawn(self):
        source = shuffled()
        for one, batches in (
            (source.batch(2), 0),
            (source.batch(2).shuffle(3), 1),
            (source.shuffle(3, reshuffle_each_iteration=False), 1),
            (source.concatenate(source), 9),
            (source.repeat(2), 9),
            (shuffled(reshuffle_each_iteration=False).repeat(2), 0),
            # What the function makes itself is the same each time.
            (fixed().flat_map(lambda i: fixed().shuffle(3)), 0),
            (fixed().flat_map(lambda i: source), 9),
        ):
            self.assertEqual(IteratorsMade(one).settled_after(9), batches)
        self.assertIsNone(IteratorsMade(source.repeat()).settled_after(None))

    @needs_tensorflow
    def test_whether_a_thread_comes_to_the_end(self):
        import tensorflow as tf

        def told(pipeline, **options):
            known = tf.data.Options()
            optimization = known.experimental_optimization
            if "autotune" in options:
                known.autotune.enabled = options.pop("autotune")
            for name, value in options.items():
                setattr(optimization, name, value)
            return pipeline.with_options(known)

        repeated = shuffled().repeat(2)
        for one, expected in (
            (repeated, True),
            (shuffled(), False),
            (told(repeated), True),
            (told(repeated, autotune=True), True),
            (told(repeated, autotune=False), False),
            (told(repeated, inject_prefetch=False), False),
            (told(repeated, apply_default_optimizations=False), False),
            (told(repeated.prefetch(2), autotune=False), True),
            (told(shuffled().prefetch(2).repeat(2), autotune=False), False),
        ):
            self.assertEqual(IteratorsMade(one).ends_by_itself, expected, one)

    @needs_tensorflow
    def test_two_share_what_moves(self):
        source = shuffled()
        one = IteratorsMade(source.skip(2))
        self.assertTrue(one.shares_with(IteratorsMade(source.take(2))))
        self.assertFalse(one.shares_with(IteratorsMade(shuffled())))
        fixed = shuffled(reshuffle_each_iteration=False)
        self.assertFalse(
            IteratorsMade(fixed.skip(2)).shares_with(
                IteratorsMade(fixed.take(2))
            )
        )


def compiled():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def is_built(model):
    return iterators_made.is_built_from_data(model, None)


class Building(unittest.TestCase):
    @unittest.skipIf(is_tensorflow, "TensorFlow builds without data")
    def test_only_the_first_training_builds(self):
        model = compiled()
        self.assertTrue(is_built(model))
        self.assertFalse(is_built(model))
        # New metrics.
        model.compile("sgd", "mse", metrics=["mae"])
        self.assertTrue(is_built(model))

    @unittest.skipIf(is_tensorflow, "TensorFlow builds without data")
    def test_what_it_draws_is_noted(self):
        source = (i for i in range(3))
        iterators_made.is_built_from_data(compiled(), source)
        self.assertEqual(IteratorsMade(source).times, 1)

    def test_what_was_trained_without_this_callback_was_built(self):
        model = compiled()
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
        self.assertFalse(is_built(model))

    @unittest.skipUnless(is_tensorflow, "the others build from data")
    def test_on_tensorflow_nothing_is_drawn(self):
        self.assertFalse(is_built(compiled()))
