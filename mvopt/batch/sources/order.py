"""Cutting a stream of rows between data sets, and noticing one whose rows are not together."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from mvopt._errors import InputError, listed, quoted


def complete(chunks: Iterable[pa.Table], ids: list[str]) -> Iterator[pa.Table]:
    """Yield tables that hold whole data sets: what a chunk leaves open goes on in the next."""
    held: list[pa.Table] = []
    for chunk in chunks:
        # The last row held is the beginning of the data set that is open.
        table = pa.concat_tables([*held, chunk], promote_options="permissive")
        cut = _last_change(table, ids)
        if cut:
            yield table.slice(0, cut)
        held = [table.slice(cut)]
    if held:
        yield held[0]


def _last_change(table: pa.Table, ids: list[str]) -> int:
    """Return the row where the last data set of the table begins."""
    last = 0
    for name in ids:
        codes = table[name].combine_chunks().dictionary_encode().indices
        changes = np.flatnonzero(np.diff(codes.fill_null(-1).to_numpy()))
        last = max(last, int(changes[-1]) + 1 if len(changes) else 0)
    return last


class Ended:
    """The ids of the data sets whose rows have ended.

    Ids that rise are kept as a range, which takes no memory; others by their hash.
    """

    def __init__(self) -> None:
        self._ranges: list[tuple[Any, Any]] = []
        self._hashes: list[np.ndarray] = []

    def check(self, ids: pa.Table) -> None:
        """Raise `InputError` where one of these ids has been here before, and keep them."""
        values = ids.column(0).to_numpy(zero_copy_only=False) if ids.num_columns == 1 else None
        hashes = None
        for low, high in self._ranges if values is not None else ():
            _refuse((values >= low) & (values <= high), ids)
        if self._hashes:
            hashes = _hashes(ids)
            for earlier in self._hashes:
                _refuse(np.isin(hashes, earlier), ids)
        if values is None or not (values[1:] > values[:-1]).all():
            self._hashes.append(_hashes(ids) if hashes is None else hashes)
            return
        low, high = values[0], values[-1]
        if self._ranges and self._ranges[-1][1] < low:
            low = self._ranges.pop()[0]
        self._ranges.append((low, high))


def _hashes(ids: pa.Table) -> np.ndarray:
    return np.array([hash(tuple(row.values())) for row in ids.to_pylist()], np.int64)


def _refuse(again: np.ndarray, ids: pa.Table) -> None:
    if again.any():
        (row,) = ids.slice(int(np.argmax(again)), 1).to_pylist()
        raise InputError(
            f"the rows of data set {quoted(listed(row.values()))} are not together: sort a table "
            "of this size by its column dataset"
        )
