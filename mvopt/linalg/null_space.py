"""Linear equations that a step must satisfy, and a quadratic form on what they leave free.

Householder reflections with column pivoting turn Aᵀ into Q [R; 0]: the first columns of Q span the
range of Aᵀ, the others the null space of A, whose dimension may differ between the members of a
batch. All shapes are fixed, and what is beyond the rank is masked. Each round is a few operations
on whole matrices, the form that a batch of small problems wants. Q itself is never formed: it is
I − V T Vᵀ with as many columns in V as there were reflections (Schreiber and Van Loan 1989).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.products import dot
from mvopt.linalg.triangular import diagonal_of, solve_lower, solve_upper

# Rounds in which a multiple of the identity is tried; the last one is definite for certain.
_SHIFTS = 8
_FIRST_SHIFT = 1e-4  # of the largest entries
_GROWTH = 8.0  # from one trial to the next (Wächter and Biegler 2006)


class Equations(NamedTuple):
    """A (m, n) of rank r, each row divided by its length: AᵀP = Q [R; 0] in its first r columns.

    `order` (k,), k = min(m, n), are the rows of A in the order of their elimination; `triangle`
    (k, k) is R with its rows and columns beyond r replaced by those of the identity.
    """

    lengths: Array  # (m,), of the rows; one for a row of zeros
    normals: Array  # V (n, k), of the reflections
    mixing: Array  # T (k, k), upper triangular
    triangle: Array  # (k, k), upper triangular
    order: Array  # (k,) int32
    rank: Array  # () int32

    def independent(self) -> Array:
        """(k,) bool: the first r."""
        return jnp.arange(len(self.order)) < self.rank

    def determined(self) -> Array:
        """(n,) bool: the coordinates along Q that the equations determine."""
        return jnp.arange(len(self.normals)) < self.rank

    def along(self, vector: Array) -> Array:
        """Qᵀ v, the coordinates of a vector (n,)."""
        return vector - dot(self.normals, dot(dot(vector, self.normals), self.mixing))

    def vector(self, along: Array) -> Array:
        """The vector (n,) with these coordinates."""
        return along - dot(self.normals, dot(self.mixing, dot(along, self.normals)))

    def particular(self, b: Array) -> Array:
        """The coordinates (n,) of the shortest x with A x = b in the independent rows."""
        wanted = jnp.where(self.independent(), (b / self.lengths)[self.order], 0.0)
        found = solve_lower(self.triangle.T, wanted)
        return jnp.zeros(len(self.normals), b.dtype).at[: len(found)].set(found)

    def multipliers(self, pull: Array) -> Array:
        """The y (m,) with Aᵀ y nearest to the vector with these coordinates (n,).

        Zero for the rows that depend on others.
        """
        along = jnp.where(self.independent(), pull[: len(self.order)], 0.0)
        found = solve_upper(self.triangle, along)
        placed = jnp.arange(len(self.lengths))[:, None] == self.order
        return jnp.sum(jnp.where(placed, found, 0.0), axis=1) / self.lengths


def equations(matrix: Array) -> Equations:
    """Factorise A (m, n); rows that depend on others, to rounding, lower the rank."""
    m, n = matrix.shape
    k = min(m, n)
    lengths = jnp.sqrt(jnp.sum(matrix**2, axis=1))
    lengths = jnp.where(lengths > 0, lengths, 1.0)

    def reflect(j: Array, carry: tuple) -> tuple:
        columns, normals, mixing, order, left = carry
        below = jnp.arange(n) >= j
        lengths = jnp.where(left, jnp.sum(jnp.where(below[:, None], columns, 0.0) ** 2, axis=0), -1)
        chosen = jnp.arange(m) == jnp.argmax(lengths)
        column = jnp.where(below, jnp.sum(jnp.where(chosen, columns, 0.0), axis=1), 0.0)
        first = jnp.arange(n) == j
        pivot = jnp.sum(jnp.where(first, column, 0.0))
        length = jnp.sqrt(jnp.sum(column**2))
        normal = column + jnp.where(first, jnp.where(pivot < 0, -length, length), 0.0)
        size = jnp.sqrt(jnp.sum(normal**2))
        normal = normal / jnp.where(size > 0, size, 1.0)
        along = jnp.sum(normal[:, None] * columns, axis=0)
        columns = columns - 2 * normal[:, None] * along
        now = jnp.arange(k) == j
        before = dot(mixing, dot(normal, normals))
        mixing = jnp.where(now, 2 * jnp.where(now, 1.0, -before)[:, None], mixing)
        normals = jnp.where(now, normal[:, None], normals)
        index = jnp.argmax(chosen).astype(jnp.int32)
        return columns, normals, mixing, jnp.where(now, index, order), left & ~chosen

    start = (
        (matrix / lengths[:, None]).T,
        jnp.zeros((n, k), matrix.dtype),
        jnp.zeros((k, k), matrix.dtype),
        jnp.zeros(k, jnp.int32),
        jnp.ones(m, bool),
    )
    columns, normals, mixing, order, _ = lax.fori_loop(0, k, reflect, start)
    picked = order[:, None] == jnp.arange(m)
    triangle = jnp.sum(jnp.where(picked, columns[:k, None, :], 0.0), axis=-1)
    diagonal = jnp.abs(diagonal_of(triangle))
    threshold = 10 * max(m, n) * jnp.finfo(matrix.dtype).eps * diagonal[0]
    rank = jnp.sum((diagonal > threshold) & (diagonal > 0)).astype(jnp.int32)
    within = jnp.arange(k) < rank
    both = within[:, None] & within & (jnp.arange(k)[:, None] <= jnp.arange(k))
    triangle = jnp.where(both, triangle, jnp.eye(k, dtype=matrix.dtype))
    return Equations(lengths, normals, mixing, triangle, order, rank)


class Definite(NamedTuple):
    """A symmetric matrix as D (L Lᵀ − shift) D, shift the least tried that makes it definite."""

    factor: Array  # (n, n), L
    scale: Array  # (n,), D
    shift: Array  # ()

    def solve(self, b: Array) -> Array:
        """Solve with the shifted matrix, b (n,)."""
        within = solve_lower(self.factor, b / self.scale)
        return solve_upper(self.factor.T, within) / self.scale


def definite(matrix: Array, last_shift: Array) -> Definite:
    """Factorise (n, n), with a multiple of the identity added until it is positive definite.

    D makes the largest entries about one. The trials begin at a third of `last_shift`, the one
    that was needed last.
    """
    n = len(matrix)
    eps = jnp.finfo(matrix.dtype).eps
    largest = jnp.max(jnp.abs(matrix), axis=1)
    scale = jnp.sqrt(jnp.where(largest > 0, largest, 1.0))
    scaled = matrix / (scale[:, None] * scale)
    eye = jnp.eye(n, dtype=matrix.dtype)
    enough = 10 * n * eps
    plain = cholesky(scaled)

    def shifted() -> tuple[Array, Array]:
        def attempt(k: Array, carry: tuple) -> tuple:
            factor, shift, found, trial = carry
            trial = jnp.where(k == _SHIFTS - 1, jnp.maximum(trial, n + 1.0), trial)
            new = cholesky((scaled + trial * eye) / (1 + trial), seldom=True)
            better = ~found
            factor = jnp.where(better, new.factor * jnp.sqrt(1 + trial), factor)
            shift = jnp.where(better, trial, shift)
            return factor, shift, found | (new.pivot > enough), trial * _GROWTH

        first = jnp.where(last_shift > 0, jnp.maximum(last_shift / 3, eps), _FIRST_SHIFT)
        start = (plain.factor, jnp.zeros_like(first), jnp.zeros((), bool), first)
        factor, shift, _, _ = lax.fori_loop(0, _SHIFTS, attempt, start)
        return factor, shift

    factor, shift = lax.cond(
        ~(plain.pivot > enough), shifted, lambda: (plain.factor, jnp.zeros_like(last_shift))
    )
    return Definite(factor, scale, shift)


def reduced(matrix: Array, along: Equations) -> Array:
    """QᵀMQ (n, n), the coordinates that the equations determine replaced by the identity's."""
    # With U = M V T − ½ V (VᵀM V sandwiched by T) it is M − U Vᵀ − V Uᵀ.
    normals = along.normals
    pushed = dot(dot(matrix, normals), along.mixing)
    between = dot(along.mixing.T, dot(normals.T, pushed))
    half = dot(pushed - 0.5 * dot(normals, between), normals.T)
    fixed = along.determined()
    eye = jnp.eye(len(matrix), dtype=matrix.dtype)
    return jnp.where(fixed[:, None] | fixed, eye, matrix - half - half.T)
