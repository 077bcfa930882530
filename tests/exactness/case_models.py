"""Owns the rows' models, compiled."""

from case_data import BATCH
from case_data import arrays
from which_keras import apply
from which_keras import concatenate
from which_keras import keras
from which_keras import mean
from which_keras import normal
from which_keras import ops
from which_keras import seed_generator
from which_keras import uniform

layers = keras.layers


def dense(compile_args=None, **kwargs):
    model = keras.Sequential(
        [
            *([keras.Input((6,))] if kwargs.get("input", True) else []),
            layers.Dense(12, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    return compiled(model, **(compile_args or {}))


def compiled(model, optimizer=None, **kwargs):
    model.compile(
        optimizer=optimizer or keras.optimizers.Adam(0.01),
        loss="mse",
        metrics=["mae"],
        **kwargs,
    )
    return model


def evaluated():
    """With its metrics and its loss built. For those Keras draws a batch on JAX
    and torch, from an iterator that it drops: how far tf.data has read ahead in
    that by then is chance, and so is where a layer's generator in the pipeline
    is when training begins."""
    model = dense()
    model.evaluate(*arrays(BATCH), verbose=0)
    return model


def recurrent():
    inputs = keras.Input((6,), batch_size=BATCH)
    x = layers.Reshape((3, 2))(inputs)
    x = layers.LSTM(5, stateful=True, dropout=0.2)(x)
    return compiled(keras.Model(inputs, layers.Dense(1)(x)))


def branches():
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="tanh")(inputs)
    left = layers.GaussianNoise(0.1)(x)
    right = layers.Dropout(0.5)(x)
    model = keras.Model(
        inputs, layers.Dense(1)(layers.Concatenate()([left, right]))
    )
    return compiled(model)


def mixed():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return dense()
    finally:
        keras.mixed_precision.set_global_policy("float32")


def frozen():
    model = dense()
    model.layers[0].trainable = False
    return compiled(model)


def schedule():
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
    return dense({"optimizer": keras.optimizers.SGD(rate, momentum=0.9)})


class CustomStep(keras.Model):
    """A model of its own, with a metric that no compile() knows."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.drop = layers.Dropout(0.2)
        self.out = layers.Dense(1)
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x, training=False):
        h = self.hidden(x)
        return self.out(self.drop(h, training=training))

    def compute_loss(self, *args, **kwargs):
        loss = super().compute_loss(*args, **kwargs)
        self.seen.update_state(loss)
        return loss


class OwnStep(keras.Model):
    """Has a `train_step()` of its own, which scales what it is given."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.out = layers.Dense(1)

    def call(self, x, training=False):
        return self.out(self.norm(self.hidden(x), training=training))

    def train_step(self, *args):
        # With JAX, the state comes first.
        *state, (x, y) = args
        return super().train_step(*state, (x * 0.5, y))


class OwnLogs(OwnStep):
    """Its steps tell what is no metric: an epoch has the last one's."""

    def train_step(self, *args):
        result = super().train_step(*args)
        logs, *state = result if isinstance(result, tuple) else (result,)
        *_, (x, _) = args
        logs = {**logs, "first": x[0, 0]}
        return (logs, *state) if state else logs


def step(model, optimizer, part, loss_of):
    """One step of an optimizer for a part of a model, as a `train_step()` makes
    it; the loss."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = loss_of()
        weights = part.trainable_weights
        apply(optimizer, tape.gradient(loss, weights), weights)
        return loss
    import torch

    model.zero_grad()
    loss = loss_of()
    loss.backward()
    weights = part.trainable_weights
    with torch.no_grad():
        optimizer.apply([w.value.grad for w in weights], weights)
    return loss.detach()


class Adversarial(keras.Model):
    """A GAN as in Keras' guides: `train_step()` and no `call()`, an optimizer
    for each part, trackers instead of compiled metrics."""

    def __init__(self, inputs):
        super().__init__()
        last = [layers.Dense(6, activation="relu"), layers.Dense(6)]
        self.generator = keras.Sequential([*inputs(3), *last])
        self.discriminator = keras.Sequential(
            [*inputs(6), layers.Dropout(0.2), layers.Dense(1)]
        )
        self.losses_seen = [
            keras.metrics.Mean(name="d_loss"),
            keras.metrics.Mean(name="g_loss"),
        ]
        self.seeds = seed_generator(13)
        # What Keras' guides do with torch, where Keras asks for it.
        self.built = keras.backend.backend() == "torch"

    @property
    def metrics(self):
        return self.losses_seen

    def compile(self, **optimizers):
        super().compile()
        self.optimizers = optimizers
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, data):
        real = data[0] if isinstance(data, tuple) else data

        def fake():
            latent = normal((ops.shape(real)[0], 3), seed=self.seeds)
            return self.generator(latent)

        def loss_of_discriminator():
            made = fake()
            goal = [ops.ones_like(made[:, :1]), ops.zeros_like(real[:, :1])]
            goal = concatenate(goal)
            goal += 0.05 * uniform(ops.shape(goal), seed=self.seeds)
            both = concatenate([made, real])
            return self.loss_fn(goal, self.discriminator(both, training=True))

        def loss_of_generator():
            seen = self.discriminator(fake(), training=True)
            return self.loss_fn(ops.zeros_like(seen), seen)

        for name, loss_of, tracker in zip(
            ("discriminator", "generator"),
            (loss_of_discriminator, loss_of_generator),
            self.losses_seen,
        ):
            part = getattr(self, name)
            loss = step(self, self.optimizers[name], part, loss_of)
            tracker.update_state(loss)
        return {one.name: one.result() for one in self.losses_seen}

    def more_variables(self):
        return [v for one in self.optimizers.values() for v in one.variables]


class Encoding(keras.Model):
    """A variational autoencoder as in Keras' guides: no `call()`, and metrics
    that are attributes."""

    def __init__(self):
        super().__init__()
        inputs = keras.Input((6,))
        hidden = layers.Dense(5, activation="relu")(inputs)
        outputs = [layers.Dense(2)(hidden), layers.Dense(2)(hidden)]
        self.encoder = keras.Model(inputs, outputs)
        self.decoder = keras.Sequential([keras.Input((2,)), layers.Dense(6)])
        self.total = keras.metrics.Mean(name="loss")
        self.divergence = keras.metrics.Mean(name="kl_loss")
        self.seeds = seed_generator(17)
        self.built = keras.backend.backend() == "torch"

    @property
    def metrics(self):
        return [self.total, self.divergence]

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data

        def loss_of():
            center, log_var = self.encoder(x)
            noise = normal(ops.shape(center), seed=self.seeds)
            z = center + ops.exp(0.5 * log_var) * noise
            lost = mean(ops.square(x - self.decoder(z)))
            spread = ops.square(center) + ops.exp(log_var)
            divergence = 0.5 * mean(spread - log_var - 1)
            self.divergence.update_state(divergence)
            return lost + divergence

        loss = step(self, self.optimizer, self, loss_of)
        self.total.update_state(loss)
        return {one.name: one.result() for one in self.metrics}


def adversarial(has_input=True):
    model = Adversarial(lambda n: [keras.Input((n,))] if has_input else [])
    model.compile(
        discriminator=keras.optimizers.Adam(0.01),
        generator=keras.optimizers.RMSprop(0.005),
    )
    return model


def encoding():
    model = Encoding()
    model.compile(keras.optimizers.Adam(0.01))
    return model


def mirrored(count=2):
    """On several devices, each with its own moving statistics."""
    import tensorflow as tf

    devices = [f"CPU:{i}" for i in range(count)]
    with tf.distribute.MirroredStrategy(devices).scope():
        return dense()


def legacy():
    """Two settings of these optimizers are in variables that nobody lists."""
    optimizers = keras.optimizers.legacy
    return dense({"optimizer": optimizers.Adam(0.01, decay=0.02)})


def data_parallel():
    """On two devices that share the variables."""
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    return dense()


def adam(**kwargs):
    return lambda: dense({"optimizer": keras.optimizers.Adam(0.01, **kwargs)})


MODELS = {
    "dense": dense,
    "evaluated": evaluated,
    "unbuilt": lambda: dense(input=False),
    "recurrent": recurrent,
    "branches": branches,
    "mixed-float16": mixed,
    "ema": adam(use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4),
    "accumulation": adam(gradient_accumulation_steps=3),
    "schedule": schedule,
    "frozen": frozen,
    "subclassed": lambda: compiled(CustomStep()),
    "own-step": lambda: compiled(OwnStep()),
    "own-logs": lambda: compiled(OwnLogs()),
    "gan": adversarial,
    "gan-unbuilt": lambda: adversarial(has_input=False),
    "vae": encoding,
    "mirrored": mirrored,
    "mirrored-four": lambda: mirrored(4),
    "legacy": legacy,
    "data-parallel": data_parallel,
    "steps-per-execution": lambda: dense({"steps_per_execution": 4}),
    "jit": lambda: dense({"jit_compile": True}),
    "no-jit": lambda: dense({"jit_compile": False}),
    "eager": lambda: dense({"run_eagerly": True}),
}
