"""workers/: what several workers tell each other, and what they agree on."""

import functools
import importlib.util
import unittest
from unittest import mock

import fake_workers
import numpy as np

from kerasbackup.store import errors
from kerasbackup.workers import agreement
from kerasbackup.workers import engines
from kerasbackup.workers import torch_ddp
from kerasbackup.workers.one import One
from kerasbackup.workers.workers import ROW


class Together(unittest.TestCase):
    def test_each_gets_what_all_got(self):
        results, times = fake_workers.run(
            3, lambda one: one.together("here", lambda: {"at": one.index})
        )
        self.assertEqual(results, [[{"at": 0}, {"at": 1}, {"at": 2}]] * 3)
        self.assertEqual(times, 1)

    def test_an_error_on_one_is_an_error_on_all(self):
        own = errors.StorageError("the disk is full")

        def work(one):
            def fail():
                if one.index == 1:
                    raise own
                return 1

            return one.together("a save", fail)

        (first, second, third), times = fake_workers.run(3, work)
        self.assertIs(second, own)
        self.assertEqual(times, 1)
        for other in (first, third):
            self.assertIsInstance(other, errors.StorageError)
            self.assertIn("Worker 2 of 3 has failed", str(other))
            self.assertIn("the disk is full", str(other))

    def test_an_error_of_no_class_of_ours_stops_the_others_too(self):
        def work(one):
            return one.together("here", lambda: [0][one.index])

        (first, second), _ = fake_workers.run(2, work)
        self.assertIsInstance(second, IndexError)
        self.assertIs(type(first), errors.KerasBackupError)
        self.assertIn("list index out of range", str(first))

    def test_a_long_error_is_told_in_part(self):
        text = "€" * ROW

        def work(one):
            def fail():
                if one.index == 0:
                    raise errors.CorruptError(text)

            return one.together("here", fail)

        (first, second), _ = fake_workers.run(2, work)
        self.assertEqual(str(first), text)
        self.assertIn("€" * 500, str(second))

    def test_what_is_too_long_to_tell_fails_on_all(self):
        def work(one):
            return one.together("here", lambda: "a" * ROW * one.index)

        results, _ = fake_workers.run(2, work)
        self.assertIsInstance(results[1], ValueError)
        self.assertIsInstance(results[0], errors.KerasBackupError)

    def test_workers_at_different_points_are_an_error_on_all(self):
        def work(one):
            return one.together(f"step {one.index}", lambda: None)

        results, _ = fake_workers.run(2, work)
        for result in results:
            self.assertIsInstance(result, errors.MismatchError)
            self.assertIn("worker 1: step 0", str(result))
            self.assertIn("worker 2: step 1", str(result))

    def test_flags(self):
        def work(one):
            return (
                one.any("a", lambda: one.index == 1),
                one.any("b", lambda: False),
                one.all("c", lambda: one.index == 1),
                one.all("d", lambda: True),
                one.decide("e", lambda: one.index + 7),
                one.barrier("f"),
            )

        results, _ = fake_workers.run(2, work)
        self.assertEqual(results, [(True, False, False, True, 7, None)] * 2)

    def test_places_count_from_one(self):
        results, _ = fake_workers.run(2, lambda one: one.place)
        self.assertEqual(results, [[1, 2], [2, 2]])

    def test_a_row_is_full(self):
        rows = []

        class Alone(fake_workers.FakeWorkers):
            def gather(self, row):
                rows.append(row)
                return [row]

        one = Alone(0, fake_workers._Table(1))
        one.together("here", lambda: 1)
        self.assertEqual(rows[0].shape, (ROW,))
        self.assertEqual(rows[0].dtype, np.uint8)


class Alone(unittest.TestCase):
    def test_it_asks_nobody(self):
        one = One()
        self.assertEqual(one.together("here", lambda: 5), [5])
        self.assertIsNone(one.place)
        self.assertFalse(one.are_several)
        self.assertTrue(one.any("here", lambda: True))

    def test_its_errors_are_its_own(self):
        with self.assertRaises(ZeroDivisionError):
            One().together("here", lambda: 1 // 0)


class Agreement(unittest.TestCase):
    def test_the_newest_that_all_have(self):
        newest = functools.partial(
            agreement.newest_common, have_one_save=[False, False]
        )
        self.assertEqual(newest([[[2, 0], [1, 0]], [[1, 0]]]), [1, 0])
        self.assertEqual(newest([[[1, 0]], [[2, 0], [1, 0]]]), [1, 0])
        self.assertEqual(newest([[[2, 5]], [[2, 5]]]), [2, 5])

    def test_the_order_of_files_counts_and_not_that_of_positions(self):
        # An epoch was started over.
        both = [[3, 25], [3, 50]]
        common = agreement.newest_common([both, both], [False, False])
        self.assertEqual(common, [3, 25])

    def test_none_has_any(self):
        self.assertIsNone(agreement.newest_common([[], []], [True, True]))

    def test_one_died_before_its_first_and_no_other_has_a_second(self):
        newest = agreement.newest_common
        self.assertIsNone(newest([[], [[1, 0]]], [True, True]))
        self.assertIsNone(newest([[[1, 0]], [], [[1, 0]]], [True] * 3))
        self.assertEqual(newest([[[1, 0]], [[1, 0]]], [True, True]), [1, 0])
        for positions, firsts in (
            # The second shows that all had the first: this worker has lost it.
            ([[], [[2, 0], [1, 0]]], [True, False]),
            # A damaged one.
            ([[], [[1, 0]]], [False, True]),
            # Each has its first, at another position.
            ([[[1, 0]], [[2, 0]]], [True, True]),
        ):
            with self.assertRaises(errors.MismatchError):
                newest(positions, firsts)

    def test_none_in_common(self):
        for positions in ([[[2, 0]], []], [[], [[2, 0]]], [[[2, 3]], [[1, 0]]]):
            with self.assertRaises(errors.MismatchError) as caught:
                agreement.newest_common(positions, [False, False])
            self.assertIn(
                "no intact checkpoint in common", str(caught.exception)
            )
        self.assertIn(
            "worker 1: after 3 batches of epoch 3", str(caught.exception)
        )
        self.assertIn("worker 2: after 1 epochs", str(caught.exception))

    def test_settings_must_be_the_same(self):
        one = {"save_freq": "epoch", "resume": "batch"}
        agreement.check_settings([one, dict(one)])
        with self.assertRaises(errors.MismatchError) as caught:
            agreement.check_settings([one, one | {"save_freq": 5}])
        self.assertIn("`save_freq`: epoch, 5", str(caught.exception))
        self.assertNotIn("resume", str(caught.exception))


class OfOthers(unittest.TestCase):
    """Checkpoints that another number of workers has saved."""

    def setUp(self):
        self.one = {
            "workers": 2,
            "epoch": 3,
            "batch": 0,
            "saved_at": "2026-12-01T12:00",
        }

    def test_they_are_used_where_there_are_no_newer_ones(self):
        newest = agreement.newest_of_others
        both = [self.one, dict(self.one)]
        self.assertEqual(newest(both, None), self.one)
        self.assertEqual(newest(both, "2026-12-01T11:59"), self.one)
        self.assertIsNone(newest(both, "2026-12-01T12:00"))
        self.assertIsNone(newest(both, "2026-12-01T12:01"))
        self.assertIsNone(newest([None, None], None))

    def test_all_must_see_the_same(self):
        other = self.one | {"saved_at": "2026-12-01T12:05"}
        for found in ([self.one, None], [None, self.one], [self.one, other]):
            with self.assertRaises(errors.MismatchError) as caught:
                agreement.newest_of_others(found, None)
            self.assertIn("that all workers see", str(caught.exception))
        self.assertIn("worker 1: one of 2 workers", str(caught.exception))
        # With newer ones of their own they do not count.
        self.assertIsNone(agreement.newest_of_others([self.one, None], "2027"))

    def test_a_note_says_so(self):
        self.assertEqual(One().notes_on_others(None), [])
        (note,) = One().notes_on_others(2)
        self.assertIn("of a training with 2 workers, and this one has 1", note)
        (results, _) = fake_workers.run(3, lambda one: one.notes_on_others(1))
        self.assertIn("with 1 worker, and this one has 3", results[0][0])


class Engines(unittest.TestCase):
    def test_a_process_that_nobody_joined_trains_alone(self):
        model = mock.Mock()
        with mock.patch.object(engines.backend, "name") as name:
            for name.return_value in ("tensorflow", "torch", "jax"):
                if importlib.util.find_spec(name.return_value) is not None:
                    self.assertIsInstance(engines.find(model), One)

    def test_a_backend_has_an_engine(self):
        found = mock.Mock()
        with (
            mock.patch.object(engines.backend, "name", lambda model: "x"),
            mock.patch.dict(engines.ENGINES, x=lambda model: found),
        ):
            self.assertIs(engines.find(mock.Mock()), found)


@unittest.skipUnless(
    importlib.util.find_spec("tensorflow"), "there is no TensorFlow"
)
class OfTensorFlow(unittest.TestCase):
    def found(self, tasks, kind, number):
        """The workers of a cluster, as one of its tasks finds them."""
        import tensorflow as tf

        from kerasbackup.workers import tf_multi_worker

        model = mock.Mock()
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(tasks), task_type=kind, task_id=number
        )
        model.distribute_strategy = strategy
        name = "cluster_resolver"
        with mock.patch.object(type(strategy), name, resolver):
            return tf_multi_worker.find(model)

    def test_the_chief_is_the_first(self):
        tasks = {"chief": ["a:1"], "worker": ["b:1", "c:1"], "evaluator": ["d"]}
        for kind, number, place in (
            ("chief", 0, [1, 3]),
            ("worker", 0, [2, 3]),
            ("worker", 1, [3, 3]),
        ):
            self.assertEqual(self.found(tasks, kind, number).place, place)

    def test_without_a_chief_the_first_worker_is_the_first(self):
        tasks = {"worker": ["b:1", "c:1"]}
        self.assertEqual(self.found(tasks, "worker", 1).place, [2, 2])

    def test_one_worker_is_alone(self):
        self.assertIsNone(self.found({"worker": ["b:1"]}, "worker", 0))
        tasks = {"chief": ["a:1"], "evaluator": ["b:1"]}
        self.assertIsNone(self.found(tasks, "chief", 0))

    def test_rows_come_back_as_they_were(self):
        import tensorflow as tf

        from kerasbackup.workers import tf_multi_worker

        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        one = tf_multi_worker.TensorFlowWorkers(0, 1, strategy)
        self.assertEqual(one.together("here", lambda: ["a", 1]), [["a", 1]])
        self.assertEqual(one.together("there", lambda: None), [None])

    def test_one_worker_of_a_parameter_server_gives_no_note(self):
        from kerasbackup.workers import tf_parameter_server

        one = tf_parameter_server.Coordinator(1)
        self.assertFalse(one.are_several)
        self.assertEqual(one.notes(), [])
        (note,) = tf_parameter_server.Coordinator(3).notes()
        self.assertIn("3 workers of a `ParameterServerStrategy`", note)


class OfTorch(unittest.TestCase):
    def test_sums_of_three_depend_on_their_order(self):
        notes = {
            (count, regroups): len(
                torch_ddp.TorchRanks(0, count, regroups).notes()
            )
            for count in (2, 3)
            for regroups in (False, True)
        }
        self.assertEqual([key for key, n in notes.items() if n], [(3, True)])
