"""Maps over the data sets of an image, whose ids are two or three integer columns.

Large images are thinned: every so many rows and columns, and some of the slices.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from mvopt.batch.report.ranges import shown_range, spans_decades

# All values of a page together, a byte each: 1.4 MB of its text.
_CELLS = 2**20
_CELLS_A_SLICE = 2**16  # of a volume, whose slices share the cells
# Ids of which fewer combinations occur are no image. A brain fills a quarter of its box.
_LEAST_FILLED = 0.05
NOTHING = 255  # the code of a cell without a value
STEPS = 254


@dataclass(frozen=True)
class Axis:
    """One axis of an image: the ids `first`, `first + step`, … are shown, `count` of them."""

    name: str
    first: int
    step: int
    count: int

    def positions(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of each id on the axis, and whether it is one that is shown."""
        place, rest = np.divmod(ids - self.first, self.step)
        return place, (rest == 0) & (place >= 0) & (place < self.count)


@dataclass(frozen=True)
class Grid:
    """The axes of an image; `slices` has one entry where the image has two axes."""

    slices: Axis
    vertical: Axis
    horizontal: Axis

    @property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """All three, from the slowest."""
        return self.slices, self.vertical, self.horizontal

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many ids of each are shown."""
        return self.slices.count, self.vertical.count, self.horizontal.count


class Coded(NamedTuple):
    """A map in bytes, from 0 at `low` to 254 at `high`, with `log` of the logarithms to base 10."""

    codes: np.ndarray
    low: float
    high: float
    log: bool


class Images:
    """The maps of a run: one for each figure, and one of the statuses."""

    def __init__(self, grid: Grid, num_figures: int) -> None:
        """Begin with maps that hold nothing."""
        self.grid = grid
        self.values = np.full((num_figures, *grid.shape), np.nan)
        self.status = np.full(grid.shape, NOTHING, np.uint8)

    def add(self, part: pa.Table, values: np.ndarray, status: np.ndarray) -> None:
        """Fill in the rows of a part: values (rows, figures), NaN where there is none to show."""
        places, shown = [], np.ones(len(part), bool)
        for axis in self.grid.axes:
            ids = part[axis.name].to_numpy() if axis.name else np.zeros(len(part), np.int64)
            place, inside = axis.positions(ids.astype(np.int64))
            places.append(place)
            shown &= inside
        where = np.ravel_multi_index([place[shown] for place in places], self.grid.shape)
        self.values.reshape(len(values.T), -1)[:, where] = values[shown].T
        self.status.reshape(-1)[where] = status[shown]

    def coded(self, index: int) -> Coded | None:
        """Return a map in bytes; None if all values are equal.

        A byte instead of a float keeps the page small, and the eye tells fewer colours apart.
        """
        values = self.values[index]
        known = values[np.isfinite(values)]
        if not known.size or known.min() == known.max():
            return None
        log = spans_decades(known)
        if log:
            values, known = np.log10(values), np.log10(known)
        low, high = shown_range(known)
        # Divided first: the width of the range may overflow.
        scaled = (values / 2 - low / 2) / (high / 2 - low / 2)
        steps = np.round(np.clip(np.where(np.isfinite(scaled), scaled, 0), 0, 1) * STEPS)
        codes = np.where(np.isfinite(values), steps, NOTHING).astype(np.uint8)
        return Coded(codes, low, high, log)


def open_images(
    notes: list[parquet.FileMetaData], ids: list[str], num_figures: int
) -> Images | None:
    """Return empty maps where the ids are those of an image, else None."""
    schema = notes[0].schema.to_arrow_schema()
    if len(ids) not in (2, 3) or not all(pa.types.is_integer(schema.field(n).type) for n in ids):
        return None
    ends = _ends(notes, len(ids))
    if ends is None:
        return None
    lengths = [high - low + 1 for low, high in ends]
    rows = sum(each.num_rows for each in notes)
    flat = sum(length < 2 for length in lengths)
    if flat > len(ids) - 2 or rows < _LEAST_FILLED * math.prod(lengths):
        return None
    named = [(name, low, n) for name, (low, _), n in zip(ids, ends, lengths, strict=True)]
    return Images(_grid(_ordered(named), num_figures + 1), num_figures)


def _ordered(axes: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Put the axes in the order slices, vertical, horizontal."""
    names = [name for name, *_ in axes]
    # The indices of an array whose axes are x, y and z; else an image has its rows first.
    if names in (["i", "j"], ["i", "j", "k"]):
        axes = axes[::-1]
    return axes if len(axes) == 3 else [("", 0, 1), *axes]


def _grid(axes: list[tuple[str, int, int]], num_maps: int) -> Grid:
    (name, first, depth), *plane = axes
    cells = _CELLS // num_maps
    most = cells if depth == 1 else min(cells, _CELLS_A_SLICE)
    step = 1
    while math.prod(-(-length // step) for _, _, length in plane) > most:
        step += 1
    vertical, horizontal = (Axis(name, low, step, -(-n // step)) for name, low, n in plane)
    wanted = int(np.clip(cells // (vertical.count * horizontal.count), 1, depth))
    apart = -(-depth // wanted)
    count = -(-depth // apart)
    # In the middle of the volume, so that a single slice is the middle one.
    offset = (depth - 1 - apart * (count - 1)) // 2
    return Grid(Axis(name, first + offset, apart, count), vertical, horizontal)


def _ends(notes: list[parquet.FileMetaData], num_ids: int) -> list[tuple[int, int]] | None:
    """Return the least and the greatest of each id, the first columns, as the files note them."""
    groups = [each.row_group(i) for each in notes for i in range(each.num_row_groups)]
    ends = []
    for column in range(num_ids):
        found = [group.column(column).statistics for group in groups]
        if not found or not all(each is not None and each.has_min_max for each in found):
            return None
        ends.append((min(each.min for each in found), max(each.max for each in found)))
    return ends
