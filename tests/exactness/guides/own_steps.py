"""Guides and examples whose models have their own `train_step()` or loss."""

import copy

import keras
import numpy as np
from keras import layers
from keras import ops

from guides.numbers import BATCH
from guides.numbers import images
from guides.numbers import vectors


def backward(compute, variables):
    """The gradients of what `compute()` returns, and that, as the guides for
    TensorFlow and for torch have it."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = compute()
        return tape.gradient(loss, variables), loss
    for variable in variables:
        variable.value.grad = None
    loss = compute()
    loss.backward()
    return [variable.value.grad for variable in variables], loss


def apply(optimizer, gradients, variables):
    if keras.backend.backend() == "torch":
        import torch

        with torch.no_grad():
            optimizer.apply(gradients, variables)
    else:
        optimizer.apply(gradients, variables)


class CustomModel(keras.Model):
    """Has its own trackers and loss: `compile()` gives only the optimizer."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
        self.loss_fn = keras.losses.MeanSquaredError()

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae_metric]


class EagerModel(CustomModel):
    def train_step(self, data):
        x, y = data
        predicted = {}

        def compute():
            predicted["y"] = self(x, training=True)
            return self.loss_fn(y, predicted["y"])

        weights = self.trainable_weights
        gradients, loss = backward(compute, weights)
        apply(self.optimizer, gradients, weights)
        self.loss_tracker.update_state(loss)
        self.mae_metric.update_state(y, predicted["y"])
        return {m.name: m.result() for m in self.metrics}


class StatelessModel(CustomModel):
    """The same for JAX, whose state goes through the step."""

    def compute_loss_and_updates(self, trainable, others, metrics, x, y):
        y_pred, others = self.stateless_call(
            trainable, others, x, training=True
        )
        return self.loss_fn(y, y_pred), (y_pred, others)

    def train_step(self, state, data):
        import jax

        trainable, others, optimizer, metrics = state
        x, y = data
        gradient = jax.value_and_grad(
            self.compute_loss_and_updates, has_aux=True
        )
        (loss, (y_pred, others)), gradients = gradient(
            trainable, others, metrics, x, y
        )
        trainable, optimizer = self.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )
        logs, updated = {}, []
        for metric in self.metrics:
            count = len(metric.variables)
            given = (loss,) if metric is self.loss_tracker else (y, y_pred)
            values = metric.stateless_update_state(metrics[:count], *given)
            logs[metric.name] = metric.stateless_result(values)
            metrics, updated = metrics[count:], updated + values
        return logs, (trainable, others, optimizer, updated)


def custom_train_step(out):
    x, y = vectors()
    inputs = keras.Input((6,))
    hidden = layers.Dropout(0.2)(layers.Dense(8, activation="relu")(inputs))
    is_jax = keras.backend.backend() == "jax"
    kind = StatelessModel if is_jax else EagerModel
    model = kind(inputs, layers.Dense(1)(hidden))
    model.compile("adam")
    return model, {"x": x, "y": y, "batch_size": BATCH}, []


class GAN(keras.Model):
    """Two models, two optimizers, and no `call()`."""

    def __init__(self, discriminator, generator, latent_dim):
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.latent_dim = latent_dim
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
        self.seed_generator = keras.random.SeedGenerator(1337)
        # As in the guide: torch has it, TensorFlow has not.
        if keras.backend.backend() == "torch":
            self.built = True

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.loss_fn = loss_fn

    def noise(self, count):
        return keras.random.normal(
            (count, self.latent_dim), seed=self.seed_generator
        )

    def train_step(self, real):
        if isinstance(real, (tuple, list)):
            real = real[0]
        count = ops.shape(real)[0]
        both = ops.concatenate([self.generator(self.noise(count)), real], 0)
        labels = ops.concatenate(
            [ops.ones((count, 1)), ops.zeros((count, 1))], 0
        )
        labels = labels + 0.05 * keras.random.uniform(
            ops.shape(labels), seed=self.seed_generator
        )
        if keras.backend.backend() == "torch":
            both = both.detach()
        weights = self.discriminator.trainable_weights
        gradients, d_loss = backward(
            lambda: self.loss_fn(labels, self.discriminator(both)), weights
        )
        apply(self.d_optimizer, gradients, weights)

        noise, wanted = self.noise(count), ops.zeros((count, 1))
        weights = self.generator.trainable_weights
        gradients, g_loss = backward(
            lambda: self.loss_fn(
                wanted, self.discriminator(self.generator(noise))
            ),
            weights,
        )
        apply(self.g_optimizer, gradients, weights)
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {m.name: m.result() for m in self.metrics}


class GANMonitor(keras.callbacks.Callback):
    """Draws with every epoch, as the one of the example that saves images."""

    def on_epoch_end(self, epoch, logs=None):
        drawn = keras.random.normal((2, self.model.latent_dim))
        generated = self.model.generator(drawn)
        self.shown = float(ops.mean(generated))


def discriminator():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ],
        name="discriminator",
    )


def generator(latent_dim):
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(4 * 4 * 4),
            layers.BatchNormalization(),
            layers.Reshape((4, 4, 4)),
            layers.Conv2DTranspose(4, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ],
        name="generator",
    )


def dcgan_overriding_train_step(out):
    x, _ = images()
    model = GAN(discriminator(), generator(5), latent_dim=5)
    model.compile(
        d_optimizer=keras.optimizers.Adam(0.003),
        g_optimizer=keras.optimizers.Adam(0.003),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    return model, {"x": x, "batch_size": BATCH}, [GANMonitor()]


class WGAN(GAN):
    """Several steps of the critic for one of the generator."""

    d_steps = 2

    def compile(self, d_optimizer, g_optimizer):
        super().compile(d_optimizer, g_optimizer, loss_fn=None)

    def train_step(self, real):
        if isinstance(real, (tuple, list)):
            real = real[0]
        count = ops.shape(real)[0]
        for _ in range(self.d_steps):
            fake = self.generator(self.noise(count), training=True)
            weights = self.discriminator.trainable_weights
            gradients, d_loss = backward(
                lambda fake=fake: (
                    ops.mean(self.discriminator(fake, training=True))
                    - ops.mean(self.discriminator(real, training=True))
                ),
                weights,
            )
            apply(self.d_optimizer, gradients, weights)
        noise = self.noise(count)
        weights = self.generator.trainable_weights
        gradients, g_loss = backward(
            lambda: (
                -ops.mean(
                    self.discriminator(
                        self.generator(noise, training=True), training=True
                    )
                )
            ),
            weights,
        )
        apply(self.g_optimizer, gradients, weights)
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {m.name: m.result() for m in self.metrics}


def wgan_gp(out):
    x, _ = images()
    model = WGAN(discriminator(), generator(5), latent_dim=5)
    model.compile(
        keras.optimizers.Adam(0.002, beta_1=0.5, beta_2=0.9),
        keras.optimizers.Adam(0.002, beta_1=0.5, beta_2=0.9),
    )
    return model, {"x": x, "batch_size": BATCH}, []


class VAE(keras.Model):
    """Encoder and decoder, three trackers, and no `call()`."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(
            name="reconstruction_loss"
        )
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")
        if keras.backend.backend() == "torch":
            self.built = True

    @property
    def metrics(self):
        return [
            self.total_loss_tracker,
            self.reconstruction_loss_tracker,
            self.kl_loss_tracker,
        ]

    def train_step(self, data):
        x = data[0] if isinstance(data, (tuple, list)) else data
        parts = {}

        def compute():
            z_mean, z_log_var, z = self.encoder(x)
            error = keras.losses.binary_crossentropy(x, self.decoder(z))
            kl = -0.5 * (
                1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var)
            )
            parts["kl"] = ops.mean(ops.sum(kl, axis=1))
            parts["error"] = ops.mean(ops.sum(error, axis=(1, 2)))
            return parts["error"] + parts["kl"]

        weights = self.trainable_weights
        gradients, total = backward(compute, weights)
        apply(self.optimizer, gradients, weights)
        self.total_loss_tracker.update_state(total)
        self.reconstruction_loss_tracker.update_state(parts["error"])
        self.kl_loss_tracker.update_state(parts["kl"])
        return {m.name: m.result() for m in self.metrics}


def vae(out):
    from guides.basics import Sampling

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Else two trainings that nothing interrupts may end with another last
        # bit of the total loss: TensorFlow rewrites this graph to one that adds
        # in any order.
        tf.config.optimizer.set_experimental_options(
            {"disable_meta_optimizer": True}
        )
    x, _ = images()
    inputs = keras.Input((8, 8, 1))
    h = layers.Conv2D(4, 3, activation="relu", strides=2)(inputs)
    h = layers.Dense(8, activation="relu")(layers.Flatten()(h))
    z_mean, z_log_var = layers.Dense(2)(h), layers.Dense(2)(h)
    z = Sampling()([z_mean, z_log_var])
    latent = keras.Input((2,))
    h = layers.Reshape((4, 4, 4))(layers.Dense(64, activation="relu")(latent))
    h = layers.Conv2DTranspose(
        1, 3, activation="sigmoid", strides=2, padding="same"
    )(h)
    model = VAE(
        keras.Model(inputs, [z_mean, z_log_var, z], name="encoder"),
        keras.Model(latent, h, name="decoder"),
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    return model, {"x": x, "batch_size": BATCH}, []


class Distiller(keras.Model):
    """A student that learns from a teacher which is never trained."""

    def __init__(self, student, teacher):
        super().__init__()
        self.teacher = teacher
        self.student = student

    def compile(self, optimizer, metrics, student_loss_fn, alpha, temperature):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn = student_loss_fn
        self.distillation_loss_fn = keras.losses.KLDivergence()
        self.alpha = alpha
        self.temperature = temperature

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        taught = self.teacher(x, training=False)
        distillation = self.distillation_loss_fn(
            ops.softmax(taught / self.temperature, axis=1),
            ops.softmax(y_pred / self.temperature, axis=1),
        )
        student = self.student_loss_fn(y, y_pred)
        return self.alpha * student + (1 - self.alpha) * distillation

    def call(self, x):
        return self.student(x)


def classifier(width, name):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(width, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dense(3),
        ],
        name=name,
    )


def knowledge_distillation(out):
    x, y = images()
    model = Distiller(classifier(4, "student"), classifier(8, "teacher"))
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        student_loss_fn=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True
        ),
        alpha=0.1,
        temperature=10,
    )
    return model, {"x": x, "y": y, "batch_size": BATCH}, []


class DiffusionModel(keras.Model):
    """A network, a moving average of it in a second one, and a layer that was
    adapted to the images."""

    def __init__(self, network, ema_network, normalizer):
        super().__init__()
        self.normalizer = normalizer
        self.network = network
        self.ema_network = ema_network
        if keras.backend.backend() == "torch":
            self.built = True

    def compile(self, **kwargs):
        super().compile(**kwargs)
        self.noise_loss_tracker = keras.metrics.Mean(name="n_loss")

    @property
    def metrics(self):
        return [self.noise_loss_tracker]

    def train_step(self, images):
        if isinstance(images, (tuple, list)):
            images = images[0]
        images = self.normalizer(images)
        noises = keras.random.normal(ops.shape(images))
        times = keras.random.uniform((ops.shape(images)[0], 1, 1, 1))
        noisy = ops.cos(times) * images + ops.sin(times) * noises
        weights = self.network.trainable_weights
        gradients, loss = backward(
            lambda: self.loss(noises, self.network(noisy, training=True)),
            weights,
        )
        apply(self.optimizer, gradients, weights)
        self.noise_loss_tracker.update_state(loss)
        for weight, average in zip(
            self.network.weights, self.ema_network.weights
        ):
            average.assign(0.9 * average.value + 0.1 * weight.value)
        return {m.name: m.result() for m in self.metrics}


def ddim(out):
    x, _ = images()
    normalizer = layers.Normalization()
    normalizer.adapt(x)

    def unet():
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(4, 3, padding="same", activation="swish"),
                layers.BatchNormalization(center=False, scale=False),
                layers.Conv2D(1, 1),
            ]
        )

    network, average = unet(), unet()
    average.set_weights(copy.deepcopy(network.get_weights()))
    model = DiffusionModel(network, average, normalizer)
    model.compile(
        optimizer=keras.optimizers.AdamW(0.01, weight_decay=1e-4),
        loss=keras.losses.MeanAbsoluteError(),
    )
    return model, {"x": x, "batch_size": BATCH}, []


class SiameseModel(keras.Model):
    """Learns that an image is nearer to one like it than to another."""

    def __init__(self, embedding, margin=0.5):
        super().__init__()
        self.embedding = embedding
        self.margin = margin
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs):
        anchor, positive, negative = map(self.embedding, inputs)
        return (
            ops.sum(ops.square(anchor - positive), -1),
            ops.sum(ops.square(anchor - negative), -1),
        )

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        near, far = y_pred
        return ops.mean(ops.maximum(near - far + self.margin, 0.0))


def siamese_network(out):
    x, y = images()
    order = np.argsort(y, kind="stable")
    model = SiameseModel(classifier(4, "embedding"))
    model.compile(optimizer=keras.optimizers.Adam(0.001))
    data = {"x": (x[order], x[order][::-1], np.roll(x[order], 9, 0))}
    return model, {**data, "batch_size": BATCH}, []


OWN_STEPS = {
    one.__name__: one
    for one in (
        custom_train_step,
        dcgan_overriding_train_step,
        wgan_gp,
        vae,
        knowledge_distillation,
        ddim,
        siamese_network,
    )
}
