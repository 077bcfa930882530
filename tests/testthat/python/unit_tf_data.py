"""tf_data.py: how many iterators are made of a pipeline, and how far each is
drawn."""

import itertools
import types
import unittest
from unittest import mock

from unit_generator import Recorder

from kerasbackup.keras3 import epoch_iterator
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.parts.data.sources.source import Past
from kerasbackup.parts.data.sources.tf_data import TfData


class Pipeline:
    """Four batches, or any number; what its iterators have given is noted.

    Attributes:
        drawn: A list for each iterator; the end counts as "end".
    """

    element_spec = None

    def __init__(self, batches=4, **attributes):
        self.batches = batches
        self.drawn = []
        vars(self).update(attributes)

    def _inputs(self):
        return []

    def __iter__(self):
        drawn = []
        self.drawn.append(drawn)
        for number in itertools.count():
            if number == self.batches:
                break
            # Nobody draws on and on from one without an end.
            assert number < 100
            drawn.append(number)
            yield number
        drawn.append("end")


class CacheDataset(Pipeline):
    """Of this name TensorFlow's is told."""


class Use:
    """As `IteratorsMade`, of a pipeline as it is described."""

    NOTE, DOUBT = IteratorsMade.NOTE, IteratorsMade.DOUBT

    def __init__(self, is_countable=True, settled=0, ends_by_itself=False):
        self.is_countable = is_countable
        self.settled = settled
        self.ends_by_itself = ends_by_itself
        self.noted = 0

    def note(self):
        self.noted += 1

    def settled_after(self, length):
        return length if self.settled is None else self.settled


class UsingUp(unittest.TestCase):
    def setUp(self):
        self.pipeline = Pipeline()
        patch = mock.patch.object(
            epoch_iterator, "draws_in_graph", return_value=False
        )
        patch.start()
        self.addCleanup(patch.stop)

    def use_up(
        self,
        iterators=0,
        each=1,
        earlier=0,
        to_build=0,
        length=4,
        most=None,
        **settings,
    ):
        self.use = Use(**settings)
        adapter = types.SimpleNamespace(_dataset=self.pipeline)
        iterator = types.SimpleNamespace(data_adapter=adapter)
        self.progress = Recorder()
        self.pipeline.drawn.clear()
        past = Past(iterators, each, earlier, to_build, length, most)
        return TfData(iterator, self.use).use_up(past, self.progress)

    def test_as_many_iterators_are_made_as_the_lost_run_had_made(self):
        self.assertEqual(self.use_up(2, earlier=3), [])
        self.assertEqual(self.pipeline.drawn, [])
        self.assertEqual(self.use.noted, 5)
        self.assertEqual(
            self.progress.steps, [*((i, 5) for i in range(5)), "end"]
        )

    def test_an_order_that_its_batches_decide_is_drawn(self):
        self.use_up(2, settled=1, is_countable=False)
        self.assertEqual(self.pipeline.drawn, [[0], [0]])
        self.assertEqual(self.progress.steps, [(0, 1), (0, 1), "end"])
        self.use_up(1, settled=None, is_countable=False)
        self.assertEqual(self.pipeline.drawn, [[0, 1, 2, 3]])

    def test_the_end_is_reached_where_a_thread_had_reached_it(self):
        self.use_up(2, settled=None, ends_by_itself=True)
        self.assertEqual(self.pipeline.drawn, [[0, 1, 2, 3, "end"]] * 2)
        self.use_up(1, settled=None, ends_by_itself=False)
        self.assertEqual(self.pipeline.drawn, [[0, 1, 2, 3]])
        self.use_up(1, settled=2, ends_by_itself=True)
        self.assertEqual(self.pipeline.drawn, [[0, 1]])

    def test_only_the_first_of_a_group_was_drawn_from(self):
        self.use_up(4, each=2, settled=1)
        self.assertEqual(self.pipeline.drawn, [[0], [0]])
        self.assertEqual(
            self.progress.steps, [(0, 1), (1, 4), (0, 1), (3, 4), "end"]
        )

    def test_those_made_to_build_the_model_come_first_and_begin(self):
        self.use_up(1, to_build=1, settled=2)
        self.assertEqual(self.pipeline.drawn, [[0], [0, 1]])
        self.assertEqual(self.use.noted, 2)

    def test_one_that_was_made_too_much_to_build_is_made_up_for(self):
        self.assertEqual(self.use_up(3, to_build=-1, settled=1), [])
        self.assertEqual(self.use.noted, 2)
        self.assertEqual(self.pipeline.drawn, [[0], [0]])

    def test_a_length_that_is_not_known_is_what_was_drawn_at_most(self):
        self.pipeline = Pipeline(None)
        self.use_up(1, length=None, most=6, settled=None)
        self.assertEqual(self.pipeline.drawn, [[0, 1, 2, 3, 4, 5]])

    def test_and_else_all(self):
        self.use_up(1, length=None, settled=None)
        self.assertEqual(self.pipeline.drawn, [[0, 1, 2, 3, "end"]])

    def test_the_first_order_is_drawn_where_a_cache_keeps_it(self):
        self.pipeline = CacheDataset()
        self.use_up(2, settled=0)
        self.assertEqual(self.pipeline.drawn, [[0, 1, 2, 3]])
        # That of the iterator which built the model is not the first pass.
        self.use_up(1, to_build=1, settled=0)
        self.assertEqual(self.pipeline.drawn, [[0], [0, 1, 2, 3]])

    def test_what_this_process_has_used_is_made_up_for_but_in_doubt(self):
        self.assertEqual(self.use_up(3, earlier=-1), [Use.DOUBT])
        self.assertEqual(self.use.noted, 2)
        self.assertEqual(self.use_up(3, earlier=-3), [Use.DOUBT])
        self.assertEqual(self.use.noted, 0)

    def test_what_was_used_too_often_or_in_an_unknown_way_is_told(self):
        for past in (
            {"iterators": 1, "earlier": -2},
            {"iterators": 0, "to_build": -1},
            {"iterators": 3, "earlier": 1, "is_countable": False},
            {"iterators": 3, "earlier": -1, "is_countable": False},
            {"iterators": 3, "to_build": -1, "is_countable": False},
        ):
            with self.subTest(**past):
                self.assertEqual(self.use_up(**past), [Use.NOTE])
                self.assertEqual(self.use.noted, 0)
        self.assertEqual(self.use_up(1, to_build=1, is_countable=False), [])


class Describing(unittest.TestCase):
    def described(self, pipeline):
        adapter = types.SimpleNamespace(
            batch_size=None, num_batches=None, _dataset=pipeline
        )
        iterator = types.SimpleNamespace(
            data_adapter=adapter, steps_per_epoch=3, steps_per_execution=1
        )
        return TfData(iterator).describe()

    def test_the_seeds_are_part_of_it(self):
        shuffled = Pipeline(_reshuffle_each_iteration=True, _seed=3, _seed2=4)
        described = self.described(shuffled)
        self.assertEqual(described["seed of shuffle()"], [3, 4])
        self.assertEqual(described["steps_per_epoch"], 3)
        self.assertNotIn("seed of shuffle()", self.described(Pipeline()))


class PuttingBack(unittest.TestCase):
    def test_what_the_thread_has_not_drawn_from_is_put_back(self):
        source = TfData(types.SimpleNamespace(data_adapter=None))
        names = ("python", "numpy", "torch")
        self.assertEqual(source.to_put_back(names, None), names)
        self.assertEqual(source.to_put_back(names, {"numpy"}), names[::2])
        self.assertIs(source.goes_on, True)
        # Its functions are those of a graph, not the script's Python.
        self.assertIs(source.runs_ahead, False)
