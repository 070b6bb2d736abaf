"""Tables with a row per data set: a column per point."""

import fnmatch
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, listed, quoted, suggestion
from mvopt.batch.blocks import rows_a_block
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, of_rows
from mvopt.batch.sources import tables
from mvopt.batch.sources.constants import constants
from mvopt.batch.sources.shared_x import shared_x
from mvopt.batch.sources.source import Loaded, Wanted, every, numbered


class WideSource:
    """Data sets whose points are columns."""

    def __init__(self, data: DataTable, files: list[str], schema: pa.Schema) -> None:
        """Check what `[data]` names against the columns of the first file."""
        known = schema.names
        self.files, self._data = files, data
        keys = ("x", "y", *EXTRAS, "mask")
        self._names = names = {key: _names(key, getattr(data, key), known) for key in keys}
        self._points = points = len(names["y"])
        if points == 0:
            raise InputError(f"y is missing: give a list of columns or a glob of {listed(known)}")
        for key, found in names.items():
            if found and len(found) != points:
                raise InputError(f"{key} has {len(found)} columns and y {points}: give as many")
        tables.check_columns("dataset", data.datasets, known)
        tables.check_columns("init", data.starts.values(), known)
        self._x = None if names["x"] else shared_x(data.x, points)
        self.num_x = 1 if self._x is None else len(self._x)
        self.id_names = data.datasets or ["dataset"]
        numbers = [name for key in ("x", "y", *EXTRAS) for name in names[key]]
        numbers += data.starts.values()
        self._reader = tables.Reader(files, numbers, names["mask"], data.datasets)
        self.count = self._reader.count
        for name in names["mask"]:
            tables.check_truth(name, schema.field(name).type)

    def tasks(self, wanted: Wanted = every) -> Iterator[Loaded]:
        """Yield the wanted blocks."""
        return numbered(self._chunks(), wanted)

    def _chunks(self) -> Iterator[DataSets]:
        first = 0
        for table in self._reader.chunks(rows_a_block(self._points, self._x is not None)):
            yield self._rows(tables.Columns(table), first)
            first += len(table)

    def _rows(self, columns: tables.Columns, first: int) -> DataSets:
        names, data = self._names, self._data
        count = len(columns.table)
        mask = np.ones((count, self._points), bool)
        for i, name in enumerate(names["mask"]):
            mask[:, i] = columns.truth(name)
        y = _matrix(columns, names["y"], mask)
        x = _matrix(columns, names["x"], mask)[None] if self._x is None else self._x
        extras = {key: _matrix(columns, names[key], mask) for key in EXTRAS if names[key]}
        extras |= constants(data, y.size)
        numbers = tables.row_numbers(count, first)
        ids = columns.table.select(data.datasets) if data.datasets else numbers
        return replace(of_rows(ids, x, y, extras, mask), starts=columns.starts(data))


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
