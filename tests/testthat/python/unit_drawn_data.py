"""drawn_data.py: what both positions know of their data."""

import types
import unittest

import keras
import numpy as np
from unit_generator import Prefetching
from unit_generator import in_graph

from kerasbackup.parts.data import drawn_data
from kerasbackup.parts.data.drawn_data import DrawnData
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.store import errors
from kerasbackup.store import values

# A dict, as it is encoded.
EMPTY = {"$dict": []}

# An array, and the tensor that it is.
ARRAY = {"$array": "t"}
TENSORS = {"t": ("F32", [2], None)}


class Adapter:
    """Keras', of any data."""

    def get_jax_iterator(self):
        return iter([(np.zeros(3),)])

    get_torch_dataloader = get_jax_iterator


def iterator(adapter):
    return types.SimpleNamespace(data_adapter=adapter)


def drawn(data=None, name="data", text="data"):
    return DrawnData(name, text, data, iterator(Adapter()))


class Beginning(unittest.TestCase):
    def test_what_the_process_did_before_is_counted_apart(self):
        generator = (i for i in range(3))
        IteratorsMade(generator).note(2)
        data = drawn(generator)
        self.assertEqual((data.made, data.made_earlier), (0, 2))
        self.assertEqual(data.use.times, 2)

    def test_there_is_no_source_before_keras_has_made_its_iterator(self):
        data = drawn()
        self.assertIsNone(data.source)
        self.assertIsNone(data.batches)
        self.assertEqual(data.not_saved, [])
        data.release()

    def test_the_source_and_the_batches_are_those_of_the_adapter(self):
        data = drawn()
        data.begin(iterator(adapter := Adapter()), dict, ("left",))
        self.assertIs(data.source._adapter, adapter)
        self.assertIs(data.source._use, data.use)
        self.assertEqual(data.source._left, ("left",))
        self.assertIs(data.batches._states, dict)
        other = drawn()
        other.begin(iterator(Adapter()))
        self.assertEqual(other.source._left, ())
        self.assertIsNone(other.batches._states)

    @unittest.skipIf(
        keras.backend.backend() == "tensorflow", "no batch is seen there"
    )
    def test_release_gives_the_adapter_its_method_back(self):
        data = drawn()
        data.begin(iterator(adapter := Adapter()))
        self.assertNotEqual(vars(adapter), {})
        data.release()
        self.assertEqual(vars(adapter), {})

    def test_what_was_drawn_ahead_is_that_of_the_data(self):
        one = iterator(Adapter())
        with in_graph(False) as asked:
            data = DrawnData("data", "data", Prefetching(1, 2), one)
        self.assertEqual(data.ahead.capture(), [1, 2])
        # The Keras of that iterator is asked.
        self.assertIs(asked.call_args.args[0], one)


class Encoding(unittest.TestCase):
    def encoded(self, state, ahead=()):
        self.data = drawn(None, "validation", "validation data")
        self.encoder = values.Encoder()
        return self.data.encode(state, [*ahead], self.encoder)

    def test_it_is_decoded_to_the_same(self):
        order, batch = np.arange(3000), np.arange(2000)
        encoded = self.encoded({"order": order}, [batch, 5])
        self.assertEqual([*encoded], ["source", "ahead"])
        names = [*self.encoder.arrays]
        self.assertTrue(all(n.startswith("validation/") for n in names), names)
        self.assertTrue(any("/ahead" in name for name in names), names)
        state, ahead = drawn_data.decode(
            encoded, self.encoder.arrays.__getitem__
        )
        np.testing.assert_array_equal(state["order"], order)
        np.testing.assert_array_equal(ahead[0], batch)
        self.assertEqual(ahead[1], 5)
        self.assertEqual(self.data.not_saved, [])

    def test_a_source_without_a_state_has_none(self):
        encoded = self.encoded(None)
        self.assertEqual(drawn_data.decode(encoded, {}.__getitem__), (None, []))
        # As a checkpoint of an earlier version has it.
        del encoded["source"]
        self.assertEqual(drawn_data.decode(encoded, {}.__getitem__), (None, []))

    def test_what_cannot_be_encoded_is_told_and_left_out(self):
        encoded = self.encoded({"order": object()})
        told = ["the state of the validation data (object)"]
        self.assertEqual(self.data.not_saved, told)
        state, _ = drawn_data.decode(encoded, {}.__getitem__)
        self.assertEqual(state, {})
        # The next capture may be complete again.
        self.data.encode({}, [], values.Encoder())
        self.assertEqual(self.data.not_saved, [])

    def test_what_the_source_could_not_save_is_told_first(self):
        self.encoded({"order": object()})
        self.data.source = types.SimpleNamespace(not_saved=["Data.order"])
        self.assertEqual(
            self.data.not_saved,
            ["Data.order", "the state of the validation data (object)"],
        )

    def test_tags_are_taken_in_a_state_alone(self):
        tagged = values.Encoder().encode({"a": values.Tagged("box", [1])}, "")
        state, _ = drawn_data.decode(
            {"source": tagged, "ahead": []}, {}.__getitem__
        )
        self.assertIsInstance(state["a"], values.Tagged)
        with self.assertRaises(errors.DAMAGE):
            drawn_data.decode({"source": None, "ahead": tagged}, {}.__getitem__)


class Checking(unittest.TestCase):
    def check(self, **fields):
        return drawn_data.check({"ahead": [], **fields}, TENSORS)

    def with_attribute(self, value):
        """The state of a dataset with one attribute that has changed."""
        changed = {"$dict": [["a", value]]}
        return {"$dict": [["changed", changed], ["unchanged", EMPTY]]}

    def test_whether_the_source_has_a_state_is_returned(self):
        self.assertIs(self.check(), False)
        self.assertIs(self.check(source=None), False)
        self.assertIs(self.check(source=EMPTY), True)
        self.assertIs(self.check(source=self.with_attribute(ARRAY)), True)

    def test_what_is_sound_is_taken(self):
        self.check(ahead=[ARRAY, 1])
        self.check(checksums=[[0, 3]])
        tagged = values.Encoder().encode(
            values.Tagged("box", [None, ["data", "a"], [1]]), ""
        )
        self.check(source=self.with_attribute(tagged))

    def test_anything_else_is_refused(self):
        for broken in (
            {"ahead": None},
            {"ahead": EMPTY},
            {"ahead": [{"$array": "other"}]},
            {"checksums": 3},
            {"checksums": None},
            {"source": 3},
            {"source": {"$array": "other"}},
            {"source": self.with_attribute({"$array": "other"})},
        ):
            with self.subTest(**broken), self.assertRaises(errors.DAMAGE):
                self.check(**broken)

    def test_counts_have_limits(self):
        limits = {"made": 3, "length": 5}
        for saved in ({"made": 3, "length": 5}, {"made": 0, "length": None}):
            drawn_data.check_limits(saved, limits)
        drawn_data.check_limits({"made": None}, {"made": 0})
        for field in limits:
            saved = {**limits, field: limits[field] + 1}
            with self.assertRaisesRegex(
                ValueError,
                f"^{field} is {saved[field]}, at most {limits[field]}$",
            ):
                drawn_data.check_limits(saved, limits)

    def test_keras_makes_eight_iterators_at_most(self):
        # Checkpoints are checked by it, so it must not become less.
        self.assertEqual(drawn_data.MOST_ITERATORS, 8)
