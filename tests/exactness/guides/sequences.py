"""Guides and examples about text and time series."""

import keras
import numpy as np
from keras import layers
from keras import ops

from guides.numbers import BATCH
from guides.numbers import N
from guides.numbers import tokens


class TemporalSplit(layers.Layer):
    """Passes a mask on, for each half of the sequence."""

    def call(self, inputs):
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else ops.split(mask, 2, axis=1)


def understanding_masking_and_padding(out):
    x, y = tokens()
    inputs = keras.Input((None,), dtype="int32")
    h = layers.Embedding(20, 4, mask_zero=True)(inputs)
    h = layers.LSTM(6, dropout=0.2, recurrent_dropout=0.2)(h)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(h))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model, {"x": x, "y": y, "batch_size": BATCH}, []


def working_with_rnns(out):
    x, y = tokens()
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Embedding(20, 4),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.RNN(layers.GRUCell(5)),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    data = {"x": x, "y": y, "validation_data": (x[:16], y[:16])}
    return model, {**data, "batch_size": BATCH}, []


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads, embed_dim)
        self.ffn = keras.Sequential(
            [layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)]
        )
        self.norm1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs, training=None, causal=False):
        attended = self.att(inputs, inputs, use_causal_mask=causal)
        h = self.norm1(inputs + self.dropout1(attended, training=training))
        return self.norm2(h + self.dropout2(self.ffn(h), training=training))


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(vocab_size, embed_dim)
        self.pos_emb = layers.Embedding(maxlen, embed_dim)

    def call(self, x):
        positions = ops.arange(0, ops.shape(x)[-1])
        return self.token_emb(x) + self.pos_emb(positions)


def text_classification_with_transformer(out):
    x, y = tokens()
    inputs = keras.Input((6,))
    h = TokenAndPositionEmbedding(6, 20, 8)(inputs)
    h = TransformerBlock(8, 2, 8)(h)
    h = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(h))
    h = layers.Dense(2, activation="softmax")(h)
    model = keras.Model(inputs, h)
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    data = {"x": x, "y": y.astype("int32"), "validation_split": 0.25}
    return model, {**data, "batch_size": BATCH}, []


class TextGenerator(keras.callbacks.Callback):
    """Draws from NumPy's global generator with every epoch."""

    def on_epoch_end(self, epoch, logs=None):
        start = np.zeros((1, 6), "int32")
        logits = self.model(start)[0][0, -1]
        weights = np.exp(keras.ops.convert_to_numpy(logits).astype("float64"))
        self.drawn = int(np.random.choice(20, p=weights / weights.sum()))


def text_generation_with_miniature_gpt(out):
    """Two outputs, a loss for the first one only."""
    x, _ = tokens()
    inputs = keras.Input((6,), dtype="int32")
    h = TokenAndPositionEmbedding(6, 20, 8)(inputs)
    h = TransformerBlock(8, 2, 8)(h, causal=True)
    model = keras.Model(inputs, [layers.Dense(20)(h), h])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss=[loss, None])
    data = {"x": x, "y": np.roll(x, -1, axis=1), "batch_size": BATCH}
    return model, data, [TextGenerator()]


def timeseries_classification_from_scratch(out):
    """Convolutions, and three callbacks that watch validation."""
    rs = np.random.RandomState(3)
    y = rs.randint(2, size=N)
    x = rs.randn(N, 10, 1).astype("float32") + y[:, None, None]
    inputs = keras.Input((10, 1))
    h = layers.Conv1D(4, 3, padding="same")(inputs)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.Dense(2, activation="softmax")(
        layers.GlobalAveragePooling1D()(h)
    )
    model = keras.Model(inputs, h)
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["sparse_categorical_accuracy"],
    )
    callbacks = [
        keras.callbacks.ModelCheckpoint(
            f"{out}/best.weights.h5",
            save_weights_only=True,
            save_best_only=True,
            monitor="val_loss",
        ),
        keras.callbacks.ReduceLROnPlateau(
            monitor="val_loss", factor=0.5, patience=1, min_lr=0.0001
        ),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=3),
    ]
    data = {"x": x, "y": y, "validation_split": 0.2, "batch_size": BATCH}
    return model, data, callbacks


def text_classification_from_scratch(out):
    """Words to numbers inside a pipeline of tf.data."""
    import tensorflow as tf

    rs = np.random.RandomState(4)
    words = np.array("a b c d e f g h".split())
    texts = [" ".join(words[rs.randint(8, size=5)]) for _ in range(N)]
    y = np.array([text.count("a") for text in texts], "float32")
    vectorize = layers.TextVectorization(12, output_sequence_length=5)
    vectorize.adapt(texts)
    train = (
        tf.data.Dataset.from_tensor_slices((texts, y))
        .shuffle(N)
        .batch(BATCH)
        .map(lambda text, label: (vectorize(text), label))
        .prefetch(2)
    )
    inputs = keras.Input((5,), dtype="int64")
    h = layers.Dropout(0.5)(layers.Embedding(12, 4)(inputs))
    h = layers.Conv1D(4, 3, activation="relu")(h)
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling1D()(h)))
    model.compile("adam", "mse")
    return model, {"x": train}, []


SEQUENCES = {
    one.__name__: one
    for one in (
        understanding_masking_and_padding,
        working_with_rnns,
        text_classification_with_transformer,
        text_generation_with_miniature_gpt,
        timeseries_classification_from_scratch,
        text_classification_from_scratch,
    )
}
