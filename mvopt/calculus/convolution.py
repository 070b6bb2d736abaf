"""Sums of products of coefficients, degree by degree: written out, or as a loop.

Written out, a few coefficients of numbers become arithmetic on whole arrays, which XLA fuses. Of
intervals a product alone is a hundred operations, and many coefficients are many products: those
are a loop, whose program does not grow with the order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mvopt.calculus.interval import Interval
from mvopt.calculus.monomials import Monomials, Pairs

# Pairs of coefficients in one product of series, up to which it is written out.
_FEW = 500


def convolution(table: Monomials, like: Any) -> "Written | Looped":
    """What suits the number of coefficients, and what they are."""
    few = comb(2 * table.variables + table.order, table.order) <= _FEW
    return Written(table) if few and not isinstance(like, Interval) else Looped(table)


@dataclass(frozen=True)
class Written:
    """A series is a list of its coefficients while it is worked on; `pairs` are NumPy's."""

    table: Monomials

    def opened(self, series: Any) -> list[Any]:
        """A series, (N, ...), to take coefficients from."""
        return [series[k] for k in range(self.table.size)]

    def rows(self, series: list[Any], rows: np.ndarray) -> Any:
        """Some of its coefficients, (R, ...)."""
        return jnp.stack([series[k] for k in rows if k < self.table.size])

    def convolved(self, pairs: Pairs, u: list[Any], w: list[Any], weights: Any = None) -> Any:
        """Σ weight u w over the pairs of each row, (R, ...)."""
        found = []
        for r in np.flatnonzero(pairs.rows < self.table.size):
            terms = [
                u[i] * w[j] if weights is None else weights[r, k] * (u[i] * w[j])
                for k, (i, j) in enumerate(zip(pairs.left[r], pairs.right[r], strict=True))
                if i < self.table.size
            ]
            found.append(sum(terms[1:], terms[0]))
        return jnp.stack(found)

    def numbers(self, value: Any, like: list[Any]) -> Any:
        """Degrees, (R, L), to weigh coefficients with."""
        return np.asarray(value, like[0].dtype).reshape(*np.shape(value), *[1] * like[0].ndim)

    def of_degree(self, pairs: Pairs, k: int) -> Pairs:
        """The part of a table by degree."""
        return Pairs(*(each[k] for each in pairs))

    def put(self, series: list[Any], rows: np.ndarray, values: Any) -> list[Any]:
        """With more coefficients behind those there are."""
        return [*series, *(values[k] for k in range(values.shape[0]))]

    def together(self, first: tuple, of_degree: Callable[..., tuple]) -> tuple:
        """Series that depend on each other, degree by degree from their constant terms."""
        known: tuple = tuple([value] for value in first)
        for k in range(1, self.table.order + 1):
            pairs = self.of_degree(self.table.recurring, k)
            new = of_degree(pairs, *known)
            known = tuple(self.put(w, pairs.rows, v) for w, v in zip(known, new, strict=True))
        return tuple(jnp.stack(jnp.broadcast_arrays(*each)) for each in known)


@dataclass(frozen=True)
class Looped:
    """A series is an array with a zero behind it, for the places of a table without a pair."""

    table: Monomials

    def opened(self, series: Any) -> Any:
        """A series, (N, ...), to take coefficients from."""
        return jax.tree.map(
            lambda leaf: jnp.concatenate([leaf, jnp.zeros((1, *leaf.shape[1:]), leaf.dtype)]),
            series,
        )

    def rows(self, series: Any, rows: Any) -> Any:
        """Some of its coefficients, (R, ...)."""
        return jax.tree.map(
            lambda leaf: leaf.at[rows].get(mode="promise_in_bounds", wrap_negative_indices=False),
            series,
        )

    def convolved(self, pairs: Pairs, u: Any, w: Any, weights: Any = None) -> Any:
        """Σ weight u w over the pairs of each row, (R, ...)."""
        products = self.rows(u, pairs.left) * self.rows(w, pairs.right)
        return (products if weights is None else products * weights).sum(axis=1)

    def numbers(self, value: Any, like: Any) -> Any:
        """Degrees, (R, L), to weigh coefficients with; intervals without width beside intervals."""
        value = jnp.asarray(value, like.dtype).reshape(*jnp.shape(value), *[1] * (like.ndim - 1))
        return Interval.point(value) if isinstance(like, Interval) else value

    def of_degree(self, pairs: Pairs, k: Any) -> Pairs:
        """The part of a table by degree."""
        pick = lambda each: lax.dynamic_index_in_dim(jnp.asarray(each), k, keepdims=False)
        return Pairs(*(pick(each) for each in pairs))

    def put(self, series: Any, rows: Any, values: Any) -> Any:
        """With other coefficients in some rows; a row that there is not is the zero, and stays."""
        size = self.table.size
        places = jnp.where(rows == size, size + 1, rows)

        def one(leaf: Any, new: Any) -> Any:
            new = jnp.broadcast_to(new, (rows.size, *leaf.shape[1:]))
            return leaf.at[places].set(new, mode="drop", wrap_negative_indices=False)

        return jax.tree.map(one, series, values)

    def together(self, first: tuple, of_degree: Callable[..., tuple]) -> tuple:
        """Series that depend on each other, degree by degree from their constant terms."""

        def body(k: Any, known: tuple) -> tuple:
            pairs = self.of_degree(self.table.recurring, k)
            new = of_degree(pairs, *known)
            return tuple(self.put(w, pairs.rows, v) for w, v in zip(known, new, strict=True))

        def start(value: Any) -> Any:
            zeros = lambda leaf: jnp.zeros((self.table.size, *leaf.shape), leaf.dtype)
            rest = jax.tree.map(zeros, value)
            return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), value, rest)

        found = tuple(start(value) for value in first)
        if self.table.order:
            found = lax.fori_loop(1, self.table.order + 1, body, found)
        return tuple(jax.tree.map(lambda leaf: leaf[: self.table.size], each) for each in found)
