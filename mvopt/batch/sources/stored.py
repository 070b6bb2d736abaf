"""Named arrays of a file that are read a slice at a time: HDF5, Zarr and columns of FITS tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvopt._errors import InputError
from mvopt.batch.config import DataTable
from mvopt.batch.sources.arrays import ArraySource
from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.per_process import PerProcess

Read = Callable[[str, Any], Any]  # from the name of an array and an index to values

_NUMBERS, _TEXTS = "fiub", "UST"


@dataclass(frozen=True)
class StoredArray:
    """An array of which any slice can be read by itself."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    file: PerProcess[Read]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return a part as NumPy and Arrow know it: native byte order, texts decoded."""
        values = np.asarray(self.file()(self.name, index))
        if values.dtype.kind == "S":
            with read_whole(f"texts in UTF-8 in {self.name}"):
                return np.char.decode(values, "utf-8")
        if values.dtype.kind == "T":
            return values.astype(object)
        return values.astype(values.dtype.newbyteorder("="), copy=False)


def open_stored(data: DataTable, held: Mapping[str, Any]) -> ArraySource:
    """Open the arrays of a file; raises `InputError` for those that do not fit `[data]`."""
    if not held:
        raise InputError("there is no array in the file: give one with arrays of numbers")
    for name in data.datasets:
        if name in held and held[name].dtype.kind not in _NUMBERS + _TEXTS:
            raise InputError(
                f"dataset: the array {name} holds {held[name].dtype}: give numbers or texts"
            )
    return ArraySource(data, held)
