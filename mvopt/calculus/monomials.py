"""The monomials of n variables up to a degree, and which of them multiply to which.

A truncated power series is the array of its coefficients, (N, ...), one for each monomial, sorted
by degree. With one variable that is the usual list of N = order + 1 coefficients.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from math import comb

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
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, L) each: the factors of all products that are the monomial of that row.

        Rows are filled up with N, the place of a coefficient that is zero.
        """
        found: list[list[tuple[int, int]]] = [[] for _ in range(self.size)]
        for target, row in enumerate(self.powers):
            for left in np.ndindex(*(row + 1)):
                rest = tuple(int(a - b) for a, b in zip(row, left, strict=True))
                found[target].append((self.place[left], self.place[rest]))
        longest = max(len(each) for each in found)
        table = np.full((2, self.size, longest), self.size)
        for target, each in enumerate(found):
            table[:, target, : len(each)] = np.array(each).T
        return table[0], table[1]


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
