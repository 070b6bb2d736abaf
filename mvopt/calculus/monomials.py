"""The monomials of n variables up to a degree, and which of them multiply to which.

A truncated power series is the array of its coefficients, (N, ...), one for each monomial, sorted
by degree. With one variable that is the usual list of N = order + 1 coefficients.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from math import comb
from typing import NamedTuple

import numpy as np

# Beyond so many coefficients the table of their products takes gigabytes.
_MOST = 20_000


@dataclass(frozen=True)
class Monomials:
    """Those of `variables` variables up to degree `order`; hashable."""

    variables: int
    order: int

    @cached_property
    def powers(self) -> np.ndarray:
        """(N, variables) int, by degree; within one, x² before x y before y²."""
        rows = []
        for degree in range(self.order + 1):
            for chosen in combinations_with_replacement(range(self.variables), degree):
                rows.append(np.bincount(chosen, minlength=self.variables))
        return np.array(rows, int).reshape(-1, self.variables)

    @cached_property
    def degrees(self) -> np.ndarray:
        """(N,)."""
        return self.powers.sum(axis=1)

    @cached_property
    def place(self) -> dict[tuple[int, ...], int]:
        """Where each monomial is, by its powers."""
        return {tuple(map(int, row)): k for k, row in enumerate(self.powers)}

    @property
    def size(self) -> int:
        """N."""
        return comb(self.variables + self.order, self.order)

    def of_degree(self, degree: int) -> slice:
        """The monomials of one degree."""
        ends = [comb(self.variables + d, d) if d >= 0 else 0 for d in (degree - 1, degree)]
        return slice(*ends)

    @cached_property
    def parents(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) each: the monomial and the variable whose product each monomial is."""
        variables = (self.powers > 0).argmax(axis=1)
        rows = self.powers.copy()
        rows[np.arange(self.size), variables] -= 1
        rows[0] = 0
        return np.array([self._at(row) for row in rows]), variables

    @cached_property
    def pairs(self) -> "Pairs":
        """(N, L): the factors of all products that are the monomial of that row."""
        found: list[list[tuple[int, int]]] = []
        for row in self.powers:
            lefts = np.array(list(np.ndindex(*(row + 1))))
            found.append([(self._at(left), self._at(row - left)) for left in lefts])
        longest = max(len(each) for each in found)
        table = np.full((2, self.size, longest), self.size)
        for target, each in enumerate(found):
            table[:, target, : len(each)] = np.array(each).T
        return self._pairs(np.arange(self.size), *table)

    @cached_property
    def by_degree(self) -> "Pairs":
        """(order + 1, R, L): the same degree by degree, R being the most rows of one."""
        pairs, size = self.pairs, self.size
        most = max(self.of_degree(k).stop - self.of_degree(k).start for k in range(self.order + 1))
        rows = np.full((self.order + 1, most), size)
        for k in range(self.order + 1):
            here = self.of_degree(k)
            rows[k, : here.stop - here.start] = np.arange(here.start, here.stop)
        fill = lambda table: np.concatenate([table, np.full_like(table[:1], size)])[rows]
        return self._pairs(rows, fill(pairs.left), fill(pairs.right))

    @cached_property
    def recurring(self) -> "Pairs":
        """`by_degree` without the constant term of the left factor."""
        pairs, size = self.by_degree, self.size
        kept = pairs.left != 0
        left, right = (np.where(kept, each, size) for each in (pairs.left, pairs.right))
        return self._pairs(pairs.rows, left, right)

    def _at(self, powers: np.ndarray) -> int:
        return self.place[tuple(map(int, powers))]

    def _pairs(self, rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> "Pairs":
        degrees = np.append(self.degrees, 0)
        used = (left != self.size).reshape(-1, left.shape[-1]).any(axis=0)
        left, right = left[..., used], right[..., used]
        total = np.maximum(degrees[left] + degrees[right], 1)
        # As indices of either precision that JAX may be set to.
        return Pairs(*(each.astype(np.int32) for each in (rows, left, right, degrees[left], total)))


class Pairs(NamedTuple):
    """Which coefficients multiply to that of which row; what is not there is number N, a zero."""

    rows: np.ndarray
    left: np.ndarray
    right: np.ndarray
    degree: np.ndarray  # of the left factor
    total: np.ndarray  # of both; one where there is no pair, for it is a divisor


@lru_cache(maxsize=64)
def monomials(variables: int, order: int) -> Monomials:
    """The monomials; ValueError where there are too many of them."""
    size = comb(variables + order, order)
    if size > _MOST:
        raise ValueError(
            f"a series of order {order} in {variables} variables has {size:,} coefficients, "
            f"more than {_MOST:,}: lower the order, or expand in fewer variables"
        )
    return Monomials(variables, order)
