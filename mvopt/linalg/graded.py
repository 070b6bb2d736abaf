"""The linear equations of a Newton step whose constraints hold with very different stiffness.

    H x − Aᵀy − Wᵀz = a,   A x = b,   W x + z/w = c

Eliminated, z leaves H + Wᵀ diag(w) W, in which the large weights w drown the small ones.
Householder reflections that turn one row after the other, those of A first and then the heaviest of
the others, keep them apart: in the new coordinates a row has exact zeros beyond its own, so that a
heavy constraint does not touch those that only light ones hold (after Gulliksson and Wedin 1992).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.linalg.cholesky import COLUMNS_LIMIT
from mvopt.linalg.null_space import definite
from mvopt.linalg.products import dot
from mvopt.linalg.triangular import diagonal_of, solve_lower, solve_upper

_SHIFT = 1e-12  # of what is singular: H is positive semidefinite


class Graded(NamedTuple):
    """The factors; x = Q v, and the rows of A and of W are A Q and W Q."""

    equal: Array  # (m, n), A Q
    rows: Array  # (k, n), W Q
    turn: Array  # (n, n), Q
    weights: Array  # (k,), w
    bend: Array  # (n, n), QᵀH Q
    order: Array  # (min(m, n),) int32, rows of A in the order of their elimination
    rank: Array  # () int32, of A
    triangle: Array  # (min(m, n), min(m, n)), lower, of those rows; beyond the rank the identity
    half: Array  # (n, n), its square is the inverse along what the equations leave free

    def held(self) -> Array:
        """(n,) bool: the coordinates that A x = b determines."""
        return jnp.arange(len(self.turn)) < self.rank

    def solve(self, a: Array, b: Array, c: Array) -> tuple[Array, Array, Array]:
        """x (n,), y (m,) and c − W x (k,), from which z = w (c − W x)."""
        first = self.particular(b)
        c = c - dot(self.rows, first)
        a = dot(a, self.turn) - dot(self.bend, first)
        right = jnp.where(self.held(), 0.0, a + dot(self.weights * c, self.rows))
        rest = dot(dot(self.half, right), self.half)
        short = c - dot(self.rows, rest)
        pull = dot(self.bend, rest) - dot(self.weights * short, self.rows) - a
        return dot(self.turn, first + rest), self.multipliers(pull), short

    def particular(self, b: Array) -> Array:
        """The coordinates (n,) of the shortest x with A x = b in the independent rows."""
        none = jnp.zeros(len(self.turn), b.dtype)
        if not len(b):
            return none
        within = jnp.arange(len(self.order)) < self.rank
        found = solve_lower(self.triangle, jnp.where(within, b[self.order], 0.0))
        return none.at[: len(found)].set(found)

    def multipliers(self, pull: Array) -> Array:
        """The y (m,) with Aᵀy nearest to what has these coordinates (n,); zero if dependent."""
        if not len(self.order):
            return pull[:0]
        within = jnp.arange(len(self.order)) < self.rank
        found = solve_upper(self.triangle.T, jnp.where(within, pull[: len(within)], 0.0))
        return jnp.sum(jnp.where(self._placed() & within, found, 0.0), axis=1)

    def independent(self) -> Array:
        """(m,) bool: the rows of A that were eliminated."""
        return jnp.any(self._placed() & (jnp.arange(len(self.order)) < self.rank), axis=1)

    def _placed(self) -> Array:
        return jnp.arange(len(self.equal))[:, None] == self.order


def graded(bend: Array, equal: Array, rows: Array, weights: Array) -> Graded:
    """Factorise H (n, n), A (m, n), W (k, n), w (k,) ≥ 0; W ends with the rows of the identity."""
    (m, n), few = equal.shape, min(equal.shape)
    # The rows of W in a large matrix are left to the library: a round for each takes n times n².
    large = n > COLUMNS_LIMIT
    whole, order, rank = _reflected(equal, rows, weights, few if large else n)
    held, within = jnp.arange(n) < rank, jnp.arange(few) < rank
    if large:
        whole = _sorted(whole, m, weights, held)
    equal, rows, turn = whole[:m], whole[m:], whole[-n:]
    triangle = jnp.eye(few, dtype=bend.dtype)
    if few:
        triangle = jnp.where(within[:, None] & within, equal[order][:, :few], triangle)
    bend = dot(turn.T, dot(bend, turn))
    # Along what next to nothing holds, rounding would be divided by it.
    little = jnp.finfo(bend.dtype).eps ** 0.75
    one = jnp.eye(n, dtype=bend.dtype)
    matrix = bend + dot(rows.T, weights[:, None] * rows) + little * one
    matrix = jnp.where(held[:, None] | held, one, matrix)
    scale = jnp.sqrt(diagonal_of(matrix))
    # Graded, and with a unit diagonal, it is well conditioned. Products compile faster than solves.
    factors = definite(matrix / (scale[:, None] * scale), jnp.full_like(scale[0], _SHIFT))
    half = solve_lower(factors.factor, one / (factors.scale * scale))
    return Graded(equal, rows, turn, weights, bend, order, rank, triangle, half)


def _reflected(
    equal: Array, rows: Array, weights: Array, rounds: int
) -> tuple[Array, Array, Array]:
    """[A; W] Q after so many reflections, the order of the rows of A in them, and their number."""
    (m, n), few = equal.shape, min(equal.shape)
    whole = jnp.concatenate([equal, rows])
    first = jnp.arange(len(whole)) < m
    squares = jnp.sum(whole**2, axis=1)
    worth = jnp.concatenate([1 / jnp.where(squares > 0, squares, 1.0)[:m], weights])
    rounding = (10 * max(m, n) * jnp.finfo(whole.dtype).eps) ** 2 * squares

    def reflect(j: Array, carry: tuple) -> tuple:
        turned, order, rank, left = carry
        beyond = jnp.arange(n) >= j
        sizes = jnp.sum(jnp.where(beyond, turned, 0.0) ** 2, axis=1)
        turned = jnp.where(beyond & (sizes <= rounding)[:, None], 0.0, turned)
        equation = left & first & (sizes > rounding)
        more = equation.any()
        index = jnp.argmax(jnp.where(jnp.where(more, equation, left), worth * sizes, -1.0))
        chosen = jnp.arange(len(whole)) == index
        row = jnp.where(beyond, jnp.sum(jnp.where(chosen[:, None], turned, 0.0), axis=0), 0.0)
        here = jnp.arange(n) == j
        pivot, length = jnp.sum(jnp.where(here, row, 0.0)), jnp.sqrt(jnp.sum(row**2))
        normal = row + jnp.where(here, jnp.where(pivot < 0, -length, length), 0.0)
        size = jnp.sqrt(jnp.sum(normal**2))
        normal = normal / jnp.where(size > 0, size, 1.0)
        turned = turned - 2 * dot(turned, normal)[:, None] * normal
        turned = jnp.where(chosen[:, None] & (jnp.arange(n) > j), 0.0, turned)
        now = (jnp.arange(few) == j) & more
        order = jnp.where(now, index.astype(jnp.int32), order)
        return turned, order, rank + more, left & ~chosen

    start = whole, jnp.zeros(few, jnp.int32), jnp.int32(0), jnp.ones(len(whole), bool)
    whole, order, rank, _ = lax.fori_loop(0, rounds, reflect, start)
    return whole, order, rank


def _sorted(whole: Array, m: int, weights: Array, held: Array) -> Array:
    """[A; W] Q after reflections for the heaviest rows of W, by their weights alone.

    The coordinates are taken in reverse: zeros at the end of a column are left alone.
    """
    n = whole.shape[1]
    rows = jnp.sqrt(weights)[:, None] * jnp.where(held, 0.0, whole[m:])
    order = jnp.argsort(-jnp.sum(rows**2, axis=1))
    turn = jnp.linalg.qr(rows[order[:n], ::-1].T)[0][::-1, ::-1]
    place = jnp.concatenate([jnp.full(m, n), jnp.argsort(order)])
    own = held | (n - 1 - jnp.arange(n) <= place[:, None])
    return jnp.where(own, dot(whole, turn), 0.0)
