"""What the tests that train need on Python's side."""

import ctypes
import gc
import os
import random
import signal
import sys
import time

import keras
import numpy as np
from keras.src.trainers.epoch_iterator import EpochIterator


def variables_of(model):
    """Every variable's bytes, in hex."""
    every = list(model.variables)
    if model.optimizer is not None:
        every += model.optimizer.variables
    every += model.metrics_variables
    return [keras.ops.convert_to_numpy(v).tobytes().hex() for v in every]


def draw_from_everything():
    """Moves every global random number generator but TensorFlow's."""
    random.random()
    np.random.rand()
    keras.random.uniform((3,))
    if "torch" in sys.modules:
        sys.modules["torch"].rand(1)


def fit_twice(model, x, y, first, second):
    """Trains again after an error, in one call from R."""
    try:
        model.fit(x, y, epochs=4, verbose=0, callbacks=first)
    except Exception as e:
        kept = e  # with its traceback, and so all its frames
        again = model.fit(x, y, epochs=4, verbose=0, callbacks=second)
        return str(kept), len(again.epoch)


def fit_caught(model, x, y, callbacks):
    """Trains; an error is caught here."""
    try:
        model.fit(x, y, epochs=6, verbose=0, callbacks=callbacks)
    except RuntimeError as e:
        return type(e).__name__


def drawing_generator():
    """Batches for `build_model()`, drawn from NumPy's global generator."""
    while True:
        x = np.random.normal(size=(8, 4)).astype("float32")
        yield x, x.sum(axis=1, keepdims=True)


def forget_trainings():
    """As a process that has trained nothing."""
    from kerasbackup.parts import same_training

    same_training._completed.clear()
    same_training._trained_in.clear()


class StopAt(keras.callbacks.Callback):
    """Stops training, once.

    Args:
        epoch: Integer, from 0.
        batch: Integer, from 0, after which to stop; `None`: as the epoch ends.
        for_good: Whether training is complete then.
    """

    def __init__(self, epoch, batch=None, for_good=False):
        super().__init__()
        self.at = (epoch, batch)
        self.for_good = for_good
        self.epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._stop((self.epoch, batch))

    def on_epoch_end(self, epoch, logs=None):
        self._stop((epoch, None))

    def _stop(self, place):
        if place == self.at:
            self.model.stop_training = True
            if self.for_good:
                self.ends_training = True

    def get_state(self):
        return {}

    def set_state(self, state):
        pass


class RaiseAt(keras.callbacks.Callback):
    """Raises before a batch, once.

    Args:
        epoch, batch: Integers, from 0.
    """

    def __init__(self, epoch, batch):
        super().__init__()
        self._at = (epoch, batch)
        self._epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self._epoch, batch) == self._at:
            raise RuntimeError("interrupted")


class Scores(keras.callbacks.Callback):
    """Adds a log `score` with the next of these values to each epoch's logs,
    unless that is `None`."""

    def __init__(self, values):
        super().__init__()
        self._values = values

    def on_epoch_end(self, epoch, logs=None):
        if self._values[epoch] is not None:
            logs["score"] = self._values[epoch]


class LoseWeights(keras.callbacks.Callback):
    """Makes a weight infinite when an epoch begins: the loss is lost."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            bias = self.model.layers[0].bias
            bias.assign(np.full(bias.shape, np.inf))

    def get_state(self):
        return {}

    def set_state(self, state):
        pass


class CompileAt(keras.callbacks.Callback):
    """Compiles the model anew when an epoch begins or ends.

    Args:
        hook: String, of the hook.
        epoch: Integer, from 0.
        optimizer: String.
    """

    def __init__(self, hook, epoch, optimizer):
        super().__init__()
        self.hook = hook
        self.at = epoch
        self.optimizer = optimizer

    def on_epoch_begin(self, epoch, logs=None):
        self._call("on_epoch_begin", epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._call("on_epoch_end", epoch)

    def _call(self, hook, epoch):
        if (hook, epoch) == (self.hook, self.at):
            model = self.model
            model.compile(self.optimizer, "mse", metrics=["mae"])
            # What Keras asks of whoever does it in the middle of fit().
            model.make_train_function()
            model.optimizer.build(model.trainable_variables)


class SignalAt(keras.callbacks.Callback):
    """Sends a signal to this process, for real, when a hook is called.

    Args:
        name: String, of the signal.
        hook: String, of the hook: "on_epoch_begin" and so on, or "get_state",
            which is called in the middle of a save.
        epoch, batch: Integers, from 0; no batch: whichever comes first.
    """

    def __init__(self, name, hook, epoch, batch=None):
        super().__init__()
        self.number = getattr(signal, name)
        self.hook = hook
        self.at = (epoch, batch)
        self.epoch = 0
        self.sent = False

    def _call(self, hook, batch=None):
        epoch, wanted = self.at
        if (
            not self.sent
            and hook == self.hook
            and self.epoch == epoch
            and wanted in (None, batch)
        ):
            self.sent = True
            os.kill(os.getpid(), self.number)

    def on_train_begin(self, logs=None):
        self._call("on_train_begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._call("on_epoch_begin")

    def on_train_batch_begin(self, batch, logs=None):
        self._call("on_train_batch_begin", batch)

    def on_test_begin(self, logs=None):
        self._call("on_test_begin")

    def on_epoch_end(self, epoch, logs=None):
        self._call("on_epoch_end")

    def get_state(self):
        self._call("get_state")
        return {}

    def set_state(self, state):
        pass


class SlowFrom(keras.callbacks.Callback):
    """From an epoch on, takes a second for each batch."""

    def __init__(self, epoch):
        super().__init__()
        self.first = epoch
        self.slow = False

    def on_epoch_begin(self, epoch, logs=None):
        self.slow = epoch >= self.first

    def on_train_batch_begin(self, batch, logs=None):
        if self.slow:
            time.sleep(1)

    def get_state(self):
        return {}

    def set_state(self, state):
        pass


class CountSignals:
    """A script's own handler, in Python."""

    def __init__(self, name):
        self.number = getattr(signal, name)
        self.calls = 0
        signal.signal(self.number, self)

    def __call__(self, number, frame):
        self.calls += 1

    def send(self):
        os.kill(os.getpid(), self.number)

    def is_set(self):
        return signal.getsignal(self.number) is self


def collect_garbage():
    gc.collect()


def lose_memory(model):
    """Leaves a model as JAX does where a step is interrupted."""
    for one in [*model.variables, *model.optimizer.variables]:
        one._value.delete()


def iterators_left(model, x, y, callbacks):
    """How many of Keras' iterators there are more when `fit()` has returned,
    before anybody has collected garbage."""

    def living():
        # A proxy may load what it stands for when it is asked for its class.
        kinds = map(type, gc.get_objects())
        return sum(issubclass(kind, EpochIterator) for kind in kinds)

    gc.collect()
    gc.disable()
    try:
        before = living()
        model.fit(
            x,
            y,
            validation_data=(x, y),
            epochs=2,
            verbose=0,
            callbacks=callbacks,
        )
        return living() - before
    finally:
        gc.enable()


class SeeLast(keras.callbacks.Callback):
    """Remembers the callback that acts last."""

    def on_epoch_begin(self, epoch, logs=None):
        self.last = sys._getframe(1).f_locals["self"].callbacks[-1]


class CountBatches(keras.callbacks.Callback):
    """Counts the batches that are trained on."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_begin(self, logs=None):
        self.batches = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1

    def get_state(self):
        return {}

    def set_state(self, state):
        pass


class Odd(keras.callbacks.Callback):
    """Makes an attribute anew that no checkpoint can have."""

    def __init__(self):
        super().__init__()
        self.secret = object()

    def on_epoch_end(self, epoch, logs=None):
        self.secret = object()


def located_twice(model):
    """Where a save finds the variables' bytes: the addresses, those of a second
    look while the first is held, and on JAX and torch where the backend says
    they are."""
    from kerasbackup.parts.variables import Variables

    variables = Variables(model)
    first, held = variables.locate()
    second, _ = variables.locate()
    own = second
    if keras.backend.backend() == "jax":
        own = [one.value.unsafe_buffer_pointer() for one in _all(model)]
    elif keras.backend.backend() == "torch":
        own = [one.value.data_ptr() for one in _all(model)]
    del held
    return [[str(i) for i in sorted(part)] for part in (first, second, own)]


def _all(model):
    groups = (
        model.variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return list({id(v): v for group in groups for v in group}.values())


def hasten():
    """Lets save_freq = "auto" save from the third step on, and then as soon as
    the save before is paid for. What it gives is called to end that."""
    return set_interval(FIRST=0.0, LEAST=0.0, LOOK=0.0)


def set_interval(**values):
    """Sets constants of save_freq = "auto". What it gives is called to put back
    what they were."""
    from kerasbackup.fit.save_interval import SaveInterval

    before = {name: getattr(SaveInterval, name) for name in values}

    def put(values):
        for name, value in values.items():
            setattr(SaveInterval, name, value)

    put(values)
    return lambda: put(before)


def count_calls(callback):
    """Counts the calls into R, by name, from now on. What it gives is called
    to be told."""
    functions = callback._store._functions
    counts = dict.fromkeys(functions, 0)

    def counted(name, function):
        def call(*args):
            counts[name] += 1
            return function(*args)

        return call

    for name in counts:
        functions[name] = counted(name, functions[name])
    return lambda: counts


class SeeHooks(keras.callbacks.Callback):
    """Remembers which hooks for batches there are that do something, by the
    mark that Keras looks at, and whether it calls them in a thread of its
    own."""

    def on_epoch_begin(self, epoch, logs=None):
        ours = sys._getframe(1).f_locals["self"]
        self.in_thread = getattr(ours, "_async_train", None)
        self.hooks = [
            name
            for callback in ours.callbacks
            if type(callback).__module__.startswith("kerasbackup")
            for name in dir(callback)
            if name.startswith("on_") and "batch" in name
            if not getattr(getattr(callback, name), "_is_default", False)
        ]
        self.seen = len(
            [
                callback
                for callback in ours.callbacks
                if type(callback).__module__.startswith("kerasbackup")
            ]
        )


class SeePause(keras.callbacks.Callback):
    """Remembers whether save_freq = "auto" takes validation for steps."""

    def __init__(self):
        super().__init__()
        self.paused = []

    def on_train_batch_begin(self, batch, logs=None):
        self._note()

    def on_test_batch_begin(self, batch, logs=None):
        self._note()

    def _note(self):
        helper = sys._getframe(2).f_locals["self"].callbacks[-1]
        self.paused.append(helper._when._interval._looked is None)


def writing_times():
    """What Python reads of a save that is under way, and of one that took two
    seconds."""
    from kerasbackup.store.client import Store

    block = (ctypes.c_uint64 * 2)(1, 0)
    address = {"value": str(ctypes.addressof(block))}
    store = Store({"open": lambda is_running: address})
    store.open(lambda: True)
    found = [store.writing_time()]
    block[:] = 0, 2 * 10**9
    return [*found, store.writing_time()]


def read_two(address):
    """Two unsigned 64-bit numbers."""
    return list((ctypes.c_uint64 * 2).from_address(int(address)))
