"""Many data sets of different lengths, held in flat arrays.

A point with a missing value in x, y or sigma is masked: it is left out in all three. A NaN that
is written as such stays in, and its data set ends with the status NONFINITE.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

# What a point can have besides x and y, under the names of `[data]`.
EXTRAS = ("sigma", "sigma_x", "trials")


@dataclass(frozen=True)
class DataSets:
    """All data sets: number i has the points `offsets[i]:offsets[i + 1]` of the flat arrays.

    `ids` is a table with a row per data set. `x` has shape (k, P) for k independent variables
    and P points, or (k, m) where `shared_x` is true and all data sets have the same m abscissas.
    `y`, each of the `extras` and `mask` (or None: all points count) have shape (P,).
    """

    ids: pa.Table
    offsets: np.ndarray
    x: np.ndarray
    y: np.ndarray
    extras: Mapping[str, np.ndarray]
    mask: np.ndarray | None
    shared_x: bool

    def __len__(self) -> int:
        return len(self.offsets) - 1

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


def of_groups(
    ids: pa.Table,
    number: np.ndarray,
    x: list[np.ndarray],
    y: np.ndarray,
    extras: Mapping[str, np.ndarray],
    mask: np.ndarray | None,
) -> DataSets:
    """Hold rows, one a point, of which `number` says the data set; each keeps its rows' order."""
    if np.any(number[1:] < number[:-1]):
        order = np.argsort(number, kind="stable")
        x, y = [values[order] for values in x], y[order]
        extras = {key: values[order] for key, values in extras.items()}
        mask = None if mask is None else mask[order]
    ends = np.cumsum(np.bincount(number, minlength=len(ids)))
    return DataSets(
        ids=ids,
        offsets=np.concatenate([[0], ends]),
        x=np.stack(x),
        y=y,
        extras=extras,
        mask=mask,
        shared_x=False,
    )


def constant(value: float, length: int) -> np.ndarray:
    """Return one value for all points without holding it for each."""
    return np.broadcast_to(np.float64(value), length)
