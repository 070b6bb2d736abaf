"""Tables with a row per data set: a column per point."""

import fnmatch
from typing import Any

import numpy as np

from mvopt._errors import InputError, listed, quoted, suggestion
from mvopt.batch import tables
from mvopt.batch.arrays import shared_x
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, constant, of_rows


def read(data: DataTable, files: list[str], known: list[str]) -> DataSets:
    """Read the files' rows; `known` are their columns."""
    keys = ("x", "y", *EXTRAS, "mask")
    names = {key: _names(key, getattr(data, key), known) for key in keys}
    points = len(names["y"])
    if points == 0:
        raise InputError(f"y is missing: give a list of columns or a glob of {listed(known)}")
    for key, found in names.items():
        if found and len(found) != points:
            raise InputError(f"{key} has {len(found)} columns and y {points}: give as many")
    tables.check_columns("dataset", data.datasets, known)

    numbers = [name for key in ("x", "y", *EXTRAS) for name in names[key]]
    columns = tables.Columns(files, numbers, [*data.datasets, *names["mask"]])
    rows = len(columns.table)
    mask = np.ones((rows, points), bool)
    for i, name in enumerate(names["mask"]):
        mask[:, i] = columns.truth(name)
    y = _matrix(columns, names["y"], mask)
    x = _matrix(columns, names["x"], mask)[None] if names["x"] else shared_x(data.x, points)
    extras = {key: _matrix(columns, names[key], mask) for key in EXTRAS if names[key]}
    for key in EXTRAS:
        if isinstance(getattr(data, key), float):
            extras[key] = constant(getattr(data, key), y.size)
    ids = columns.table.select(data.datasets) if data.datasets else tables.row_numbers(rows)
    return of_rows(ids, x, y, extras, mask)


def _matrix(columns: tables.Columns, names: list[str], mask: np.ndarray) -> np.ndarray:
    """Return the columns side by side, (N, m), and mask the points that are missing."""
    matrix = np.empty(mask.shape)
    for i, name in enumerate(names):
        column = columns.number(name)
        matrix[:, i] = column.values
        if column.valid is not None:
            mask[:, i] &= column.valid
    return matrix


def _names(key: str, value: Any, known: list[str]) -> list[str]:
    """Return the columns that a glob or a list stands for; none for numbers and None."""
    if isinstance(value, str):
        found = fnmatch.filter(known, value)
        if not found:
            remedy = suggestion(value, known, "columns")
            raise InputError(f"{key} = {quoted(value)} matches no column: {remedy}")
        return found
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return []
    tables.check_columns(key, value, known)
    return value
