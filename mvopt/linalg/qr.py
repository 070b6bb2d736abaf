"""QR with column pivoting, by modified Gram–Schmidt on the matrix with its right-hand side.

Carried out on [A b], modified Gram–Schmidt solves least squares problems as stably as Householder
reflections do (Björck 1967, BIT 7), and each of its n rounds is a few operations on whole columns:
the form that a batch of small problems wants, where LAPACK is a call per matrix.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.linalg.triangular import diagonal_of

# Up to this order a permutation that differs between lanes is cheaper as sums than as a gather.
_FEW_COLUMNS = 16


class PivotedQR(NamedTuple):
    """A = Q R and Qᵀb, without Q.

    `factor` is R (n, n) with its columns in the order of A: `factor[:, order]` is upper triangular
    with a diagonal that does not increase. `rotated` is Qᵀb (n,), `order` (n,) the columns in the
    order of their elimination.
    """

    factor: Array
    rotated: Array
    order: Array

    @property
    def triangle(self) -> Array:
        """The upper triangular matrix (n, n)."""
        return in_order(self.factor, self.order)


def pivoted_qr(matrix: Array, b: Array) -> PivotedQR:
    """Reduce [A b], A (m, n) and b (m,), choosing at each round the longest column left."""
    n = matrix.shape[1]
    dtype = matrix.dtype

    def eliminate(k, carry):
        columns, rhs, rows, rotated, order, left = carry
        lengths = jnp.where(left, jnp.sum(columns * columns, axis=0), -1.0)
        j = jnp.argmax(lengths).astype(jnp.int32)
        chosen = jnp.arange(n) == j
        length = jnp.sqrt(jnp.maximum(jnp.max(lengths), 0.0))
        # The chosen column is picked by a sum over one term, not by an index: an index that
        # differs between lanes is a gather, which is slow.
        q = jnp.sum(jnp.where(chosen, columns, 0.0), axis=1) / jnp.where(length > 0, length, 1.0)
        left = left & ~chosen
        row = jnp.where(left, jnp.sum(q[:, None] * columns, axis=0), 0.0)
        projection = jnp.sum(q * rhs)
        columns = columns - q[:, None] * row
        rhs = rhs - q * projection
        now = jnp.arange(n) == k
        rows = jnp.where(now[:, None], jnp.where(chosen, length, row), rows)
        rotated = jnp.where(now, projection, rotated)
        return columns, rhs, rows, rotated, jnp.where(now, j, order), left

    carry = (
        matrix,
        b,
        jnp.zeros((n, n), dtype),
        jnp.zeros(n, dtype),
        jnp.zeros(n, jnp.int32),
        jnp.ones(n, bool),
    )
    _, _, rows, rotated, order, _ = lax.fori_loop(0, n, eliminate, carry)
    return PivotedQR(rows, rotated, order)


def in_order(array: Array, order: Array) -> Array:
    """Entries `order` along the last axis: a sum over one term each, for a few columns."""
    if len(order) > _FEW_COLUMNS:
        return array[..., order]
    picked = order[:, None] == jnp.arange(len(order))
    return jnp.sum(jnp.where(picked, array[..., None, :], 0), axis=-1)


def back_in_place(array: Array, order: Array) -> Array:
    """The inverse of `in_order`."""
    if len(order) > _FEW_COLUMNS:
        return array[..., jnp.argsort(order)]
    picked = order[None, :] == jnp.arange(len(order))[:, None]
    return jnp.sum(jnp.where(picked, array[..., None, :], 0), axis=-1)


def leading_part(triangle: Array, num_rows: int) -> tuple[Array, Array]:
    """(n,) which columns of a pivoted R are within its rank, and R with ones for the others."""
    within = jnp.arange(len(triangle)) < numerical_rank(triangle, num_rows)
    part = jnp.where(within[:, None] & within[None, :], triangle, 0.0)
    return within, part + jnp.diag(jnp.where(within, 0.0, 1.0))


def numerical_rank(triangle: Array, num_rows: int) -> Array:
    """Number of diagonal entries of a pivoted R above the rounding of its largest.

    The threshold is max(m, n) times the unit roundoff, the usual one (Golub and Van Loan 2013,
    section 5.5), with a factor ten because the matrix itself carries the rounding of a Jacobian.
    """
    diagonal = jnp.abs(diagonal_of(triangle))
    size = max(num_rows, len(triangle))
    threshold = 10 * size * jnp.finfo(triangle.dtype).eps * diagonal[0]
    return jnp.sum((diagonal > threshold) & (diagonal > 0))
