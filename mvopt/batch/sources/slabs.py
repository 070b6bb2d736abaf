"""Values of consecutive voxels from an array that is stored in another order.

The points of a voxel are far apart in most files, and in a NIfTI image neighbours along the last
axis are too: one value is used of each stretch of memory that is fetched. A slab of the first axis
is therefore brought into order at once, and the voxels of the next blocks are in it.
"""

import math

import numpy as np

# In values: 32 MB of int16. A NIfTI image of 128 × 128 × 64 voxels and 256 points in int16 is read
# in 10 s, block by block without slabs in 24 s.
_LARGEST = 2**24


class Slabs:
    """Reads from `stored` (*grid, points), holding the slab that was read last."""

    def __init__(self, stored: np.ndarray) -> None:
        """Nothing is read yet."""
        self._stored = stored
        self._inner = math.prod(stored.shape[1:-1])  # voxels to one index of the first axis
        self._first, self._held = 0, np.empty((stored.shape[-1], 0), stored.dtype)

    def take(self, places: np.ndarray) -> np.ndarray:
        """Return values (points, N) of voxels by their rising numbers in C order of the grid."""
        first, last = int(places[0]) // self._inner, int(places[-1]) // self._inner
        held = range(self._first, self._first + self._held.shape[1] // self._inner)
        if first not in held or last not in held:
            planes = _LARGEST // (self._inner * self._stored.shape[-1])
            if last - first >= planes:  # few voxels from far apart
                return self._gathered(places)
            self._load(first, min(first + planes, len(self._stored)))
        return self._held[:, places - self._first * self._inner]

    def _load(self, first: int, stop: int) -> None:
        points = self._stored.shape[-1]
        shape = points, (stop - first) * self._inner
        if self._held.shape != shape:
            self._held = np.empty(shape, self._stored.dtype.newbyteorder("="))
        for point in range(points):
            plane = self._held[point].reshape(stop - first, *self._stored.shape[1:-1])
            plane[...] = self._stored[first:stop, ..., point]
        self._first = first

    def _gathered(self, places: np.ndarray) -> np.ndarray:
        index = np.unravel_index(places, self._stored.shape[:-1])
        found = np.empty((self._stored.shape[-1], len(places)), self._stored.dtype)
        for point, row in enumerate(found):
            row[:] = self._stored[..., point][index]
        return found
