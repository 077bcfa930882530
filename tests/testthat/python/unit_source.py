"""source.py: the answers of data that start over and keep no state."""

import types
import unittest
from unittest import mock

from kerasbackup.keras3 import epoch_iterator
from kerasbackup.parts.data.sources.source import Source
from kerasbackup.parts.data.sources.source import all_but

NAMES = ("python", "numpy", "torch", "keras")


def iterator(**changes):
    adapter = types.SimpleNamespace(
        batch_size=4, num_batches=5, _partial_batch_size=2, _shuffle=True
    )
    settings = {"steps_per_epoch": 3, "steps_per_execution": 2}
    return types.SimpleNamespace(
        data_adapter=adapter, **{**settings, **changes}
    )


def in_graph(draws):
    return mock.patch.object(
        epoch_iterator, "draws_in_graph", return_value=draws
    )


class Answers(unittest.TestCase):
    def test_it_is_described_by_what_keras_knows_and_how_it_is_drawn(self):
        described = Source(iterator()).describe()
        self.assertEqual(described["steps_per_epoch"], 3)
        self.assertEqual(described["steps_per_execution"], 2)
        self.assertEqual(described["batches"], 5)
        self.assertEqual(described["rows in the last batch"], 2)

    def test_nothing_is_kept_or_drawn_again(self):
        source = Source(iterator())
        self.assertEqual(source.capture(), {})
        self.assertEqual(source.restore({"any": 1}), [])
        self.assertEqual(source.capture_generators(), [])
        self.assertEqual(source.use_up(None, None), [])
        self.assertEqual(source.start_workers(), [])
        self.assertEqual(source.resume_validation(None, None, True), [])
        with source.as_in({}):
            pass
        self.assertEqual([*source.not_saved], [])
        self.assertIsNone(source.arrays)
        self.assertIsNone(source.written_by_user)
        self.assertIs(source.goes_on, False)
        self.assertIs(source.is_drawn_when_made, False)
        self.assertIs(source.may_end_early, True)

    def test_each_kind_finds_what_it_was_given(self):
        source = Source(one := iterator(), "use", ("left",))
        self.assertIs(source._iterator, one)
        self.assertIs(source._adapter, one.data_adapter)
        self.assertEqual((source._use, source._left), ("use", ("left",)))

    def test_only_tensorflow_calls_the_script_from_threads(self):
        for draws in (False, True):
            with in_graph(draws) as asked:
                one = iterator()
                self.assertIs(Source(one).runs_ahead, draws)
                # The Keras that the iterator is of is asked.
                self.assertIs(asked.call_args.args[0], one)


class PuttingBack(unittest.TestCase):
    """Which generators a resume puts back after a replay."""

    def put_back(self, draws, drawn):
        with in_graph(draws):
            return Source(iterator()).to_put_back(NAMES, drawn)

    def test_all_where_no_thread_draws(self):
        self.assertIsNone(self.put_back(False, None))
        self.assertIsNone(self.put_back(False, {"numpy"}))

    def test_only_torchs_where_threads_draw_and_nothing_was_replayed(self):
        self.assertEqual(self.put_back(True, None), ("torch",))

    def test_those_that_a_replay_has_not_moved_where_threads_draw(self):
        self.assertEqual(
            self.put_back(True, {"numpy", "torch"}),
            ("python", "torch", "keras"),
        )

    def test_no_thread_draws_from_torchs(self):
        self.assertEqual(all_but(NAMES, {"torch"}), NAMES)
        self.assertEqual(all_but(NAMES, {*NAMES}), ("torch",))
