"""Classes of callbacks whose methods are functions of R, for the stand-in of
the R package keras3 (helper-keras3-standin.R)."""

import functools

import keras

# Those that are called with an epoch or a batch, which R counts from 1.
_OF_ONE = {
    f"on_{what}_{when}"
    for what in ("epoch", "train_batch", "test_batch", "predict_batch")
    for when in ("begin", "end")
}


def callback_class(name, module, methods):
    """A class derived from Keras' callback.

    Args:
        name, module: Strings.
        methods: Dict from name to a function of R, whose first argument is the
            callback.
    """
    space = {one: _method(one, fn) for one, fn in methods.items()}
    return type(
        name, (keras.callbacks.Callback,), {"__module__": module, **space}
    )


def hook(name, fn):
    """A function of R as a hook of a LambdaCallback."""

    @functools.wraps(fn)
    def one(index, logs=None):
        _update(logs, fn(index + 1, logs))

    @functools.wraps(fn)
    def whole(logs=None):
        _update(logs, fn(logs))

    return one if name in _OF_ONE else whole


def _method(name, fn):
    # A method is found on the class by what has `self` as its first argument.
    if name in _OF_ONE:

        def method(self, index, logs=None):
            _update(logs, fn(self, index + 1, logs))
    elif name.startswith("on_"):

        def method(self, logs=None):
            _update(logs, fn(self, logs))
    elif name == "__init__":

        def method(self, *args, **kwargs):
            fn(self, *args, **kwargs)
    else:

        def method(self, *args, **kwargs):
            return fn(self, *args, **kwargs)

    method.__name__ = name
    return method


def _update(logs, result):
    """A hook may return a named list: logs to add."""
    if isinstance(result, dict):
        logs.update(result)


def generate(iterator):
    """A generator, which is what Keras takes as data."""
    yield from iterator
