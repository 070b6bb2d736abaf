"""Array files, NPY and NPZ: a row per data set. Pickled objects are never loaded."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, quoted, suggestion
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, constant, of_rows
from mvopt.batch.tables import row_numbers


def read(data: DataTable) -> DataSets:
    """Read an NPY file as y, or the arrays of an NPZ file that `[data]` names."""
    if data.layout == "long":
        raise InputError("an array holds a row per data set: write layout = 'wide' or leave it out")
    held = _load(data.path)
    if isinstance(held, np.ndarray):
        named = [key for key in ("dataset", "y", "mask") if getattr(data, key) is not None]
        if named:
            raise InputError(f"{named[0]} names an array, but NPY holds only y: use NPZ")
        held = {"y": held}
    y = _numbers("y", data.y or "y", held)
    if y.ndim != 2 or y.size == 0:
        raise InputError(f"y has shape {y.shape}: give (data sets, points), at least (1, 1)")
    ids = _ids(data.datasets, held, len(y)) if data.datasets else row_numbers(len(y))
    extras = {}
    for key in EXTRAS:
        value = getattr(data, key)
        if isinstance(value, float):
            extras[key] = constant(value, y.size)
        elif value is not None:
            extras[key] = np.broadcast_to(_fitting(key, value, held, y.shape), y.shape)
    mask = None
    if data.mask is not None:
        mask = np.broadcast_to(_fitting("mask", data.mask, held, y.shape) != 0, y.shape)
    return of_rows(ids, _x(data.x, held, y.shape), y, extras, mask)


def shared_x(value: Any, points: int) -> np.ndarray:
    """Return x (k, points) that all data sets share, from numbers; by default 0, 1, 2, ..."""
    if not value:
        return np.arange(points, dtype=float)[None]
    rows = value if isinstance(value[0], list) else [value]
    for row in rows:
        if len(row) != points:
            raise InputError(f"x has {len(row)} numbers for {points} points: give as many")
    numbers = np.asarray(rows, float)
    if not np.isfinite(numbers).all():
        raise InputError("x holds a number that is not finite: leave that point out")
    return numbers


def _load(path: str) -> Any:
    if Path(path).stat().st_size == 0:
        raise InputError("the file is empty: give an array")
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
        # Reading each array here finds one that holds objects.
        return held if isinstance(held, np.ndarray) else {name: held[name] for name in held.files}
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise InputError(f"the file cannot be read ({error}): save arrays of numbers") from None


def _numbers(key: str, name: Any, held: dict[str, np.ndarray]) -> np.ndarray:
    if not isinstance(name, str):
        raise InputError(f"{key} = {quoted(name)}: give the name of an array")
    if name not in held:
        raise InputError(f"{key} = {quoted(name)} is no array: {suggestion(name, held, 'arrays')}")
    array = held[name]
    if array.dtype.kind not in "fiub":
        raise InputError(f"{key}: the array {name} holds {array.dtype}: give real numbers")
    return array if array.dtype.kind == "f" else array.astype(float)


def _fitting(
    key: str, name: Any, held: dict[str, np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Return an array of the shape of y, or one row for all data sets."""
    array = _numbers(key, name, held)
    if array.shape not in (shape, shape[1:]):
        raise InputError(
            f"{key} has shape {array.shape} and y {shape}: give {shape} or {shape[1:]}"
        )
    return array


def _x(value: Any, held: dict[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    names = [value] if isinstance(value, str) else value
    if not names or not isinstance(names[0], str):
        return shared_x(value, shape[1])
    axes = [_fitting("x", name, held, shape) for name in names]
    if any(axis.ndim == 2 for axis in axes):
        axes = [np.broadcast_to(axis, shape) for axis in axes]
    return np.stack(axes)


def _ids(names: list[str], held: dict[str, np.ndarray], count: int) -> pa.Table:
    columns = {}
    for name in names:
        if name not in held:
            remedy = suggestion(name, held, "arrays")
            raise InputError(f"dataset = {quoted(name)} is no array: {remedy}")
        if held[name].shape != (count,):
            raise InputError(f"dataset has shape {held[name].shape}: give ({count},)")
        columns[name] = pa.array(held[name])
    return pa.table(columns)
