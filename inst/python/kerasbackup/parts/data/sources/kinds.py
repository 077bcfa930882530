"""Chooses the class of `Source` for the data of an `EpochIterator`."""

from typing import Any

from kerasbackup.anykeras import data_adapters
from kerasbackup.parts.data.sources.arrays import Arrays
from kerasbackup.parts.data.sources.generator import Generator
from kerasbackup.parts.data.sources.grain import Grain
from kerasbackup.parts.data.sources.loader import Loader
from kerasbackup.parts.data.sources.py_dataset import PyDataset
from kerasbackup.parts.data.sources.source import Source
from kerasbackup.parts.data.sources.tf_data import TfData

KINDS = {
    "arrays": Arrays,
    "generator": Generator,
    "grain": Grain,
    "loader": Loader,
    "py_dataset": PyDataset,
    "tf_data": TfData,
}


def source_of(iterator: Any, use: Any = None, left: Any = ()) -> Source:
    """Makes the `Source` of an `EpochIterator`. The arguments are those of
    `Source`."""
    kind = data_adapters.kind(iterator.data_adapter)
    return KINDS.get(kind, Source)(iterator, use, left)
