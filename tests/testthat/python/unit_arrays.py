"""arrays.py: what is known of arrays without drawing from them."""

import unittest

from unit_source import in_graph
from unit_source import iterator

from kerasbackup.parts.data.sources.arrays import Arrays


class OfArrays(unittest.TestCase):
    def test_they_end_early_only_where_an_iterator_lives_on(self):
        for steps, may in ((3, True), (None, False)):
            source = Arrays(iterator(steps_per_epoch=steps))
            self.assertIs(source.may_end_early, may)

    def test_they_are_what_batches_are_taken_from_without_code_of_the_script(
        self,
    ):
        one = iterator()
        self.assertIsNone(Arrays(one).arrays)
        one.data_adapter._inputs = arrays = [1, 2]
        with in_graph(True):
            source = Arrays(one)
            self.assertIs(source.arrays, arrays)
            # So no thread runs any ahead of training.
            self.assertIs(source.runs_ahead, False)
