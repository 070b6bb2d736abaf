"""FITS tables with a row per data set: columns of arrays, or a column per point."""

import fnmatch
from typing import Any

import numpy as np

from mvopt._errors import InputError, listed
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS
from mvopt.batch.sources.arrays import ArraySource
from mvopt.batch.sources.fits import opened
from mvopt.batch.sources.optional import library
from mvopt.batch.sources.per_process import PerProcess
from mvopt.batch.sources.stored import Read, StoredArray, open_stored


class SideBySide:
    """Columns of numbers as one array with a column per point, (N, m)."""

    def __init__(self, columns: list[StoredArray]) -> None:
        self._columns = columns
        self.shape, self.ndim = (*columns[0].shape, len(columns)), 2
        self.dtype = np.result_type(*(column.dtype for column in columns))

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return some of the rows."""
        return np.stack([column[rows] for column in self._columns], axis=1)


def open_table(data: DataTable) -> ArraySource:
    """Open the first table of a file."""
    file = PerProcess(_reader, data.path)
    columns = _columns(data.path)
    held: dict[str, Any] = {
        name: StoredArray(name, values.shape, values.dtype, file)
        for name, values in columns.items()
    }
    named = {}
    for key in ("x", "y", *EXTRAS, "mask"):
        names = _of_numbers(getattr(data, key), held)
        if names:
            # A column name cannot hold a line break, so that this is none of them.
            named[key] = f"{key}\n"
            held[named[key]] = SideBySide([held[name] for name in names])
    layout = None if data.layout == "lists" else data.layout
    return open_stored(data.model_copy(update={**named, "layout": layout}), held)


def _of_numbers(value: Any, held: dict[str, Any]) -> list[str]:
    """Return the columns of single numbers that a glob or a list stands for, one per point."""
    names = fnmatch.filter(held, value) if isinstance(value, str) else value
    if not isinstance(names, list) or not all(name in held for name in names):
        return []
    names = [str(name) for name in names]
    single = [name for name in names if held[name].ndim == 1 and held[name].dtype.kind in "fiub"]
    return names if names and len(single) == len(names) else []


def _columns(path: str) -> dict[str, np.ndarray]:
    fits = library("astropy.io.fits", "fits")
    with opened(path) as units:
        found = [unit for unit in units if isinstance(unit, (fits.BinTableHDU, fits.TableHDU))]
        if not found:
            kinds = listed(type(unit).__name__ for unit in units)
            raise InputError(f"there is no table but {kinds}: for an image leave out y")
        table = found[0]
        return {column.name: _values(table.data[column.name], column) for column in table.columns}


def _values(values: Any, column: Any) -> np.ndarray:
    """Return a column; where a whole number stands for a missing one, with NaN in its place."""
    values = np.asarray(values)
    if column.null is None or values.dtype.kind not in "iu":
        return values
    return np.where(values == column.null, np.nan, values)


def _reader(path: str) -> Read:
    columns = _columns(path)
    return lambda name, index: columns[name][index]
