"""Tables with a row per data set whose cells are lists: Parquet's list columns."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from mvopt._errors import InputError, quoted
from mvopt.batch.blocks import rows_a_block
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, of_lists
from mvopt.batch.sources import tables
from mvopt.batch.sources.constants import constants
from mvopt.batch.sources.shared_x import shared_x
from mvopt.batch.sources.source import Loaded, Wanted, every, numbered

# Of lists whose lengths only their rows tell.
_TYPICAL_POINTS = 256


class ListSource:
    """Data sets whose points are the entries of lists."""

    def __init__(self, data: DataTable, files: list[str], schema: pa.Schema) -> None:
        """Check what `[data]` names against the columns of the first file."""
        self.files, self._data = files, data
        self._lists = {key: self._columns(key, schema) for key in ("x", "y", *EXTRAS, "mask")}
        if len(self._lists["y"]) != 1:
            raise InputError("y is missing: give one column of lists")
        tables.check_columns("dataset", data.datasets, schema.names)
        tables.check_columns("init", data.starts.values(), schema.names)
        kind = schema.field(self._lists["y"][0]).type
        self._points = kind.list_size if pa.types.is_fixed_size_list(kind) else None
        # Lists of one length can share x; otherwise the points of each are counted from 0.
        self._x: np.ndarray | None = None
        if not self._lists["x"]:
            points = self._points or (len(np.atleast_2d(data.x)[0]) if data.x else None)
            self._x = None if points is None else shared_x(data.x, points)
        self.num_x = len(self._x) if self._x is not None else len(self._lists["x"]) or 1
        self.id_names = data.datasets or ["dataset"]
        columns = [name for names in self._lists.values() for name in names]
        starts = list(data.starts.values())
        self._reader = tables.Reader(files, starts, columns, data.datasets)
        self.count = self._reader.count

    def tasks(self, wanted: Wanted = every) -> Iterator[Loaded]:
        """Yield the wanted blocks."""
        return numbered(self._chunks(), wanted)

    def _columns(self, key: str, schema: pa.Schema) -> list[str]:
        value = getattr(self._data, key)
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) for name in names):
            return []
        tables.check_columns(key, names, schema.names)
        for name in names:
            if not tables.is_list(schema, name):
                raise InputError(
                    f"{key} = {quoted(name)} holds {schema.field(name).type}: "
                    "give a column of lists, or write layout = 'long'"
                )
        return names

    def _chunks(self) -> Iterator[DataSets]:
        first = 0
        rows = rows_a_block(self._points or _TYPICAL_POINTS, self._x is not None)
        for table in self._reader.chunks(rows):
            yield self._rows(table, first)
            first += len(table)

    def _rows(self, table: pa.Table, first: int) -> DataSets:
        lengths = _lengths(table, self._lists["y"][0])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        valid = np.ones(offsets[-1], bool)

        def values(key: str) -> list[np.ndarray]:
            return [_values(table, name, lengths, valid) for name in self._lists[key]]

        (y,), x = values("y"), values("x")
        extras = {key: values(key)[0] for key in EXTRAS if self._lists[key]}
        extras |= constants(self._data, len(y))
        for mask in values("mask"):
            valid &= mask != 0
        data = self._data
        ids = (
            table.select(data.datasets) if data.datasets else tables.row_numbers(len(table), first)
        )
        abscissas = self._abscissas(x, lengths)
        shared_x = abscissas is self._x
        lists = of_lists(ids, offsets, abscissas, y, extras, valid, shared_x=shared_x)
        return replace(lists, starts=tables.Columns(table).starts(data))

    def _abscissas(self, x: list[np.ndarray], lengths: np.ndarray) -> np.ndarray:
        if x:
            return np.stack(x)
        if self._x is None:
            starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
            return (np.arange(len(starts)) - starts)[None].astype(float)
        if (lengths != self._x.shape[1]).any():
            raise InputError(
                f"x has {self._x.shape[1]} numbers, but there are lists of {lengths.min()} to "
                f"{lengths.max()} points: give x as a column of lists"
            )
        return self._x


def _lengths(table: pa.Table, name: str) -> np.ndarray:
    """Return the number of entries of each list; a missing list has none."""
    column = table[name]
    if pa.types.is_fixed_size_list(column.type):
        if column.null_count:
            raise InputError(f"the column {name} has an empty row: leave that row out")
        return np.full(len(table), column.type.list_size)
    return pa.compute.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)


def _values(table: pa.Table, name: str, lengths: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the entries of all lists as float64, and mark those that are missing."""
    if not np.array_equal(_lengths(table, name), lengths):
        raise InputError(f"the column {name} has lists of another length than y: give as many")
    flat: Any = pa.chunked_array([chunk.flatten() for chunk in table[name].chunks])
    try:
        flat = flat.cast(pa.float64(), safe=False)
    except pa.ArrowException:
        raise InputError(f"the column {name} holds lists of {flat.type}: give numbers") from None
    if flat.null_count:
        valid &= flat.is_valid().to_numpy()
    return flat.to_numpy()
