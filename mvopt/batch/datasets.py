"""Many data sets of different lengths, held in flat arrays.

A point with a missing value in x, y or sigma is masked: it is left out in all three. A NaN that
is written as such stays in, and its data set ends with the status NONFINITE.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

# What a point can have besides x and y, under the names of `[data]`.
EXTRAS = ("sigma", "sigma_x", "trials")


@dataclass(frozen=True)
class DataSets:
    """All data sets: number i has the points `offsets[i]:offsets[i + 1]` of the flat arrays.

    `ids` is a table with a row per data set. `x` has shape (k, P) for k independent variables
    and P points, or (k, m) where `shared_x` is true and all data sets have the same m abscissas.
    `y`, each of the `extras` and `mask` (or None: all points count) have shape (P,), each of the
    `starts`, of the parameters of these names, (N,).
    """

    ids: pa.Table
    offsets: np.ndarray
    x: np.ndarray
    y: np.ndarray
    extras: Mapping[str, np.ndarray]
    mask: np.ndarray | None
    shared_x: bool
    starts: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def part(self, block: range) -> "DataSets":
        """Return the data sets of these numbers alone."""
        offsets = self.offsets[block.start : block.stop + 1]
        points = slice(offsets[0], offsets[-1])
        return DataSets(
            ids=self.ids.slice(block.start, len(block)),
            offsets=offsets - offsets[0],
            x=self.x if self.shared_x else self.x[:, points],
            y=self.y[points],
            extras={key: values[points] for key, values in self.extras.items()},
            mask=None if self.mask is None else self.mask[points],
            shared_x=self.shared_x,
            starts={name: values[block.start : block.stop] for name, values in self.starts.items()},
        )

    @property
    def num_x(self) -> int:
        """How many independent variables there are."""
        return len(self.x)


def of_rows(
    ids: pa.Table,
    x: np.ndarray,
    y: np.ndarray,
    extras: Mapping[str, np.ndarray],
    mask: np.ndarray | None,
) -> DataSets:
    """Hold a row (m points) per data set; x is (k, m), shared by all, or (k, N, m)."""
    rows, points = y.shape
    return DataSets(
        ids=ids,
        offsets=np.arange(rows + 1) * points,
        x=x if x.ndim == 2 else x.reshape(len(x), -1),
        y=y.reshape(-1),
        extras={key: values.reshape(-1) for key, values in extras.items()},
        mask=None if mask is None or mask.all() else mask.reshape(-1),
        shared_x=x.ndim == 2,
    )


def of_lists(
    ids: pa.Table,
    offsets: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    extras: Mapping[str, np.ndarray],
    mask: np.ndarray,
    *,
    shared_x: bool,
) -> DataSets:
    """Hold lists of any length, one after the other."""
    return DataSets(
        ids=ids,
        offsets=offsets,
        x=x,
        y=y,
        extras=extras,
        mask=None if mask.all() else mask,
        shared_x=shared_x,
    )


def of_groups(
    ids: pa.Table,
    number: np.ndarray,
    x: list[np.ndarray],
    y: np.ndarray,
    extras: Mapping[str, np.ndarray],
    mask: np.ndarray | None,
    starts: Mapping[str, np.ndarray],
) -> DataSets:
    """Hold rows, one a point, of which `number` says the data set; each keeps its rows' order.

    The first row of a data set has its `starts`.
    """
    if np.any(number[1:] < number[:-1]):
        order = np.argsort(number, kind="stable")
        x, y = [values[order] for values in x], y[order]
        extras = {key: values[order] for key, values in extras.items()}
        mask = None if mask is None else mask[order]
        starts = {name: values[order] for name, values in starts.items()}
    offsets = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=len(ids)))])
    return DataSets(
        ids=ids,
        offsets=offsets,
        x=np.stack(x),
        y=y,
        extras=extras,
        mask=mask,
        shared_x=False,
        starts={name: values[offsets[:-1]] for name, values in starts.items()},
    )


def constant(value: float, length: int) -> np.ndarray:
    """Return one value for all points without holding it for each."""
    return np.broadcast_to(np.float64(value), length)
