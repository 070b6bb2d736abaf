"""Arrays with a row per data set, read a slice at a time: NPY and NPZ files.

Pickled objects are never loaded.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, quoted, suggestion
from mvopt.batch.blocks import rows_a_block
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, of_rows
from mvopt.batch.sources.constants import constants
from mvopt.batch.sources.shared_x import shared_x
from mvopt.batch.sources.source import Slice, Wanted, every, sliced
from mvopt.batch.sources.tables import row_numbers

# What a damaged NPZ file makes of the reading of its archive.
_DAMAGE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, struct.error)


class ArraySource:
    """Data sets that are rows of arrays; any slice of them can be read by itself."""

    def __init__(self, data: DataTable, held: Mapping[str, Any]) -> None:
        """Check what `[data]` names against the arrays."""
        self.files, self._data = [data.path], data
        self._held = held = {
            name: array if hasattr(array, "dtype") else np.asarray(array)
            for name, array in held.items()
        }
        if data.layout in ("long", "lists"):
            raise InputError(
                "an array holds a row per data set: write layout = 'wide' or leave it out"
            )
        self._y = _numbers("y", data.y or "y", held)
        if self._y.ndim != 2 or 0 in self._y.shape:
            raise InputError(
                f"y has shape {self._y.shape}: give (data sets, points), at least (1, 1)"
            )
        self.count, self._points = self._y.shape
        self._x = self._abscissas(data.x)
        given = {key: getattr(data, key) for key in (*EXTRAS, "mask")}
        self._arrays = {
            key: self._fitting(key, name)
            for key, name in given.items()
            if name is not None and not isinstance(name, float)
        }
        self._ids = {name: self._single("dataset", name) for name in data.datasets}
        self._starts = {name: self._start(array) for name, array in data.starts.items()}
        self.id_names = data.datasets or ["dataset"]
        self._shares_x = not isinstance(self._x, list)
        self.num_x = len(self._x)

    def tasks(self, wanted: Wanted = every) -> Iterator[Slice]:
        """Yield the wanted blocks."""
        return sliced(self, self.count, rows_a_block(self._points, self._shares_x), wanted)

    def read(self, start: int, stop: int) -> DataSets:
        """Return the data sets from `start` up to `stop`."""
        shape = (stop - start, self._points)

        def rows(array: Any) -> np.ndarray:
            part = array[start:stop] if array.ndim == 2 else array[...]
            return np.broadcast_to(np.asarray(part), shape)

        extras = {key: rows(self._arrays[key]) for key in EXTRAS if key in self._arrays}
        extras |= constants(self._data, shape[0] * shape[1])
        x = np.stack([rows(axis) for axis in self._x]) if isinstance(self._x, list) else self._x
        mask = rows(self._arrays["mask"]) != 0 if "mask" in self._arrays else None
        ids = {name: pa.array(np.asarray(array[start:stop])) for name, array in self._ids.items()}
        numbers = row_numbers(stop - start, start)
        found = of_rows(pa.table(ids) if ids else numbers, x, rows(self._y), extras, mask)
        parts = {name: np.asarray(array[start:stop]) for name, array in self._starts.items()}
        return replace(found, starts={name: part.astype(float) for name, part in parts.items()})

    def _abscissas(self, value: Any) -> np.ndarray | list[Any]:
        """Return x (k, m) that all data sets share, or k arrays (N, m) of their own."""
        names = [value] if isinstance(value, str) else value
        if not names or not isinstance(names[0], str):
            return shared_x(value, self._points)
        axes = [self._fitting("x", name) for name in names]
        if any(axis.ndim == 2 for axis in axes):
            return axes
        return np.stack([np.asarray(axis[...]) for axis in axes])

    def _fitting(self, key: str, name: Any) -> Any:
        """Return an array of the shape of y, or one row for all data sets."""
        array, shape = _numbers(key, name, self._held), self._y.shape
        if array.shape not in (shape, shape[1:]):
            raise InputError(
                f"{key} has shape {array.shape} and y {shape}: give {shape} or {shape[1:]}"
            )
        return array

    def _start(self, name: str) -> Any:
        _numbers("init", name, self._held)
        return self._single("init", name)

    def _single(self, key: str, name: str) -> Any:
        """Return an array of one value for each data set."""
        if name not in self._held:
            remedy = suggestion(name, self._held, "arrays")
            raise InputError(f"{key} = {quoted(name)} is no array: {remedy}")
        array = self._held[name]
        if array.shape != (self.count,):
            raise InputError(f"{key} has shape {array.shape}: give ({self.count},)")
        return array


def open_npy(data: DataTable) -> ArraySource:
    """Open an NPY file as y, or the arrays of an NPZ file that `[data]` names."""
    held = _load(data.path)
    if isinstance(held, Mapping):
        return ArraySource(data, held)
    named = [key for key in ("dataset", "y", "mask") if getattr(data, key) is not None]
    if named:
        raise InputError(f"{named[0]} names an array, but NPY holds only y: use NPZ")
    return ArraySource(data, {"y": held})


def _load(path: str) -> Any:
    if Path(path).stat().st_size == 0:
        raise InputError("the file is empty: give an array")
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
        # Reading each array here finds one that holds objects.
        return held if isinstance(held, np.ndarray) else {name: held[name] for name in held.files}
    except (*_DAMAGE, ValueError, OSError, EOFError, KeyError) as error:
        raise InputError(f"the file cannot be read ({error}): save arrays of numbers") from None


def _numbers(key: str, name: Any, held: Mapping[str, Any]) -> Any:
    if not isinstance(name, str):
        raise InputError(f"{key} = {quoted(name)}: give the name of an array")
    if name not in held:
        raise InputError(f"{key} = {quoted(name)} is no array: {suggestion(name, held, 'arrays')}")
    if held[name].dtype.kind not in "fiub":
        raise InputError(f"{key}: the array {name} holds {held[name].dtype}: give real numbers")
    return held[name]
