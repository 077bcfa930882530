"""tf_keras/coordinator.py: the steps of a `fit()` that others compute."""

import importlib.util
import types
import unittest

import keras

HAS_TF_KERAS = (
    keras.backend.backend() == "tensorflow"
    and importlib.util.find_spec("tf_keras")
)
if HAS_TF_KERAS:
    import tensorflow as tf

    from kerasbackup.tf_keras import coordinator


class FakeCoordinator:
    """Computes what it was given when it is waited for, as workers may.

    Attributes:
        waited: Integer, how many times it was waited for.
    """

    def __init__(self):
        self.given = []
        self.waited = 0

    def schedule(self, function, args):
        self.given.append((function, args))

    def join(self):
        self.waited += 1
        given, self.given = self.given, []
        for function, args in given:
            function(*args)


def model_of(fake):
    return types.SimpleNamespace(_cluster_coordinator=fake)


@unittest.skipUnless(HAS_TF_KERAS, "there is no tf_keras")
class Coordinator(unittest.TestCase):
    def setUp(self):
        self.fake = FakeCoordinator()
        # What the workers draw from: each worker has an iterator in its memory.
        self.batches = iter(tf.data.Dataset.range(3))

    def left(self):
        return [int(one) for one in self.batches]

    def test_a_fit_that_computes_its_steps_has_none(self):
        for model in (types.SimpleNamespace(), model_of(None)):
            self.assertIsNone(coordinator.of(model))
            coordinator.wait_for_steps(model)
            self.assertIs(coordinator.drawn("iterator", model), "iterator")

    def test_all_steps_that_were_given_are_waited_for(self):
        done = []
        self.fake.schedule(done.append, (1,))
        coordinator.wait_for_steps(model_of(self.fake))
        self.assertEqual((done, self.fake.waited), ([1], 1))

    def test_nothing_is_drawn_before_it_is_asked_for(self):
        coordinator.drawn(self.batches, model_of(self.fake))
        self.assertEqual(self.fake.given, [])
        self.assertEqual(self.left(), [0, 1, 2])

    def test_workers_draw_one_batch_each_time(self):
        drawn = coordinator.drawn(self.batches, model_of(self.fake))
        self.assertTrue(next(drawn))
        self.assertTrue(next(drawn))
        self.assertEqual(self.fake.waited, 2)
        self.assertEqual(self.left(), [2])

    def test_it_ends_with_the_data(self):
        drawn = coordinator.drawn(self.batches, model_of(self.fake))
        self.assertEqual([*drawn], [True] * 3)
        # The draw that found no data was waited for too.
        self.assertEqual((self.fake.waited, self.fake.given), (4, []))

    def test_no_other_error_is_taken_for_the_end(self):
        def fail():
            raise tf.errors.UnavailableError(None, None, "a worker is gone")

        self.fake.join = fail
        drawn = coordinator.drawn(self.batches, model_of(self.fake))
        with self.assertRaises(tf.errors.UnavailableError):
            next(drawn)

    def test_no_batch_comes_to_this_process(self):
        results = []
        schedule = self.fake.schedule

        def keep(function, args):
            schedule(lambda *args: results.append(function(*args)), args)

        self.fake.schedule = keep
        drawn = coordinator.drawn(self.batches, model_of(self.fake))
        next(drawn)
        next(drawn)
        self.assertEqual([int(one) for one in results], [0, 0])
        self.assertEqual(results[0].shape, ())


if __name__ == "__main__":
    unittest.main()
