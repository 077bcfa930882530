"""position.py: where in the data a training is, and getting there again.

With Keras' own epoch iterator, but without a model or a fit().
"""

import functools
import gc
import importlib.util
import json
import random
import sys
import unittest
import weakref
from unittest import mock

import asking
import keras
import numpy as np
from keras.src.trainers.epoch_iterator import EpochIterator
from unit_generator import Recorder
from unit_rng import FakeStore

from kerasbackup.keras3.data_adapters import METHODS
from kerasbackup.parts.data import iterators_made
from kerasbackup.parts.data import position
from kerasbackup.parts.data import position_format
from kerasbackup.parts.data import replay
from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.sources.generator import DrawnAhead
from kerasbackup.parts.data.sources.kinds import source_of
from kerasbackup.parts.data.sources.loader import Loader
from kerasbackup.parts.data.sources.tf_data import TfData
from kerasbackup.parts.random import rng
from kerasbackup.parts.script import THEN
from kerasbackup.parts.script import was_and_is
from kerasbackup.store import errors
from kerasbackup.store import values
from kerasbackup.store.dtypes import DTYPES


def setUpModule():
    asking.refuse_none()


def reads_ahead():
    """Whether Keras draws batches before the steps that take them, as older
    versions do on JAX."""
    if keras.backend.backend() != "jax":
        return False
    from keras.src.backend.jax.trainer import JAXEpochIterator

    return hasattr(JAXEpochIterator, "_prefetch_numpy_iterator")


def arrays(rows=20):
    return np.arange(rows, dtype="float32").reshape(rows, 1)


def batches():
    """Nobody knows how many."""
    return ((one,) for one in arrays().reshape(5, 4, 1))


def pipeline(seed=None):
    """Likewise; in another order each time."""
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices((arrays(),))
    return dataset.shuffle(20, seed=seed).batch(4).filter(lambda x: True)


def count_epochs(adapter):
    """Lets an adapter of arrays draw its order from the number of epochs that
    it has counted, as that of Keras 3.16 does."""
    adapter._epoch = 0

    def drawn():
        rows = np.random.default_rng(adapter._epoch).permutation(20)
        for i in range(0, 20, 4):
            yield (arrays()[rows[i : i + 4]],)

    def on_epoch_end():
        adapter._epoch += 1

    adapter.get_numpy_iterator = adapter.get_jax_iterator = drawn
    adapter.get_torch_dataloader = drawn
    adapter.on_epoch_end = on_epoch_end


class Run:
    """One training's data: the batches drawn, and positions in them."""

    # What callbacks do when a batch begins.
    before_draw = staticmethod(lambda: None)

    def __init__(
        self,
        x=None,
        save_at=None,
        is_built=False,
        counts=False,
        progress=None,
        **kwargs,
    ):
        if is_built:
            # As Keras does, to build a model.
            next(iter(x))
            iterators_made.IteratorsMade(x).note()
        kind = EpochIterator
        if keras.backend.backend() == "torch":
            # It draws from torch's generator when an iterator is made.
            from keras.src.backend.torch.trainer import TorchEpochIterator

            kind = TorchEpochIterator
        elif keras.backend.backend() == "jax":
            from keras.src.backend.jax.trainer import JAXEpochIterator

            kind = JAXEpochIterator
        self.iterator = kind(
            x=arrays() if x is None else x, **{"batch_size": 4, **kwargs}
        )
        if counts:
            count_epochs(self.iterator.data_adapter)
        dataset = getattr(self.iterator.data_adapter, "_dataset", None)
        if dataset is not None:
            # As TensorFlow's own has it.
            self.iterator._distributed_dataset = dataset
        self.saved = None
        self.save_at = save_at
        self.position = position.DataPosition(
            self.iterator,
            rng.Generators(FakeStore()),
            progress or replay.Progress(lambda *args: None),
            self.before_batch,
            lambda: self.ended.append(self.epoch),
            data=x,
            is_built_from_data=is_built,
            tell=lambda notes: self.notes.extend(notes),
        )
        self.epoch = self.done = 0
        self.drawn = []
        self.told = []
        self.notes = []
        self.ended = []
        self.reached = []

    def before_batch(self, batch):
        self.told.append((self.epoch, batch))
        self.reached.append((self.position.reached, self.position.has_more()))
        if (self.epoch, batch) == self.save_at:
            self.save(batch)

    def save(self, batch):
        encoder = values.Encoder()
        text = json.dumps(self.position.capture(batch, encoder))
        self.saved = json.loads(text), batch, encoder.arrays
        # Whatever a run comes to passes as what can be.
        check(self.saved, self.done)
        self.drawn_before = len(self.drawn)

    def run_epochs(self, number):
        for epoch in range(self.epoch, self.epoch + number):
            self.epoch = epoch
            self.position.on_epoch_begin()
            with self.iterator.catch_stop_iteration():
                self.draw(self.iterator._enumerate_iterator())
            self.iterator.data_adapter.on_epoch_end()
            self.done += 1
        self.epoch += 1

    def draw(self, steps):
        for step in steps:
            self.before_draw()
            batch = next(step[-1])
            # A callback draws too, and so do layers of torch's.
            noise = [random.random()]
            if keras.backend.backend() == "torch":
                noise.append(sys.modules["torch"].rand(1).item())
            self.drawn.append([*noise, *np.asarray(batch[0]).ravel().tolist()])

    def restore(self, saved, epoch):
        self.epoch = self.done = epoch
        known, batch, found = saved
        return self.position.restore(known, batch, found.__getitem__)


def check(saved, done, **changes):
    """Checks a position, with some of its fields changed."""
    known, batch, found = saved
    tensors = {
        name: (DTYPES[one.dtype.name], list(one.shape), None)
        for name, one in found.items()
    }
    position_format.check_position({**known, **changes}, batch, done, tensors)


def other_batch(number):
    """What is told where a batch is not the one drawn before."""
    if not METHODS.get(keras.backend.backend()):
        return []
    return [
        "the data have other values or another order than before the "
        f"interruption: batch {number} differs"
    ]


def lost(save_at, epochs=4, **kwargs):
    """A run that is saved at a place, and left alone."""
    keras.utils.set_random_seed(5)
    run = Run(save_at=save_at, **kwargs)
    run.run_epochs(epochs)
    return run


class Telling(keras.utils.PyDataset):
    """Tells a state that no checkpoint can have."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return (arrays(4) + i,)

    def get_state(self):
        return {"order": object()}

    def set_state(self, state):
        raise AssertionError("there is none")


class Unsaveable(unittest.TestCase):
    def test_the_state_of_a_dataset(self):
        run = lost((1, 0), x=Telling(), batch_size=None)
        run.save(0)
        told = ["the state of the data (object)"]
        self.assertEqual(run.position.not_saved, told)
        again = Run(x=Telling(), batch_size=None)
        position_format.check_position(run.saved[0], 0, 12, {})
        again.restore(run.saved, 4)


class Resuming(unittest.TestCase):
    def test_at_the_very_batch_without_the_ones_before(self):
        for shuffle in (True, False, "batch"):
            with self.subTest(shuffle=shuffle):
                before = lost((2, 3), shuffle=shuffle)
                keras.utils.set_random_seed(99)
                run = Run(shuffle=shuffle)
                self.assertEqual(run.restore(before.saved, 2), [])
                self.assertEqual(run.position.passed, 3)
                run.run_epochs(2)
                self.assertEqual(run.drawn, before.drawn[2 * 5 + 3 :])
                # And who is told of batches hears of no other.
                self.assertEqual(run.told[0], (2, 3))

    def test_between_epochs(self):
        keras.utils.set_random_seed(5)
        before = Run(shuffle=True)
        before.run_epochs(2)
        before.save(0)
        before.run_epochs(2)
        keras.utils.set_random_seed(99)
        run = Run(shuffle=True)
        self.assertEqual(run.restore(before.saved, 2), [])
        run.run_epochs(2)
        self.assertEqual(run.drawn, before.drawn[2 * 5 :])

    def test_an_iterator_that_lives_across_epochs(self):
        before = lost((2, 1), shuffle=True, steps_per_epoch=3)
        keras.utils.set_random_seed(99)
        run = Run(shuffle=True, steps_per_epoch=3)
        self.assertEqual(run.restore(before.saved, 2), [])
        run.run_epochs(2)
        self.assertEqual(run.drawn, before.drawn[before.drawn_before :])

    def test_an_order_that_is_drawn_from_the_epochs_counted(self):
        for kwargs in ({}, {"steps_per_epoch": 3}):
            for save_at in ((0, 2), (2, 1), (3, 1)):
                with self.subTest(save_at=save_at, **kwargs):
                    before = lost(save_at, counts=True, **kwargs)
                    run = Run(counts=True, **kwargs)
                    check(before.saved, save_at[0])
                    self.assertEqual(run.restore(before.saved, save_at[0]), [])
                    run.run_epochs(4 - save_at[0])
                    self.assertEqual(
                        run.drawn, before.drawn[before.drawn_before :]
                    )

    def test_after_the_data_have_ended(self):
        sources = [batches]
        if importlib.util.find_spec("tensorflow"):
            sources.append(pipeline)
        for source in sources:
            # Of 5 batches: 3, 2, and again.
            for save_at in ((2, 1), (3, 1)):
                with self.subTest(source=source, save_at=save_at):
                    kwargs = {"batch_size": None, "steps_per_epoch": 3}
                    before = lost(save_at, x=source(), **kwargs)
                    keras.utils.set_random_seed(5)
                    run = Run(x=source(), **kwargs)
                    self.assertEqual(run.restore(before.saved, save_at[0]), [])
                    run.run_epochs(4 - save_at[0])
                    self.assertEqual(
                        run.drawn, before.drawn[before.drawn_before :]
                    )

    def test_a_generator_that_ended_and_all_epochs_are_one(self):
        before = lost((1, 1), x=batches(), batch_size=None)
        run = Run(x=batches(), batch_size=None)
        self.assertEqual(run.restore(before.saved, 1), [])
        run.run_epochs(3)
        self.assertEqual(run.drawn, before.drawn[before.drawn_before :])

    def test_any_data_but_arrays_may_end_early(self):
        class Promising(keras.utils.PyDataset):
            def __len__(self):
                return 9

            def __getitem__(self, index):
                return arrays(), arrays()

        for kwargs, known in (
            ({}, False),
            ({"steps_per_epoch": 2}, True),
            ({"x": batches(), "batch_size": None}, True),
            ({"x": Promising(), "batch_size": None}, True),
        ):
            self.assertEqual(Run(**kwargs).position.may_end_early, known)

    def test_no_step_follows_one_that_had_no_data(self):
        run = Run(x=batches(), batch_size=None)
        steps = run.iterator._enumerate_iterator
        first = [step[0] for step in self.ended(run, steps())]
        self.assertEqual(first, [0])
        # But in the next epoch.
        self.assertEqual(next(steps())[0], 0)

    def ended(self, run, steps):
        for step in steps:
            yield step
            run.position.end_epoch()

    def test_the_first_step_that_is_not_passed_over_is_told_of(self):
        before = lost((2, 3))
        run = Run()
        run.restore(before.saved, 2)
        run.position.before_first_step = lambda: run.told.append("first")
        run.run_epochs(2)
        self.assertEqual(run.told[:3], [(2, 3), "first", (2, 4)])
        self.assertEqual(run.told.count("first"), 1)

    @unittest.skipIf(
        keras.backend.backend() == "tensorflow",
        "TensorFlow draws from a generator ahead, in a thread",
    )
    def test_data_and_callbacks_that_draw_from_one_generator(self):
        def drawing():
            while True:
                yield (np.random.rand(4, 1).astype("float32"),)

        for save_at in ((2, 0), (2, 1)):
            with self.subTest(save_at=save_at):
                kwargs = {"steps_per_epoch": 3, "batch_size": None}
                before = lost(save_at, x=drawing(), **kwargs)
                after = np.random.rand()
                # Keras draws the first batches at once, as the script does.
                keras.utils.set_random_seed(5)
                run = Run(x=drawing(), **kwargs)
                keras.utils.set_random_seed(99)
                self.assertEqual(run.restore(before.saved, 2), [])
                run.run_epochs(2)
                self.assertEqual(
                    run.drawn[-5:], before.drawn[before.drawn_before :][-5:]
                )
                # What would be drawn next, too.
                self.assertEqual(np.random.rand(), after)

    def test_a_position_can_be_captured_again(self):
        before = lost((1, 2), shuffle=True)
        keras.utils.set_random_seed(99)
        second = Run(shuffle=True, save_at=(2, 4))
        second.restore(before.saved, 1)
        second.run_epochs(3)
        keras.utils.set_random_seed(77)
        third = Run(shuffle=True)
        self.assertEqual(third.restore(second.saved, 2), [])
        third.run_epochs(2)
        self.assertEqual(third.drawn, before.drawn[2 * 5 + 4 :])

    def test_capturing_changes_nothing(self):
        plain = lost(None, shuffle=True)
        saved = lost((1, 2), shuffle=True)
        self.assertIsNotNone(saved.saved)
        self.assertEqual(saved.drawn, plain.drawn)


@unittest.skipIf(
    keras.backend.backend() == "tensorflow"
    or not importlib.util.find_spec("tensorflow"),
    "TensorFlow has an iterator of its own, and there is none without it",
)
class Reshuffling(unittest.TestCase):
    """A pipeline in a process that has used it before, or has not."""

    def setUp(self):
        iterators_made._made.clear()

    def resumed(self, saved, epoch, x, **kwargs):
        run = Run(x=x, **kwargs)
        notes = run.restore(saved, epoch)
        run.run_epochs(4 - epoch)
        return run, notes

    def test_what_was_drawn_to_build_the_model_counts(self):
        for kwargs in ({}, {"steps_per_epoch": 3}):
            kwargs["batch_size"] = None
            for then, now in ((True, False), (False, True), (True, True)):
                with self.subTest(then=then, now=now, **kwargs):
                    before = lost(
                        (2, 1), x=pipeline(3), is_built=then, **kwargs
                    )
                    run, notes = self.resumed(
                        before.saved, 2, pipeline(3), is_built=now, **kwargs
                    )
                    self.assertEqual(notes, [])
                    self.assertEqual(
                        run.drawn, before.drawn[before.drawn_before :]
                    )
                    run.save(0)
                    self.assertEqual(run.saved[0]["made_to_build"], then)

    def test_what_was_drawn_too_much_is_told(self):
        before = lost((0, 1), x=pipeline(3), batch_size=None)
        _, notes = self.resumed(
            before.saved, 0, pipeline(3), is_built=True, batch_size=None
        )
        self.assertEqual(notes, [iterators_made.IteratorsMade.NOTE])

    def test_earlier_trainings_count(self):
        # Two phases; run again, the first is done already.
        x = pipeline(3)
        Run(x=x, batch_size=None).run_epochs(2)
        before = lost((2, 1), x=x, batch_size=None)
        again = pipeline(3)
        run, notes = self.resumed(before.saved, 2, again, batch_size=None)
        self.assertEqual(notes, [])
        self.assertEqual(run.drawn, before.drawn[before.drawn_before :])
        # And all that follows counts as after the lost run.
        run.save(0)
        self.assertEqual(run.saved[0]["made_earlier"], 2)
        times = [iterators_made.IteratorsMade(one).times for one in (x, again)]
        self.assertEqual(times, [6, 6])
        # In the session that was interrupted they have been shuffled on.
        _, notes = self.resumed(before.saved, 2, x, batch_size=None)
        self.assertEqual(notes, [iterators_made.IteratorsMade.NOTE])

    def test_earlier_trainings_count_in_the_first_epoch_too(self):
        x = pipeline(3)
        Run(x=x, batch_size=None).run_epochs(2)
        before = lost((0, 3), x=x, batch_size=None)
        run, notes = self.resumed(before.saved, 0, pipeline(3), batch_size=None)
        self.assertEqual(notes, [])
        self.assertEqual(run.drawn, before.drawn[before.drawn_before :])

    def test_one_that_repeats_cannot_be_counted(self):
        kwargs = {"batch_size": None, "steps_per_epoch": 3}
        x = pipeline(3).repeat()
        Run(x=x, **kwargs).run_epochs(2)
        before = lost((2, 1), x=x, **kwargs)
        _, notes = self.resumed(before.saved, 2, pipeline(3).repeat(), **kwargs)
        self.assertEqual(
            notes, [iterators_made.IteratorsMade.NOTE, *other_batch(1)]
        )

    def test_an_order_that_is_drawn_in_the_course_of_an_epoch(self):
        import tensorflow as tf

        for make in (
            lambda source: source.shuffle(3, seed=7),
            lambda source: source.repeat(2),
            lambda source: source.shuffle(3, seed=7).repeat(2),
            lambda source: source.concatenate(source.skip(2)),
            lambda source: tf.data.Dataset.range(2).flat_map(lambda _: source),
        ):
            for kwargs in ({}, {"steps_per_epoch": 3}):
                kwargs["batch_size"] = None
                with self.subTest(like=make(pipeline(3)), **kwargs):
                    x = make(pipeline(3))
                    before = lost((2, 1), x=x, **kwargs)
                    run, notes = self.resumed(
                        before.saved, 2, make(pipeline(3)), **kwargs
                    )
                    self.assertEqual(notes, [])
                    self.assertEqual(
                        run.drawn, before.drawn[before.drawn_before :]
                    )

    def test_one_that_takes_a_seed_after_its_last_batch(self):
        import tensorflow as tf

        class Watched:
            """Counts the iterators that somebody has seen the end of."""

            def __init__(self, dataset):
                self.dataset = dataset
                self.ends = 0

            def __iter__(self):
                yield from self.dataset
                self.ends += 1

        def make(is_drawn_ahead):
            keras.utils.set_random_seed(5)
            source = tf.data.Dataset.from_tensor_slices((arrays(),))
            options = tf.data.Options()
            options.autotune.enabled = is_drawn_ahead
            repeated = source.shuffle(20, seed=3).batch(4).repeat(2)
            return repeated.with_options(options)

        for is_drawn_ahead, ends in ((True, 2), (False, 0)):
            with self.subTest(is_drawn_ahead=is_drawn_ahead):
                x = make(is_drawn_ahead)
                before = lost((2, 1), x=x, batch_size=None)
                x = make(is_drawn_ahead)
                run = Run(x=x, batch_size=None)
                watched = Watched(x)
                with mock.patch.object(TfData, "dataset", return_value=watched):
                    self.assertEqual(run.restore(before.saved, 2), [])
                self.assertEqual(watched.ends, ends)

    def test_iterators_that_validation_made_count(self):
        x = pipeline(3)
        run = Run(x=x, batch_size=None)
        for _ in range(2):
            run.run_epochs(1)
            run.epoch -= 1
            next(iter(x))
        run.save(0)
        run.drawn.clear()
        run.run_epochs(1)
        again = Run(x=pipeline(3), batch_size=None)
        known, batch, found = run.saved
        self.assertEqual(
            again.position.restore(known, batch, found.__getitem__, moved=2),
            [],
        )
        again.run_epochs(1)
        self.assertEqual(again.drawn, run.drawn)
        # Of one that lives on they have moved what is shuffled next.
        kwargs = {"batch_size": None, "steps_per_epoch": 3}
        before = lost((1, 1), x=pipeline(3), **kwargs)
        run = Run(x=pipeline(3), **kwargs)
        known, batch, found = before.saved
        notes = run.position.restore(known, batch, found.__getitem__, moved=2)
        self.assertEqual(
            notes,
            [
                "training and validation take turns to draw from the same "
                "data: their position in these is not exact"
            ],
        )

    def test_another_seed_is_told(self):
        before = lost((2, 1), x=pipeline(3), batch_size=None)
        run = Run(x=pipeline(4), batch_size=None)
        (note,) = run.restore(before.saved, 2)
        self.assertRegex(note, "^seed of shuffle.. was .*3.* and is .*4")


def noisy(generator):
    """A dataset that a generator belongs to, which cannot be seen."""

    class Noisy(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return (arrays()[4 * index :][:4] + generator.normal(),)

    return Noisy()


class Noise(unittest.TestCase):
    def test_it_goes_on_where_it_was(self):
        for save_at in ((0, 2), (2, 3)):
            with self.subTest(save_at=save_at):
                before = lost(save_at, x=noisy(np.random.default_rng(7)))
                run = Run(x=noisy(np.random.default_rng(7)))
                self.assertEqual(run.restore(before.saved, save_at[0]), [])
                run.run_epochs(4 - save_at[0])
                self.assertEqual(run.drawn, before.drawn[before.drawn_before :])

    @unittest.skipUnless(
        importlib.util.find_spec("tensorflow"), "there is no tf.data"
    )
    def test_of_a_pipeline_that_reads_ahead(self):
        import tensorflow as tf

        def of_tensorflow():
            generator = tf.random.Generator.from_seed(9)
            return lambda x: (x + generator.normal([]),)

        def of_numpy():
            def draw():
                return np.float32(np.random.normal())

            def noisy(x):
                noise = tf.numpy_function(draw, [], tf.float32)
                return (tf.ensure_shape(x + noise, [4, 1]),)

            return noisy

        def noisy(kind):
            return pipeline(3).map(kind()).prefetch(2)

        for kind in (of_tensorflow, of_numpy):
            for steps in (None, 3):
                with self.subTest(kind=kind.__name__, steps=steps):
                    kwargs = {"batch_size": None, "steps_per_epoch": steps}
                    before = lost((2, 1), x=noisy(kind), **kwargs)
                    run = Run(x=noisy(kind), **kwargs)
                    self.assertEqual(run.restore(before.saved, 2), [])
                    run.run_epochs(2)
                    self.assertEqual(
                        run.drawn, before.drawn[before.drawn_before :]
                    )

    def test_without_the_position_it_does_too(self):
        generator = np.random.default_rng(8)
        before = Run(x=noisy(generator))
        before.run_epochs(2)
        before.save(0)
        following = generator.normal()
        again = np.random.default_rng(8)
        run = Run(x=noisy(again))
        known, _, found = before.saved
        notes = run.position.begin_anew(known, found.__getitem__)
        self.assertEqual(notes, [])
        self.assertEqual(again.normal(), following)


class Growing(keras.utils.PyDataset):
    """Has another number of batches in every epoch."""

    def __init__(self, first=3):
        super().__init__()
        self.first = first
        self.epochs = 0

    def on_epoch_end(self):
        self.epochs += 1

    def __len__(self):
        return self.first + self.epochs

    def __getitem__(self, index):
        return (arrays()[index : index + 4] + 100 * self.epochs,)


class TellingItsState(Growing):
    def get_state(self):
        return self.epochs

    def set_state(self, state):
        self.epochs = state


class Lengths(unittest.TestCase):
    """Of data that change their own."""

    def test_the_state_is_put_back_before_they_are_compared(self):
        # TensorFlow's thread would shuffle with numbers that callbacks draw.
        shuffle = keras.backend.backend() != "tensorflow"
        kwargs = {"batch_size": None, "shuffle": shuffle}
        for kind in (Growing, TellingItsState):
            for save_at in ((1, 1), (2, 2), (3, 1)):
                with self.subTest(kind=kind, save_at=save_at):
                    before = lost(save_at, x=kind(), **kwargs)
                    run = Run(x=kind(), **kwargs)
                    self.assertEqual(run.restore(before.saved, save_at[0]), [])
                    self.assertEqual(run.position.passed, save_at[1])
                    run.run_epochs(4 - save_at[0])
                    self.assertEqual(
                        run.drawn, before.drawn[before.drawn_before :]
                    )

    def test_at_the_end_of_an_epoch_and_where_one_begins_anew(self):
        kwargs = {"batch_size": None, "shuffle": True}
        before = Run(x=Growing(), **kwargs)
        before.run_epochs(2)
        before.save(0)
        before.run_epochs(2)
        data = Growing()
        run = Run(x=data, **kwargs)
        self.assertEqual(run.restore(before.saved, 2), [])
        run.run_epochs(2)
        self.assertEqual(run.drawn, before.drawn[before.drawn_before :])
        data = Growing()
        run = Run(x=data, **kwargs)
        known, _, found = lost((2, 1), x=Growing(), **kwargs).saved
        self.assertEqual(run.position.begin_anew(known, found.__getitem__), [])
        self.assertGreaterEqual(data.epochs, 2)

    def test_what_differs_with_the_state_too_is_left_as_it_is(self):
        kwargs = {"batch_size": None}
        for kind in (Growing, TellingItsState):
            before = lost((2, 1), x=kind(), **kwargs)
            data = kind(first=90)
            notes = Run(x=data, **kwargs).restore(before.saved, 2)
            self.assertRegex(
                notes[0],
                "^an epoch had [0-9]+ batches when .* and has 90 batches now$",
            )
            self.assertEqual(data.epochs, 0)


@unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
class Workers(unittest.TestCase):
    """Of a DataLoader, that live on from epoch to epoch."""

    def loader(self, dataset):
        import torch

        loader = torch.utils.data.DataLoader(
            dataset,
            batch_size=4,
            shuffle=True,
            num_workers=1,
            persistent_workers=True,
        )
        self.addCleanup(self.end_workers, loader)
        return loader

    def end_workers(self, loader):
        # They would outlive the process.
        if loader._iterator is not None:
            loader._iterator._shutdown_workers()

    def lost_and_run(self, dataset, save_at, **kwargs):
        import torch

        # Keras seeds it only where it is the backend.
        torch.manual_seed(2)
        before = lost(save_at, x=self.loader(dataset), **kwargs)
        torch.manual_seed(3)
        run = Run(x=self.loader(dataset), **kwargs)
        return before, run, run.restore(before.saved, save_at[0])

    def test_the_order_goes_on(self):
        import torch

        rows = torch.from_numpy(arrays())
        dataset = torch.utils.data.TensorDataset(rows)
        subset = torch.utils.data.Subset(dataset, range(20))
        places = ((0, 2), (1, 1), (2, 1))
        cases = [(dataset, at, steps) for at in places for steps in (None, 3)]
        for data, save_at, steps in [*cases, (subset, (2, 1), None)]:
            with self.subTest(data=data, save_at=save_at, steps=steps):
                before, run, notes = self.lost_and_run(
                    data, save_at, steps_per_epoch=steps
                )
                self.assertEqual(notes, [])
                run.run_epochs(4 - save_at[0])
                self.assertEqual(run.drawn, before.drawn[before.drawn_before :])
            self.doCleanups()

    def test_what_they_keep_is_told(self):
        rows = [(row,) for row in arrays()]
        note = [Loader.NEW_WORKERS]
        # In the first epoch they were new, too.
        for save_at, expected in (((0, 2), []), ((1, 2), note)):
            with self.subTest(save_at=save_at):
                notes = self.lost_and_run(rows, save_at)[2]
                self.assertEqual(notes, expected)


@unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
class Loaders(unittest.TestCase):
    """torch's DataLoader, and the generators that it draws from."""

    def generator(self, seed=3):
        import torch

        return torch.Generator().manual_seed(seed)

    def loader(self, of_order=None, of_batches=None, **kwargs):
        """Whose batches are made by a sampler that has a sampler."""
        import torch

        of_torch = torch.utils.data
        rows = of_torch.TensorDataset(torch.from_numpy(arrays()))
        order = of_torch.RandomSampler(rows, generator=of_order)
        batches = of_torch.BatchSampler(order, 4, drop_last=False)
        if of_batches is not None:
            batches.generator = of_batches
        return of_torch.DataLoader(rows, batch_sampler=batches, **kwargs)

    def source(self, loader):
        return source_of(EpochIterator(x=loader))

    def test_that_of_a_batch_sampler_is_put_back(self):
        of_order, of_batches = self.generator(3), self.generator(4)
        source = self.source(self.loader(of_order, of_batches))
        states = json.loads(json.dumps(source.capture_generators()))
        self.assertEqual(len(states), 2)
        drawn = [self.drawn(one) for one in (of_order, of_batches)]
        source.restore_generators(states)
        self.assertEqual(
            [self.drawn(one) for one in (of_order, of_batches)], drawn
        )

    def drawn(self, generator):
        import torch

        return torch.rand(2, generator=generator).tolist()

    def test_each_counts_once(self):
        one = self.generator()
        source = self.source(self.loader(one, one, generator=one))
        self.assertEqual(len(source.capture_generators()), 1)

    def test_what_only_has_that_name_is_left_alone(self):
        source = self.source(self.loader(None, np.random.default_rng(3)))
        self.assertEqual(source.capture_generators(), [])

    @unittest.skipIf(
        keras.backend.backend() == "tensorflow", "a thread reads ahead"
    )
    def test_its_order_goes_on(self):
        before = lost((2, 3), x=self.loader(self.generator()))
        run = Run(x=self.loader(self.generator()))
        self.assertEqual(run.restore(before.saved, 2), [])
        run.run_epochs(2)
        self.assertEqual(run.drawn, before.drawn[2 * 5 + 3 :])

    def test_another_number_is_told(self):
        before = lost((1, 2), x=self.loader(self.generator()))
        run = Run(x=self.loader(self.generator(), self.generator(4)))
        self.assertEqual(
            run.restore(before.saved, 1),
            [was_and_is("number of the DataLoader's generators", 1, 2)],
        )


class Changed(unittest.TestCase):
    def notes(self, before=None, **kwargs):
        run = Run(**kwargs)
        notes = run.restore(lost((1, 2), **(before or {})).saved, 1)
        return run, notes

    def test_other_data_begin_the_epoch_anew(self):
        for kwargs, note in (
            ({"batch_size": 5}, was_and_is("batch_size", 4, 5)),
            (
                {"x": arrays(19)},
                f"the last batch had all rows {THEN} and has 3 rows now",
            ),
            (
                {"x": arrays(40)},
                f"an epoch had 5 batches {THEN} and has 10 batches now",
            ),
            ({"shuffle": True}, was_and_is("shuffle", False, True)),
            ({"steps_per_epoch": 4}, was_and_is("steps_per_epoch", None, 4)),
        ):
            with self.subTest(note=note):
                run, notes = self.notes(**kwargs)
                self.assertIn(note, notes)
                self.assertIn("the unfinished epoch starts over", notes)
                self.assertEqual(run.position.passed, 0)
                run.run_epochs(1)
                self.assertEqual(run.told[0], (1, 0))

    def test_data_that_end_too_early_are_an_error(self):
        def endless(batches):
            for i in range(batches):
                yield (np.full((4, 1), i, "float32"),)

        before = lost(
            (2, 2),
            x=endless(50),
            steps_per_epoch=4,
            batch_size=None,
        )
        run = Run(x=endless(3), steps_per_epoch=4, batch_size=None)
        with self.assertRaisesRegex(errors.MismatchError, "ended"):
            run.restore(before.saved, 2)
            run.run_epochs(1)

    def test_a_generator_that_does_not_end_any_more_is_told(self):
        def endless():
            while True:
                yield from batches()

        before = lost((2, 1), x=batches(), batch_size=None)
        run = Run(x=endless(), batch_size=None)
        notes = run.restore(before.saved, 2)
        self.assertEqual(notes, ["the generator has more batches than before"])

    def test_a_generator_that_was_drawn_from_is_told(self):
        def endless():
            while True:
                yield from batches()

        kwargs = {"batch_size": None, "steps_per_epoch": 3}
        source = endless()
        before = lost((2, 1), x=source, **kwargs)
        notes = Run(x=source, **kwargs).restore(before.saved, 2)
        self.assertEqual(
            notes, [iterators_made.IteratorsMade.NOTE, *other_batch(1)]
        )
        notes = Run(x=endless(), **kwargs).restore(before.saved, 2)
        self.assertEqual(notes, [])

    def test_a_position_in_data_that_a_model_was_built_from_is_one(self):
        before = lost((1, 2), x=arrays(), is_built=True)
        check(before.saved, 1)

    def test_what_is_no_position_is_refused(self):
        saved = lost((1, 2)).saved
        known, batch, found = saved
        # Checkpoints of earlier versions have no checksums.
        for field in {*known} - {"checksums", "changed_arrays"}:
            broken = {k: v for k, v in known.items() if k != field}
            with self.subTest(field=field), self.assertRaises(errors.DAMAGE):
                check((broken, batch, found), 1)
        with self.assertRaises(IndexError):
            check(saved, 1, rng=9)
        for checksums in (None, 1, [1], [[0]], [[0, -1]], [[0, 1]] * 3):
            with (
                self.subTest(checksums=checksums),
                self.assertRaises(errors.DAMAGE),
            ):
                check(saved, 1, checksums=checksums)
        for changed in (-1, 0.5, "1", [1]):
            with (
                self.subTest(changed=changed),
                self.assertRaises(errors.DAMAGE),
            ):
                check(saved, 1, changed_arrays=changed)

    def test_counts_that_the_checkpoint_belies_are_refused(self):
        many = 10**12
        for kwargs in ({}, {"x": batches(), "batch_size": None}):
            saved = lost((0, 2) if kwargs else (1, 2), **kwargs).saved
            done = 0 if kwargs else 1
            for field in ("made", "made_to_build", "epochs"):
                with self.subTest(field=field, **kwargs):
                    with self.assertRaisesRegex(ValueError, field):
                        check(saved, done, **{field: many})
        with self.assertRaisesRegex(ValueError, "epochs is 2, at most 1"):
            check(lost((2, 1)).saved, 0)

        def endless():
            while True:
                yield from batches()

        kwargs = {"x": endless(), "batch_size": None, "steps_per_epoch": 3}
        saved = lost((2, 1), **kwargs).saved
        self.assertEqual(saved[0]["steps_seen"], 6)
        for field in ("steps_seen", "num_batches"):
            check(saved, 2, **{field: 9})
            for count in (10, many):
                with self.subTest(field=field, count=count):
                    with self.assertRaisesRegex(ValueError, field):
                        check(saved, 2, **{field: count})
        known, _, found = saved
        for batch in (3, many):
            with self.assertRaisesRegex(ValueError, "of an epoch of 3"):
                check((known, batch, found), 2)
        for name in ("steps_per_epoch", "batches"):
            for count in (-1, 1.5, "3", True):
                kind = {**known["source_kind"], name: count}
                with self.subTest(name=name), self.assertRaises(ValueError):
                    check(saved, 2, source_kind=kind)

    def test_another_number_of_steps_is_no_damage(self):
        kwargs = {"shuffle": True, "steps_per_execution": 2}
        saved = lost((2, 2), epochs=3, steps_per_epoch=5, **kwargs).saved
        # Two epochs of six, as two batches are drawn at once.
        run = Run(save_at=(3, 1), shuffle=True, steps_per_epoch=2)
        run.restore(saved, 2)
        run.run_epochs(2)
        self.assertEqual(run.saved[0]["most_steps"], 6)

    def test_iterators_of_what_has_no_end_end(self):
        if not importlib.util.find_spec("tensorflow"):
            self.skipTest("there is no tf.data")
        data = pipeline().repeat()
        kwargs = {"batch_size": None, "steps_per_epoch": 3}
        saved = lost((2, 1), x=data, **kwargs).saved
        known, batch, found = saved
        # As many iterators as can be: of none more was drawn than the run drew.
        known = {**known, "made": 3}
        check((known, batch, found), 2)
        run = Run(x=pipeline().repeat(), **kwargs)
        run.restore((known, batch, found), 2)
        run.run_epochs(1)
        self.assertTrue(run.drawn)


class TellingArrays(Growing):
    """Its state is so long that a checkpoint has a tensor for it."""

    def get_state(self):
        return np.full(3000, self.epochs)

    def set_state(self, state):
        self.epochs = int(state[0])


class Asking(unittest.TestCase):
    """What others ask of a position."""

    def test_how_far_an_epoch_is(self):
        run = Run()
        run.run_epochs(1)
        self.assertEqual(
            run.reached,
            [*((number, True) for number in range(1, 5)), (5, False)],
        )
        self.assertEqual(run.ended, [0])
        # Of these nobody knows how many there are.
        run = Run(x=batches(), batch_size=None)
        run.run_epochs(1)
        self.assertEqual(
            run.reached[:5], [(number, True) for number in range(1, 6)]
        )

    def test_a_step_that_nobody_asks_for_ends_an_epoch(self):
        run = Run()
        run.position.on_epoch_begin()
        steps = run.iterator._enumerate_iterator()
        for _ in range(5):
            next(next(steps)[-1])
        self.assertEqual(run.ended, [])
        for _ in range(2):
            run.position.finish_epoch()
            self.assertEqual(run.ended, [0])

    def test_what_is_not_given_is_nothing(self):
        iterator = Run().iterator
        one = position.DataPosition(
            iterator,
            rng.Generators(FakeStore()),
            replay.Progress(lambda *args: None),
        )
        self.assertEqual((one.passed, one.reached), (0, 0))
        self.assertIsNone(one.before_first_step)
        one.on_epoch_begin()
        with iterator.catch_stop_iteration():
            for step in iterator._enumerate_iterator():
                next(step[-1])
        known = one.capture(0, values.Encoder())
        self.assertEqual(known["made_to_build"], 0)

    def test_what_the_user_wrote(self):
        data = Growing()
        run = Run(x=data, batch_size=None)
        self.assertIs(run.position.written_by_user, data)
        self.assertIsNone(Run().position.written_by_user)

    def test_changes_show_before_anything_is_restored(self):
        known, batch, found = lost((1, 2)).saved
        run = Run(batch_size=5)
        random.seed(8)
        before = random.getstate()
        with mock.patch.object(
            rng.Generators, "expect", return_value=["one is gone"]
        ) as expect:
            lines = run.position.script_changes(known, found.__getitem__)
            self.assertEqual(lines[0], was_and_is("batch_size", 4, 5))
            self.assertEqual(lines[-1], "one is gone")
            self.assertEqual(random.getstate(), before)
            notes = run.position.restore(known, batch, found.__getitem__)
        # They are told once more, and found once.
        self.assertEqual(
            notes,
            [*lines[:-1], "the unfinished epoch starts over", lines[-1]],
        )
        expect.assert_called_once_with(position_format.unshare(known)["rng"])

    def test_a_state_of_arrays_is_put_back_before_data_are_compared(self):
        kwargs = {"batch_size": None}
        before = lost((2, 1), x=TellingArrays(), **kwargs)
        known, _, found = before.saved
        (name,) = found
        self.assertRegex(name, "^data/")
        for begins_anew in (False, True):
            data = TellingArrays()
            run = Run(x=data, **kwargs)
            one = run.position
            self.assertEqual(one.script_changes(known, found.__getitem__), [])
            self.assertEqual(data.epochs, 0)
            if begins_anew:
                notes = one.begin_anew(known, found.__getitem__)
            else:
                notes = run.restore(before.saved, 2)
            self.assertEqual(notes, [])
            # Keras may have told it of an end.
            self.assertGreaterEqual(data.epochs, 2)

    def test_generators_in_use_are_those_that_a_replay_has_moved(self):
        run = Run(steps_per_epoch=3)
        one = run.position
        names = rng.Generators(FakeStore()).names
        kept = tuple(name for name in names if name != "numpy")
        with mock.patch.object(
            type(one._source), "to_put_back", return_value=kept
        ) as to_put_back:
            one._drawn = {"numpy"}
            # There is no iterator yet.
            self.assertEqual(one.drawn_meanwhile(), set())
            run.run_epochs(1)
            self.assertEqual(one.drawn_meanwhile(), {"numpy"})
            to_put_back.assert_called_with(names, {"numpy"})
            to_put_back.return_value = None
            self.assertEqual(one.drawn_meanwhile(), set())
            to_put_back.return_value = kept
            one._drawn = None
            self.assertEqual(one.drawn_meanwhile(), set())

    def test_a_replay_says_how_far_it_is(self):
        for kwargs, steps in (
            ({}, [(1, 3), (2, 3), (3, 3), "end"]),
            # First those of the first epoch, from the iterator that lives on.
            (
                {"steps_per_epoch": 2},
                [(0, 2), (1, 2), "end", (1, 1), "end"],
            ),
        ):
            with self.subTest(**kwargs):
                saved = lost((1, 1 if kwargs else 3), **kwargs).saved
                progress = Recorder()
                run = Run(progress=progress, **kwargs)
                run.restore(saved, 1)
                run.run_epochs(1)
                self.assertEqual(progress.steps, steps)

    def test_what_was_drawn_ahead_comes_back_in_time(self):
        with mock.patch.object(DrawnAhead, "capture", return_value=[1, 2]):
            between, within = Run(), lost((1, 2)).saved
            between.run_epochs(1)
            between.save(0)
        for saved, is_at_once in ((between.saved, True), (within, False)):
            run = Run()
            with mock.patch.object(DrawnAhead, "restore") as restore:
                run.restore(saved, 1)
                self.assertEqual(restore.called, is_at_once)
                run.run_epochs(1)
                restore.assert_called_once_with([1, 2])


class Ended(unittest.TestCase):
    def test_nothing_is_kept_alive(self):
        run = Run()
        run.run_epochs(1)
        run.position.release()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        one = weakref.ref(run.position)
        run.iterator = run.position = None
        self.assertIsNone(one())


def indexed(order):
    """A dataset with rows in an order of which it has no attribute."""

    class Indexed(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            rows = order[4 * index : 4 * index + 4]
            return (arrays()[rows],)

    return Indexed()


class OtherBatches(unittest.TestCase):
    """Batches that a resume draws again, and that are not the same."""

    def setUp(self):
        # Each batch has a checksum, however fast they are drawn.
        patch = mock.patch.object(DrawnBatches, "SHARE", float("inf"))
        patch.start()
        self.addCleanup(patch.stop)
        # TensorFlow's pipelines of other tests take a seed from it.
        self.addCleanup(keras.utils.set_random_seed, 5)

    def notes(self, before, after, save_at=(2, 3), **kwargs):
        """What is told where data made by `before` are now of `after`."""
        run = lost(save_at, x=before(), **kwargs)
        again = Run(x=after(), **kwargs)
        keras.utils.set_random_seed(99)
        notes = again.restore(run.saved, 2)
        again.run_epochs(2)
        return notes + again.notes

    def check(self, make, save_at=(2, 3), first=1, latest=3, **kwargs):
        """That other first batches are told, and others from the third on, but
        not the same ones."""
        order = np.arange(20)
        swapped = order.copy()
        swapped[8:12] = order[11:7:-1]
        for other, number in (
            (order, None),
            (order[::-1], first),
            (swapped, latest),
        ):
            if number == latest and reads_ahead():
                # Then the latest one drawn is another.
                continue
            with self.subTest(number=number, kwargs=kwargs):
                notes = self.notes(
                    lambda: make(order),
                    lambda other=other: make(other),
                    save_at,
                    **kwargs,
                )
                expected = [] if number is None else other_batch(number)
                self.assertEqual(notes, expected)

    def test_of_arrays(self):
        self.check(lambda order: arrays()[order])
        for shuffle in (True, "batch"):
            with self.subTest(shuffle=shuffle):
                notes = self.notes(
                    arrays, lambda: arrays()[::-1], shuffle=shuffle
                )
                self.assertEqual(notes, other_batch(1))

    def test_of_a_dataset(self):
        self.check(indexed)

    def test_of_a_generator(self):
        def endless(order):
            while True:
                dataset = indexed(order)
                yield from (dataset[i] for i in range(5))

        # Three epochs of five, and one iterator for all of them.
        kwargs = {"batch_size": None, "steps_per_epoch": 5}
        self.check(endless, latest=13, **kwargs)
        # Keras asks after each batch whether it was the last.
        self.check(endless, (2, 0), latest=None, **kwargs)

    @unittest.skipUnless(
        importlib.util.find_spec("tensorflow"), "there is no tf.data"
    )
    def test_of_a_pipeline(self):
        import tensorflow as tf

        def pipeline(order):
            dataset = tf.data.Dataset.from_tensor_slices((arrays()[order],))
            return dataset.batch(4)

        self.check(pipeline, batch_size=None)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "there is no torch")
    def test_of_a_loader(self):
        import torch

        def loader(order):
            rows = torch.from_numpy(arrays()[order])
            dataset = torch.utils.data.TensorDataset(rows)
            return torch.utils.data.DataLoader(dataset, batch_size=4)

        self.check(loader)

    def test_of_several_batches_a_step(self):
        if keras.backend.backend() == "torch":
            self.skipTest("Keras has none on torch")
        kwargs = {"steps_per_execution": 2, "save_at": (2, 4)}
        before = lost(x=arrays(24), **kwargs)
        run = Run(x=arrays(24)[::-1], steps_per_execution=2)
        run.restore(before.saved, 2)
        run.run_epochs(1)
        self.assertEqual(run.notes, other_batch(1))

    def test_no_line_says_which_where_a_message_says_that_they_differ(self):
        run = lost((2, 3), x=arrays())
        again = Run(x=arrays()[::-1])
        again.position.leave_out_batches()
        self.assertEqual(again.restore(run.saved, 2), [])
        again.run_epochs(1)
        self.assertEqual(again.notes, [])

    def test_that_are_not_drawn_again(self):
        with mock.patch.object(replay, "draw_step"):
            notes = self.notes(arrays, arrays)
        self.assertEqual(notes, other_batch(1))

    def test_that_are_written_in_one_place(self):
        def reusing():
            batch = np.zeros((4, 1), "float32")
            for number in range(100):
                batch[:] = number
                yield (batch,)

        notes = self.notes(
            reusing, reusing, (2, 1), batch_size=None, steps_per_epoch=3
        )
        self.assertEqual(notes, [])

    def between_epochs(self, before, x=None, **kwargs):
        """What is told of a checkpoint from the end of the second epoch."""
        keras.utils.set_random_seed(5)
        lost = Run(x=arrays(), **kwargs)
        for number in range(4):
            if number == 2:
                before(lost)
                lost.save(0)
            lost.run_epochs(1)
            lost.epoch = number + 1
        check(lost.saved, 2)
        run = Run(x=arrays() if x is None else x, **kwargs)
        keras.utils.set_random_seed(99)
        notes = run.restore(lost.saved, 2)
        run.run_epochs(2)
        if x is None and not notes:
            self.assertEqual(run.drawn, lost.drawn[2 * 5 :])
        return notes + run.notes

    def test_of_arrays_between_epochs(self):
        for kwargs in ({}, {"shuffle": True}, {"shuffle": "batch"}):
            with self.subTest(**kwargs):
                notes = self.between_epochs(lambda lost: None, **kwargs)
                self.assertEqual(notes, [])
                notes = self.between_epochs(
                    lambda lost: None, arrays()[::-1], **kwargs
                )
                self.assertEqual(notes, other_batch(1))

    def test_a_shuffle_that_counts_epochs(self):
        """As another version of Keras may draw the order."""
        backend = keras.backend.backend()
        if backend == "tensorflow":
            self.skipTest("a graph of TensorFlow's shuffles")
        epochs = []

        def drawn_from_a_count(number, **kwargs):
            epochs.append(number)
            order = np.random.RandomState(len(epochs)).permutation(number)
            if backend == "jax":
                return order
            return sys.modules["torch"].from_numpy(order)

        module = np.random if backend == "jax" else sys.modules["torch"]
        name = "permutation" if backend == "jax" else "randperm"
        with mock.patch.object(module, name, drawn_from_a_count):
            notes = self.between_epochs(
                lambda lost: None, arrays(), shuffle=True
            )
        self.assertEqual(notes, other_batch(1))

    def test_a_callback_that_draws_when_a_batch_begins_is_no_false_alarm(self):
        with mock.patch.object(
            Run, "before_draw", staticmethod(np.random.rand)
        ):
            for kwargs in ({}, {"shuffle": True}):
                notes = self.between_epochs(lambda lost: None, **kwargs)
                self.assertEqual(notes, [])

    @unittest.skipUnless(
        METHODS.get(keras.backend.backend()), "no batch is compared"
    )
    @unittest.skipIf(reads_ahead(), "it draws before what callbacks draw")
    def test_what_a_generator_draws_as_it_goes_is_no_false_alarm(self):
        # Callbacks draw, too (see `Run.draw()`), and not in a replay.
        def noisy(ahead=1):
            for row in arrays().reshape(5, 4, 1):
                # Sometimes for several batches at once.
                if not row[0] % (4 * ahead):
                    noise = random.random()
                yield (row + noise,)

        for ahead in (1, 4):
            for kwargs in ({}, {"steps_per_epoch": 5}):
                with self.subTest(ahead=ahead, **kwargs):
                    kwargs["batch_size"] = None
                    x = noisy(ahead)
                    before = lost((0, 4), x=x, epochs=1, **kwargs)
                    keras.utils.set_random_seed(5)
                    run = Run(x=noisy(ahead), **kwargs)
                    self.assertEqual(run.restore(before.saved, 0), [])
                    run.run_epochs(1)
                    self.assertEqual(run.notes, [])
                    self.assertEqual(run.drawn[-1], before.drawn[-1])

    def test_arrays_that_a_callback_changes_are_told_unless_they_are_back(self):
        def change(lost):
            lost.iterator.data_adapter._inputs[0][:] += 1

        notes = self.between_epochs(change, arrays())
        if METHODS.get(keras.backend.backend()):
            (note,) = notes
            self.assertRegex(note, "^a callback had changed the arrays")
        else:
            # No batch is drawn in Python there, so nothing is compared.
            self.assertEqual(notes, [])
        # As where the callback has them in an attribute.
        back = arrays()
        back[0] += 1
        self.assertEqual(self.between_epochs(change, back), [])
        # At a batch: the checkpoint has no batch that could be compared.
        for kwargs in ({}, {"steps_per_epoch": 5}):
            run = Run(save_at=(2, 3), **kwargs)
            run.before_draw = functools.partial(change, run)
            run.run_epochs(3)
            self.assertEqual(run.saved[0]["checksums"], [])

    def test_a_checkpoint_of_an_earlier_version_has_none(self):
        before = lost((2, 3), x=arrays())
        known, batch, found = before.saved
        del known["checksums"]
        run = Run(x=arrays()[::-1])
        self.assertEqual(run.restore((known, batch, found), 2), [])
        run.run_epochs(2)
        self.assertEqual(run.notes, [])


class Keeping(unittest.TestCase):
    def test_release_gives_keras_its_methods_back(self):
        run = Run()
        wrapped = ("_get_iterator", "_enumerate_iterator")
        self.assertLessEqual(set(wrapped), set(vars(run.iterator)))
        run.position.release()
        self.assertFalse(set(wrapped) & set(vars(run.iterator)))
        adapter = run.iterator.data_adapter
        self.assertFalse({*METHODS.values()} & {*vars(adapter)})

    def test_equal_states_are_kept_once(self):
        run = lost((1, 2), shuffle=True)
        states = run.saved[0]["states"]
        self.assertEqual(
            len({json.dumps(s, sort_keys=True) for s in states}), len(states)
        )
        back = position_format.unshare(run.saved[0])
        self.assertEqual(
            set(back["rng"]) - {"loader"}, set(states[0]) - {"loader"}
        )
