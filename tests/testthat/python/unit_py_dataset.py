"""py_dataset.py: the state of a script's `PyDataset`, and the batches that its
workers have ready."""

import queue
import types
import unittest
from unittest import mock

import keras
import numpy as np
from unit_position import Run
from unit_position import lost

from kerasbackup.parts.data.sources.py_dataset import PyDataset


class Numbers(keras.utils.PyDataset):
    def __len__(self):
        return 9

    def __getitem__(self, index):
        return (np.full((4, 1), index, "float32"),)


class Ready(unittest.TestCase):
    """Batches that the workers of a PyDataset had ready at an epoch's end."""

    def test_they_come_once_where_an_iterator_lives_on(self):
        # Not shuffled: the workers' thread would draw for that while we do.
        settings = {"steps_per_epoch": 5, "shuffle": False}
        before = lost((1, 2), x=Numbers(workers=2), epochs=3, **settings)
        run = Run(x=Numbers(workers=2), **settings)
        self.assertEqual(run.restore(before.saved, 1), [])
        run.run_epochs(2)
        numbers = [drawn[-1] for drawn in run.drawn]
        following = before.drawn[before.drawn_before :]
        self.assertEqual(numbers, [drawn[-1] for drawn in following])
        self.assertEqual(numbers[:2], [7, 8])


class Ordered(Numbers):
    def __init__(self, size=3):
        super().__init__()
        self.order = [1, 2, 3]
        self.size = size


class Telling(Ordered):
    def get_state(self):
        return list(self.order)

    def set_state(self, state):
        self.order = state


class Enqueuer:
    """Puts batches into a queue until it is stopped."""

    def __init__(self, *batches):
        self.ready_queue = queue.Queue()
        self.is_stopped = False
        for batch in batches:
            self.ready_queue.put(batch)

    def stop(self):
        self.is_stopped = True


def source_of(dataset, **attributes):
    adapter = types.SimpleNamespace(py_dataset=dataset, **attributes)
    return PyDataset(types.SimpleNamespace(data_adapter=adapter))


class States(unittest.TestCase):
    def test_what_has_changed_is_put_back(self):
        dataset = Ordered()
        source = source_of(dataset)
        dataset.order.reverse()
        state = source.capture()
        self.assertEqual([*state], ["changed", "unchanged"])
        self.assertEqual([*state["changed"]], ["order"])
        self.assertEqual([*state["unchanged"]], ["size"])
        again = Ordered()
        self.assertEqual(source_of(again).restore(state), [])
        self.assertEqual(again.order, [3, 2, 1])

    def test_what_differs_or_cannot_be_put_back_is_told(self):
        dataset = Ordered()
        source = source_of(dataset)
        dataset.order.reverse()
        state = source.capture()
        other = source_of(Ordered(size=4))
        self.assertEqual(
            other.restore(state),
            ["the data's size differs from when training began"],
        )
        with mock.patch.object(
            other._attributes, "restore", return_value=["order"]
        ):
            self.assertEqual(
                other.restore(state),
                [
                    "the data's order could not be restored",
                    "the data's size differs from when training began",
                ],
            )

    def test_data_that_tell_their_state_are_asked_and_nothing_else(self):
        dataset = Telling()
        source = source_of(dataset)
        state = source.capture()
        self.assertEqual(state, {"get_state": [1, 2, 3]})
        dataset.order = []
        self.assertEqual(source.restore(state), [])
        self.assertEqual(dataset.order, [1, 2, 3])

    def test_a_state_of_data_that_told_it_says_nothing_of_attributes(self):
        dataset = Ordered()
        source = source_of(dataset)
        self.assertEqual(source.restore({"get_state": [9]}), [])
        self.assertEqual(dataset.order, [1, 2, 3])


class Queues(unittest.TestCase):
    def test_batches_that_are_ready_are_put_in_place_of_those_that_are(self):
        state = source_of(Telling(), enqueuer=Enqueuer(1, 2)).capture()
        self.assertEqual(state["ready"], [1, 2])
        enqueuer = Enqueuer(7)
        source_of(Telling(), enqueuer=enqueuer).restore(state)
        self.assertEqual([*enqueuer.ready_queue.queue], [1, 2])
        self.assertTrue(enqueuer.is_stopped)

    def test_without_workers_there_are_none(self):
        for attributes in ({}, {"enqueuer": None}):
            state = source_of(Telling(), **attributes).capture()
            self.assertNotIn("ready", state)


class InAState(unittest.TestCase):
    """A dataset that is described with another state for a while."""

    def test_the_adapter_has_a_copy_with_it_meanwhile(self):
        lost_one = Ordered()
        source = source_of(lost_one)
        lost_one.order.append(4)
        state = source.capture()
        dataset = Ordered()
        source = source_of(dataset)
        adapter = source._adapter
        with source.as_in(state):
            self.assertIsNot(adapter.py_dataset, dataset)
            self.assertEqual(adapter.py_dataset.order, [1, 2, 3, 4])
            self.assertEqual(dataset.order, [1, 2, 3])
        self.assertIs(adapter.py_dataset, dataset)
        with self.assertRaises(ZeroDivisionError), source.as_in(state):
            raise ZeroDivisionError
        self.assertIs(adapter.py_dataset, dataset)

    def test_one_that_tells_its_state_has_it_itself(self):
        dataset = Telling()
        source = source_of(dataset)
        with source.as_in({"get_state": [9]}):
            self.assertIs(source._adapter.py_dataset, dataset)
            self.assertEqual(dataset.order, [9])
        self.assertEqual(dataset.order, [1, 2, 3])

    def test_a_state_without_attributes_changes_nothing(self):
        dataset = Ordered()
        source = source_of(dataset)
        with source.as_in({"get_state": [9]}):
            self.assertIs(source._adapter.py_dataset, dataset)
            self.assertEqual(dataset.order, [1, 2, 3])


class Validating(unittest.TestCase):
    """The first validation after a resume: Keras had ended an epoch of the data
    before their state was restored."""

    def resume(self, before, is_own):
        source = source_of(Telling())
        done = []
        source._iterator.reset = lambda: done.append("reset")
        generators = types.SimpleNamespace(
            restore=lambda states: done.append(states)
        )
        self.assertEqual(
            source.resume_validation(generators, before, is_own), []
        )
        return done

    def test_the_epoch_is_ended_again_with_the_generators_of_then(self):
        self.assertEqual(self.resume("before", True), ["before", "reset"])
        self.assertEqual(self.resume(None, True), ["reset"])

    def test_data_that_are_trained_on_too_are_left_to_training(self):
        self.assertEqual(self.resume("before", False), [])
