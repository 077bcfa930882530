"""epoch_count.py: the epochs that a data adapter has counted."""

import types
import unittest

from kerasbackup.parts.data import epoch_count


def adapter(**attributes):
    return types.SimpleNamespace(**attributes)


class Counting(unittest.TestCase):
    def test_the_count_is_a_field(self):
        self.assertEqual(
            epoch_count.capture(adapter(_epoch=3)), {"epoch_count": 3}
        )
        self.assertEqual(
            epoch_count.capture(adapter(_epoch=0)), {"epoch_count": 0}
        )

    def test_an_adapter_that_counts_none_has_no_field(self):
        for one in (adapter(), adapter(_epoch=None), adapter(_epoch="3")):
            self.assertEqual(epoch_count.capture(one), {})

    def test_it_is_put_back_where_it_is_counted(self):
        counts = adapter(_epoch=1)
        epoch_count.restore(counts, {"epoch_count": 4, "python": "state"})
        self.assertEqual(counts._epoch, 4)

    def test_nothing_is_put_back_where_none_was_saved_or_none_is_counted(self):
        counts, other = adapter(_epoch=1), adapter()
        epoch_count.restore(counts, {"python": "state"})
        epoch_count.restore(other, {"epoch_count": 4})
        epoch_count.restore(other, {})
        self.assertEqual(counts._epoch, 1)
        self.assertFalse(hasattr(other, "_epoch"))

    def test_counts_are_added_where_all_are_known(self):
        two, three = {"epoch_count": 2}, {"epoch_count": 3}
        self.assertEqual(epoch_count.total(two, three), {"epoch_count": 5})
        self.assertEqual(epoch_count.total(two, {}), {})
        self.assertEqual(epoch_count.total({}), {})

    def test_what_is_no_count_is_refused(self):
        for sound in ({}, {"epoch_count": 0}, {"epoch_count": 7}):
            epoch_count.check(sound)
        for broken in (-1, 1.5, "1", None, True):
            with self.subTest(broken=broken), self.assertRaises(TypeError):
                epoch_count.check({"epoch_count": broken})
