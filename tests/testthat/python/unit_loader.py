"""loader.py: the generators and the workers of torch's DataLoaders."""

import importlib.util
import random
import types
import unittest
from unittest import mock

from kerasbackup.keras3 import epoch_iterator
from kerasbackup.parts.data.sources import loader as loader_source
from kerasbackup.parts.data.sources.loader import Loader

needs_torch = unittest.skipUnless(
    importlib.util.find_spec("torch"), "there is no torch"
)


class TorchDataLoaderAdapter:
    """Of this name Keras' is told."""

    batch_size = 4
    num_batches = 5

    def __init__(self, loader):
        self._dataloader = loader


class TensorDataset:
    """Of this name torch's is told."""


class Subset:
    def __init__(self, dataset):
        self.dataset = dataset


class FakeLoader:
    """With workers that draw a seed when they start."""

    persistent_workers = True

    def __init__(self, dataset=None, **attributes):
        self._iterator = None
        self.dataset = dataset
        vars(self).update(attributes)
        self.started = 0

    def __iter__(self):
        self.started += 1
        self._iterator = iter(())
        return self._iterator


class Sampler:
    def __init__(self, generator=None):
        self.generator = generator
        self.epoch = 0


def source_of(loader, steps_per_epoch=None, left=()):
    iterator = types.SimpleNamespace(
        data_adapter=TorchDataLoaderAdapter(loader),
        steps_per_epoch=steps_per_epoch,
        steps_per_execution=1,
    )
    return Loader(iterator, left=left)


class Telling:
    """A loader that tells its state itself."""

    def __init__(self):
        self.dataset = Sampler()
        self.place = 3

    def state_dict(self):
        return {"place": self.place}

    def load_state_dict(self, state):
        self.place = state["place"]


class States(unittest.TestCase):
    def test_what_a_sampler_changes_is_a_part_of_it(self):
        sampler = Sampler()
        source = source_of(FakeLoader(sampler=sampler))
        self.assertEqual(source.capture(), {"parts": {}})
        sampler.epoch = 2
        state = source.capture()
        self.assertEqual([*state["parts"]], ["sampler"])
        again = Sampler()
        self.assertEqual(
            source_of(FakeLoader(sampler=again)).restore(state), []
        )
        self.assertEqual(again.epoch, 2)

    def test_an_older_state_has_no_parts(self):
        sampler = Sampler()
        source = source_of(FakeLoader(sampler=sampler))
        self.assertEqual(source.restore({}), [])
        self.assertEqual(sampler.epoch, 0)

    def test_what_cannot_be_restored_is_named(self):
        source = source_of(FakeLoader(sampler=Sampler()))
        with mock.patch.object(
            source._attributes, "restore", return_value=["sampler.epoch"]
        ):
            self.assertEqual(
                source.restore({"parts": {}}),
                ["the DataLoader's sampler.epoch could not be restored"],
            )

    def test_a_loader_that_tells_its_state_is_asked_and_nothing_else(self):
        loader = Telling()
        source = source_of(loader)
        state = source.capture()
        self.assertEqual(state, {"state_dict": {"place": 3}})
        loader.place = 9
        self.assertEqual(source.restore(state), [])
        self.assertEqual(loader.place, 3)


@needs_torch
class Generators(unittest.TestCase):
    def generator(self, seed):
        import torch

        return torch.Generator().manual_seed(seed)

    def test_each_owner_is_asked_and_each_generator_counts_once(self):
        first, second, third, fourth = map(self.generator, range(4))
        loader = types.SimpleNamespace(
            generator=first,
            sampler=Sampler(second),
            batch_sampler=types.SimpleNamespace(
                generator=third, sampler=Sampler(fourth)
            ),
        )
        found = loader_source.generators_of(loader)
        self.assertEqual(
            [*map(id, found)], [*map(id, (first, second, third, fourth))]
        )
        loader.sampler.generator = first
        found = loader_source.generators_of(loader)
        self.assertEqual([*map(id, found)], [*map(id, (first, third, fourth))])

    def test_other_data_have_none(self):
        self.assertEqual(loader_source.generators_of(None), [])
        named_so = types.SimpleNamespace(generator=random.Random(1))
        self.assertEqual(loader_source.generators_of(named_so), [])

    def test_without_torch_there_are_none(self):
        loader = types.SimpleNamespace(generator=self.generator(1))
        with mock.patch.object(loader_source.sys, "modules", {}):
            self.assertEqual(loader_source.generators_of(loader), [])

    def test_their_states_are_put_back_but_for_those_of_another_source(self):
        import torch

        shared, own = self.generator(1), self.generator(2)
        loader = FakeLoader(generator=shared, sampler=Sampler(own))
        source = source_of(loader, left=[shared])
        states = source.capture_generators()
        self.assertEqual(len(states), 1)
        expected = torch.rand(2, generator=own)
        kept = shared.get_state()
        source.restore_generators(states)
        self.assertTrue(torch.equal(torch.rand(2, generator=own), expected))
        self.assertTrue(torch.equal(shared.get_state(), kept))

    def test_their_number_is_part_of_the_description(self):
        loader = FakeLoader(generator=self.generator(1))
        described = source_of(loader).describe()
        self.assertEqual(described["number of the DataLoader's generators"], 1)
        self.assertEqual(described["batches"], 5)


class Workers(unittest.TestCase):
    def test_those_that_live_on_are_started_once(self):
        loader = FakeLoader(TensorDataset())
        source = source_of(loader)
        self.assertEqual(source.start_workers(), [])
        self.assertEqual(source.start_workers(), [])
        self.assertEqual(loader.started, 1)
        # Another version of torch may not say that none are there yet.
        loader = FakeLoader(TensorDataset())
        del loader._iterator
        source_of(loader).start_workers()
        self.assertEqual(loader.started, 1)

    @needs_torch
    def test_the_loaders_generator_is_put_back(self):
        import torch

        generator = torch.Generator().manual_seed(1)

        class Drawing(FakeLoader):
            def __iter__(self):
                torch.rand(1, generator=generator)
                return super().__iter__()

        before = generator.get_state()
        loader = Drawing(TensorDataset(), generator=generator)
        source_of(loader).start_workers()
        self.assertTrue(torch.equal(generator.get_state(), before))

    def test_what_they_keep_is_told_unless_the_data_are_tensors(self):
        note = [Loader.NEW_WORKERS]
        self.assertRegex(*note, "workers live across epochs")
        for dataset, expected in (
            (TensorDataset(), []),
            (Subset(Subset(TensorDataset())), []),
            ([1, 2], note),
            (Subset([1, 2]), note),
        ):
            source = source_of(FakeLoader(dataset))
            self.assertEqual(source.start_workers(), expected)

    def test_others_end_with_their_epoch(self):
        for loader in (
            FakeLoader([1], persistent_workers=False),
            Telling(),
        ):
            self.assertEqual(source_of(loader).start_workers(), [])
            self.assertEqual(getattr(loader, "started", 0), 0)


class Global:
    """The global generators, of which making an iterator moves torch's."""

    def __init__(self):
        self.put_back = []

    def capture(self):
        return "now"

    def restore(self, states, only=None):
        self.put_back.append((states, only))


class Validating(unittest.TestCase):
    def resume(self, before, is_own):
        self.loader = FakeLoader([1])
        self.generators = Global()
        return source_of(self.loader).resume_validation(
            self.generators, before, is_own
        )

    def test_torchs_generator_is_as_before_its_iterator_was_made(self):
        self.resume("before", True)
        self.assertEqual(self.generators.put_back, [("before", ("torch",))])

    def test_or_as_it_is_where_that_is_not_known(self):
        self.resume(None, True)
        self.assertEqual(self.generators.put_back, [("now", ("torch",))])

    def test_workers_are_started_unless_training_starts_them(self):
        self.assertEqual(self.resume(None, True), [Loader.NEW_WORKERS])
        self.assertEqual(self.loader.started, 1)
        self.assertEqual(self.resume(None, False), [])
        self.assertEqual(self.loader.started, 0)


class Ends(unittest.TestCase):
    """A sampler of a loader draws once more when it has given all batches."""

    def left_over(self, draws, steps_per_epoch):
        batches = iter([1, 2])
        with mock.patch.object(
            epoch_iterator, "draws_in_graph", return_value=draws
        ):
            source = source_of(FakeLoader(), steps_per_epoch)
            source.await_end(batches)
        return [*batches]

    def test_the_end_is_awaited_where_a_thread_may_come_to_it_later(self):
        self.assertEqual(self.left_over(True, None), [2])
        with mock.patch.object(
            epoch_iterator, "draws_in_graph", return_value=True
        ):
            source_of(FakeLoader()).await_end(iter(()))

    def test_it_is_not_where_keras_comes_to_it_or_the_iterator_goes_on(self):
        self.assertEqual(self.left_over(False, None), [1, 2])
        self.assertEqual(self.left_over(True, 3), [1, 2])
