"""Columns of CSV and Parquet files: one file, a folder or a glob, read whole or in chunks.

An empty cell (or NA, N/A, null) is a missing value. The text "nan" is a value that is not a
number, and stays one: a missing value is left out of a fit, a NaN is reported by it.
"""

import glob
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet

from mvopt._errors import InputError, listed, located, quoted, suggestion
from mvopt.batch.config import DataTable

TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_MISSING = ["", "NA", "N/A", "#N/A", "null", "NULL"]
# A table whose columns take less memory is read at once, and its rows may come in any order.
_SMALL_BYTES = 2**28
_CSV_BLOCK_BYTES = 2**24
# So many bytes of numbers a byte of the file may become.
_INFLATION = {".csv": 2, ".csv.gz": 16}


@dataclass(frozen=True)
class Column:
    """Numbers of one column; `valid` is None where no value is missing, else bool."""

    values: np.ndarray
    valid: np.ndarray | None


@dataclass(frozen=True)
class Columns:
    """Columns as NumPy arrays."""

    table: pa.Table

    def number(self, name: str) -> Column:
        """Return a column of numbers as float64."""
        column = self.table[name]
        valid = None if column.null_count == 0 else column.is_valid().to_numpy()
        return Column(column.to_numpy(), valid)

    def starts(self, data: DataTable) -> dict[str, np.ndarray]:
        """Return the columns of the parameters' starts; NaN where a value is missing."""
        return {name: self.number(column).values for name, column in data.starts.items()}

    def truth(self, name: str) -> np.ndarray:
        """Return a mask column: true where it is true or not 0; a missing value is false."""
        column = self.table[name]
        check_truth(name, column.type)
        return column.cast(pa.float64()).fill_null(0).to_numpy() != 0


def check_truth(name: str, kind: pa.DataType) -> None:
    """Raise `InputError` unless values of this type can say whether a point counts."""
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InputError(f"the column {name} holds {kind}: a mask is true/false or 0/1")


def row_numbers(count: int, first: int = 0) -> pa.Table:
    """Return ids for data sets that have none: their number, counted from 0."""
    return pa.table({"dataset": pa.array(np.arange(first, first + count))})


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


def schema(file: str) -> pa.Schema:
    """Return the names of a file's columns, and their types as far as its beginning shows them."""
    _check_content(file)
    with _reading(file):
        if file.endswith(".parquet"):
            found = parquet.read_schema(file)
        else:
            with pacsv.open_csv(file) as reader:
                found = reader.schema
        if len(found.names) == 0:  # names that are not text in UTF-8 fail here
            raise InputError(f"{file} has no columns: give a table with a header")
        return found


def is_list(known: pa.Schema, name: object) -> bool:
    """Whether the column of that name holds a list in every row."""
    if not isinstance(name, str) or known.names.count(name) != 1:
        return False
    kind = known.field(name).type
    return any(
        test(kind)
        for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )


class Reader:
    """The columns that are wanted of all files.

    `whole` is their table where it is small, and otherwise None: there are only `chunks` then.
    """

    def __init__(
        self, files: list[str], numbers: list[str], others: list[str], ids: list[str]
    ) -> None:
        """Read a small table; `numbers` must hold numbers, `others` anything, and so may `ids`.

        In a CSV file ids are text, whatever they look like: as numbers 1 and 01 would be one, and
        so would be two of twenty digits.
        """
        self.files = files
        self.numbers = list(dict.fromkeys(numbers))
        self.ids = [name for name in ids if name not in self.numbers]
        self.wanted = list(dict.fromkeys([*numbers, *others, *ids]))
        small = sum(self._bytes(file) for file in files) <= _SMALL_BYTES
        self.whole = self._whole() if small else None

    @property
    def count(self) -> int | None:
        """The number of rows, where it is known before all are read."""
        if self.whole is not None:
            return len(self.whole)
        if not all(file.endswith(".parquet") for file in self.files):
            return None
        return sum(_num_rows(file) for file in self.files)

    def chunks(self, rows: int) -> Iterator[pa.Table]:
        """Yield tables of exactly `rows` rows, the last of fewer; together they are all rows."""
        if self.whole is not None:
            for start in range(0, len(self.whole), rows):
                yield self.whole.slice(start, rows)
            return
        held: list[pa.Table] = []
        count = 0
        for part in self._stream(rows):
            held.append(part)
            count += len(part)
            while count >= rows:
                table = _joined(held)
                yield table.slice(0, rows)
                count -= rows
                # Even a slice without rows keeps the memory of what it was cut from.
                held = [table.slice(rows)] if count else []
        if count:
            yield _joined(held)

    def _whole(self) -> pa.Table:
        parts = []
        for file in self.files:
            with _of_many(file, self.files):
                parts.append(_read(file, self))
        return _joined(parts)

    def _stream(self, rows: int) -> Iterator[pa.Table]:
        for file in self.files:
            with _of_many(file, self.files):
                _check_names(file, self.wanted)
                with _reading(file):
                    for batch in _batches(file, self, rows):
                        yield _with_numbers(pa.Table.from_batches([batch]), self.numbers)

    def _bytes(self, file: str) -> int:
        if file.endswith(".parquet"):
            return max(8 * len(self.wanted) * _num_rows(file), _stored_bytes(file, self.wanted))
        suffix = ".csv.gz" if file.endswith(".csv.gz") else ".csv"
        return _INFLATION[suffix] * Path(file).stat().st_size


def _stored_bytes(file: str, wanted: list[str]) -> int:
    """Return the bytes of the columns without compression: of lists and texts, their contents."""
    with _reading(file):
        notes = parquet.read_metadata(file)
    chunks = [
        notes.row_group(group).column(column)
        for group in range(notes.num_row_groups)
        for column in range(notes.num_columns)
    ]
    held = [chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in wanted]
    return sum(chunk.total_uncompressed_size for chunk in held)


def _num_rows(file: str) -> int:
    with _reading(file):
        return parquet.read_metadata(file).num_rows


def _joined(parts: list[pa.Table]) -> pa.Table:
    try:
        table = pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"the files do not fit together: {error}") from None
    if table.num_rows == 0:
        raise InputError("there are no rows: add data below the header")
    return table


@contextmanager
def _of_many(file: str, files: list[str]) -> Iterator[None]:
    if len(files) == 1:
        yield
        return
    with located(file):
        yield


@contextmanager
def _reading(file: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}; check its format") from None


def _check_content(file: str) -> None:
    if not file.endswith(TABLE_SUFFIXES):
        raise InputError(
            f"{file} is of an unknown kind: give a file that ends in "
            f"{listed(TABLE_SUFFIXES)}, .npy or .npz"
        )
    with _reading(file):
        empty = Path(file).stat().st_size == 0
    if empty:
        raise InputError(f"{file} is empty: give a file with a header and rows")


def _check_names(file: str, wanted: list[str]) -> None:
    known = schema(file).names
    for name in wanted:
        if name not in known:
            raise InputError(
                f"there is no column {quoted(name)}: {suggestion(name, known, 'columns')}"
            )
        if Counter(known)[name] > 1:
            raise InputError(f"there are two columns {quoted(name)}: rename one")


def _read(file: str, reader: Reader) -> pa.Table:
    _check_names(file, reader.wanted)
    if not file.endswith(".parquet"):
        return _read_csv(file, reader)
    with _reading(file):
        table = parquet.ParquetFile(file).read(columns=reader.wanted)
    return _with_numbers(table, reader.numbers)


def _read_csv(file: str, reader: Reader) -> pa.Table:
    try:
        return pacsv.read_csv(file, convert_options=_conversion(reader))
    except pa.ArrowInvalid:
        pass
    # Slower, but finds the first bad value.
    as_text = _conversion(reader, dict.fromkeys(reader.wanted, pa.string()))
    try:
        return _with_numbers(pacsv.read_csv(file, convert_options=as_text), reader.numbers)
    except pa.ArrowInvalid as error:
        raise InputError(f"it cannot be read as CSV: {error}; correct that row") from None


def _batches(file: str, reader: Reader, rows: int) -> Iterator[pa.RecordBatch]:
    if file.endswith(".parquet"):
        # Buffered in advance, what has been read would be kept to the end.
        with parquet.ParquetFile(file, pre_buffer=False) as opened:
            yield from opened.iter_batches(rows, columns=reader.wanted)
        return
    blocks = pacsv.ReadOptions(block_size=_CSV_BLOCK_BYTES)
    conversion = _conversion(reader)
    with pacsv.open_csv(file, read_options=blocks, convert_options=conversion) as opened:
        yield from opened


def _conversion(
    reader: Reader, types: dict[str, pa.DataType] | None = None
) -> pacsv.ConvertOptions:
    if types is None:
        types = dict.fromkeys(reader.numbers, pa.float64()) | dict.fromkeys(reader.ids, pa.string())
    return pacsv.ConvertOptions(
        column_types=types,
        include_columns=reader.wanted,
        null_values=_MISSING,
        strings_can_be_null=True,
    )


def _with_numbers(table: pa.Table, numbers: list[str]) -> pa.Table:
    for name in numbers:
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, _as_numbers(table[name], name))
    return table


def _as_numbers(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if column.type == pa.float64():
        return column
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
