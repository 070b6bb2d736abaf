"""Cholesky factors of small symmetric matrices, written out so that a batch fuses into vector code.

Under `vmap` LAPACK is one call per matrix; the same recurrences over scalars become a handful
of fused loops over the whole batch.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array

# Up to this order everything is written out over scalars: compile time grows with n³.
UNROLL_LIMIT = 8
# Up to this one over columns, with n²; beyond, a call per matrix costs less than it takes.
COLUMNS_LIMIT = 32


class Cholesky(NamedTuple):
    """The lower triangular factor (n, n) of A = L Lᵀ, and the smallest pivot met on the way.

    For a matrix of unit diagonal the pivot is the squared sine of the smallest angle between
    a column and the span of those before it: a cheap measure of conditioning. A pivot that is not
    positive means that A is not positive definite in this precision; `factor` is then finite,
    but only a factor of a nearby matrix.
    """

    factor: Array
    pivot: Array


def cholesky(matrix: Array, *, seldom: bool = False) -> Cholesky:
    """Factorise a symmetric (n, n) matrix whose diagonal is of order one.

    seldom: in a branch that seldom runs a short program is worth more than a fast one.
    """
    n = len(matrix)
    if n <= UNROLL_LIMIT:
        return _cholesky_unrolled(matrix)
    if seldom or n > COLUMNS_LIMIT:
        return _cholesky_library(matrix)
    return _cholesky_columns(matrix)


def _cholesky_unrolled(matrix: Array) -> Cholesky:
    n = matrix.shape[-1]
    floor = jnp.finfo(matrix.dtype).eps
    rows: list[list[Array]] = []
    pivots = []
    for i in range(n):
        row: list[Array] = []
        for j in range(i):
            dot = matrix[i, j] - sum(a * b for a, b in zip(row, rows[j], strict=False))
            row.append(dot / rows[j][j])
        pivots.append(matrix[i, i] - sum(entry * entry for entry in row))
        row.append(jnp.sqrt(jnp.maximum(pivots[-1], floor)))
        rows.append(row)
    zero = jnp.zeros((), matrix.dtype)
    factor = jnp.stack([jnp.stack(row + [zero] * (n - len(row))) for row in rows])
    return Cholesky(factor, jnp.stack(pivots).min())


def _cholesky_columns(matrix: Array) -> Cholesky:
    """Column by column, each from those before it: it is written once and never changed."""
    n = len(matrix)
    floor = jnp.finfo(matrix.dtype).eps
    columns: list[Array] = []  # from the diagonal down
    pivots = []
    for j in range(n):
        column = matrix[j:, j]
        for k, former in enumerate(columns):
            column = column - former[j - k :] * former[j - k]
        pivots.append(column[0])
        length = jnp.sqrt(jnp.maximum(column[0], floor))
        columns.append(jnp.concatenate([length[None], column[1:] / length]))
    whole = [jnp.concatenate([jnp.zeros(n - len(c), c.dtype), c]) for c in columns]
    return Cholesky(jnp.stack(whole, axis=1), jnp.stack(pivots).min())


def _cholesky_library(matrix: Array) -> Cholesky:
    factor = lax.linalg.cholesky(matrix, symmetrize_input=False)
    definite = jnp.isfinite(factor).all()
    pivot = jnp.where(definite, jnp.diagonal(factor).min() ** 2, -1.0)
    return Cholesky(jnp.where(definite, factor, jnp.eye(len(matrix), dtype=matrix.dtype)), pivot)
