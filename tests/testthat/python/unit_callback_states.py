"""callback_states.py: what of other callbacks is saved, and whose it is."""

import argparse
import array
import collections
import datetime
import enum
import functools
import io
import json
import os
import tempfile
import threading
import time
import typing
import unittest
from fractions import Fraction
from unittest import mock

import asking
import keras
import numpy as np

from kerasbackup.parts.callback_states import CallbackStates
from kerasbackup.parts.callback_states import check_states
from kerasbackup.parts.callback_states import continue_logs
from kerasbackup.parts.part import Place
from kerasbackup.parts.part import Training
from kerasbackup.store import errors
from kerasbackup.store import number_lists
from kerasbackup.store import values


def setUpModule():
    asking.refuse_none()


class Counter(keras.callbacks.Callback):
    helper = functools.partial(int, "3")

    def __init__(self, step=1):
        super().__init__()
        self.step = step
        self.count = 0
        self.seen = []


class Speaker(keras.callbacks.Callback):
    """Has a state that no attribute tells."""

    def __init__(self):
        super().__init__()
        self.hidden = lambda: None
        self.place = 0

    def get_state(self):
        return {"place": self.place}

    def set_state(self, state):
        self.place = state["place"]


class Holder(keras.callbacks.Callback):
    """Has state in an attribute that is no plain value."""

    def __init__(self, held):
        super().__init__()
        self.held = held


def trained_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def numbers(variables):
    return [keras.ops.convert_to_numpy(one).tolist() for one in variables]


def not_used(name):
    return (
        f"the checkpoint's state of callback {name} is not used, because no "
        "callback of the script matches it"
    )


def without_state(name):
    return (
        f"callback {name} starts without a state, because none in the "
        "checkpoint matches it"
    )


def capture(states):
    """What a checkpoint would have of it: JSON, and arrays."""
    encoder = values.Encoder()
    return json.loads(json.dumps(states.capture(encoder))), encoder.arrays


def changed(callback, **attributes):
    """Its state after a training that changed these."""
    states = CallbackStates([callback])
    for name, value in attributes.items():
        setattr(callback, name, value)
    return capture(states)


class Copying(unittest.TestCase):
    def test_weights_that_a_callback_keeps_are_not_copied_for_a_save(self):
        """The store copies them with the variables, out of their own memory."""
        one = keras.callbacks.EarlyStopping(restore_best_weights=True)
        states = CallbackStates([one])
        one.best_weights = [np.ones((64, 64), "float32") for _ in range(2)]
        encoder = values.Encoder()
        states.capture(encoder)
        saved = list(encoder.arrays.values())
        self.assertEqual(len(saved), 2)
        for kept, found in zip(one.best_weights, saved):
            self.assertTrue(np.shares_memory(kept, found))


class Attributes(unittest.TestCase):
    def test_what_changed_is_saved_and_nothing_else(self):
        saved, arrays = changed(
            Counter(), count=3, seen=[1, {"a": (2.5, None)}]
        )
        self.assertEqual(set(saved["Counter"]["changed"]), {"count", "seen"})
        again = Counter(step=2)
        notes = CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.count, 3)
        self.assertEqual(again.seen, [1, {"a": (2.5, None)}])
        # What the script sets is the script's, and told.
        self.assertEqual(again.step, 2)
        self.assertEqual(len(notes), 1)
        self.assertIn("step", notes[0])

    def test_arrays_come_back(self):
        saved, arrays = changed(Counter(), seen=np.arange(3.0))
        again = Counter()
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        np.testing.assert_array_equal(again.seen, np.arange(3.0))

    def test_what_cannot_be_saved_is_named(self):
        states = CallbackStates([one := Counter()])
        one.seen = [object()]
        capture(states)
        self.assertEqual(states.not_saved, ["Counter.seen"])

    def test_a_state_of_its_own_telling_is_preferred(self):
        saved, arrays = changed(Speaker(), place=7)
        again = Speaker()
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.place, 7)

    def test_no_method_is_overwritten(self):
        """Nothing in a file is ever run."""
        states = CallbackStates([Counter()])
        for name in ("on_epoch_end", "__class__", "model", "params", "helper"):
            hostile = {"Counter": {"attributes": {name: 1}}}
            with self.subTest(name=name), self.assertRaises(ValueError):
                states.check_owners(hostile)
        states.check_owners({"Counter": {"attributes": {"count": 1}}})
        # Nor by what claims to come from the callback itself.
        hostile = {"attributes": {"on_epoch_end": 1}, "protocol": 1}
        with self.assertRaises(ValueError):
            states.check_owners({"Counter": hostile})
        # Keras sets these of one class.
        states = CallbackStates([keras.callbacks.CSVLogger("log.csv")])
        with self.assertRaises(ValueError):
            states.check_owners({"CSVLogger": {"changed": {"writer": 1}}})

    def test_large_arrays_of_all_callbacks_come_back(self):
        def make():
            speakers = [Speaker(), Speaker()]
            return [*speakers, Counter(), Holder(None), Holder(None)]

        def large(number):
            return np.full(100, number, "float32")

        lost = make()
        for one in lost:
            one.variable = keras.Variable(large(0.0))
            one.other = [keras.Variable(large(0.0)), None]
        states = CallbackStates(lost)
        lost[0].place, lost[1].place = large(1.0), large(2.0)
        for i, one in enumerate(lost[2:]):
            one.first, one.second = large(10.0 + i), large(20.0 + i)
            one.variable.assign(large(30.0 + i))
            one.other[0].assign(large(40.0 + i))
        saved, arrays = capture(states)
        self.assertEqual(len(arrays), 2 + 3 * 4)
        known = {name: ("F32", [100], None) for name in arrays}
        CallbackStates.check(saved, known, Place())
        # Without any of the tensors it is damage.
        for name in arrays:
            less = {other: known[other] for other in known if other != name}
            with self.assertRaises(errors.DAMAGE):
                CallbackStates.check(saved, less, Place())
        again = make()
        for one in again:
            one.variable = keras.Variable(large(0.0))
            one.other = [keras.Variable(large(0.0)), None]
        notes = CallbackStates(again).restore(saved, arrays.__getitem__)
        self.assertEqual(notes, [])
        for one, was in zip(again[:2], lost[:2]):
            self.assertEqual(one.place.tolist(), was.place.tolist())
        for one, was in zip(again[2:], lost[2:]):
            self.assertEqual(one.first.tolist(), was.first.tolist())
            self.assertEqual(one.second.tolist(), was.second.tolist())
            self.assertEqual(
                numbers([one.variable, one.other[0]]),
                numbers([was.variable, was.other[0]]),
            )

    def test_what_is_reset_when_an_epoch_begins_is_put_back_again(self):
        """In the middle of an epoch, Keras calls `on_epoch_begin()` again."""
        self.assertTrue(CallbackStates([]).is_put_again)


class Telling(unittest.TestCase):
    """Which of the callbacks of a checkpoint and of the script are told of."""

    def test_it_is_made_from_a_training(self):
        generator, dataset = np.random.default_rng(1), Ramp(0.5)
        callbacks = [
            Holder(generator),
            Holder(dataset),
            Holder(np.random.default_rng(2)),
            Holder(inner := Counter()),
        ]
        states = CallbackStates.begin(
            Training(
                None,
                Place(),
                callbacks=callbacks,
                is_generator=lambda one: one is generator,
                is_dataset=lambda one: one is dataset,
            )
        )
        self.assertEqual(states.callbacks, [*callbacks, inner])
        dataset.calls = 3
        saved, _ = capture(states)
        self.assertEqual(states.not_saved, ["Holder~2.held"])
        self.assertEqual(saved["Holder~1"]["changed"], {})

    def test_one_that_tells_its_state_is_asked_among_others(self):
        one, other = Speaker(), Counter()
        states = CallbackStates([one, other])
        one.place = other.count = 7
        saved, arrays = capture(states)
        self.assertEqual(
            saved["Speaker"], {"protocol": {"$dict": [["place", 7]]}}
        )
        self.assertEqual(saved["Counter"]["changed"], {"count": 7})
        again = [Speaker(), Counter()]
        states = CallbackStates(again)
        states.check_owners(saved)
        self.assertEqual(states.restore(saved, arrays.__getitem__), [])
        self.assertEqual((again[0].place, again[1].count), (7, 7))
        # It is asked what it has, if it was not there before.
        notes = CallbackStates(again).restore({}, None)
        self.assertEqual(
            notes, [without_state("Speaker"), without_state("Counter")]
        )

    def test_one_that_tells_its_state_is_not_looked_into(self):
        class Closed(Speaker):
            @property
            def __dict__(self):
                raise AssertionError("it was looked into")

        one = Closed()
        states = CallbackStates([one])
        one.place = 7
        saved, arrays = capture(states)
        again = Closed()
        self.assertEqual(
            CallbackStates([again]).restore(saved, arrays.__getitem__), []
        )
        self.assertEqual(again.place, 7)
        # The script may have given it the methods since.
        before = {"Speaker": {"changed": {"place": 3}}}
        again = Speaker()
        self.assertEqual(CallbackStates([again]).restore(before, None), [])
        self.assertEqual(again.place, 0)

    def test_the_settings_of_those_after_it_are_compared(self):
        saved, arrays = capture(CallbackStates([Speaker(), Counter(step=1)]))
        (note,) = CallbackStates([Speaker(), Counter(step=2)]).restore(
            saved, arrays.__getitem__
        )
        self.assertRegex(note, "^callback Counter: step was 1 .* is 2 now$")

    def test_one_that_cannot_be_given_its_state_is_asked_for_none(self):
        class Silent(Counter):
            def get_state(self):
                raise AssertionError("it was asked")

        one = Silent()
        states = CallbackStates([one])
        one.count = 3
        saved, arrays = capture(states)
        self.assertEqual(saved["Silent"]["changed"], {"count": 3})
        again = Silent()
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.count, 3)
        # A later version of the script may no longer have the method.
        told = {"Silent": {"protocol": 3}, "Counter": {"changed": {"count": 5}}}
        again = [Silent(), Counter()]
        CallbackStates(again).restore(told, None)
        self.assertEqual([one.count for one in again], [0, 5])

    def test_a_state_that_it_tells_and_nobody_can_save_is_told(self):
        one, other = Speaker(), Counter()
        states = CallbackStates([one, other])
        one.place, other.seen = object(), [object()]
        saved, _ = capture(states)
        self.assertEqual(saved["Speaker"], {})
        first, second = states.not_saved
        self.assertRegex(first, r"^Speaker\.get_state\(\) \(.*object.*\)$")
        self.assertEqual(second, "Counter.seen")
        # The next save begins anew.
        one.place, other.seen = 3, []
        capture(states)
        self.assertEqual(states.not_saved, [])

    def test_variables_that_cannot_be_saved_are_told(self):
        one = Holder(keras.Variable([0.5] * 40))
        states = CallbackStates([one])
        with mock.patch.object(values, "MOST_TEXT", 100):
            saved, _ = capture(states)
        self.assertEqual(states.not_saved, ["Holder.held"])
        self.assertEqual(saved["Holder"]["variables"], {})

    def test_settings_are_those_that_training_did_not_change(self):
        saved, _ = changed(Counter(step=5), count=3)
        self.assertEqual(
            saved["Counter"]["configuration"], {"step": "5", "seen": "[]"}
        )
        # A time, a process, an array and a long list differ in every run.
        one = Holder(time.time())
        one.pid = os.getpid()
        one.array, one.long, one.none = np.zeros(3), [0] * 10**5, None
        one.odd, one.name = object(), "a"
        saved, _ = capture(CallbackStates([one]))
        self.assertEqual(
            saved["Holder"]["configuration"], {"none": "None", "name": "a"}
        )

    def test_what_is_left_of_one_that_is_gone_is_told(self):
        state = {"a": 1}
        told = {
            field: {"A": {field: state}, "B": {}, "C": {field: state}}
            for field in ("protocol", "attributes", "changed", "variables")
        }
        for field, saved in told.items():
            with self.subTest(field=field):
                notes = CallbackStates([]).restore(saved, None)
                self.assertEqual(notes, [not_used("A"), not_used("C")])
        saved = {"A": {"configuration": {"a": "1"}}, "B": {"configuration": {}}}
        (note,) = CallbackStates([]).restore(saved, None)
        self.assertRegex(note, "there was a callback A .* and there is none")

    def test_one_that_came_is_told_if_it_has_any(self):
        class Empty(keras.callbacks.Callback):
            pass

        class Silent(Speaker):
            def get_state(self):
                return {}

        held = Holder(keras.Variable(1.0))
        notes = CallbackStates([Empty(), Silent(), held]).restore({}, None)
        self.assertEqual(notes, [without_state("Holder")])
        # Functions are no state, and the model's variables are not its own.
        model = trained_model()
        others = [
            keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: None),
            Holder(model),
        ]
        others[1].set_model(model)
        self.assertEqual(CallbackStates(others).restore({}, None), [])

    def test_a_state_needs_no_field_but_one(self):
        again = Counter()
        states = CallbackStates([again])
        states.restore({"Counter": {}}, None)
        states.restore({"Counter": {"changed": {"count": 3}}}, None)
        self.assertEqual(again.count, 3)

    def test_in_every_field_no_method_is_overwritten(self):
        states = CallbackStates([Speaker(), Counter()])
        for field in ("attributes", "changed"):
            for name in ("on_epoch_end", "model"):
                hostile = {"Speaker": {"protocol": 3}}
                hostile["Counter"] = {field: {"count": 1, name: 1}}
                with self.subTest(name), self.assertRaises(ValueError):
                    states.check_owners(hostile)

    def test_one_of_this_package_counts_nowhere(self):
        class Own(Counter):
            pass

        Own.__module__ = "kerasbackup.callback"
        one = Holder(Own())
        self.assertEqual(CallbackStates([one]).callbacks, [one])
        Own.__module__ = "kerasbackups"
        self.assertEqual(CallbackStates([one]).callbacks, [one, one.held])


class Events(unittest.TestCase):
    def test_what_a_tensorboard_has_logged_outlives_the_process(self):
        board = keras.callbacks.TensorBoard("logs")
        writer = mock.Mock()
        board._writers = {"train": writer}
        CallbackStates([board]).capture(values.Encoder())
        writer.flush.assert_called_once_with()


class Kind(enum.Enum):
    WARM = "a"
    HOT = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


Point = collections.namedtuple("Point", "x y")


class Words(dict):
    """Does what nobody knows when it is written to."""


class Ramp:
    """A schedule that is an object one can call, and counts its calls."""

    def __init__(self, top):
        self.top = top
        self.calls = 0
        self.seen = []

    def __call__(self, epoch, lr=None):
        self.calls += 1
        self.seen.append(epoch)
        return self.top / self.calls


def resume(make, train):
    """A training that is killed, and the script run again.

    Args:
        make: Callable: a dict, the attributes of a callback.
        train: Callable that is given the callback.

    Returns:
        The callback that was resumed, and the attributes it was made with.
    """
    lost = Holder(None)
    vars(lost).update(make())
    states = CallbackStates([lost])
    train(lost)
    saved, arrays = capture(states)
    return states.not_saved, *resume_from(saved, arrays, make)


def resume_from(saved, arrays, make):
    again, attributes = Holder(None), make()
    vars(again).update(attributes)
    states = CallbackStates([again])
    states.check_owners(saved)
    tensors = {
        name: (values.DTYPES[one.dtype.name], list(one.shape), None)
        for name, one in arrays.items()
    }
    check_states(saved, tensors)
    notes = states.restore(saved, arrays.__getitem__)
    assert notes == [], notes
    return again, attributes


def of_python():
    """An object of a class that comes with Python."""
    return argparse.Namespace(place=1)


class Kinds(unittest.TestCase):
    def test_classes_of_the_standard_library_come_back_as_themselves(self):
        def make():
            return {
                "lists": collections.defaultdict(list),
                "own": collections.defaultdict(lambda: 7),
                "words": collections.Counter("a"),
                "order": collections.OrderedDict(a=1, b=2),
                "last": collections.deque([1.5], maxlen=2),
                "rest": frozenset(),
                "bytes": bytearray(b"a"),
                "kind": Kind.WARM,
                "level": Level.LOW,
                "late": None,
                "best": Point(0, 0.0),
                "points": [],
            }

        def train(callback):
            callback.lists["a"].append(1)
            callback.own["b"] += 1
            callback.words.update("ab")
            callback.order.move_to_end("a")
            callback.last.extend([2.5, 3.5])
            callback.rest = frozenset({1, (2, 3)})
            callback.bytes += b"\xff"
            callback.kind, callback.level = Kind.HOT, Level.HIGH
            callback.late = [Kind.WARM, {Kind.HOT: Level.LOW}]
            callback.best = Point(1, 2.5)
            callback.points += [Point(3, [4]), (5, 6)]

        unsaved, again, _ = resume(make, train)
        self.assertEqual(unsaved, [])
        expected = Holder(None)
        vars(expected).update(make())
        train(expected)
        for name in make():
            with self.subTest(name=name):
                found, wanted = getattr(again, name), getattr(expected, name)
                self.assertIs(type(found), type(wanted))
                self.assertEqual(found, wanted)
        # They do what theirs do.
        again.lists["new"].append(1)
        self.assertEqual(again.own["new"], 7)
        self.assertEqual(again.words["new"], 0)
        self.assertEqual(list(again.order), ["b", "a"])
        again.last.append(4.5)
        self.assertEqual(list(again.last), [3.5, 4.5])
        self.assertIs(again.kind, Kind.HOT)
        self.assertIs(again.late[0], Kind.WARM)
        self.assertIs(type(again.points[0]), Point)
        self.assertIs(type(again.points[1]), tuple)

    def test_other_subclasses_are_told(self):
        class Integer(int):
            pass

        Other = collections.namedtuple("Other", "a")
        for value in (Integer(3), Words(a=1), [Words()], Other(1), 1j):
            with self.subTest(value=value):
                states = CallbackStates([one := Counter()])
                one.count = value
                saved, _ = capture(states)
                self.assertEqual(states.not_saved, ["Counter.count"])
                self.assertEqual(saved["Counter"]["changed"], {})
        # Also where it was there before, and changes in place.
        states = CallbackStates([one := Holder(Words())])
        capture(states)
        self.assertEqual(states.not_saved, [])
        one.held["a"] = 1
        capture(states)
        self.assertEqual(states.not_saved, ["Holder.held"])

    def test_an_object_that_can_be_called_has_a_state(self):
        ramps = []

        def make():
            ramps.append(Ramp(0.5))
            return {"ramp": ramps[-1], "ramps": {"a": Ramp(1.0)}}

        def train(callback):
            callback.ramp(3)
            callback.ramp(4)
            callback.ramps["a"](5)

        unsaved, again, _ = resume(make, train)
        self.assertEqual(unsaved, [])
        self.assertIs(again.ramp, ramps[-1])
        self.assertEqual((again.ramp.calls, again.ramp.seen), (2, [3, 4]))
        self.assertEqual(again.ramps["a"].calls, 1)
        # What it was given is the script's.
        unsaved, again, _ = resume(
            lambda: {"ramp": Ramp(len(ramps))}, lambda one: one.ramp(0)
        )
        self.assertEqual(again.ramp.top, len(ramps))

    def test_one_whose_state_cannot_be_saved_is_told(self):
        states = CallbackStates([one := Holder(Ramp(1.0))])
        one.held(3)
        one.held.seen = Words()
        capture(states)
        self.assertEqual(states.not_saved, ["Holder.held"])

    def test_what_threads_or_a_library_have_is_told_and_not_written_to(self):
        def locked():
            ramp = Ramp(1.0)
            ramp.lock = threading.Lock()
            return ramp

        for make, move in (
            (locked, lambda one: one(3)),
            (of_python, lambda one: setattr(one, "place", 3)),
        ):
            states = CallbackStates([one := Holder(make())])
            capture(states)
            self.assertEqual(states.not_saved, [])
            move(one.held)
            saved, _ = capture(states)
            self.assertEqual(states.not_saved, ["Holder.held"])
            self.assertEqual(saved["Holder"]["changed"], {})

    def test_what_is_program_is_neither_saved_nor_told(self):
        program = [
            lambda: 1,
            functools.partial(int, "3"),
            int,
            len,
            "".join,
            json,
            np.add,
        ]
        callbacks = [Holder(one) for one in [*program, program]]
        states = CallbackStates(callbacks)
        for callback in callbacks[:-1]:
            callback.held = lambda: 2
        saved, _ = capture(states)
        self.assertEqual(states.not_saved, [])
        self.assertTrue(all(not one["changed"] for one in saved.values()))

    def test_what_changes_under_any_key_is_saved_or_told(self):
        def make():
            return {
                ("train", "loss"): [],
                np.int64(3): [],
                Kind.HOT: {"sum": 0.0},
                "plain": [],
            }

        states = CallbackStates([one := Holder(make())])
        capture(states)
        self.assertEqual(states.not_saved, [])
        one.held["train", "loss"].append(1.5)
        one.held[np.int64(3)].append(2)
        saved, arrays = capture(states)
        again = Holder(make())
        kept = again.held["train", "loss"]
        self.assertEqual(
            CallbackStates([again]).restore(saved, arrays.__getitem__), []
        )
        self.assertEqual(again.held, one.held)
        self.assertIs(again.held["train", "loss"], kept)

    def test_a_file_in_memory_is_told_once_it_was_written_to(self):
        for make, text in ((io.StringIO, "a"), (io.BytesIO, b"a")):
            states = CallbackStates([one := Holder(make())])
            capture(states)
            self.assertEqual(states.not_saved, [])
            one.held.write(text)
            capture(states)
            self.assertEqual(states.not_saved, ["Holder.held"])

    def test_durations_add_up(self):
        hour = datetime.timedelta(hours=1)
        states = CallbackStates([one := Holder(datetime.timedelta())])
        one.held += hour + datetime.timedelta(days=-3, microseconds=7)
        saved, arrays = capture(states)
        again = Holder(datetime.timedelta())
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.held, one.held)
        with self.assertRaises(ValueError):
            values.check({"$timedelta": [10**12, 0, 0]}, {})

    def test_what_all_objects_of_a_class_share(self):
        class Sharing(keras.callbacks.Callback):
            losses: typing.ClassVar = []
            limits = (1, 2)

        states = CallbackStates([one := Sharing()])
        capture(states)
        one.losses.append(0.5)
        saved, arrays = capture(states)
        self.assertEqual(set(saved["Sharing"]["changed"]), {"losses"})
        shared = Sharing.losses
        shared.clear()
        again = Sharing()
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(shared, [0.5])
        self.assertNotIn("losses", vars(again))

    def test_rows_of_a_structured_array_are_told_and_never_fatal(self):
        rows = np.zeros(40, [("loss", "f4"), ("epoch", "i4")])
        states = CallbackStates([one := Counter()])
        one.seen = [row.copy() for row in rows]
        one.count = 7
        saved, _ = capture(states)
        self.assertEqual(states.not_saved, ["Counter.seen"])
        self.assertIn("count", saved["Counter"]["changed"])

    def test_what_is_opaque_is_told_where_it_is_another(self):
        for held, other in (
            (object(), object()),
            (Fraction(1, 2), Fraction(1, 3)),
            (range(2), range(3)),
            (np.ma.masked_array([1.0]), np.ma.masked_array([2.0])),
        ):
            with self.subTest(held=held):
                states = CallbackStates([one := Holder({"a": held})])
                saved, _ = capture(states)
                self.assertEqual(states.not_saved, [])
                self.assertEqual(saved["Holder"]["changed"], {})
                one.held["a"] = other
                capture(states)
                self.assertEqual(states.not_saved, ["Holder.held"])

    def test_a_dataset_that_nobody_trains_on(self):
        class Dataset(keras.utils.PyDataset):
            def __init__(self):
                super().__init__()
                self.level = 0

        def train(callback):
            callback.data.level += 1

        unsaved, again, _ = resume(lambda: {"data": Dataset()}, train)
        self.assertEqual((unsaved, again.data.level), ([], 1))
        # Where somebody does, it has its own place in a checkpoint.
        data = Dataset()
        states = CallbackStates([Holder(data)], lambda one: one is data)
        data.level += 1
        saved, _ = capture(states)
        self.assertEqual(states.not_saved, [])
        self.assertEqual(saved["Holder"]["changed"], {})

    def test_what_no_checkpoint_can_have_is_told_and_never_fatal(self):
        deep = []
        for _ in range(2000):
            deep = [deep]
        strange = [deep, np.array(["a"]), np.array([None])]
        if keras.backend.backend() == "jax":
            import jax

            strange.append(jax.random.key(0))
        for value in strange:
            for held in (value, [value]):
                states = CallbackStates([one := Counter()])
                one.count, one.seen = 3, held
                saved, _ = capture(states)
                self.assertEqual(states.not_saved, ["Counter.seen"])
                self.assertEqual(set(saved["Counter"]["changed"]), {"count"})
        # What is too deep to be looked at may have changed.
        states = CallbackStates([Holder(deep)])
        capture(states)
        self.assertEqual(states.not_saved, ["Holder.held"])

    def test_an_attribute_with_the_name_of_a_method_is_told(self):
        states = CallbackStates([one := Counter()])
        one.helper = 3
        saved, _ = capture(states)
        self.assertEqual(states.not_saved, ["Counter.helper"])
        CallbackStates([Counter()]).check_owners(saved)

    def test_what_moves_and_cannot_be_looked_at_is_told(self):
        for held in (
            iter([1, 2]),
            [iter([1])],
            (one for one in "ab"),
            array.array("d", [1.0]),
        ):
            with self.subTest(held=held):
                states = CallbackStates([Holder(held)])
                capture(states)
                self.assertEqual(states.not_saved, ["Holder.held"])


class InPlace(unittest.TestCase):
    """What the script or another attribute shares stays shared."""

    def test_the_scripts_own(self):
        def make():
            outer = {"a": [1]}
            return {
                "seen": (seen := []),
                "alias": seen,
                "pair": (seen, 1),
                "outer": outer,
                "inner": outer["a"],
                "names": {"a"},
                "last": collections.deque([1]),
                "bytes": bytearray(b"a"),
                "order": (order := np.arange(4.0)),
                "some": order[:2],
            }

        def train(callback):
            callback.seen.append(1)
            callback.inner.append(2)
            callback.outer["b"] = callback.seen
            callback.names.add("b")
            callback.last.append(2)
            callback.bytes += b"b"
            callback.order[:] = 9

        unsaved, again, script = resume(make, train)
        self.assertEqual(unsaved, [])
        for name, value in script.items():
            self.assertIs(getattr(again, name), value)
        self.assertEqual(script["seen"], [1])
        self.assertIs(script["pair"][0], script["seen"])
        self.assertEqual(script["outer"], {"a": [1, 2], "b": [1]})
        self.assertIs(script["outer"]["a"], again.inner)
        self.assertIs(script["outer"]["b"], again.seen)
        self.assertEqual(script["names"], {"a", "b"})
        self.assertEqual(list(script["last"]), [1, 2])
        self.assertEqual(script["bytes"], b"ab")
        self.assertEqual(script["order"].tolist(), [9.0] * 4)
        again.order[0] = 5
        self.assertEqual(again.some.tolist(), [5.0, 9.0])

    def test_of_two_callbacks(self):
        def make():
            shared = []
            return Holder(shared), Counter(shared)

        one, two = make()
        states = CallbackStates([one, two])
        one.held.append(3)
        saved, arrays = capture(states)
        one, two = make()
        CallbackStates([one, two]).restore(saved, arrays.__getitem__)
        self.assertEqual(two.step, [3])
        self.assertIs(one.held, two.step)

    def test_what_training_made(self):
        def train(callback):
            callback.weights = [np.zeros(2), {}]
            callback.same = callback.weights
            callback.first = callback.weights[0]
            callback.weights[1]["self"] = callback.weights

        unsaved, again, _ = resume(dict, train)
        self.assertEqual(unsaved, [])
        self.assertIs(again.same, again.weights)
        self.assertIs(again.first, again.weights[0])
        self.assertIs(again.weights[1]["self"], again.weights)

    def test_what_was_made_anew_leaves_the_old_as_it_is(self):
        def train(callback):
            callback.seen = [*callback.seen, 2]
            callback.array = callback.array + 1

        _, again, script = resume(
            lambda: {"seen": [1], "array": np.zeros(2)}, train
        )
        self.assertEqual((again.seen, script["seen"]), ([1, 2], [1]))
        self.assertEqual(again.array.tolist(), [1, 1])
        self.assertEqual(script["array"].tolist(), [0, 0])

    def test_where_that_cannot_be_it_is_another_object(self):
        saved, arrays = changed(Counter(), seen=[])
        for made in (None, (1,), Words(), np.zeros(3)):
            again = Counter()
            again.seen = made
            CallbackStates([again]).restore(saved, arrays.__getitem__)
            self.assertEqual(again.seen, [])

        def train(callback):
            callback.held += 1

        states = CallbackStates([one := Holder(np.zeros(2))])
        train(one)
        saved, arrays = capture(states)
        read_only = np.zeros(2)
        read_only.flags.writeable = False
        for made in (read_only, np.zeros(3), np.zeros(2, "float32"), [0, 0]):
            before = list(made)
            again = Holder(made)
            CallbackStates([again]).restore(saved, arrays.__getitem__)
            self.assertEqual(again.held.tolist(), [1, 1])
            self.assertEqual(list(made), before)

    def test_what_the_script_no_longer_has_is_told(self):
        states = CallbackStates([one := Holder({"ramp": Ramp(1.0)})])
        one.held["ramp"](3)
        saved, arrays = capture(states)
        again = Holder({"ramp": 3})
        states = CallbackStates([again])
        states.check_owners(saved)
        notes = states.restore(saved, arrays.__getitem__)
        self.assertIn("callback Holder: held could not be restored", notes)
        self.assertEqual(again.held, {"ramp": 3})

    def test_a_slot_that_the_script_no_longer_has_is_told(self):
        class Slots:
            __slots__ = ("a", "b", "c")

            def __init__(self):
                self.c = 0

        class Fewer:
            __slots__ = ("a",)

        states = CallbackStates([one := Holder(Slots())])
        one.held.a = one.held.b = 1
        del one.held.c
        saved, arrays = capture(states)
        again = Holder(Slots())
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual((again.held.a, again.held.b), (1, 1))
        self.assertFalse(hasattr(again.held, "c"))
        again = Holder(Fewer())
        notes = CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertIn("callback Holder: held could not be restored", notes)
        self.assertFalse(hasattr(again.held, "a"))

    @unittest.skipIf(keras.backend.backend() != "torch", "tensors never change")
    def test_tensors_of_torch(self):
        import torch

        def make():
            return {
                "tensor": torch.zeros(2),
                "kept": torch.ones(2),
                "net": torch.nn.Linear(1, 1, bias=False),
            }

        def train(callback):
            callback.tensor += 1
            with torch.no_grad():
                callback.net.weight.fill_(3.0)

        unsaved, again, script = resume(make, train)
        self.assertEqual(unsaved, [])
        self.assertIs(again.tensor, script["tensor"])
        self.assertEqual(again.tensor.tolist(), [1, 1])
        self.assertEqual(again.net.weight.tolist(), [[3.0]])
        self.assertIsInstance(again.net.weight, torch.nn.Parameter)


class Configuration(unittest.TestCase):
    """What training did not change is the script's, whatever it is."""

    def test_arrays(self):
        for attribute in (
            np.zeros((50, 20)),
            [np.zeros(100), np.ones(100)],
            {"x": keras.ops.zeros((100,))},
        ):
            with self.subTest(kind=type(attribute)):
                states = CallbackStates([Holder(attribute)])
                saved, arrays = capture(states)
                self.assertEqual(arrays, {})
                self.assertEqual(saved["Holder"]["changed"], {})
                self.assertEqual(states.not_saved, [])

    def test_other_values_are_told_as_python_writes_them(self):
        for before, now, words in (
            ((1, 2), (1, 3), "held was (1, 2) when"),
            ([{3}], None, "held was [{3}] when"),
            ("a", "b", "held was a when"),
        ):
            saved, arrays = capture(CallbackStates([Holder(before)]))
            again = CallbackStates([Holder(now)])
            with self.subTest(before=before):
                (note,) = again.restore(saved, arrays.__getitem__)
                self.assertIn(words, note)

    def test_another_number_in_a_long_list_is_told(self):
        held = [0.5] * 100
        saved, _ = capture(CallbackStates([Holder(held)]))
        self.assertEqual(
            CallbackStates([Holder(held)]).restore(saved, None), []
        )
        again = CallbackStates([Holder([0.5] * 99 + [1.5])])
        (note,) = again.restore(saved, None)
        self.assertIn("held was", note)

    def test_a_single_changed_byte_of_an_array_shows(self):
        for shape, dtype in (((3, 5), "uint8"), ((70001, 3), "float32")):
            for place in (0, -1, 7):
                array = np.zeros(shape, dtype)
                states = CallbackStates([Holder(array)])
                saved, _ = capture(states)
                self.assertEqual(saved["Holder"]["changed"], {})
                array.reshape(-1).view("uint8")[place] = 1
                saved, _ = capture(states)
                self.assertEqual(set(saved["Holder"]["changed"]), {"held"})

    def test_an_array_beside_what_changes(self):
        def make():
            return {"data": {"x": np.full(200, len(made)), "count": 0}}

        made = []
        lost = Holder(None)
        vars(lost).update(make())
        states = CallbackStates([lost])
        lost.data["count"] = 3
        saved, arrays = capture(states)
        self.assertEqual(arrays, {})
        # Mended since.
        made.append(1)
        again, _ = resume_from(saved, arrays, make)
        self.assertEqual(again.data["count"], 3)
        self.assertEqual(again.data["x"].tolist(), [1] * 200)

    def test_equal_values_that_are_set_again(self):
        states = CallbackStates([one := Counter(step=0.5)])
        one.step = float("0.5")
        one.count = int("0")
        saved, _ = capture(states)
        self.assertEqual(saved["Counter"]["changed"], {})
        one.step = -0.0
        one.count = False
        saved, _ = capture(states)
        self.assertEqual(set(saved["Counter"]["changed"]), {"step", "count"})

    def test_an_array_that_is_none_any_more_shows(self):
        for drop in (
            lambda one: setattr(one, "held", None),
            lambda one: one.inner.clear() or one.inner.append(None),
        ):
            one = Holder(np.zeros(3))
            one.inner = [np.zeros(3)]
            states = CallbackStates([one])
            drop(one)
            saved, arrays = capture(states)
            again = Holder(np.zeros(3))
            again.inner = [np.zeros(3)]
            CallbackStates([again]).restore(saved, arrays.__getitem__)
            found, wanted = [again.held, *again.inner], [one.held, *one.inner]
            self.assertEqual(
                [o is None for o in found], [o is None for o in wanted]
            )

    def test_an_array_in_the_place_of_a_number_shows(self):
        for length in (3, 5000):
            lost = Holder([0.5] * length)
            states = CallbackStates([lost])
            # Packed once, and then no list of numbers any more.
            lost.held.append(1.5)
            capture(states)
            lost.held[0] = keras.ops.convert_to_tensor([0.5, 0.5])
            lost.held[1] = np.zeros(2)
            saved, arrays = capture(states)
            CallbackStates([again := Holder([])]).restore(
                saved, arrays.__getitem__
            )
            self.assertEqual(states.not_saved, [])
            self.assertEqual(again.held[1].tolist(), [0, 0])
            self.assertEqual(again.held[2:], lost.held[2:])

    def test_an_attribute_that_is_gone_shows(self):
        def train(callback):
            del callback.first
            del callback.ramp.top

        unsaved, again, _ = resume(
            lambda: {"first": True, "ramp": Ramp(1.0)}, train
        )
        self.assertEqual(unsaved, [])
        self.assertFalse(hasattr(again, "first"))
        self.assertFalse(hasattr(again.ramp, "top"))

    def test_an_item_of_another_type_shows(self):
        for after in (1.0, True, np.float64(1.0)):
            states = CallbackStates([one := Holder([1, 2])])
            one.held[0] = after
            saved, arrays = capture(states)
            CallbackStates([again := Holder([1, 2])]).restore(
                saved, arrays.__getitem__
            )
            self.assertIs(type(again.held[0]), type(after))


class Numbers(unittest.TestCase):
    """A number a batch is a tensor, and costs what was appended."""

    def test_lists_of_numbers(self):
        for numbers in (
            [i / 7 for i in range(500)],
            list(range(-250, 250)),
            [i % 3 == 0 for i in range(500)],
            [np.float32(i) / 7 for i in range(500)],
            [np.int64(i) for i in range(500)],
            [0, None, True, *[i / 7 for i in range(500)]],
        ):
            with self.subTest(kind=type(numbers[-1]), first=numbers[0]):
                lost = Holder([])
                states = CallbackStates([lost])
                lost.held += numbers[:400]
                capture(states)
                lost.held += numbers[400:]
                saved, arrays = capture(states)
                self.assertLessEqual(len(arrays), 2)
                self.assertLess(len(json.dumps(saved)), 1000)
                script = []
                CallbackStates([again := Holder(script)]).restore(
                    saved, arrays.__getitem__
                )
                self.assertIs(again.held, script)
                self.assertEqual(script, numbers)
                self.assertEqual(
                    list(map(type, script)), list(map(type, numbers))
                )

    def test_what_is_no_list_of_them(self):
        wide = [2**70, *range(99)]
        inexact = [0.5, 2**53 + 1] * 50
        mixed = [np.float32(0.1), 0.5] * 2000
        names = ["a", 1] * 50
        small = [keras.ops.convert_to_tensor([0.5])] * 200
        lost = Holder({})
        states = CallbackStates([lost])
        lost.held.update(wide=wide, inexact=inexact, mixed=mixed, names=names)
        lost.held["small"] = small
        saved, arrays = capture(states)
        # Not a tensor for each.
        self.assertLess(len(arrays), 5)
        CallbackStates([again := Holder({})]).restore(saved, arrays.__getitem__)
        small = again.held.pop("small")
        self.assertEqual([float(one[0]) for one in small], [0.5] * 200)
        del lost.held["small"]
        self.assertEqual(again.held, lost.held)
        self.assertIs(type(again.held["mixed"][0]), np.float32)

    def test_numbers_by_name(self):
        numbers = {f"name {i}": i / 7 for i in range(1000)}
        saved, arrays = changed(Holder({}), held=dict(numbers))
        self.assertEqual(len(arrays), 1)
        CallbackStates([again := Holder({})]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.held, numbers)

    def test_a_row_for_each_batch(self):
        for rows in (
            [(i, i / 7, None) for i in range(300)],
            [{"step": i, "loss": i / 7} for i in range(300)],
            [{"phase": "ab"[i % 2], "loss": np.float32(i)} for i in range(300)],
            [(str(i), np.int64(i), True) for i in range(300)],
        ):
            with self.subTest(row=rows[0]):
                lost = Holder([])
                states = CallbackStates([lost])
                lost.held += [type(rows[0])(row) for row in rows]
                saved, arrays = capture(states)
                self.assertLessEqual(len(arrays), 4)
                # Texts stay text, all others are arrays.
                texts = 300 if "phase" in rows[0] or "0" in rows[0] else 0
                self.assertLess(len(json.dumps(saved)), 1000 + 6 * texts)
                CallbackStates([again := Holder([])]).restore(
                    saved, arrays.__getitem__
                )
                self.assertEqual(again.held, rows)
                self.assertEqual(
                    [type(one) for one in again.held[0]],
                    [type(one) for one in rows[0]],
                )

    def test_a_row_that_is_elsewhere_too_stays_one(self):
        lost = Holder([])
        lost.last = None
        states = CallbackStates([lost])
        lost.held += [{"a": i} for i in range(100)]
        lost.last = lost.held[-1]
        saved, arrays = capture(states)
        again = Holder([])
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.held, lost.held)
        self.assertIs(again.last, again.held[-1])

    def test_a_list_that_grows_is_not_packed_anew(self):
        lost = Holder([0.5] * 5000)
        states = CallbackStates([lost])
        lost.held.append(1.5)
        (before,) = capture(states)[1].values()
        with mock.patch.object(
            number_lists, "pack", wraps=number_lists.pack
        ) as pack:
            lost.held += [2.5, 3.5]
            saved, arrays = capture(states)
        self.assertLess(max(len(c.args[0]) for c in pack.mock_calls), 10)
        (one,) = arrays.values()
        self.assertEqual(one[4999:5003].tolist(), [0.5, 1.5, 2.5, 3.5])
        # Nor is it announced anew.
        self.assertEqual(one.shape, before.shape)
        # But where it is another, it is.
        lost.held[3] = 7.5
        lost.held.append(2)
        saved, arrays = capture(states)
        CallbackStates([again := Holder([])]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.held, lost.held)
        self.assertIs(type(again.held[-1]), int)
        # What was captured before is as it was.
        self.assertEqual(one[:4].tolist(), [0.5] * 4)

    def test_what_is_too_large_is_told_and_the_rest_is_saved(self):
        lost = Counter()
        states = CallbackStates([lost])
        lost.seen = ["x" * 100] * 1000
        lost.count = 3
        with mock.patch.object(values, "MOST_TEXT", 50_000):
            saved, _ = capture(states)
        self.assertEqual(states.not_saved, ["Counter.seen"])
        self.assertEqual(set(saved["Counter"]["changed"]), {"count"})
        # All of them together, too.
        states = CallbackStates([one := Holder(0), two := Holder(0)])
        one.held = two.held = "x" * 600
        with mock.patch.object(values, "MOST_TEXT", 1000):
            capture(states)
        self.assertEqual(states.not_saved, ["Holder~1.held"])


class FirstVersion(unittest.TestCase):
    def test_what_it_wrote_is_put_back(self):
        saved = {
            "Counter": {
                "attributes": {
                    "count": 3,
                    "seen": [1, {"$dict": [["a", {"$tuple": [2.5, None]}]]}],
                    "array": {"$array": "a"},
                    "scalar": {"$scalar": "b"},
                },
                "configuration": {"step": "1"},
            }
        }
        arrays = {"a": np.array([1.5]), "b": np.array(2.5)}
        check_states(saved, {"a": ("F64", [1], None), "b": ("F64", [], None)})
        again = Counter()
        script = again.seen
        again.array = np.zeros(1)
        states = CallbackStates([again])
        states.check_owners(saved)
        notes = states.restore(saved, arrays.__getitem__)
        self.assertEqual(notes, [])
        self.assertEqual(again.count, 3)
        self.assertEqual(script, [1, {"a": (2.5, None)}])
        self.assertIs(again.seen, script)
        self.assertEqual(again.array.tolist(), [1.5])
        self.assertEqual(again.scalar, 2.5)


class Variables(unittest.TestCase):
    """What holds variables that are not the model's comes back exactly."""

    def resumed(self, make, move, variables_of):
        """What was saved, what came back, and what was told."""
        states = CallbackStates([one := Holder(make())])
        move(one.held)
        saved, arrays = capture(states)
        self.assertEqual(states.not_saved, [])
        before = numbers(variables_of(one.held))
        move(one.held)
        self.assertNotEqual(numbers(variables_of(one.held)), before)
        again = Holder(make())
        states = CallbackStates([again])
        states.check_owners(saved)
        check_states(
            saved,
            {
                name: ("F32" if array.dtype == "float32" else "I64",)
                + (list(array.shape), None)
                for name, array in arrays.items()
            },
        )
        held = again.held
        notes = states.restore(saved, arrays.__getitem__)
        # The very objects: others may have them too.
        self.assertIs(again.held, held)
        self.assertEqual(numbers(variables_of(held)), before)
        self.assertEqual(notes, [])

    def test_a_variable(self):
        self.resumed(
            lambda: keras.Variable([0.1, 0.2]),
            lambda held: held.assign_add([1 / 3, 1.0]),
            lambda held: [held],
        )

    def test_a_metric(self):
        self.resumed(
            keras.metrics.Mean,
            lambda held: held.update_state([1.0, 1 / 3]),
            lambda held: held.variables,
        )

    def test_a_seed_generator(self):
        self.resumed(
            lambda: keras.random.SeedGenerator(3),
            lambda held: held.next(),
            lambda held: [held.state],
        )

    def test_what_is_in_a_list_or_a_dict(self):
        self.resumed(
            lambda: [keras.metrics.Mean(), {"a": keras.Variable([0.0, 1.0])}],
            lambda held: (
                held[0].update_state([1.0, 1 / 3]),
                held[1]["a"].assign_add([0.5, 0.25]),
            ),
            lambda held: [*held[0].variables, held[1]["a"]],
        )

    def test_a_model_and_its_optimizer(self):
        def move(model):
            ones = [keras.ops.ones(v.shape) for v in model.trainable_variables]
            model.optimizer.apply(ones, model.trainable_variables)

        self.resumed(
            trained_model,
            move,
            lambda held: [*held.variables, *held.optimizer.variables],
        )

    @unittest.skipIf(
        keras.backend.backend() != "tensorflow", "the backend has none"
    )
    def test_a_variable_of_tensorflow(self):
        import tensorflow as tf

        self.resumed(
            lambda: tf.Variable([0.0]),
            lambda held: held.assign_add([1.0]),
            lambda held: [held],
        )

    def test_the_trained_models_own_are_saved_once(self):
        model = trained_model()
        kernel = model.layers[0].kernel
        held = [model, kernel, model.optimizer, model.layers[0]]
        callbacks = [Holder(one) for one in held]
        for callback in callbacks:
            callback.set_model(model)
        states = CallbackStates(callbacks)
        saved, arrays = capture(states)
        self.assertEqual(arrays, {})
        self.assertEqual(states.not_saved, [])
        self.assertTrue(all(not one["variables"] for one in saved.values()))
        self.assertEqual(states.restore(saved, None), [])

    def test_variables_that_the_script_added_keep_their_values(self):
        saved, arrays = capture(CallbackStates([Holder(keras.Variable(1.0))]))
        again = Holder(None)
        del again.held
        again.new = keras.Variable(3.0)
        again.held = keras.Variable(2.0)
        notes = CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(notes, ["callback Holder: new could not be restored"])
        self.assertEqual(numbers([again.new, again.held]), [3.0, 1.0])

    def test_what_is_not_as_it_was_is_told_and_left(self):
        states = CallbackStates([Holder(keras.Variable([1.0, 2.0]))])
        saved, arrays = capture(states)
        other = keras.Variable([3.0])
        for held in (other, None):
            states = CallbackStates([Holder(held)])
            notes = states.restore(saved, arrays.__getitem__)
            self.assertIn("callback Holder: held could not be restored", notes)
        self.assertEqual(numbers([other]), [[3.0]])
        notes = CallbackStates([]).restore(saved, None)
        self.assertEqual(notes, [not_used("Holder")])
        notes = CallbackStates([Holder(other)]).restore({}, None)
        self.assertEqual(notes, [without_state("Holder")])

    def test_a_generator_is_named_unless_it_is_captured(self):
        held, other = np.random.default_rng(1), np.random.default_rng(2)
        states = CallbackStates(
            [Holder(held), Holder(other)], lambda one: one is held
        )
        capture(states)
        self.assertEqual(states.not_saved, ["Holder~1.held"])

    def test_so_is_one_in_a_list_or_a_dict(self):
        held, other = np.random.default_rng(1), np.random.default_rng(2)
        for of_held, of_other in (
            ([held], [held, other]),
            ((held, held), (other,)),
            ({"a": held}, {"a": held, "b": other}),
        ):
            with self.subTest(of_other=of_other):
                states = CallbackStates(
                    [Holder(of_held), Holder(of_other)],
                    lambda one: one is held,
                )
                capture(states)
                self.assertEqual(states.not_saved, ["Holder~1.held"])

    def test_an_optimizer_is_named(self):
        one = Holder(keras.optimizers.SGD())
        one.set_model(trained_model())
        states = CallbackStates([one])
        capture(states)
        self.assertEqual(states.not_saved, ["Holder.held"])


class Inner(unittest.TestCase):
    """A callback in an attribute counts as if it were in the list."""

    def test_its_state_comes_back(self):
        states = CallbackStates([outer := Holder(Holder(Counter()))])
        outer.held.held.count = 5
        saved, arrays = capture(states)
        self.assertEqual(states.not_saved, [])
        states = CallbackStates([again := Holder(Holder(Counter(step=2)))])
        states.check_owners(saved)
        notes = states.restore(saved, arrays.__getitem__)
        self.assertEqual(again.held.held.count, 5)
        self.assertEqual(again.held.held.step, 2)
        self.assertEqual(len(notes), 1)
        self.assertIn("Holder.held:Holder.held:Counter: step", notes[0])

    def test_one_in_the_list_is_saved_once(self):
        inner = Counter()
        inner.held = outer = Holder(inner)
        states = CallbackStates([outer, inner])
        inner.count = 5
        saved, _ = capture(states)
        self.assertEqual(list(saved), ["Holder", "Counter"])

    def test_one_that_came_later_is_named(self):
        states = CallbackStates([outer := Holder(None)])
        outer.held = Counter()
        capture(states)
        self.assertEqual(states.not_saved, ["Holder.held"])

    def test_what_only_displays_has_no_state(self):
        model = trained_model()
        model.history = keras.callbacks.History()
        outer = Holder(model.history)
        outer.bar = keras.callbacks.ProgbarLogger()
        outer.set_model(model)
        states = CallbackStates([outer])
        saved, _ = capture(states)
        self.assertEqual(list(saved), ["Holder"])
        # Nor where it came later.
        outer.late = model.history
        capture(states)
        self.assertEqual(states.not_saved, [])

    def test_one_in_two_attributes_is_saved_once(self):
        outer = Holder(Counter())
        outer.same = outer.held
        self.assertEqual(CallbackStates([outer]).callbacks, [outer, outer.held])

    def test_its_log_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log.csv")
            with open(path, "w") as file:
                file.write("epoch\n0\n1\n")
            outer = Holder(keras.callbacks.CSVLogger(path))
            state = {"Holder.held:CSVLogger": {"file": path, "bytes": 8}}
            continue_logs([outer], state)
            self.assertTrue(outer.held.append)
            self.assertEqual(os.path.getsize(path), 8)


class Partners(unittest.TestCase):
    def lost(self, *callbacks):
        states = CallbackStates(list(callbacks))
        for i, callback in enumerate(callbacks):
            callback.count = 10 + i
        return capture(states)

    def resume(self, lost, *callbacks):
        saved, arrays = lost
        notes = CallbackStates(list(callbacks)).restore(
            saved, arrays.__getitem__
        )
        return [callback.count for callback in callbacks], notes

    def test_of_one_class_the_one_that_is_set_alike(self):
        lost = self.lost(Counter(step=1), Counter(step=2))
        counts, notes = self.resume(lost, Counter(step=2), Counter(step=1))
        self.assertEqual(counts, [11, 10])
        self.assertEqual(len(notes), 1)
        self.assertIn("another order", notes[0])

    def test_one_that_came_and_one_that_went_are_told(self):
        lost = self.lost(Counter())
        counts, notes = self.resume(lost, Counter(), Counter(step=5))
        self.assertEqual(counts, [10, 0])
        self.assertEqual(notes, [without_state("Counter~1")])
        notes = CallbackStates([]).restore(lost[0], None)
        self.assertEqual(notes, [not_used("Counter")])

    def test_the_best_of_another_log_is_none(self):
        def stopping(monitor):
            callback = keras.callbacks.EarlyStopping(monitor)
            callback.best = None
            return callback

        one = stopping("loss")
        states = CallbackStates([one])
        one.best = 0.25
        saved, arrays = capture(states)
        again = stopping("val_loss")
        notes = CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertIsNone(again.best)
        self.assertTrue(notes)
        # That of the same log is, whatever else was set.
        again = stopping("loss")
        again.patience = 7
        CallbackStates([again]).restore(saved, arrays.__getitem__)
        self.assertEqual(again.best, 0.25)


class Logs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "log.csv")
        with open(self.path, "w") as file:
            file.write("epoch,loss\n0,1.0\n1,0.5\n")

    def content(self):
        with open(self.path) as file:
            return file.read()

    def test_rows_that_are_done_again_are_cut_off(self):
        logger = keras.callbacks.CSVLogger(self.path)
        states = {"CSVLogger": {"file": self.path, "bytes": 17}}
        continue_logs([logger], states)
        self.assertEqual(self.content(), "epoch,loss\n0,1.0\n")
        self.assertTrue(logger.append)

    def test_its_columns_are_those_of_the_first_row(self):
        """An epoch without batches has no logs, so no columns either."""
        logger = keras.callbacks.CSVLogger(self.path, append=True)
        logger.on_train_begin()
        states = CallbackStates([logger])
        logger.on_epoch_end(2, {"loss": 0.25})
        saved, arrays = capture(states)
        logger.on_train_end()
        logger = keras.callbacks.CSVLogger(self.path)
        states = CallbackStates([logger])
        continue_logs([logger], saved)
        logger.on_train_begin()
        self.assertEqual(states.restore(saved, arrays.__getitem__), [])
        logger.on_epoch_end(3, {})
        logger.on_epoch_end(4, {"loss": 0.125})
        logger.on_train_end()
        rows = self.content().splitlines()
        self.assertRegex(rows[-3], "^2,0.25")
        self.assertRegex(rows[-2], "^3,NA")
        self.assertRegex(rows[-1], "^4,0.125")

    def test_one_whose_size_is_known_goes_on_among_others(self):
        gone, here, same = (
            keras.callbacks.CSVLogger(path)
            for path in (self.path + "gone", self.path, self.path + "same")
        )
        with open(self.path + "same", "w") as file:
            file.write("12345")
        states = {
            "A": {},
            "B": {"file": self.path + "gone", "bytes": 3},
            "C": {"file": self.path, "bytes": 11},
            "D": {"file": self.path + "same", "bytes": 5},
            # Nothing was logged yet.
            "E": {"file": self.path, "bytes": None},
        }
        continue_logs([Counter(), gone, here, same], states)
        self.assertEqual(self.content(), "epoch,loss\n")
        self.assertEqual(os.path.getsize(self.path + "same"), 5)
        self.assertFalse(os.path.exists(self.path + "gone"))
        appended = [one.append for one in (gone, here, same)]
        self.assertEqual(appended, [False, True, True])

    def test_a_file_that_was_not_logged_to_is_left(self):
        before = self.content()
        logger = keras.callbacks.CSVLogger(self.path)
        other = {"CSVLogger": {"file": self.path + "x", "bytes": 3}}
        continue_logs([logger], other)
        self.assertEqual(self.content(), before)
        # One that was cut off since is not made longer.
        states = {"CSVLogger": {"file": self.path, "bytes": 1000}}
        continue_logs([logger], states)
        self.assertEqual(self.content(), before)


class Damage(unittest.TestCase):
    def test_the_size_of_a_file_is_no_damage(self):
        check_states({"A": {"bytes": 3, "file": "a"}, "B": {"bytes": None}}, {})

    def test_what_is_no_state_is_refused(self):
        for states in (
            [],
            {"A": 3},
            {"A": {"bytes": -1}},
            {"A": {"bytes": True}},
            {"A": {"file": 3}},
            {"A": {"protocol": {"$array": "missing"}}},
            {"A": {"configuration": {"a": 3}}},
            {"A": {"attributes": {"a": {"array": "missing"}}}},
            {"A": {"attributes": {"a": {"$at": [["A", "a"]]}}}},
            {"A": {"changed": {"a": {"$array": "missing"}}}},
            {"A": {"changed": {"a": {"$at": []}}}},
            {"A": {"changed": {"a": {"$at": [3]}}}},
            {"A": {"changed": {"a": {"$at": [["A", []]]}}}},
            {"A": {"changed": {"a": {"$same": [-1]}}}},
            {"A": {"changed": {"a": {"$gone": [1]}}}},
            {"A": {"changed": {"a": {"$box": [0, None]}}}},
            {"A": {"changed": {"a": {"$box": [True, None, []]}}}},
            {"A": {"changed": {"a": {"$box": [0, "a", []]}}}},
            {"A": {"changed": {"a": {"$box": [0, None, 3]}}}},
            {"A": {"changed": {"a": {"$object": [[], []]}}}},
            {"A": {"changed": {"a": {"$object": [{"$dict": []}, [3]]}}}},
            {"A": {"changed": {"a": {"$generator": ["Odd", None]}}}},
            {"A": {"changed": {"a": {"$member": ["Kind", 3]}}}},
            {"A": {"changed": {"a": {"$row": ["Point", 3]}}}},
            {"A": {"changed": {"a": [{"$set": [{"$same": 1}]}]}}},
            {
                "A": {
                    "changed": {"a": {"$numbers": ["missing", None, 3, False]}}
                }
            },
            {"A": {"changed": {"a": {"$small": ["array", "F32", [2], ""]}}}},
            {"A": {"changed": {"a": {"$defaultdict": ["eval", None]}}}},
            {"A": {"variables": {"a": {"$dict": []}}}},
            {"A": {"variables": {"a": [3]}}},
            {"A": {"variables": {"a": [{"$array": "missing"}]}}},
        ):
            with self.subTest(states=states), self.assertRaises(errors.DAMAGE):
                check_states(states, {})
