"""Tables with a row per point: columns or expressions over them, grouped into data sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, listed, located, quoted
from mvopt.batch.blocks import rows_a_block
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, constant, of_groups
from mvopt.batch.sources import tables
from mvopt.batch.sources.order import Ended, complete
from mvopt.batch.sources.source import Loaded, Wanted, every, numbered
from mvopt.regression.expression import Expression, parse


class LongSource:
    """Data sets whose points are rows.

    A table that is small is read at once, its rows in any order. Of a larger one the rows of a data
    set have to follow each other.
    """

    def __init__(self, data: DataTable, files: list[str], schema: pa.Schema) -> None:
        """Check what `[data]` names against the columns of the first file."""
        known = schema.names
        self.files, self._data = files, data
        x = [_field("x", text, known) for text in _texts("x", data.x, known)]
        self.num_x = len(x)
        given = {key: getattr(data, key) for key in EXTRAS if getattr(data, key) is not None}
        self._constants = {key: value for key, value in given.items() if isinstance(value, float)}
        self._columns = [key for key in given if key not in self._constants]
        named = {"y": data.y, **{key: given[key] for key in self._columns}}
        rest = [_field(key, _text(key, text, known), known) for key, text in named.items()]
        self._fields = [*x, *rest]
        self._mask = [] if data.mask is None else [_text("mask", data.mask, known)]
        tables.check_columns("dataset", data.datasets, known)
        tables.check_columns("mask", self._mask, known)
        tables.check_columns("init", data.starts.values(), known)
        self.id_names = data.datasets or ["dataset"]
        numbers = [name for field in self._fields for name in field.names]
        numbers += data.starts.values()
        self._reader = tables.Reader(files, numbers, self._mask, data.datasets)
        whole = self._reader.whole
        self._whole = None if whole is None else self._grouped(whole)
        self.count = None if self._whole is None else len(self._whole)

    def tasks(self, wanted: Wanted = every) -> Iterator[Loaded]:
        """Yield the wanted blocks."""
        return numbered(self._chunks(), wanted)

    def _chunks(self) -> Iterator[DataSets]:
        if self._whole is not None:
            yield self._whole
            return
        # As many rows as a block has points.
        rows, ended = self._reader.chunks(rows_a_block(1, shared_x=True)), Ended()
        for table in complete(rows, self._data.datasets):
            data = self._grouped(table)
            ended.check(data.ids)
            yield data

    def _grouped(self, table: pa.Table) -> DataSets:
        columns, num_x = tables.Columns(table), self.num_x
        number, ids = _group(table, self._data.datasets)
        parts = [field.over(columns) for field in self._fields]
        valid = [part.valid for part in parts if part.valid is not None]
        valid += [columns.truth(name) for name in self._mask]
        y, *values = (part.values for part in parts[num_x:])
        constants = self._constants.items()
        extras = {key: constant(value, len(number)) for key, value in constants}
        return of_groups(
            ids=ids,
            number=number,
            x=[part.values for part in parts[:num_x]],
            y=y,
            extras={**extras, **dict(zip(self._columns, values, strict=True))},
            mask=np.logical_and.reduce(valid) if valid else None,
            starts=columns.starts(self._data),
        )


@dataclass(frozen=True)
class _Field:
    """What a key of `[data]` names: a column, or an expression over columns."""

    names: tuple[str, ...]
    expression: Expression | None = None

    def over(self, columns: tables.Columns) -> tables.Column:
        parts = {name: columns.number(name) for name in self.names}
        if self.expression is None:
            return parts[self.names[0]]
        values = self.expression.over_columns({n: part.values for n, part in parts.items()})
        valid = [part.valid for part in parts.values() if part.valid is not None]
        return tables.Column(
            values=np.broadcast_to(values, len(columns.table)),
            valid=np.logical_and.reduce(valid) if valid else None,
        )


def _field(key: str, text: str, known: list[str]) -> _Field:
    """Return the field that a text stands for: the column of that name, or an expression."""
    if text in known or text.isidentifier():
        tables.check_columns(key, [text], known)
        return _Field((text,))
    with located(f"{key} = {quoted(text)} is no column (there are {listed(known)})"):
        expression = parse(text, known=known)
        tables.check_columns(key, expression.names, known)
    return _Field(expression.names, expression)


def _group(table: pa.Table, names: list[str]) -> tuple[np.ndarray, pa.Table]:
    """Number the data sets in the order of their first row: (number of each row, ids of each)."""
    number = np.zeros(len(table), np.int64)
    if not names:
        return number, tables.row_numbers(1)
    for name in names:
        column = table[name]
        if column.null_count:
            row = int(np.argmin(column.is_valid().to_numpy()))
            raise InputError(f"the column {name} is empty in row {row + 1}: give every row its id")
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
            table = table.set_column(table.schema.get_field_index(name), name, column)
        codes = column.combine_chunks().dictionary_encode()
        number = number * len(codes.dictionary) + codes.indices.to_numpy()
        # Numbered anew each time: a product of many such numbers would overflow.
        number = pa.array(number).dictionary_encode().indices.to_numpy().astype(np.int64)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(number), prepend=-1))
    return number, table.select(names).take(first)


def _text(key: str, value: Any, known: list[str]) -> str:
    (text, *more) = _texts(key, value, known)
    if more:
        raise InputError(f"{key} is a list: in the layout 'long' give one column")
    return text


def _texts(key: str, value: Any, known: list[str]) -> list[str]:
    if value is None:
        raise InputError(f"{key} is missing: give one of {listed(known)}")
    texts = [value] if isinstance(value, str) else value
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{key} = {quoted(value)}: in the layout 'long' give columns by name")
    return texts
