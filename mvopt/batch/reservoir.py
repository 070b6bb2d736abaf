"""A sample of rows that come a part at a time, each drawn with the same chance."""

import numpy as np


class Reservoir:
    """`rows` (S, k) of all that were added: all of them, or a sample of `size`."""

    def __init__(self, size: int, width: int) -> None:
        self.rows = np.empty((0, width))
        self._size = size
        self._rng = np.random.default_rng(0)
        self._keys = np.empty(0)

    def add(self, rows: np.ndarray) -> None:
        """Offer rows (n, k): one stays while its random number is among the lowest."""
        keys = self._rng.random(len(rows))
        if len(self._keys) == self._size:  # most of the rows of a long run end here
            low = keys < self._keys.max()
            keys, rows = keys[low], rows[low]
        self.rows = np.concatenate([self.rows, rows])
        self._keys = np.concatenate([self._keys, keys])
        if len(self._keys) > self._size:
            lowest = np.argpartition(self._keys, self._size)[: self._size]
            self.rows, self._keys = self.rows[lowest], self._keys[lowest]
