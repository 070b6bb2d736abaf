"""Cutting a stream of rows between data sets, and noticing one whose rows are not together."""

import itertools
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

    As long as they rise they are only kept, the last being enough to see that those of the next
    table are others; a search among them is made once they do not.
    """

    def __init__(self) -> None:
        self._rising: list[pa.Table] = []
        self._highest: Any = None
        self._others: set[Any] = set()

    def check(self, ids: pa.Table) -> None:
        """Raise `InputError` where one of these ids has been here before, and keep them."""
        keys = _keys(ids)
        before = [] if self._highest is None else [self._highest]
        if all(low < high for low, high in itertools.pairwise([*before, *keys])):
            self._rising.append(ids)
            self._highest = keys[-1]
            return
        for table in self._rising:
            self._others.update(_keys(table))
        self._rising.clear()
        again = next((row for row, key in enumerate(keys) if key in self._others), None)
        if again is not None:
            _refuse(ids.slice(again, 1))
        self._others.update(keys)
        self._highest = max([*before, *keys])


def _keys(ids: pa.Table) -> list[tuple]:
    return list(zip(*(column.to_pylist() for column in ids.columns), strict=True))


def _refuse(ids: pa.Table) -> None:
    (row,) = ids.to_pylist()
    raise InputError(
        f"the rows of data set {quoted(listed(row.values()))} are not together: sort a table "
        "of this size by its column dataset"
    )
