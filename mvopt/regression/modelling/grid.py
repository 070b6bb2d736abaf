"""First guesses by a grid over the nonlinear parameters and least squares for the linear ones.

Most models of the field are linear in all but one or two parameters (Golub and Pereyra, 1973).
A coarse grid over those few, in units of the data's own range, with the exact linear solution at
each grid point, sees the whole landscape: it cannot be trapped in a local minimum as a start from
ad hoc features of the data can, and it needs neither sorted nor equally spaced points.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

# Grid points evaluated at once. All of them at once would hold points x grid x lanes numbers, out
# of cache for a large batch under vmap (measured: half the speed), one at a time wastes the
# vector registers.
_CHUNK = 32


class Points(NamedTuple):
    """Clean data: `weight` (m,) is 1 for a point in use and 0 for one that is not.

    Points that are not in use hold y = 0 and the x of a point that is, so no formula meets a NaN.
    """

    x: Array
    y: Array
    weight: Array


def extent(x: Array, weight: Array) -> tuple[Array, Array]:
    """Lowest x in use and the span up to the highest, along the last axis; span 1 where it is 0."""
    used = weight > 0
    low = jnp.min(x, axis=-1, where=used, initial=jnp.inf)
    high = jnp.max(x, axis=-1, where=used, initial=-jnp.inf)
    span = high - low
    sound = jnp.isfinite(span)
    return jnp.where(sound, low, 0), jnp.where(sound & (span > 0), span, 1)


def largest(x: Array, weight: Array) -> Array:
    """The largest |x| in use, 1 where there is none above 0."""
    top = jnp.max(jnp.abs(x) * weight)
    return jnp.where(top > 0, top, 1)


def fastest(u: Array, weight: Array) -> Array:
    """The largest rate at which a decay from u = 0 still shows at the next point: 5 / its u.

    Beyond it a decay fits one point alone, and its amplitude there means nothing.
    """
    # u = 0 itself may come out of the arithmetic as a rounding error.
    following = jnp.min(u, where=(weight > 0) & (u > 1e-4), initial=1)
    return jnp.clip(5 / following, 20, 1e4)


def geometric(low: float | Array, high: float | Array, num: int) -> Array:
    """`num` values from `low` to `high` with a constant ratio; the ends may be traced."""
    low, high = jnp.log(low), jnp.log(high)
    return jnp.exp(low + (high - low) * jnp.linspace(0, 1, num, dtype=jnp.result_type(low, high)))


def combinations(*axes: Array) -> tuple[Array, ...]:
    """All combinations of the values of some axes: an array (grid,) for each axis."""
    return tuple(axis.ravel() for axis in jnp.meshgrid(*axes, indexing="ij"))


def ordered_pairs(values: Array) -> tuple[Array, Array]:
    """All pairs (values[i], values[j]) with i < j: two arrays (n (n - 1) / 2,)."""
    first, second = np.triu_indices(len(values), k=1)
    return values[first], values[second]


def fit_columns(columns: list[Array], y: Array, weight: Array) -> tuple[Array, Array]:
    """Least squares of y on a few columns: coefficients (n, grid) and squared residuals (grid,).

    Columns, y and weight are (m, grid) or broadcast to it, columns of order 1. Modified
    Gram-Schmidt, applied to the residual as well (Björck, 1967): as accurate as Householder's QR,
    and for a few columns only sums over the points. The sums run over the leading axis, so that
    the grid, the contiguous one, fills the vector registers. A column that depends on those
    before it gets the coefficient zero.
    """
    tolerance = 100 * jnp.finfo(y.dtype).eps ** 2 * y.shape[0]
    directions: list[tuple[Array, Array]] = []  # orthogonal, with their squared lengths
    upper: list[list[Array]] = []  # upper[j][i]: the part of column j along direction i
    along: list[Array] = []
    residual = y * weight
    for column in columns:
        rest = column * weight
        size = jnp.sum(rest * rest, axis=0)
        parts = []
        for direction, square in directions:
            part = jnp.sum(direction * rest, axis=0) / square
            rest = rest - part * direction
            parts.append(part)
        square = jnp.sum(rest * rest, axis=0) if directions else size
        sound = square > tolerance * size
        square = jnp.where(sound, square, 1)
        along.append(jnp.where(sound, jnp.sum(rest * residual, axis=0) / square, 0))
        residual = residual - along[-1] * rest
        directions.append((rest, square))
        upper.append(parts)
    return _back_substitution(upper, along), jnp.sum(residual * residual, axis=0)


def _back_substitution(upper: list[list[Array]], along: list[Array]) -> Array:
    solution = list(along)
    for row in reversed(range(len(along))):
        for j in range(row + 1, len(along)):
            solution[row] = solution[row] - upper[j][row] * solution[j]
    return jnp.stack(jnp.broadcast_arrays(*solution))


def search(
    columns: Callable[..., list[Array]], candidates: tuple[Array, ...], points: Points
) -> tuple[list[Array], Array]:
    """The best of the candidates, as a list of scalars, and the coefficients of its columns.

    `candidates` holds for each nonlinear parameter its values (grid,). `columns(*candidates)`
    lists the columns that multiply the linear parameters, each (m, grid) or (m, 1), of order 1.
    A candidate at which they are not finite never wins; where none is finite, the first one does.
    """
    scale = largest(points.y, points.weight)
    y, weight = (points.y / scale)[:, None], points.weight[:, None]
    num = candidates[0].shape[0]
    spare = -num % _CHUNK  # whole chunks only
    chunks = [
        jnp.concatenate([axis, jnp.repeat(axis[-1:], spare)]).reshape(-1, _CHUNK)
        for axis in candidates
    ]

    linear, costs = jax.lax.map(lambda chunk: fit_columns(columns(*chunk), y, weight), chunks)
    costs = costs.ravel()
    best = jnp.argmin(jnp.where(jnp.isfinite(costs), costs, jnp.inf))
    coefficients = linear[best // _CHUNK, :, best % _CHUNK]  # of (chunks, n, _CHUNK)
    return [axis.ravel()[best] for axis in chunks], coefficients * scale
