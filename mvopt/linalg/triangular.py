"""Triangular solves, written out for small orders (see `cholesky`)."""

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.linalg.cholesky import COLUMNS_LIMIT, UNROLL_LIMIT


def diagonal_of(matrix: Array) -> Array:
    """Diagonal (n,) of an (n, n) matrix, as a sum: the library's way is a gather, slow in lanes."""
    on_diagonal = jnp.eye(len(matrix), dtype=bool)
    return jnp.sum(jnp.where(on_diagonal, matrix, 0.0), axis=1)


def solve_lower(lower: Array, b: Array) -> Array:
    """Solve L x = b by forward substitution; L (n, n), b (n,) or (n, k)."""
    if len(lower) > COLUMNS_LIMIT:
        return _solve_library(lower, b, lower=True)
    if len(lower) > UNROLL_LIMIT:
        return _solve_columns(lower, b)
    x: list[Array] = []
    for i in range(len(lower)):
        dot = sum((lower[i, j] * x[j] for j in range(i)), jnp.zeros_like(b[0]))
        x.append((b[i] - dot) / lower[i, i])
    return jnp.stack(x)


def solve_upper(upper: Array, b: Array) -> Array:
    """Solve R x = b by back substitution; R (n, n), b (n,) or (n, k)."""
    n = len(upper)
    if n > COLUMNS_LIMIT:
        return _solve_library(upper, b, lower=False)
    if n > UNROLL_LIMIT:
        return _solve_columns(upper[::-1, ::-1], b[::-1])[::-1]
    x: list[Array] = [b[0]] * n
    for i in reversed(range(n)):
        dot = sum((upper[i, j] * x[j] for j in range(i + 1, n)), jnp.zeros_like(b[0]))
        x[i] = (b[i] - dot) / upper[i, i]
    return jnp.stack(x)


def _solve_columns(lower: Array, b: Array) -> Array:
    """Column by column: each unknown is taken out of the equations that are left."""
    x: list[Array] = []
    for j in range(len(lower)):
        x.append(b[0] / lower[j, j])
        column = lower[j + 1 :, j]
        b = b[1:] - (column[:, None] if b.ndim > 1 else column) * x[-1]
    return jnp.stack(x)


def _solve_library(matrix: Array, b: Array, *, lower: bool) -> Array:
    columns = b[:, None] if b.ndim == 1 else b
    return lax.linalg.triangular_solve(matrix, columns, left_side=True, lower=lower).reshape(
        b.shape
    )
