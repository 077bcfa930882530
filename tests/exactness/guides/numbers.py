"""The numbers that the guides' trainings have instead of MNIST and the like."""

import numpy as np

N = 72
BATCH = 8  # 9 batches an epoch


def images(size=8, channels=1, classes=3):
    """Images with values from 0 to 1, and the class of each."""
    rs = np.random.RandomState(0)
    y = rs.randint(classes, size=N)
    x = rs.rand(N, size, size, channels) * (1 + y[:, None, None, None]) / 3
    return x.astype("float32"), y.astype("int32")


def tokens(length=6, words=20):
    """Sequences of word numbers, padded with zeros, and a label of each."""
    rs = np.random.RandomState(1)
    x = rs.randint(1, words, size=(N, length))
    for row, end in zip(x, rs.randint(2, length + 1, size=N)):
        row[end:] = 0
    return x.astype("int32"), (x.sum(1) % 2).astype("float32")


def vectors(width=6):
    rs = np.random.RandomState(2)
    x = rs.randn(N, width).astype("float32")
    return x, (x @ rs.randn(width, 1)).astype("float32")
