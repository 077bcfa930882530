"""The rows whose loss, layer or schedule uses what no model has: a variable or
a number that a callback raises each epoch."""

from which_keras import Loss
from which_keras import Variable
from which_keras import keras
from which_keras import mean
from which_keras import ops

layers = keras.layers

# What the callback of the row calls as each epoch begins.
_raise = []


def raising(when):
    """A callback that has nothing in its attributes."""

    def call(epoch, logs=None):
        for one in _raise:
            one()

    return keras.callbacks.LambdaCallback(**{when: call})


def _model(loss="mse", layer=None, rate=0.01, **kwargs):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(12, activation="relu"),
            *([layer] if layer is not None else []),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["mae"], **kwargs)
    return model


def _grows(variable):
    _raise.append(lambda: variable.assign(variable * 1.5))


def closure_variable():
    beta = Variable(0.1)
    _grows(beta)

    def loss(y_true, y_pred):
        error = mean(ops.square(y_true - y_pred))
        return error + beta * mean(ops.square(y_pred))

    return _model(loss)


class Penalized(Loss):
    def __init__(self, beta):
        super().__init__()
        self.beta = beta

    def call(self, y_true, y_pred):
        error = mean(ops.square(y_true - y_pred))
        return error + self.beta * mean(ops.square(y_pred))


def loss_variable():
    loss = Penalized(Variable(0.1))
    _grows(loss.beta)
    return _model(loss)


class Scaled(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, step):
        return 0.005 * self.scale


def schedule_variable():
    rate = Scaled(Variable(1.0))
    _grows(rate.scale)
    return _model(rate=rate)


class Times(keras.layers.Layer):
    """Multiplies by a number, and counts how often it is asked to. Where a step
    is compiled that is how often it is traced, and adds nothing."""

    def __init__(self, adds):
        super().__init__()
        self.factor = 0.5
        self._adds = adds
        self._steps = {"calls": 0}

    def call(self, inputs):
        self._steps["calls"] += 1
        return inputs * self.factor + self._adds * self._steps["calls"]


def layer_number(adds=0.0, **kwargs):
    layer = Times(adds)

    def more():
        layer.factor *= 1.2

    _raise.append(more)
    return _model(layer=layer, **kwargs)


def loss_number(**kwargs):
    loss = Penalized(0.1)

    def more():
        loss.beta = loss.beta * 1.5

    _raise.append(more)
    return _model(loss, **kwargs)


MODELS = {
    "closure-variable": closure_variable,
    "loss-variable": loss_variable,
    "schedule-variable": schedule_variable,
    "layer-number": layer_number,
    "layer-number-eager": lambda: layer_number(0.001, run_eagerly=True),
    "loss-number": loss_number,
    "loss-number-eager": lambda: loss_number(run_eagerly=True),
}
CALLBACKS = {
    "raising": lambda out: [raising("on_epoch_begin")],
    "raising-at-end": lambda out: [raising("on_epoch_end")],
}
