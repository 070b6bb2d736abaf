"""From a candidate to the bottom of its valley: linear parameters solved, then a few steps.

A grid tells valleys apart only as finely as it samples them. A few damped steps from each of its
best candidates show which valley is the deepest.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import fit_columns, largest

Array = jax.Array

# Enough for the bounded solution of a few columns that are not nearly parallel; a guess needs
# no digits.
_SWEEPS = 12
_FIRST_DAMPING = 1e-2


class Target(NamedTuple):
    """What a guess is to meet.

    curve: params (n,) to values (m,). linear: indices of the params in which it is linear. y and
    weight: (m,), as of `Points`. lower, upper: (n,), infinite where there is no bound.
    """

    curve: Callable[[Array], Array]
    linear: tuple[int, ...]
    y: Array
    weight: Array
    lower: np.ndarray
    upper: np.ndarray


def unbounded(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds for `size` params that have none."""
    return np.full(size, -np.inf), np.full(size, np.inf)


def with_best_linear(target: Target, params: Array) -> tuple[Array, Array]:
    """Candidates (n, grid) with their linear params at their best, and the squares (grid,).

    The squares are in units of the largest |y|². A candidate that is not finite somewhere costs
    infinity. Bounds of the linear params are met.
    """
    scale = largest(target.y, target.weight)
    used, weight = (target.weight > 0)[:, None], target.weight[:, None]
    linear = np.array(target.linear, int)
    blank = params.at[linear].set(0)
    # All linear params at zero, then one after the other at one.
    probes = jnp.stack([blank, *(blank.at[index].set(1) for index in target.linear)])
    curves = jax.vmap(jax.vmap(target.curve, in_axes=1, out_axes=1))(probes)
    y = jnp.where(used, target.y[:, None] - curves[0], 0) / scale
    if not target.linear:
        return params, _finite(jnp.sum((y * weight) ** 2, axis=0))
    columns = jnp.where(used, curves[1:] - curves[0], 0)
    # Columns of order 1, as `fit_columns` wants them.
    sizes = jnp.max(jnp.abs(columns), axis=1)
    sizes = jnp.where(sizes > 0, sizes, 1)
    columns = columns / sizes[:, None]
    along, cost = fit_columns(list(columns), y, weight)
    limits = target.lower[linear], target.upper[linear]
    if np.isfinite(limits).any():
        low, high = (side.astype(y.dtype)[:, None] * sizes / scale for side in limits)
        along, cost = _within(columns * weight, y * weight, along, low, high)
    return blank.at[linear].set(along * scale / sizes), _finite(cost)


def _within(columns: Array, y: Array, along: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Coefficients (n, grid) within bounds and the squares, by one coordinate after the other."""
    squares = jnp.sum(columns**2, axis=1)
    squares = jnp.where(squares > 0, squares, 1)
    along = jnp.clip(along, low, high)
    residual = y - jnp.sum(columns * along[:, None], axis=0)

    def sweep(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        along, residual = state
        for j, column in enumerate(columns):
            moved = along[j] + jnp.sum(column * residual, axis=0) / squares[j]
            moved = jnp.clip(moved, low[j], high[j])
            residual = residual - (moved - along[j]) * column
            along = along.at[j].set(moved)
        return (along, residual), None

    (along, residual), _ = jax.lax.scan(sweep, (along, residual), None, length=_SWEEPS)
    return along, jnp.sum(residual**2, axis=0)


def _finite(cost: Array) -> Array:
    return jnp.where(jnp.isfinite(cost), cost, jnp.inf)


def descend(target: Target, params: Array, num_steps: int) -> tuple[Array, Array]:
    """Params (n,) after damped Gauss–Newton steps within the bounds, and their squares ().

    Levenberg (1944) with the scales of Marquardt (1963). The squares are as of `with_best_linear`.
    """
    scale, used = largest(target.y, target.weight), target.weight > 0
    low, high = (side.astype(params.dtype) for side in (target.lower, target.upper))

    def residual(params: Array) -> tuple[Array, Array]:
        misfit = jnp.where(used, (target.curve(params) - target.y) / scale, 0) * target.weight
        return misfit, misfit

    def step(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        params, cost, damping = state
        jacobian, misfit = jax.jacfwd(residual, has_aux=True)(params)
        rows = jacobian.T
        slopes = jnp.sum(rows * misfit, axis=1)
        held = ((params <= low) & (slopes > 0)) | ((params >= high) & (slopes < 0))
        rows = jnp.where(held[:, None], 0, rows)
        lengths = _lengths(rows)
        move = _damped(rows / lengths[:, None], misfit, damping) / lengths
        trial = jnp.clip(params + move, low, high)
        trial_cost = _finite(jnp.sum(residual(trial)[0] ** 2))
        better = trial_cost < cost
        params = jnp.where(better, trial, params)
        damping = jnp.where(better, damping / 10, damping * 6)
        return (params, jnp.where(better, trial_cost, cost), jnp.clip(damping, 1e-6, 1e6)), None

    damping = jnp.asarray(_FIRST_DAMPING, params.dtype)
    state: tuple[Array, ...] = (params, _finite(jnp.sum(residual(params)[0] ** 2)), damping)
    (params, cost, _), _ = jax.lax.scan(step, state, None, length=num_steps)
    return params, cost


def _lengths(rows: Array) -> Array:
    # In units of the largest entry: its square alone may overflow.
    top = jnp.max(jnp.abs(rows), axis=1)
    top = jnp.where(top > 0, top, 1)
    lengths = top * jnp.sqrt(jnp.sum((rows / top[:, None]) ** 2, axis=1))
    return jnp.where(lengths > 0, lengths, 1)


def _damped(rows: Array, misfit: Array, damping: Array) -> Array:
    """The δ (n,) of least |misfit + δ rows|² + damping |δ|², for rows (n, m) of length 1."""
    num = len(rows)
    # The normal equations and Gauss–Jordan: half the digits, a tenth of the program of a QR.
    products = jnp.sum(rows[:, None] * rows[None, :], axis=-1)
    table = products + damping * jnp.eye(num, dtype=rows.dtype)
    table = jnp.concatenate([table, -jnp.sum(rows * misfit, axis=1)[:, None]], axis=1)
    for pivot in range(num):
        row = table[pivot] / table[pivot, pivot]
        table = (table - table[:, pivot, None] * row).at[pivot].set(row)
    return table[:, -1]


def best_of(target: Target, starts: Array, num_steps: int) -> Array:
    """The params (n,) at the bottom of the deepest valley of a few starts (k, n)."""
    ends, costs = jax.vmap(partial(descend, target, num_steps=num_steps))(starts)
    return ends[jnp.argmin(costs)]
