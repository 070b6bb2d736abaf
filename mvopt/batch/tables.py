"""Columns of CSV and Parquet files: one file, a folder or a glob.

An empty cell (or NA, N/A, null) is a missing value. The text "nan" is a value that is not a
number, and stays one: a missing value is left out of a fit, a NaN is reported by it.
"""

import glob
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet

from mvopt._errors import InputError, listed, located, quoted, suggestion

TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_MISSING = ["", "NA", "N/A", "#N/A", "null", "NULL"]


@dataclass(frozen=True)
class Column:
    """Numbers of one column; `valid` is None where no value is missing, else bool."""

    values: np.ndarray
    valid: np.ndarray | None


class Columns:
    """The columns that are wanted, of all files together."""

    def __init__(self, files: list[str], numbers: Iterable[str], others: Iterable[str]) -> None:
        """Read columns that must hold numbers, and others of any type."""
        numbers, others = list(dict.fromkeys(numbers)), list(dict.fromkeys(others))
        tables = []
        for file in files:
            with located(file) if len(files) > 1 else nullcontext():
                tables.append(_read(file, numbers, others))
        try:
            self.table = pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowException as error:
            raise InputError(f"the files do not fit together: {error}") from None
        if self.table.num_rows == 0:
            raise InputError("there are no rows: add data below the header")

    def number(self, name: str) -> Column:
        """Return a column of numbers as float64."""
        column = self.table[name]
        valid = None if column.null_count == 0 else column.is_valid().to_numpy()
        return Column(column.to_numpy(), valid)

    def truth(self, name: str) -> np.ndarray:
        """Return a mask column: true where it is true or not 0; a missing value is false."""
        column = self.table[name]
        kind = column.type
        if not (
            pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
        ):
            raise InputError(f"the column {name} holds {kind}: a mask is true/false or 0/1")
        return column.cast(pa.float64()).fill_null(0).to_numpy() != 0


def row_numbers(count: int) -> pa.Table:
    """Return ids for data sets that have none: their number, counted from 0."""
    return pa.table({"dataset": pa.array(np.arange(count))})


def check_columns(key: str, wanted: Iterable[str], known: list[str]) -> None:
    """Raise `InputError` if a column that a key of `[data]` names is not known."""
    for name in wanted:
        if name not in known:
            remedy = suggestion(name, known, "columns")
            raise InputError(f"{key} = {quoted(name)} is no column: {remedy}")


def find(path: str) -> list[str]:
    """Return the files that a path stands for, in alphabetical order."""
    place = Path(path)
    if place.is_dir():
        found = [str(file) for file in place.iterdir() if file.name.endswith(TABLE_SUFFIXES)]
    else:
        found = [path] if place.exists() else glob.glob(path, recursive=True)
    if not found:
        raise InputError(f"{path} holds no files that end in {listed(TABLE_SUFFIXES)}: add some")
    return sorted(found)


def names(file: str) -> list[str]:
    """Return the names of a file's columns."""
    _check_content(file)
    try:
        if file.endswith(".parquet"):
            return list(parquet.read_schema(file).names)
        with pacsv.open_csv(file) as reader:
            return list(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read: {error}; check its format") from None


def _check_content(file: str) -> None:
    if not file.endswith(TABLE_SUFFIXES):
        raise InputError(
            f"{file} is of an unknown kind: give a file that ends in "
            f"{listed(TABLE_SUFFIXES)}, .npy or .npz"
        )
    if Path(file).stat().st_size == 0:
        raise InputError(f"{file} is empty: give a file with a header and rows")


def _read(file: str, numbers: list[str], others: list[str]) -> pa.Table:
    known = names(file)
    for name in [*numbers, *others]:
        if name not in known:
            raise InputError(
                f"there is no column {quoted(name)}: {suggestion(name, known, 'columns')}"
            )
        if Counter(known)[name] > 1:
            raise InputError(f"there are two columns {quoted(name)}: rename one")
    wanted = list(dict.fromkeys([*numbers, *others]))
    if file.endswith(".parquet"):
        return _with_numbers(parquet.ParquetFile(file).read(columns=wanted), numbers)
    return _read_csv(file, wanted, numbers)


def _read_csv(file: str, wanted: list[str], numbers: list[str]) -> pa.Table:
    try:
        return _csv(file, wanted, dict.fromkeys(numbers, pa.float64()))
    except pa.ArrowInvalid:
        pass
    # Slower, but finds the first bad value; ids that look like numbers at first may also end here.
    try:
        return _with_numbers(_csv(file, wanted, dict.fromkeys(wanted, pa.string())), numbers)
    except pa.ArrowInvalid as error:
        raise InputError(f"it cannot be read as CSV: {error}; correct that row") from None


def _csv(file: str, wanted: list[str], types: dict[str, pa.DataType]) -> pa.Table:
    options = pacsv.ConvertOptions(
        column_types=types,
        include_columns=wanted,
        null_values=_MISSING,
        strings_can_be_null=True,
    )
    return pacsv.read_csv(file, convert_options=options)


def _with_numbers(table: pa.Table, numbers: list[str]) -> pa.Table:
    for name in numbers:
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, _as_numbers(table[name], name))
    return table


def _as_numbers(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        # Not safe: a whole number beyond 2**53 is rounded, as it would be in a CSV.
        return column.cast(pa.float64(), safe=False)
    except pa.ArrowNotImplementedError:
        raise InputError(f"the column {name} holds {column.type}: give numbers") from None
    except pa.ArrowInvalid:
        row = _first_bad_row(column)
        raise InputError(
            f"the column {name} has the text {quoted(column[row].as_py())} in row {row + 1}: "
            "give a number, or leave it empty"
        ) from None


def _first_bad_row(column: pa.ChunkedArray) -> int:
    """Return the first row that is no number, by halving the rows that still cast."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            column.slice(low, middle - low).cast(pa.float64())
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low
