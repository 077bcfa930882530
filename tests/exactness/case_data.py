"""Owns the rows' data: what `fit()` is given to train on."""

import os
import queue
import random
import time

import numpy as np
from which_keras import PyDataset
from which_keras import keras
from which_keras import ops
from which_keras import pydataset
from which_keras import to_numpy

N = 72
BATCH = 8  # 9 batches an epoch

# Where data may write; a run that is resumed has that of the lost one.
FOLDER = None


def arrays(n=N):
    """The same numbers whatever has been drawn before."""
    rs = np.random.RandomState(0)
    x = rs.randn(n, 6).astype("float32")
    y = (x @ rs.randn(6, 1) + 0.1 * rs.randn(n, 1)).astype("float32")
    return x, y


# What a callback has, too.
SHARED = {}


def data_arrays(**kwargs):
    x, y = arrays()
    return {"x": x, "y": y, "batch_size": BATCH, **kwargs}


class ByNumber(dict):
    """A dict that keeps its keys on its way through R, which would make strings
    of them."""


def sample_weight():
    weights = np.linspace(0.1, 1, N).astype("float32")
    SHARED["sample_weight"] = weights
    return data_arrays(sample_weight=weights)


class Plain(PyDataset):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.data = arrays()

    def __len__(self):
        return N // BATCH

    def __getitem__(self, i):
        x, y = self.data
        return x[i * BATCH : (i + 1) * BATCH], y[i * BATCH : (i + 1) * BATCH]


class Augmented(Plain):
    """Draws from numpy's global generator in every batch."""

    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x + np.random.randn(*x.shape).astype("float32") * 0.1, y


class Stateful(Plain):
    """Has a state of its own, and tells it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rs = np.random.RandomState(7)
        self.order = np.arange(N)

    def on_epoch_end(self):
        self.order = self.rs.permutation(N)

    def __getitem__(self, i):
        x, y = self.data
        pick = self.order[i * BATCH : (i + 1) * BATCH]
        return x[pick], y[pick]

    def get_state(self):
        kind, keys, position, has_gauss, cached = self.rs.get_state()
        return {
            "keys": keys,
            "rest": (kind, position, has_gauss, cached),
            "order": self.order,
        }

    def set_state(self, state):
        kind, position, has_gauss, cached = state["rest"]
        self.rs.set_state((kind, state["keys"], position, has_gauss, cached))
        self.order = state["order"]


class StatefulPart(Stateful):
    """Half of the rows, others in every epoch: logs tell orders apart."""

    def __len__(self):
        return N // BATCH // 2


class OwnOrder(Plain):
    """Keeps an order of its own, and tells nobody: as most datasets do."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.order = np.arange(N)
        self.weights = [1.0] * N
        self.rs = np.random.default_rng(7)

    def on_epoch_end(self):
        np.random.shuffle(self.order)
        self.rs.shuffle(self.weights)
        self.weights[0] += 0.5

    def __getitem__(self, i):
        x, y = self.data
        pick = self.order[i * BATCH : (i + 1) * BATCH]
        return x[pick], y[pick], np.array(self.weights)[pick]


class Growing(Plain):
    """Lets more rows take part in every epoch."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rows = 5 * BATCH

    def on_epoch_end(self):
        self.rows = min(self.rows + BATCH, N)

    def __len__(self):
        return self.rows // BATCH


class LargerBatches(Plain):
    """Has larger, and so fewer, batches in every epoch."""

    SIZES = (4, 4, 6, 8, 12)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.epochs = 0

    @property
    def size(self):
        return self.SIZES[min(self.epochs, len(self.SIZES) - 1)]

    def on_epoch_end(self):
        self.epochs += 1

    def __len__(self):
        return N // self.size

    def __getitem__(self, i):
        rows = slice(i * self.size, (i + 1) * self.size)
        return tuple(column[rows] for column in self.data)


def generator():
    """Draws from numpy's and Python's global generators."""
    x, y = arrays()
    while True:
        pick = np.random.randint(0, N, BATCH)
        yield x[pick] * (1 + 0.1 * random.random()), y[pick]


class Ahead:
    """Draws a batch before it is asked for, as what reticulate makes of a
    generator function in R."""

    def __init__(self, source, prefetch=1):
        self.source = source
        self.prefetch = prefetch
        self.values_queue = queue.Queue()

    def __iter__(self):
        return self

    def __next__(self):
        while self.values_queue.qsize() <= self.prefetch:
            self.values_queue.put(next(self.source))
        return self.values_queue.get()


def counting_generator():
    """Keeps its place in a local variable."""
    x, y = arrays()
    i = 0
    while True:
        pick = (np.arange(BATCH) + i * 5) % N
        i += 1
        yield x[pick], y[pick]


def own_generator():
    """Draws from a generator that nobody else knows; not at once, so that a
    thread of tf.data is at it when validation begins."""
    x, y = arrays()
    draw = np.random.default_rng(5)
    while True:
        time.sleep(0.005)
        pick = draw.permutation(N)[:BATCH]
        yield x[pick], y[pick]


def tf_dataset(
    shuffle=True, seed=None, repeat=False, unknown=False, cache=None
):
    import tensorflow as tf

    ds = tf.data.Dataset.from_tensor_slices(arrays())
    if shuffle:
        ds = ds.shuffle(N, seed=seed, reshuffle_each_iteration=True)
    if cache:
        ds = ds.cache("" if cache is True else os.path.join(FOLDER, cache))
    if repeat:
        ds = ds.repeat()
    ds = ds.batch(BATCH)
    if unknown:
        ds = ds.filter(lambda x, y: True)
    return ds


def brightness():
    """What Keras has to augment images, for rows of numbers. Its generator of
    random numbers is known to nobody but the layer."""
    layer = keras.layers.RandomBrightness(0.02, value_range=(-9, 9), seed=4)

    def augmented(x):
        images = ops.reshape(x, (-1, 1, x.shape[-1], 1))
        return ops.reshape(layer(images), (-1, x.shape[-1]))

    return layer, augmented


def augmented_pipeline():
    import tensorflow as tf

    layer, _ = brightness()

    def augmented(x, y):
        image = layer(tf.reshape(x, (1, x.shape[-1], 1)))
        return tf.reshape(image, x.shape), y

    return tf_dataset().unbatch().map(augmented).batch(BATCH)


def python_pipeline():
    """Python code in it draws, in a thread."""
    import tensorflow as tf

    def noise():
        return np.random.normal(size=()).astype("float32")

    def noisy(x, y):
        drawn = tf.numpy_function(noise, [], tf.float32)
        return tf.ensure_shape(x + drawn / 10, x.shape), y

    return tf_dataset().map(noisy)


class Brightened(Plain):
    """Augmented by a layer that a closure has."""

    def __init__(self):
        super().__init__()
        _, self._augmented = brightness()

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return to_numpy(self._augmented(x)), y


def trained_and_validated(dataset):
    """One pipeline, split: each part's iterators move the order of both."""
    return {"x": dataset.skip(2), "validation_data": dataset.take(2)}


def loader(workers=0, own_generator=False, shuffle=True, kept=False):
    import torch

    x, y = arrays()
    dataset = torch.utils.data.TensorDataset(
        torch.from_numpy(x), torch.from_numpy(y)
    )
    source = None
    if own_generator:
        source = torch.Generator()
        source.manual_seed(3)
    return torch.utils.data.DataLoader(
        dataset,
        batch_size=BATCH,
        shuffle=shuffle,
        num_workers=workers,
        persistent_workers=kept,
        generator=source,
    )


def stream():
    """A DataLoader that does not know how many batches it has."""
    import torch

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            x, y = map(torch.from_numpy, arrays())
            for i in torch.randperm(N):
                yield x[i], y[i]

    return torch.utils.data.DataLoader(Stream(), batch_size=BATCH)


def counting_loader(stream=False):
    """A DataLoader whose dataset and samplers are the script's, and count."""
    import torch

    class Rows(torch.utils.data.Dataset):
        """Each row that is drawn is a little larger."""

        def __init__(self):
            self.data = arrays()
            self.drawn = 0

        def __len__(self):
            return N

        def __getitem__(self, i):
            self.drawn += 1
            x, y = self.data
            return x[i] * np.float32(1 + self.drawn / 1000), y[i]

    class Epochs(torch.utils.data.Sampler):
        """Shuffles by the number of the epoch, and keeps its iterator."""

        def __init__(self):
            self.epoch = 0

        def __len__(self):
            return N

        def __iter__(self):
            self.epoch += 1
            order = np.random.default_rng(self.epoch).permutation(N)
            self._s = iter(order.tolist())
            return self._s

    class Batches(torch.utils.data.Sampler):
        """Shuffles a list of its own, again and again."""

        def __init__(self):
            self.order = list(range(N))
            self.moves = random.Random(5)

        def __len__(self):
            return N // BATCH

        def __iter__(self):
            self.moves.shuffle(self.order)
            for i in range(0, N, BATCH):
                yield self.order[i : i + BATCH]

    class Stream(torch.utils.data.IterableDataset):
        epoch = 0

        def __iter__(self):
            self.epoch += 1
            x, y = map(torch.from_numpy, arrays())
            for i in np.random.default_rng(self.epoch).permutation(N):
                yield x[i], y[i]

    if stream:
        return torch.utils.data.DataLoader(Stream(), batch_size=BATCH)
    rows = Rows()
    return {
        "x": torch.utils.data.DataLoader(rows, BATCH, sampler=Epochs()),
        "validation_data": torch.utils.data.DataLoader(
            Rows(), batch_sampler=Batches()
        ),
    }


def stateful_loader(rows=N):
    """A DataLoader that tells its state, as torchdata's does; where it begins
    with fewer rows, each pass has more."""
    import torch

    class StatefulDataLoader(torch.utils.data.DataLoader):
        """Shuffles by a generator that nobody else can see."""

        def __init__(self, dataset):
            super().__init__(dataset, batch_size=BATCH)
            self._hidden = [np.random.RandomState(9), rows]

        def __len__(self):
            return self._hidden[1] // BATCH

        def __iter__(self):
            last = self._hidden[1]
            self._hidden[1] = min(last + BATCH, N)
            order = self._hidden[0].permutation(N)[:last]
            for i in range(0, last, BATCH):
                picked = [self.dataset[j] for j in order[i : i + BATCH]]
                yield [torch.stack(column) for column in zip(*picked)]

        def state_dict(self):
            kind, keys, position, *rest = self._hidden[0].get_state()
            state = {"keys": keys, "rest": [kind, position, *rest]}
            return state | {"rows": self._hidden[1]}

        def load_state_dict(self, state):
            kind, position, *rest = state["rest"]
            self._hidden[0].set_state((kind, state["keys"], position, *rest))
            self._hidden[1] = state["rows"]

    x, y = arrays()
    return StatefulDataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    )


DATA = {
    "arrays": lambda: data_arrays(),
    "arrays-unshuffled": lambda: data_arrays(shuffle=False),
    "arrays-batch-shuffled": lambda: data_arrays(shuffle="batch"),
    "arrays-steps-fewer": lambda: data_arrays(steps_per_epoch=5),
    "arrays-steps-more": lambda: data_arrays(steps_per_epoch=13),
    "arrays-class-weight": lambda: {
        **data_arrays(),
        "y": (arrays()[1] > 0).astype("float32"),
        "class_weight": ByNumber({0: 1.0, 1: 3.0}),
    },
    "arrays-sample-weight": sample_weight,
    "arrays-validation-split": lambda: data_arrays(validation_split=0.25),
    "arrays-validation-data": lambda: data_arrays(validation_data=arrays(20)),
    "arrays-validation-dataset": lambda: data_arrays(
        validation_data=tf_dataset(shuffle=False)
    ),
    "arrays-validation-generator": lambda: data_arrays(
        validation_data=counting_generator(), validation_steps=3
    ),
    "arrays-validation-drawing": lambda: data_arrays(
        validation_data=generator(), validation_steps=3
    ),
    "arrays-validation-pydataset-state": lambda: data_arrays(
        validation_data=StatefulPart()
    ),
    "arrays-validation-pydataset-own-order": lambda: data_arrays(
        validation_data=OwnOrder()
    ),
    "arrays-validation-pydataset-drawing": lambda: data_arrays(
        validation_data=Augmented()
    ),
    "pydataset": lambda: {"x": Plain()},
    "pydataset-steps-fewer": lambda: {"x": Augmented(), "steps_per_epoch": 5},
    "pydataset-augmented": lambda: {"x": Augmented()},
    "pydataset-workers": lambda: pydataset(Plain, workers=2),
    "pydataset-workers-unshuffled": lambda: {
        **pydataset(Plain, workers=2),
        "shuffle": False,
    },
    "pydataset-processes-unshuffled": lambda: {
        **pydataset(Plain, workers=2, use_multiprocessing=True),
        "shuffle": False,
    },
    "pydataset-workers-steps": lambda: {
        **pydataset(Plain, workers=2),
        "steps_per_epoch": N // BATCH,
    },
    "pydataset-workers-steps-fewer": lambda: {
        **pydataset(Plain, workers=2),
        "steps_per_epoch": 5,
    },
    "pydataset-processes": lambda: pydataset(
        Plain, workers=2, use_multiprocessing=True
    ),
    "pydataset-state": lambda: {"x": Stateful()},
    "pydataset-own-order": lambda: {"x": OwnOrder()},
    "pydataset-growing": lambda: {"x": Growing()},
    "pydataset-larger-batches": lambda: {"x": LargerBatches()},
    "arrays-validation-pydataset-growing": lambda: data_arrays(
        validation_data=Growing()
    ),
    "pydataset-own-order-steps": lambda: {
        "x": OwnOrder(),
        "steps_per_epoch": 5,
    },
    "pydataset-validation-pydataset": lambda: {
        "x": Augmented(),
        "validation_data": Augmented(),
    },
    "generator": lambda: {"x": generator(), "steps_per_epoch": 7},
    "generator-ahead": lambda: {
        "x": (lambda source: (yield from source))(Ahead(generator())),
        "steps_per_epoch": 7,
    },
    "arrays-validation-ahead": lambda: data_arrays(
        validation_data=(lambda source: (yield from source))(
            Ahead(generator())
        ),
        validation_steps=3,
    ),
    "generator-counting": lambda: {
        "x": counting_generator(),
        "steps_per_epoch": 7,
    },
    "generator-own-validation": lambda: {
        "x": own_generator(),
        "steps_per_epoch": 7,
        "validation_data": tf_dataset(shuffle=False),
    },
    "tfdata": lambda: {"x": tf_dataset()},
    "tfdata-seeded": lambda: {"x": tf_dataset(seed=5)},
    "tfdata-unshuffled": lambda: {"x": tf_dataset(shuffle=False)},
    "tfdata-unknown": lambda: {"x": tf_dataset(unknown=True)},
    "tfdata-infinite": lambda: {
        "x": tf_dataset(repeat=True),
        "steps_per_epoch": 7,
    },
    "tfdata-steps-fewer": lambda: {"x": tf_dataset(), "steps_per_epoch": 5},
    "tfdata-validation": lambda: trained_and_validated(tf_dataset()),
    "tfdata-validation-tfdata": lambda: {
        "x": tf_dataset(),
        "validation_data": tf_dataset(),
    },
    "tfdata-shuffled-twice": lambda: {"x": tf_dataset().shuffle(3)},
    "tfdata-repeated": lambda: {"x": tf_dataset().repeat(2)},
    "tfdata-augmented": lambda: {"x": augmented_pipeline()},
    "tfdata-python": lambda: {"x": python_pipeline()},
    "tfdata-validation-cached": lambda: {
        "x": tf_dataset(),
        "validation_data": augmented_pipeline().cache(),
    },
    "pydataset-augmented-by-layer": lambda: {"x": Brightened()},
    "tfdata-cached": lambda: {"x": tf_dataset(cache=True)},
    "tfdata-cached-file": lambda: {"x": tf_dataset(cache="training")},
    # Not shuffled: on a busy machine Keras' second iterator may begin before
    # the first has completed the cache, and then shuffles once more.
    "arrays-validation-cached-dataset": lambda: data_arrays(
        validation_data=tf_dataset(cache="validation", shuffle=False)
    ),
    "loader": lambda: {"x": loader()},
    "loader-workers": lambda: {"x": loader(workers=2)},
    "loader-workers-kept": lambda: {
        "x": loader(workers=1, kept=True),
        "validation_data": loader(workers=1, shuffle=False, kept=True),
    },
    "loader-generator": lambda: {"x": loader(own_generator=True)},
    "loader-stream": lambda: {"x": stream()},
    "loader-counting": counting_loader,
    "loader-counting-stream": lambda: {"x": counting_loader(stream=True)},
    "loader-stateful": lambda: {"x": stateful_loader()},
    "loader-growing": lambda: {"x": stateful_loader(rows=5 * BATCH)},
    # What is written in R: the arguments come from cases.R.
    "r-arrays": dict,
    "r-generator": dict,
}
