"""written.py: data of a script's own class, which may tell their state."""

import types
import unittest
from unittest import mock

import numpy as np

from kerasbackup.parts.data.sources import written


class Silent:
    """Tells no state."""

    order = 1


class Telling(Silent):
    def get_state(self):
        return {"order": self.order}

    def set_state(self, state):
        self.order = state["order"]


class LikeTorch(Silent):
    def state_dict(self):
        return {"order": self.order}

    def load_state_dict(self, state):
        self.order = state["order"]


class OnlyTelling(Silent):
    """Tells a state, and takes none back."""

    def get_state(self):
        return {"order": self.order}


class Attributes:
    """In place of those of a kind of data."""

    def __init__(self, data):
        self.data = data
        self.not_saved = ["Data.order"]


class Source(written.Written):
    ATTRIBUTES = Attributes


def source_of(data):
    # As those of torch have it.
    adapter = types.SimpleNamespace(_dataloader=data)
    iterator = types.SimpleNamespace(data_adapter=adapter)
    return Source(iterator, "use", ("left",))


class States(unittest.TestCase):
    def test_what_the_data_tell_is_put_back(self):
        for kind, name in ((Telling, "get_state"), (LikeTorch, "state_dict")):
            with self.subTest(kind=kind.__name__):
                data = kind()
                data.order = 5
                state = source_of(data).capture()
                self.assertEqual(state, {name: {"order": 5}})
                again = kind()
                self.assertEqual(source_of(again).restore(state), [])
                self.assertEqual(again.order, 5)

    def test_data_that_tell_it_keep_their_attributes_to_themselves(self):
        for kind in (Telling, LikeTorch):
            source = source_of(kind())
            self.assertIsNone(source._attributes)
            self.assertEqual(source.not_saved, [])

    def test_the_attributes_count_where_data_tell_none_or_take_none(self):
        for kind in (Silent, OnlyTelling):
            data = kind()
            source = source_of(data)
            self.assertIs(source._attributes.data, data)
            self.assertEqual(source.not_saved, ["Data.order"])
        self.assertEqual(source_of(Silent()).capture(), {})
        self.assertEqual(source_of(Silent()).restore({"get_state": {}}), [])

    def test_the_data_are_those_of_the_adapter(self):
        data = Silent()
        self.assertIs(source_of(data).written_by_user, data)

    def test_it_knows_the_use_of_the_data_and_what_another_source_saves(self):
        source = source_of(Silent())
        self.assertEqual((source._use, source._left), ("use", ("left",)))


class InAState(unittest.TestCase):
    """Data that have another state for a while."""

    def test_they_have_their_own_again_afterwards(self):
        for kind, name in ((Telling, "get_state"), (LikeTorch, "state_dict")):
            data = kind()
            source = source_of(data)
            with source.as_in({name: {"order": 9}}):
                self.assertEqual(data.order, 9)
            self.assertEqual(data.order, 1)

    def test_also_where_it_cannot_be_described(self):
        data = Telling()
        with self.assertRaises(ZeroDivisionError):
            with source_of(data).as_in({"get_state": {"order": 9}}):
                raise ZeroDivisionError
        self.assertEqual(data.order, 1)

    def test_an_array_that_is_written_to_meanwhile_is_put_back(self):
        data = Telling()
        data.order = np.arange(3000)

        def write(state):
            data.order[:] = state["order"]

        data.set_state = write
        zeros = np.zeros(3000)
        with source_of(data).as_in({"get_state": {"order": zeros}}):
            np.testing.assert_array_equal(data.order, zeros)
        np.testing.assert_array_equal(data.order, np.arange(3000))

    def test_of_data_without_that_state_nothing_is_asked(self):
        data = Telling()
        data.get_state = mock.Mock(side_effect=AssertionError("it was asked"))
        with source_of(data).as_in({"state_dict": {"order": 9}}):
            self.assertEqual(data.order, 1)
        silent = Silent()
        with source_of(silent).as_in({"get_state": {"order": 9}}):
            self.assertEqual(silent.order, 1)
