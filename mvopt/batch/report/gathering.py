"""What the page needs of a table of results, found in one pass over its parts.

Memory is bounded whatever the number of rows: the counts, the best and the worst fits are exact,
and distributions are those of a sample.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from mvopt._errors import InputError, quoted
from mvopt._types import Status
from mvopt.batch import folder
from mvopt.batch.report.images import Images, open_images
from mvopt.batch.reservoir import Reservoir

SAMPLE = 200_000
A_KIND = 12  # fits among the best, the typical and the worst
A_STATUS = 6  # fits of each status of failure

Place = tuple[int, int]  # the number of a part, and a row in it


@dataclass(frozen=True)
class Layout:
    """The columns of a table of results: those of the ids, and the names of the parameters."""

    ids: list[str]
    parameters: list[str]

    @property
    def figures(self) -> list[str]:
        """The columns of numbers that the page shows."""
        return [*self.parameters, "reduced_chi2", "p_value"]


@dataclass(frozen=True)
class Gathered:
    """Counts by status, a sample of the converged rows, fits to look at, and the images.

    `sample` (S, n + 2) has the columns `layout.figures`. `chosen` are the places of the rows of
    each kind: best, typical, worst, and the names of the statuses that are failures.
    """

    layout: Layout
    counts: dict[str, int]
    sample: np.ndarray
    chosen: dict[str, list[Place]]
    images: Images | None

    @property
    def total(self) -> int:
        """The number of data sets."""
        return sum(self.counts.values())

    @property
    def converged(self) -> int:
        """The number of those that converged."""
        return self.counts.get(Status.CONVERGED.name, 0)


def layout_of(schema: pa.Schema) -> Layout:
    """Return where the ids end and which parameters there are; raises `InputError`."""
    names = schema.names
    if not {"chi2", "reduced_chi2", "p_value", "status"} <= set(names):
        raise InputError("the parts are no table of fits: give the folder of `mvopt fit`")
    front = names[: names.index("chi2")]
    parameters = [name for name, after in pairwise(front) if after == f"{name}_stderr"]
    ids = front[: front.index(parameters[0])] if parameters else front
    return Layout(ids, parameters)


def gather(place: Path) -> Gathered:
    """Go through the parts of a run; raises `InputError` where there are none."""
    parts = folder.parts(place)
    if not parts:
        raise InputError(
            f"{quoted(str(place))} holds no finished part: run `mvopt fit`, and after --shard "
            "`mvopt merge`"
        )
    notes = [_notes(path) for path in parts.values()]
    layout = layout_of(notes[0].schema.to_arrow_schema())
    images = open_images(notes, layout.ids, len(layout.parameters) + 1)
    found = np.zeros(len(Status), np.int64)
    # The figures of a row, and its place.
    sample = Reservoir(SAMPLE, len(layout.figures) + 2)
    best, worst = _Lowest(A_KIND), _Lowest(A_KIND)
    failures: dict[str, list[Place]] = {}
    ids = layout.ids if images else []
    columns = [*ids, *layout.figures, "status"]
    for number, part in zip(parts, folder.read(place, columns), strict=True):
        status = _codes(part["status"])
        found += np.bincount(status, minlength=len(Status))
        values = np.stack([part[name].to_numpy() for name in layout.figures], axis=1)
        rows = np.arange(len(part))
        good = status == Status.CONVERGED
        place_of = np.column_stack([np.full(len(rows), number), rows])
        sample.add(np.hstack([values, place_of])[good])
        known = good & np.isfinite(values[:, -2])
        best.add(values[known, -2], number, rows[known])
        worst.add(-values[known, -2], number, rows[known])
        _add_failures(failures, status, number)
        if images:
            images.add(part, np.where(good[:, None], values[:, :-1], np.nan), status)
    chosen = {"best": best.places, "typical": _typical(sample.rows), "worst": worst.places}
    chosen.update({code.name: failures[code.name] for code in Status if code.name in failures})
    counts = {code.name: int(found[code]) for code in Status if found[code]}
    return Gathered(layout, counts, sample.rows[:, :-2], chosen, images)


def _typical(sample: np.ndarray) -> list[Place]:
    """Return the places of the rows whose reduced χ² is nearest to the median of the sample."""
    chi2 = sample[:, -4]
    known = np.flatnonzero(np.isfinite(chi2))
    if not known.size:
        return []
    distance = np.abs(chi2[known] - np.median(chi2[known]))
    nearest = known[np.argsort(distance, kind="stable")[:A_KIND]]
    return [(int(number), int(row)) for number, row in sample[nearest, -2:]]


class _Lowest:
    """The places of the lowest of all keys that are added."""

    def __init__(self, num: int) -> None:
        self._num = num
        self._held: list[tuple[float, Place]] = []

    def add(self, keys: np.ndarray, number: int, rows: np.ndarray) -> None:
        """Offer the rows of a part with their keys."""
        if len(self._held) == self._num:  # after the first parts few are left to sort
            low = keys < self._held[-1][0]
            keys, rows = keys[low], rows[low]
        first = np.argsort(keys, kind="stable")[: self._num]
        fresh = [(float(keys[i]), (number, int(rows[i]))) for i in first]
        self._held = sorted([*self._held, *fresh])[: self._num]

    @property
    def places(self) -> list[Place]:
        """The places, that of the lowest first."""
        return [place for _, place in self._held]


def _add_failures(failures: dict[str, list[Place]], status: np.ndarray, number: int) -> None:
    for code in np.unique(status):
        held = failures.setdefault(Status(int(code)).name, [])
        rows = np.flatnonzero(status == code)[: A_STATUS - len(held)]
        held += [(number, int(row)) for row in rows]
    failures.pop(Status.CONVERGED.name, None)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers of the statuses from their names."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = [Status[name] for name in encoded.dictionary.to_pylist()]
    return np.array(codes, np.int64)[encoded.indices.to_numpy()]


def _notes(path: Path) -> parquet.FileMetaData:
    try:
        return parquet.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}; remove it and --resume") from None
