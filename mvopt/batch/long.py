"""Tables with a row per point: columns or expressions over them, grouped into data sets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, listed, located, quoted
from mvopt.batch import tables
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS, DataSets, constant, of_groups
from mvopt.regression.expression import Expression, parse


def read(data: DataTable, files: list[str], known: list[str]) -> DataSets:
    """Read and group the files' rows; `known` are their columns."""
    x = [_field("x", text, known) for text in _texts("x", data.x, known)]
    given = {key: getattr(data, key) for key in EXTRAS if getattr(data, key) is not None}
    named = {key: value for key, value in given.items() if not isinstance(value, float)}
    rest = {"y": data.y, **named}
    fields = [*x, *(_field(key, _text(key, text, known), known) for key, text in rest.items())]
    mask = [] if data.mask is None else [_text("mask", data.mask, known)]
    tables.check_columns("dataset", data.datasets, known)
    tables.check_columns("mask", mask, known)

    numbers = [name for field in fields for name in field.names]
    columns = tables.Columns(files, numbers, [*data.datasets, *mask])
    number, ids = _group(columns.table, data.datasets)
    parts = [field.over(columns) for field in fields]
    valid = [part.valid for part in parts if part.valid is not None]
    valid += [columns.truth(name) for name in mask]
    y, *values = (part.values for part in parts[len(x) :])
    extras = {key: constant(value, len(number)) for key, value in given.items() if key not in named}
    return of_groups(
        ids=ids,
        number=number,
        x=[part.values for part in parts[: len(x)]],
        y=y,
        extras={**extras, **dict(zip(named, values, strict=True))},
        mask=np.logical_and.reduce(valid) if valid else None,
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
        expression = parse(text)
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
        codes = column.combine_chunks().dictionary_encode()
        if len(names) == 1:  # already numbered in this order
            return codes.indices.to_numpy(), pa.table({name: codes.dictionary})
        number = number * len(codes.dictionary) + codes.indices.to_numpy()
    _, first, number = np.unique(number, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number], table.select(names).take(np.sort(first))


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
