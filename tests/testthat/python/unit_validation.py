"""validation.py: validation data that were drawn are drawn again, once."""

import contextlib
import importlib.util
import random
import types
import unittest
from unittest import mock

import asking
import keras
import numpy as np
from unit_generator import Prefetching
from unit_generator import Recorder
from unit_generator import in_graph
from unit_pipelines import CacheDataset
from unit_pipelines import shuffle

from kerasbackup.keras3 import epoch_iterator
from kerasbackup.parts.data import replay
from kerasbackup.parts.data import validation
from kerasbackup.parts.data.drawn_batches import DrawnBatches
from kerasbackup.parts.data.iterators_made import IteratorsMade
from kerasbackup.parts.data.sources.loader import Loader
from kerasbackup.parts.data.sources.source import Source
from kerasbackup.store import errors
from kerasbackup.store import values
from kerasbackup.store.changes import Change
from kerasbackup.store.dtypes import DTYPES

# The iterators that Keras makes for a validation.
ITERATORS = 2 if keras.backend.backend() == "tensorflow" else 1

needs_tensorflow = unittest.skipUnless(
    importlib.util.find_spec("tensorflow"), "there is no tf.data"
)


def setUpModule():
    asking.refuse_none()


class GeneratorDataAdapter:
    """Of this name Keras' are told."""


class TFDatasetAdapter:
    pass


class TorchDataLoaderAdapter:
    """With workers that draw a seed once in its life."""

    def __init__(self, dataset=()):
        self._dataloader = types.SimpleNamespace(
            persistent_workers=True, _iterator=None, dataset=dataset
        )


class ArrayDataAdapter:
    """Arrays begin anew in every validation."""


class CountingAdapter(ArrayDataAdapter):
    """Counts the epochs that have ended, as Keras' do since 3.16."""

    _epoch = 0


class FakeIterator:
    """Three batches an epoch, drawn at random."""

    steps_per_execution = 1

    def __init__(self, adapter):
        self.data_adapter = adapter
        self.drawn = []
        self.resets = 0

    def _data(self):
        while True:
            self.drawn.append(random.random())
            yield self.drawn[-1]

    def _get_iterator(self):
        return self._data()

    def _enumerate_iterator(self):
        data = self._get_iterator()
        for i in range(3):
            yield i, i, data
        # One more, as Keras does.
        self._get_iterator()

    def catch_stop_iteration(self):
        return contextlib.suppress(StopIteration)

    def reset(self):
        self.resets += 1


class FakeGenerators:
    """Python's generator only."""

    def capture(self):
        return random.getstate()

    def restore(self, states, only=None):
        random.setstate(states)


class FakeModel:
    def __init__(self, adapter=None):
        self._eval_epoch_iterator = (
            None if adapter is None else FakeIterator(adapter)
        )

    def _should_eval(self, epoch, validation_freq):
        return (epoch + 1) % validation_freq == 0


def pipeline():
    import tensorflow as tf

    return tf.data.Dataset.range(8).shuffle(8)


def position(model, told=None, frequency=1, data=None):
    return validation.ValidationPosition(
        model,
        frequency,
        FakeGenerators(),
        replay.Progress(lambda *args: None),
        [].extend if told is None else told.extend,
        data,
    )


def restored(one, known, training=None):
    return one.restore(known, {}.__getitem__, IteratorsMade(training))


def lost(number, at_creation=None, made_earlier=0):
    """What a run that was lost had noted."""
    return {
        "begun": number,
        "made": number * ITERATORS,
        "made_earlier": made_earlier,
        "at_creation": at_creation,
        "at_first": None,
        "checksums": [],
        "source": None,
        "ahead": [],
    }


def begun(one):
    return one.capture(values.Encoder())["begun"]


class Validation(unittest.TestCase):
    def test_the_past_is_drawn_again_before_the_first_one(self):
        model = FakeModel(GeneratorDataAdapter())
        iterator = model._eval_epoch_iterator
        one = position(model)
        restored(one, lost(2))
        one.on_test_begin()
        self.assertEqual(len(iterator.drawn), 2 * 3)
        self.assertEqual(iterator.resets, 2)
        one.on_test_begin()
        self.assertEqual(len(iterator.drawn), 2 * 3)

    def test_the_generators_are_as_before(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        restored(one, lost(2))
        random.seed(3)
        expected = random.random()
        random.seed(3)
        one.on_test_begin()
        self.assertEqual(random.random(), expected)

    def test_how_many_there_were_counts_the_lost_ones(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        self.assertEqual(begun(one), 0)
        one.on_test_begin()
        self.assertEqual(begun(one), 1)
        restored(one, lost(5))
        self.assertEqual(begun(one), 5)
        one.on_test_begin()
        self.assertEqual(begun(one), 6)

    @needs_tensorflow
    def test_what_earlier_trainings_drew_is_drawn_too(self):
        # Two validations in an earlier training, which is done already; or
        # two in this session.
        more = 2 * ITERATORS
        for then, now, replays in ((more, 0, 5), (0, more, 1)):
            with self.subTest(then=then):
                source = pipeline()
                IteratorsMade(source).note(now)
                model = FakeModel(TFDatasetAdapter())
                one = position(model, data=source)
                known = lost(3, made_earlier=then)
                notes = [f"validation: {IteratorsMade.DOUBT}"] if now else []
                self.assertEqual(restored(one, known), notes)
                one.on_test_begin()
                iterator = model._eval_epoch_iterator
                self.assertEqual(iterator.resets, replays)
                replay.draw_epoch(iterator)
                again = one.capture(values.Encoder())
                self.assertEqual(again["begun"], 4)
                self.assertEqual(again["made"], 4 * ITERATORS)
                self.assertEqual(again["made_earlier"], then)
                self.assertEqual(
                    IteratorsMade(source).times,
                    now + (replays + 1) * ITERATORS,
                )

    def test_for_several_devices_each_draws_a_batch_first(self):
        # Before the hook Keras has made an iterator, as in each lost one.
        source = shuffle()
        model = FakeModel(TFDatasetAdapter())
        iterator = model._eval_epoch_iterator
        with (
            in_graph(True),
            mock.patch.object(
                epoch_iterator, "draws_before_validation", return_value=True
            ),
        ):
            one = position(model, data=source)
            restored(one, lost(2) | {"made": 6})
            one.on_test_begin()
            self.assertEqual(iterator.resets, 2)
            self.assertEqual(len(iterator.drawn), 2 * (3 + 1))
            self.assertEqual(IteratorsMade(source).times, 1 + 2 * 3)
            self.assertEqual(one.capture(values.Encoder())["made"], 7)
            replay.draw_epoch(iterator)
            self.assertEqual(one.capture(values.Encoder())["made"], 9)
            # From now on the iterator is counted when Keras makes it.
            one.on_test_begin()
            self.assertEqual(one.capture(values.Encoder())["made"], 9)
            replay.draw_epoch(iterator)
            self.assertEqual(one.capture(values.Encoder())["made"], 11)
            self.assertEqual(IteratorsMade(source).times, 1 + 2 * 3 + 2 * 2)

    @needs_tensorflow
    def test_what_is_for_several_devices(self):
        import tensorflow as tf

        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        shared = strategy.experimental_distribute_dataset(pipeline().batch(2))
        for dataset, expected in ((shared, True), (pipeline(), False)):
            iterator = types.SimpleNamespace(_distributed_dataset=dataset)
            drawn = epoch_iterator.draws_before_validation(iterator)
            self.assertEqual(drawn, expected)
        other = types.SimpleNamespace()
        self.assertFalse(epoch_iterator.draws_before_validation(other))

    @needs_tensorflow
    def test_what_was_drawn_too_often_is_told(self):
        note = f"validation: {IteratorsMade.NOTE}"
        for source, now in (
            (pipeline(), 4 * ITERATORS),
            (pipeline().repeat(), ITERATORS),
        ):
            IteratorsMade(source).note(now)
            one = position(FakeModel(TFDatasetAdapter()), data=source)
            self.assertEqual(restored(one, lost(3)), [note])

    @needs_tensorflow
    def test_a_pipeline_that_is_trained_on_too_is_moved_by_both(self):
        source = pipeline()
        model = FakeModel(TFDatasetAdapter())
        one = position(model, data=source.take(2))
        training = source.skip(2)
        self.assertEqual(restored(one, lost(3), training), [])
        self.assertEqual(one.moved(IteratorsMade(training)), 3 * ITERATORS)
        self.assertFalse(one.is_left_undone())
        one.on_test_begin()
        self.assertEqual(model._eval_epoch_iterator.resets, 0)
        self.assertEqual(one.moved(IteratorsMade(pipeline())), 0)

    def test_data_that_begin_anew_are_not_drawn(self):
        model = FakeModel(ArrayDataAdapter())
        one = position(model)
        restored(one, lost(4))
        one.on_test_begin()
        self.assertEqual(model._eval_epoch_iterator.drawn, [])
        self.assertEqual(begun(one), 5)

    def test_the_epochs_that_its_adapter_has_counted_count(self):
        def validate(one, adapter):
            # Keras ends one before each validation, too.
            adapter._epoch += 1
            one.on_test_begin()
            seen.append(adapter._epoch)
            adapter._epoch += 1

        seen = []
        adapter = CountingAdapter()
        one = position(FakeModel(adapter))
        for _ in range(3):
            validate(one, adapter)
        self.assertEqual(seen, [1, 3, 5])
        known = one.capture(values.Encoder())
        self.assertEqual(known["epoch_count"], 6)
        adapter = CountingAdapter()
        two = position(FakeModel(adapter))
        restored(two, known)
        # Saved once more before there is a validation.
        self.assertEqual(two.capture(values.Encoder())["epoch_count"], 6)
        for _ in range(2):
            validate(two, adapter)
        self.assertEqual(seen, [1, 3, 5, 7, 9])
        self.assertEqual(two.capture(values.Encoder())["epoch_count"], 10)
        # One that counts none, of an older Keras, is left alone.
        model = FakeModel(ArrayDataAdapter())
        three = position(model)
        restored(three, known)
        three.on_test_begin()
        adapter = model._eval_epoch_iterator.data_adapter
        self.assertFalse(hasattr(adapter, "_epoch"))
        self.assertNotIn("epoch_count", three.capture(values.Encoder()))

    def test_what_a_callback_evaluates_is_none(self):
        model = FakeModel()
        one = position(model)
        restored(one, lost(1))
        one.on_test_begin()
        self.assertEqual(begun(one), 1)
        # The first validation of fit() comes later, and draws then.
        model._eval_epoch_iterator = FakeIterator(GeneratorDataAdapter())
        one.on_test_begin()
        self.assertEqual(len(model._eval_epoch_iterator.drawn), 3)
        self.assertEqual(begun(one), 2)

    def test_what_its_making_draws_is_no_part_of_the_run(self):
        """As Keras' generator adapter, which draws a batch for its shapes."""
        for drawn in (0, 1):
            told = []
            model = FakeModel(GeneratorDataAdapter())
            one = position(model, told)
            restored(one, lost(2))
            before = random.getstate()
            one.on_data_end(0)
            for _ in range(drawn):
                random.random()
            one.on_test_begin()
            self.assertEqual(random.getstate(), before)
            self.assertEqual(len(told), drawn)

    def test_what_its_making_drew_is_drawn_again(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        random.seed(4)
        one.on_data_end(0)
        first = random.random()
        one.on_test_begin()
        known = one.capture(values.Encoder())
        # The lost run goes on, and so do its generators.
        random.seed(5)
        told = []
        two = position(FakeModel(GeneratorDataAdapter()), told)
        restored(two, known)
        before = random.getstate()
        two.on_data_end(1)
        self.assertEqual(random.random(), first)
        two.on_test_begin()
        self.assertEqual(random.getstate(), before)
        self.assertEqual(told, [])
        # No iterator is made by hand here.
        captured = two.capture(values.Encoder()) | {"made": None}
        expected = lost(2, known["at_creation"]) | {"made": None}
        self.assertEqual(captured, expected)

    @needs_tensorflow
    def test_what_is_cached_is_drawn_as_it_was(self):
        random.seed(4)
        one = position(FakeModel(TFDatasetAdapter()), data=pipeline().cache())
        one.on_test_begin()
        first = random.random()
        known = one.capture(values.Encoder())
        random.seed(5)
        model = FakeModel(TFDatasetAdapter())
        two = position(model, data=pipeline().cache())
        restored(two, known)
        before = random.getstate()
        two.on_test_begin()
        self.assertEqual(model._eval_epoch_iterator.drawn[0], first)
        self.assertEqual(random.getstate(), before)
        # No matter which validation comes next, it was the first that drew.
        self.assertEqual(
            two.capture(values.Encoder())["at_first"], known["at_first"]
        )

    def test_workers_that_live_on_are_started(self):
        class Loader(types.SimpleNamespace):
            def __iter__(self):
                self._iterator = random.random()
                return iter(())

        adapter = TorchDataLoaderAdapter()
        adapter._dataloader = loader = Loader(**vars(adapter._dataloader))
        told = []
        one = position(FakeModel(adapter), told)
        restored(one, lost(2))
        before = random.getstate()
        one.on_test_begin()
        self.assertIsNotNone(loader._iterator)
        self.assertEqual(random.getstate(), before)
        self.assertRegex(" ".join(told), "persistent_workers")
        # Today's first is the lost run's, too.
        loader._iterator = None
        one = position(FakeModel(adapter), told)
        one.on_test_begin()
        self.assertIsNone(loader._iterator)
        self.assertEqual(len(told), 1)

    @unittest.skipUnless(
        importlib.util.find_spec("torch"), "there is no DataLoader"
    )
    def test_a_generator_that_training_has_too_is_left_to_it(self):
        import torch

        shared = torch.Generator().manual_seed(1)
        own = torch.Generator().manual_seed(2)
        adapter = TorchDataLoaderAdapter()
        adapter._dataloader = torch.utils.data.DataLoader(
            [1, 2],
            generator=shared,
            sampler=torch.utils.data.RandomSampler([1, 2], generator=own),
        )
        one = position(FakeModel(adapter))
        one.trained_on = torch.utils.data.DataLoader([1], generator=shared)
        one.on_test_begin()
        known = one.capture(values.Encoder())
        first = torch.rand(2, generator=own)
        shared.manual_seed(3)
        expected = shared.get_state()
        two = position(FakeModel(adapter))
        two.trained_on = one.trained_on
        restored(two, known)
        two.on_test_begin()
        self.assertTrue(torch.equal(shared.get_state(), expected))
        self.assertTrue(torch.equal(torch.rand(2, generator=own), first))

    @needs_tensorflow
    def test_what_no_validation_has_made_up_for_is_known(self):
        for data, known, expected in (
            (pipeline(), lost(1), True),
            (pipeline(), lost(0), False),
            (None, lost(2), False),
            (None, lost(2) | {"source": {"unchanged": {"a": "b"}}}, False),
            (None, lost(2) | {"source": {"get_state": 3}}, True),
        ):
            with self.subTest(known=known):
                source = values.Encoder().encode(known["source"], "validation")
                known = known | {"source": source}
                one = position(FakeModel(), data=data)
                self.assertFalse(one.is_left_undone())
                restored(one, known)
                self.assertEqual(one.is_left_undone(), expected)
        model = FakeModel(TFDatasetAdapter())
        one = position(model, data=pipeline())
        restored(one, lost(2))
        one.on_test_begin()
        self.assertFalse(one.is_left_undone())

    def test_where_none_follows_nothing_is_touched(self):
        for frequency in (2, None):
            one = position(FakeModel(), frequency=frequency)
            random.seed(4)
            state = random.getstate()
            random.seed(5)
            restored(one, lost(2, state))
            before = random.getstate()
            one.on_data_end(0)
            self.assertEqual(random.getstate(), before)

    def test_what_is_none_is_refused(self):
        validation.check(lost(3), 3, {})
        validation.check(lost(3, {}), 3, {})
        for broken in (
            {},
            [],
            lost(-1),
            lost(True),
            lost(1, {"python": 3}),
            lost(1) | {"at_first": {"python": 3}},
            lost(1, made_earlier=None),
        ):
            with self.subTest(broken=broken), self.assertRaises(errors.DAMAGE):
                validation.check(broken, 3, {})
        many = 8 * 4
        validation.check(lost(many), 3, {})
        validation.check(lost(3) | {"made": many}, 3, {})
        with self.assertRaisesRegex(ValueError, "made"):
            validation.check(lost(3) | {"made": many + 1}, 3, {})
        for field, count in (("begun", many + 1), ("made", 10**12)):
            with self.assertRaisesRegex(ValueError, field):
                validation.check(lost(3) | {field: count}, 3, {})


class Telling:
    """A DataLoader that tells its state."""

    def __init__(self, state=None):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def of_loader(loader):
    adapter = TorchDataLoaderAdapter()
    adapter._dataloader = loader
    return FakeModel(adapter)


class State(unittest.TestCase):
    """The state that the validation data keep themselves."""

    def test_it_comes_back_before_the_first_validation(self):
        one = position(of_loader(Telling({"at": 3})))
        one.on_test_begin()
        known = one.capture(values.Encoder())
        self.assertEqual(
            values.decode(known["source"], {}.__getitem__),
            {"state_dict": {"at": 3}},
        )
        told = []
        two = position(of_loader(loader := Telling()), told)
        restored(two, known)
        self.assertIsNone(loader.state)
        # Saved once more before that.
        self.assertEqual(
            two.capture(values.Encoder())["source"], known["source"]
        )
        two.on_test_begin()
        self.assertEqual(loader.state, {"at": 3})
        self.assertEqual(told, [])

    def test_data_that_are_trained_on_have_it_elsewhere(self):
        loader = Telling({"at": 3})
        one = position(of_loader(loader))
        self.assertIsNone(one.trained_on)
        one.trained_on = loader
        one.on_test_begin()
        self.assertIsNone(one.capture(values.Encoder())["source"])
        # And so have data that keep none.
        one = position(FakeModel(ArrayDataAdapter()))
        one.trained_on = loader
        one.on_test_begin()
        self.assertIsNone(one.capture(values.Encoder())["source"])

    def test_its_arrays_and_what_is_missing_have_the_name_of_the_data(self):
        loader = Telling(np.arange(3000))
        one = position(of_loader(loader))
        one.on_test_begin()
        encoder = values.Encoder()
        known = one.capture(encoder)
        (name,) = encoder.arrays
        self.assertRegex(name, "^validation/")
        self.assertEqual(one.not_saved, [])
        two = position(of_loader(again := Telling()))
        two.restore(known, encoder.arrays.__getitem__, IteratorsMade(None))
        two.on_test_begin()
        self.assertEqual(again.state.tolist(), loader.state.tolist())
        tensors = {name: (DTYPES["int64"], [3000], None)}
        validation.check(known, 1, tensors)
        with self.assertRaises(errors.DAMAGE):
            validation.check(known, 1, {})
        loader.state = object()
        one.capture(values.Encoder())
        self.assertEqual(
            one.not_saved, ["the state of the validation data (object)"]
        )

    def test_what_cannot_be_put_back_is_told(self):
        told = []
        one = position(of_loader(Telling()), told)
        source = values.Encoder().encode({"state_dict": 1}, "")
        restored(one, lost(0) | {"source": source})
        with mock.patch.object(Loader, "restore", return_value=["it is gone"]):
            one.on_test_begin()
        self.assertEqual(told, ["validation: it is gone"])


class Replays(unittest.TestCase):
    """The validations of the lost run, drawn again."""

    def test_afterwards_a_save_has_the_batches_of_today(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        restored(one, lost(1) | {"checksums": [[0, 3]]})
        with (
            mock.patch.object(DrawnBatches, "expect"),
            mock.patch.object(DrawnBatches, "notes", return_value=[]),
            mock.patch.object(DrawnBatches, "capture", return_value=[[0, 4]]),
        ):
            one.on_test_begin()
            captured = one.capture(values.Encoder())
        self.assertEqual(captured["checksums"], [[0, 4]])

    def test_until_then_a_save_has_what_the_lost_run_had(self):
        known = lost(1) | {"checksums": [[0, 3]], "ahead": [1, 2]}
        with in_graph(False):
            one = position(
                FakeModel(GeneratorDataAdapter()), data=Prefetching(7)
            )
            now = one.capture(values.Encoder())
            self.assertEqual((now["checksums"], now["ahead"]), ([], [7]))
            restored(one, known)
            now = one.capture(values.Encoder())
            self.assertEqual(
                (now["checksums"], now["ahead"]), ([[0, 3]], [1, 2])
            )
            # One of an earlier version has no checksums.
            del known["checksums"]
            restored(one, known)
            self.assertEqual(one.capture(values.Encoder())["checksums"], [])

    def test_then_what_had_been_drawn_ahead_is_put_back(self):
        data = Prefetching(7)
        with in_graph(False):
            one = position(FakeModel(GeneratorDataAdapter()), data=data)
            restored(one, lost(1) | {"ahead": [1, 2]})
            one.on_test_begin()
        self.assertEqual([*data.values_queue.queue], [1, 2])

    def test_the_batches_of_the_last_are_compared(self):
        model = FakeModel(GeneratorDataAdapter())
        told, progress, done = [], Recorder(), []
        one = validation.ValidationPosition(
            model, 1, FakeGenerators(), progress, told.extend
        )
        restored(one, lost(3) | {"checksums": [[0, 3]]})
        with (
            mock.patch.object(
                replay, "draw_epoch", lambda iterator: done.append("drawn")
            ),
            mock.patch.object(
                DrawnBatches, "expect", lambda self, known: done.append(known)
            ),
            mock.patch.object(
                DrawnBatches, "notes", return_value=["other batches"]
            ),
        ):
            one.on_test_begin()
        self.assertEqual(done, ["drawn", "drawn", [[0, 3]], "drawn"])
        self.assertEqual(progress.steps, [(0, 3), (1, 3), (2, 3), "end"])
        self.assertEqual(told, ["validation: other batches"])

    def test_the_source_knows_the_generators_before_keras_began(self):
        told = []
        one = position(FakeModel(GeneratorDataAdapter()), told)
        restored(one, lost(1))
        one.on_data_end(0)
        before = random.getstate()
        random.random()
        with mock.patch.object(
            Source,
            "resume_validation",
            return_value=["a", Change("b", ("what", 1, 2))],
        ) as resume:
            one.on_test_begin()
        resume.assert_called_once_with(one._generators, before, False)
        self.assertEqual(told[:2], ["validation: a", "validation: b"])
        self.assertEqual(told[1].rows, [("validation: what", "1", "2")])

    def test_one_that_is_not_due_leaves_no_states(self):
        one = position(FakeModel(GeneratorDataAdapter()), frequency=2)
        one.on_data_end(0)
        one.on_test_begin()
        self.assertIsNone(one.capture(values.Encoder())["at_creation"])

    def test_keras_makes_its_iterator_once(self):
        one = position(FakeModel(GeneratorDataAdapter()))
        one.on_test_begin()
        source = one._data.source
        one.on_test_begin()
        self.assertIs(one._data.source, source)

    def test_of_a_cache_only_a_resume_puts_the_generators_back(self):
        data = CacheDataset(shuffle())
        one = position(FakeModel(TFDatasetAdapter()), data=data)
        one.on_test_begin()
        random.seed(9)
        before = random.getstate()
        one.on_test_begin()
        self.assertEqual(random.getstate(), before)


class Earlier(unittest.TestCase):
    """Validations before this training, of which only iterators are known."""

    def notes(self, known, now=0, draws=False):
        source = shuffle()
        IteratorsMade(source).note(now)
        with in_graph(draws):
            one = position(FakeModel(TFDatasetAdapter()), data=source)
            notes = restored(one, known)
        return [note.removeprefix("validation: ") for note in notes]

    def known(self, begun, made, earlier):
        return lost(begun, made_earlier=earlier) | {"made": made}

    def test_before_there_was_one_keras_makes_its_usual_number(self):
        note = [IteratorsMade.NOTE]
        for draws, earlier, expected in (
            (True, 4, []),
            (True, 3, note),
            (False, 1, []),
            (False, 3, []),
        ):
            known = self.known(0, 0, earlier)
            self.assertEqual(self.notes(known, draws=draws), expected)

    def test_the_lost_run_shows_how_many_one_makes(self):
        known = self.known(2, 6, 3)
        self.assertEqual(self.notes(known), [])
        self.assertEqual(
            self.notes(known | {"made_earlier": 4}), [IteratorsMade.NOTE]
        )

    def test_this_session_may_have_made_as_many_and_no_more(self):
        known = self.known(3, 3, 0)
        self.assertEqual(self.notes(known), [])
        self.assertEqual(self.notes(known, 3), [IteratorsMade.DOUBT])
        self.assertEqual(self.notes(known, 4), [IteratorsMade.NOTE])


class Releasing(unittest.TestCase):
    def test_keras_has_its_own_methods_afterwards(self):
        model = FakeModel(TFDatasetAdapter())
        iterator = model._eval_epoch_iterator
        with in_graph(True):
            one = position(model)
            one.release()
            one.on_test_begin()
            self.assertTrue(epoch_iterator.is_watched(iterator))
            with mock.patch.object(one._data.batches, "release") as release:
                one.release()
                self.assertFalse(epoch_iterator.is_watched(iterator))
                one.release()
        self.assertEqual(release.call_count, 2)
