"""HDF5 files: datasets by name, those of groups as "group/name"."""

from typing import Any

import numpy as np

from mvopt._errors import located
from mvopt.batch.config import DataTable
from mvopt.batch.sources.arrays import ArraySource
from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.optional import library
from mvopt.batch.sources.per_process import PerProcess
from mvopt.batch.sources.stored import Read, StoredArray, open_stored

_WANTED = "a whole HDF5 file"


def open_hdf5(data: DataTable) -> ArraySource:
    """Open the datasets of an HDF5 file that `[data]` names."""
    h5py = library("h5py", "hdf5")
    file, held = PerProcess(_reader, data.path), {}

    def visit(name: str, item: Any) -> None:
        # A dataset without a dataspace holds nothing.
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            dtype = np.dtype("U") if h5py.check_string_dtype(item.dtype) else item.dtype
            held[name] = StoredArray(name, item.shape, dtype, file)

    with read_whole(_WANTED), h5py.File(data.path, "r") as opened:
        opened.visititems(visit)
    return open_stored(data, held)


def _reader(path: str) -> Read:
    h5py = library("h5py", "hdf5")
    with read_whole(_WANTED):
        file = h5py.File(path, "r")

    def read(name: str, index: Any) -> Any:
        with located(f"{path}: {name}"), read_whole(_WANTED):
            item = file[name]
            texts = h5py.check_string_dtype(item.dtype) is not None
            return (item.asstr() if texts else item)[index]

    return read
