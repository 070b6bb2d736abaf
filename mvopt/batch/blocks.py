"""Blocks of consecutive data sets, and within one, buckets of about the same length.

A data set is padded to a length that depends on its own length alone, so that its result does
not depend on its company.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mvopt.batch.datasets import DataSets

# About 64 MB of float64 x, y and sigma: large against the cost of a call, small in memory.
_POINTS_A_BLOCK = 2**21
_DATA_SETS_A_BLOCK = 2**16
# Below this length there are only two: a length costs a compilation, which takes as long as
# millions of fits of so few points.
_SHORT = 16


@dataclass(frozen=True)
class Bucket:
    """Some data sets of a block, padded: `index` (B,) are their numbers in it.

    `x` is (B, L), or (B, k, L) for k > 1 variables, without the B where it is shared by all;
    `y`, `mask` and each of the `extras` are (B, L), each of the `starts` is (B,).
    """

    index: np.ndarray
    x: np.ndarray
    y: np.ndarray
    extras: Mapping[str, np.ndarray]
    mask: np.ndarray
    shared_x: bool
    starts: Mapping[str, np.ndarray]

    @property
    def num_x(self) -> int:
        """How many independent variables there are."""
        return self.x.shape[-2] if self.x.ndim + self.shared_x == 3 else 1

    def halves(self) -> "tuple[Bucket, Bucket]":
        """Return the first and the second half of the data sets."""
        middle = len(self.index) // 2
        first, second = slice(middle), slice(middle, None)
        return self._part(first), self._part(second)

    def _part(self, rows: slice) -> "Bucket":
        return Bucket(
            index=self.index[rows],
            x=self.x if self.shared_x else self.x[rows],
            y=self.y[rows],
            extras={key: values[rows] for key, values in self.extras.items()},
            mask=self.mask[rows],
            shared_x=self.shared_x,
            starts={name: values[rows] for name, values in self.starts.items()},
        )


def padded_length(lengths: np.ndarray) -> np.ndarray:
    """Return the length to pad to: 8, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, ...

    Above sixteen points this adds less than a quarter: four lengths between powers of two.
    """
    octave = 2 ** np.floor(np.log2(np.maximum(lengths, _SHORT))).astype(np.int64)
    step = np.where(lengths <= _SHORT, _SHORT // 2, octave // 4)
    return -(-np.maximum(lengths, 1) // step) * step


def blocks(data: DataSets) -> Iterator[range]:
    """Split the data sets, in order, into ranges of a bounded number of points."""
    ends = np.cumsum(_padded(data))
    start = 0
    while start < len(data):
        done = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, done + _POINTS_A_BLOCK, side="right"))
        stop = min(max(stop, start + 1), start + _DATA_SETS_A_BLOCK)
        yield range(start, stop)
        start = stop


def rows_a_block(points: int, shared_x: bool) -> int:
    """Return how many data sets of that many points make a block."""
    length = points if shared_x else int(padded_length(np.array([points]))[0])
    return int(np.clip(_POINTS_A_BLOCK // max(length, 1), 1, _DATA_SETS_A_BLOCK))


def room_for(bucket: Bucket) -> int:
    """Return the number of data sets whose programs fit the bucket, one of few such numbers.

    That of a whole block, or a quarter of it, or of that: the last block of a file, or a bucket
    that is smaller than in the block before, finds the programs of the others.
    """
    room = rows_a_block(bucket.y.shape[1], bucket.shared_x)
    while room // 4 >= len(bucket.index):
        room //= 4
    return room


def buckets(data: DataSets) -> Iterator[Bucket]:
    """Yield the data sets of a block, each in exactly one bucket."""
    length = _padded(data)
    for padded in np.unique(length):
        yield _gather(data, np.flatnonzero(length == padded), int(padded))


def _padded(data: DataSets) -> np.ndarray:
    lengths = np.diff(data.offsets)
    # The layout fixes the number of points of a wide table, whatever its rows hold.
    return lengths if data.shared_x else padded_length(lengths)


def _gather(data: DataSets, index: np.ndarray, padded: int) -> Bucket:
    start, stop = data.offsets[index], data.offsets[index + 1]
    where: np.ndarray | slice
    if (stop - start == padded).all() and (start[1:] == stop[:-1]).all():
        shape, where = (len(index), padded), slice(start[0], stop[-1])
        inside = np.ones(shape, bool)
    else:
        # The padding repeats the first point: a value that the model can take.
        within = np.arange(padded)
        inside = within < (stop - start)[:, None]
        shape, where = inside.shape, np.where(inside, start[:, None] + within, start[:, None])
    x = data.x
    if not data.shared_x:
        x = np.moveaxis(x[:, where].reshape(len(x), *shape), 0, 1)
    return Bucket(
        index=index,
        x=_squeezed(x, data),
        y=data.y[where].reshape(shape),
        extras={key: values[where].reshape(shape) for key, values in data.extras.items()},
        mask=inside if data.mask is None else inside & data.mask[where].reshape(shape),
        shared_x=data.shared_x,
        starts={name: values[index] for name, values in data.starts.items()},
    )


def _squeezed(x: np.ndarray, data: DataSets) -> np.ndarray:
    """Drop the axis of the variables where there is only one."""
    return x[..., 0, :] if data.num_x == 1 else x
