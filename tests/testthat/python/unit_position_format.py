"""position_format.py: a position is packed, unpacked and checked."""

import copy
import importlib.util
import unittest

from kerasbackup.parts.data import drawn_data
from kerasbackup.parts.data import position_format
from kerasbackup.parts.data.position_format import check_position
from kerasbackup.parts.random import rng
from kerasbackup.store import errors

EPOCHS = 2


def position(**changes):
    """Between two batches, of data whose iterator ends with each epoch."""
    described = {"steps_per_epoch": None, "batches": 5}
    described |= changes.pop("described", {})
    return {
        "rng": 0,
        "epoch_rng": 1,
        "at_creation": None,
        "at_first_draw": None,
        "states": [{"loader": []}, {"loader": [], "epoch_count": 2}],
        "steps_seen": 0,
        "most_steps": 0,
        "made": 3,
        "made_earlier": 0,
        "made_to_build": 0,
        "epochs": EPOCHS,
        "num_batches": 5,
        "has_iterator": False,
        "source_kind": described,
        "source": {"$dict": []},
        "ahead": [],
        **changes,
    }


def living(**changes):
    """The same of an iterator that lives across epochs of three batches."""
    described = {"steps_per_epoch": 3, "batches": None}
    described |= changes.pop("described", {})
    return position(
        **{
            "described": described,
            "has_iterator": True,
            "at_creation": 0,
            "most_steps": 3,
            "steps_seen": 6,
            "num_batches": None,
            **changes,
        }
    )


def check(saved, batch=1, done=EPOCHS):
    check_position(saved, batch, done, {})


class Packing(unittest.TestCase):
    def test_equal_states_are_there_once(self):
        whole = {
            "rng": {"a": 1},
            "epoch_rng": {"a": 2},
            "at_creation": {"a": 1},
            "at_first_draw": None,
            "made": 4,
        }
        before = copy.deepcopy(whole)
        packed = position_format.share(whole)
        self.assertEqual(packed["states"], [{"a": 1}, {"a": 2}])
        fields = [packed[name] for name in position_format.RNG_FIELDS]
        self.assertEqual(fields, [0, 1, 0, None])
        self.assertEqual(packed["made"], 4)
        # What was given stays as it is, on the way back, too.
        self.assertEqual(whole, before)
        unpacked = position_format.unshare(packed)
        self.assertEqual({**unpacked, **whole}, unpacked)
        self.assertEqual(packed["rng"], 0)


class Sound(unittest.TestCase):
    def test_what_a_save_can_have_written(self):
        for saved in (
            position(),
            living(),
            position(at_first_draw=1, changed_arrays=7),
            position(changed_arrays=None, checksums=[[0, 3]]),
            position(num_batches=None, described={"batches": None}),
            # An iterator that lives on has not been made yet.
            living(has_iterator=False, at_creation=None),
            # Or has ended in one of the epochs.
            living(num_batches=9),
        ):
            check(saved)

    def test_arrays_of_the_data_are_tensors_of_the_checkpoint(self):
        saved = position(ahead=[{"$array": "drawn"}])
        check_position(saved, 1, EPOCHS, {"drawn": ("F32", [2], None)})
        with self.assertRaises(errors.DAMAGE):
            check(saved)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
    def test_states_of_torchs_generators(self):
        import torch

        text = rng.encode_torch(torch.Generator().get_state())
        states = [{"loader": [text]}, {"loader": []}]
        check(position(states=states))

    def test_between_epochs_the_beginning_of_one_is_not_needed(self):
        check(position(epoch_rng=None), batch=0)
        with self.assertRaisesRegex(ValueError, "epoch_rng is missing"):
            check(position(epoch_rng=None), batch=1)


class Damaged(unittest.TestCase):
    def refused(self, kind, text, saved, **place):
        with self.assertRaisesRegex(kind, text):
            check(saved, **place)

    def test_states_of_generators(self):
        words = "states of the generators are no numbers"
        for broken in (-1, 1.5, "0", True):
            for field in position_format.RNG_FIELDS:
                self.refused(TypeError, words, position(**{field: broken}))
        self.refused(IndexError, "", position(rng=2))
        for states in (
            [{}, {}],
            [{"loader": ["no state"]}, {"loader": []}],
            [{"loader": [], "epoch_count": -1}, {"loader": []}],
            [{"loader": [], "python": 3}, {"loader": []}],
        ):
            with self.assertRaises(errors.DAMAGE):
                check(position(states=states))

    def test_states_that_are_needed(self):
        self.refused(ValueError, "^rng is missing", position(rng=None))
        self.refused(
            ValueError, "at_creation is missing", living(at_creation=None)
        )
        # Only an iterator that lives on is made again from them.
        check(position(has_iterator=True))

    def test_the_iterator(self):
        for broken in (None, 1, "true"):
            self.refused(
                TypeError,
                "has_iterator is no flag",
                position(has_iterator=broken),
            )

    def test_the_state_of_the_data(self):
        words = "the data's state is missing"
        self.refused(ValueError, words, position(source=None))
        self.refused(TypeError, "drawn ahead", position(ahead=3))

    def test_the_checksum_of_the_arrays(self):
        for broken in (-1, 0.5, "1"):
            self.refused(
                ValueError,
                "checksum of the arrays",
                position(changed_arrays=broken),
            )

    def test_counts(self):
        words = "the position's counts are none"
        for field in (*position_format.COUNTS, "num_batches"):
            for broken in (-1, 1.5, "1"):
                self.refused(ValueError, words, position(**{field: broken}))
        for field in ("steps_per_epoch", "batches", "rows in the last batch"):
            self.refused(ValueError, words, position(described={field: -1}))
        for field in position_format.COUNTS:
            self.refused(ValueError, words, position(**{field: None}))
        with self.assertRaises(AttributeError):
            check(position() | {"source_kind": [1]})


class Limits(unittest.TestCase):
    def at_most(self, most, field, make=position, **changes):
        changes = {"batch": 0, **changes}
        place = {name: changes.pop(name) for name in ("batch",)}
        check(make(**{field: most}, **changes), **place)
        with self.assertRaisesRegex(
            ValueError, f"^{field} is {most + 1}, at most {most}$"
        ):
            check(make(**{field: most + 1}, **changes), **place)

    def test_an_epoch_may_be_complete_that_the_history_lacks(self):
        self.at_most(EPOCHS + 1, "epochs")

    def test_iterators_are_so_many_an_epoch(self):
        self.at_most(drawn_data.MOST_ITERATORS * (EPOCHS + 1), "made")
        self.at_most(1, "made_to_build")

    def test_an_iterator_that_lives_on_has_what_the_epochs_drew(self):
        drawn = 3 * (EPOCHS + 1)
        self.at_most(drawn, "steps_seen", living)
        self.at_most(drawn, "num_batches", living)

    def test_what_keras_knows_of_the_data_needs_no_limit(self):
        check(position(steps_seen=100, num_batches=100))
        check(living(num_batches=100, described={"batches": 100}))
        check(position(made_earlier=10**6))

    def test_a_batch_is_one_of_the_epoch(self):
        for saved, length in (
            (position(), 5),
            (living(), 3),
            (living(num_batches=2), 3),
        ):
            check(saved, batch=length - 1)
            with self.assertRaisesRegex(
                ValueError, f"batch {length} of an epoch of {length}"
            ):
                check(saved, batch=length)
        check(position(num_batches=None), batch=100)
        # After the last batch there is none.
        check(position(num_batches=0), batch=0)
