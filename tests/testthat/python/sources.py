"""Data of other kinds than arrays, and a look at what was restored."""

import keras
import numpy as np


class Slices(keras.utils.PyDataset):
    """Arrays, in batches."""

    def __init__(self, x, y, batch_size):
        super().__init__()
        self.x = np.asarray(x, "float32")
        self.y = np.asarray(y, "float32")
        self.batch_size = int(batch_size)

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.x[rows], self.y[rows]


def batches(x, y, batch_size):
    """Arrays, in batches; nobody knows how many."""
    slices = Slices(x, y, batch_size)
    for i in range(len(slices)):
        yield slices[i]


class OwnOrder(Slices):
    """Shuffles an order of its own, by a global generator and by its own."""

    def __init__(self, x, y, batch_size):
        super().__init__(x, y, batch_size)
        self.order = np.arange(len(self.x))
        self.signs = [1.0, -1.0] * (len(self.x) // 2)
        self.generator = np.random.default_rng(3)

    def on_epoch_end(self):
        np.random.shuffle(self.order)
        self.generator.shuffle(self.signs)

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        rows = self.order[rows]
        signs = np.asarray(self.signs, "float32")[rows, None]
        return self.x[rows] * signs, self.y[rows]


class OffersState(OwnOrder):
    """The same, and tells its state: to be asked, and not looked at."""

    def get_state(self):
        return {
            "order": self.order,
            "signs": self.signs,
            "generator": self.generator.bit_generator.state,
        }

    def set_state(self, state):
        self.order = state["order"]
        self.signs = state["signs"]
        self.generator.bit_generator.state = state["generator"]


class Odd(Slices):
    """Has what nobody can save, and changes it."""

    def __init__(self, x, y, batch_size):
        super().__init__(x, y, batch_size)
        self.kept = object()
        self.secret = object()

    def on_epoch_end(self):
        self.secret = object()


def dataset(x, y, batch_size):
    return Slices(x, y, batch_size)


def endless(x, y, batch_size):
    """Arrays, in batches, over and over."""
    slices = Slices(x, y, batch_size)
    while True:
        for index in range(len(slices)):
            yield slices[index]


def hidden_order(kind, x, y, batch_size, seed):
    """Batches in an order that a seed gives and that no attribute tells.

    Args:
        kind: String, of the data: "dataset", "generator" or "loader".
    """
    order = np.random.default_rng(int(seed)).permutation(len(x))
    x, y = (np.asarray(one, "float32")[order] for one in (x, y))
    if kind == "loader":
        import torch

        class Rows(torch.utils.data.Dataset):
            def __len__(self):
                return len(x)

            def __getitem__(self, index):
                return x[index], y[index]

        return torch.utils.data.DataLoader(Rows(), int(batch_size))
    if kind == "generator":
        return endless(x, y, batch_size)
    slices = Slices(x, y, batch_size)

    class Hidden(keras.utils.PyDataset):
        def __len__(self):
            return len(slices)

        def __getitem__(self, index):
            return slices[index]

    return Hidden()


class SeeVariables(keras.callbacks.Callback):
    """Remembers the variables as the first epoch finds them: the numbers, by
    columns as R has them, and how many steps were made."""

    def on_train_begin(self, logs=None):
        self.floats = None

    def on_epoch_begin(self, epoch, logs=None):
        if self.floats is not None:
            return
        every = [*self.model.variables, *self.model.optimizer.variables]
        self.floats = [
            keras.ops.convert_to_numpy(v).flatten("F").tolist()
            for v in every
            if "float" in v.dtype
        ]
        self.steps = int(self.model.optimizer.iterations)

    def get_state(self):
        return {}

    def set_state(self, state):
        pass
