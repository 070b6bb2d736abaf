"""Variables with named dimensions: netCDF files, by way of xarray.

The points of a data set lie along the dimension of x; every combination of the other dimensions is
a data set, in the order in which y has them, the last one fastest.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, listed, located, quoted, suggestion
from mvopt.batch.blocks import rows_a_block
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, constant, of_rows
from mvopt.batch.sources.damage import read_whole
from mvopt.batch.sources.optional import library
from mvopt.batch.sources.per_process import PerProcess
from mvopt.batch.sources.shared_x import shared_x
from mvopt.batch.sources.source import Slice, Wanted, every, sliced
from mvopt.batch.sources.tables import row_numbers

_WANTED = "a whole netCDF-4 file"


def open_netcdf(data: DataTable) -> "LabelledSource":
    """Open the variables of a netCDF file that `[data]` names."""
    return LabelledSource(data)


class LabelledSource:
    """Data sets that lie along one dimension of a variable."""

    def __init__(self, data: DataTable) -> None:
        """Check what `[data]` names against the variables."""
        for key in ("dataset", "layout"):
            if getattr(data, key) is not None:
                raise InputError(
                    f"{key} is not for variables with named dimensions, of which those that x does "
                    "not name tell data sets apart: remove it"
                )
        if data.starts:
            raise InputError("init: variables with named dimensions are no starts: give a number")
        self.files = [data.path]
        self._file = PerProcess(_opened, data.path)
        variables = self._file()
        self._y = _name("y", data.y, variables)
        y = variables[self._y]
        self._dimension, self._x = _abscissas(data.x, y, variables)
        self._others = [str(each) for each in y.dims if each != self._dimension]
        self._shape = tuple(y.sizes[each] for each in self._others)
        self.count: Any = math.prod(self._shape)
        if y.size == 0:
            raise InputError(f"y = {quoted(self._y)} has shape {y.shape}: give one with values")
        given = {key: getattr(data, key) for key in (*EXTRAS, "mask")}
        self._constants = {key: value for key, value in given.items() if isinstance(value, float)}
        self._named = {
            key: _fitting(key, value, y, variables)
            for key, value in given.items()
            if value is not None and not isinstance(value, float)
        }
        self.num_x, self.id_names = len(self._x), self._others or ["dataset"]

    def tasks(self, wanted: Wanted = every) -> Iterator[Slice]:
        """Yield the wanted blocks."""
        return sliced(self, self.count, rows_a_block(self._x.shape[1], shared_x=True), wanted)

    def read(self, start: int, stop: int) -> DataSets:
        """Return the data sets from `start` up to `stop`."""
        y = self._rows(self._y, start, stop)
        extras = {key: self._rows(self._named[key], start, stop) for key in self._named}
        known = np.ones(y.shape, bool)
        if "mask" in extras:
            mask = extras.pop("mask")
            known &= (mask != 0) & ~np.isnan(mask)
        for name, values in ((self._y, y), *((self._named[key], extras[key]) for key in extras)):
            if _has_missing(self._file()[name]):
                known &= ~np.isnan(values)
        extras |= {key: constant(value, y.size) for key, value in self._constants.items()}
        return of_rows(self._ids(start, stop), self._x, y, extras, known)

    def _rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return some data sets of a variable, (N, m), repeated along dimensions it lacks."""
        variable, parts = self._file()[name], []
        points = self._x.shape[1]
        for box in _boxes(start, stop, self._shape):
            where = dict(zip(self._others, box, strict=True))
            sizes = {each: where[each].stop - where[each].start for each in self._others}
            with located(f"{self.files[0]}: {name}"), read_whole(_WANTED):
                part = variable.isel({k: where[k] for k in where if k in variable.dims}).load()
            part = part.set_dims({**sizes, self._dimension: points})
            values = part.transpose(*self._others, self._dimension).values
            parts.append(values.reshape(-1, points).astype(float))
        return np.concatenate(parts)

    def _ids(self, start: int, stop: int) -> pa.Table:
        """Return the coordinates of data sets, or the index along a dimension without one."""
        if not self._others:
            return row_numbers(stop - start, start)
        variables, ids = self._file(), {}
        places = np.unravel_index(np.arange(start, stop), self._shape)
        for name, index in zip(self._others, places, strict=True):
            labels = variables.get(name)
            if labels is not None and labels.dims == (name,):
                index = labels.values[index]
            ids[name] = pa.array(index)
        return pa.table(ids)


def _opened(path: str) -> dict[str, Any]:
    """Return the variables, coordinates included, by name; they are read where they are sliced."""
    xarray = library("xarray", "netcdf")
    library("h5netcdf", "netcdf")
    with read_whole(_WANTED):
        # Of a file that is no HDF5 h5netcdf would also print what its own closing stumbles over.
        library("h5py", "netcdf").File(path, "r").close()
        # Times stay the numbers that the file holds: x needs numbers.
        dataset = xarray.open_dataset(path, engine="h5netcdf", decode_times=False)
        return {str(name): variable for name, variable in dataset.variables.items()}


def _boxes(start: int, stop: int, shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield boxes of an array that together are its elements start to stop in C order."""
    if not shape:
        yield ()
        return
    inner = math.prod(shape[1:])
    first, last = start // inner, (stop - 1) // inner
    if first == last or len(shape) == 1:
        for rest in _boxes(start - first * inner, stop - last * inner, shape[1:]):
            yield (slice(first, last + 1), *rest)
        return
    whole_first, whole_stop = -(-start // inner), stop // inner
    if start < whole_first * inner:
        yield from _boxes(start, whole_first * inner, shape)
    if whole_first < whole_stop:
        yield (slice(whole_first, whole_stop), *(slice(0, size) for size in shape[1:]))
    if whole_stop * inner < stop:
        yield from _boxes(whole_stop * inner, stop, shape)


def _name(key: str, name: Any, variables: dict[str, Any]) -> str:
    if name is None:
        raise InputError(f"{key} is missing: give one of {listed(variables)}")
    if not isinstance(name, str):
        raise InputError(f"{key} = {quoted(name)}: give the name of a variable")
    if name not in variables:
        remedy = suggestion(name, variables, "variables")
        raise InputError(f"{key} = {quoted(name)} is no variable: {remedy}")
    if variables[name].dtype.kind not in "fiub":
        kind = variables[name].dtype
        raise InputError(f"{key}: the variable {name} holds {kind}: give real numbers")
    return name


def _abscissas(value: Any, y: Any, variables: dict[str, Any]) -> tuple[str, np.ndarray]:
    """Return the dimension along which the points lie, and x (k, m)."""
    names = [value] if isinstance(value, str) else value
    if not names or not isinstance(names[0], str):
        raise InputError(f"x: give the name of a coordinate of y, one of {listed(y.dims)}")
    if names[0] in y.dims and names[0] not in variables and len(names) == 1:
        return names[0], shared_x(None, y.sizes[names[0]])
    rows = [variables[_name("x", name, variables)] for name in names]
    dimensions = {row.dims for row in rows}
    if len(dimensions) > 1 or rows[0].ndim != 1 or rows[0].dims[0] not in y.dims:
        raise InputError(
            f"x = {quoted(value)} does not lie along one dimension of y: give variables along one "
            f"of {listed(y.dims)}"
        )
    dimension = str(rows[0].dims[0])
    with read_whole(_WANTED):
        numbers = [row.values.astype(float).tolist() for row in rows]
    return dimension, shared_x(numbers, y.sizes[dimension])


def _fitting(key: str, value: Any, y: Any, variables: dict[str, Any]) -> str:
    name = _name(key, value, variables)
    if not set(variables[name].dims) <= set(y.dims):
        raise InputError(
            f"{key} has the dimensions {listed(variables[name].dims)} and y {listed(y.dims)}: give "
            "a variable that has some of these"
        )
    return name


def _has_missing(variable: Any) -> bool:
    """Whether the file says which value stands for a missing one; it has become NaN."""
    return any(key in variable.encoding for key in ("_FillValue", "missing_value"))
