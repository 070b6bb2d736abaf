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

from mvopt.regression.models._separable import fit_columns, largest

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
    curves = jax.vmap(target.curve, in_axes=1, out_axes=1)
    scale = largest(target.y, target.weight)
    used = (target.weight > 0)[:, None]
    weight = target.weight[:, None]
    blank = params
    for index in target.linear:
        blank = blank.at[index].set(0)
    rest = curves(blank)
    y = jnp.where(used, target.y[:, None] - rest, 0) / scale
    if not target.linear:
        return params, _finite(jnp.sum((y * weight) ** 2, axis=0))
    columns, sizes = [], []
    for index in target.linear:
        column = jnp.where(used, curves(blank.at[index].set(1)) - rest, 0)
        # Columns of order 1, as `fit_columns` wants them.
        size = jnp.max(jnp.abs(column), axis=0)
        sizes.append(jnp.where(size > 0, size, 1))
        columns.append(column / sizes[-1])
    along, cost = fit_columns(columns, y, weight)
    limits = [side[np.array(target.linear)] for side in (target.lower, target.upper)]
    if np.isfinite(limits).any():
        units = jnp.stack(sizes) / scale
        low, high = (side.astype(y.dtype)[:, None] * units for side in limits)
        along, cost = _within(columns, y, weight, along, low, high)
    for index, coefficient, size in zip(target.linear, along, sizes, strict=True):
        blank = blank.at[index].set(coefficient * scale / size)
    return blank, _finite(cost)


def _within(
    columns: list[Array], y: Array, weight: Array, along: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """Coefficients within bounds and the squares, by one coordinate after the other."""
    stacked = jnp.stack(columns) * weight
    squares = jnp.sum(stacked**2, axis=1)
    squares = jnp.where(squares > 0, squares, 1)
    along = jnp.clip(along, low, high)
    residual = y * weight - jnp.sum(stacked * along[:, None], axis=0)

    def sweep(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        along, residual = state
        for j, column in enumerate(stacked):
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

    def residual(params: Array) -> Array:
        return jnp.where(used, (target.curve(params) - target.y) / scale, 0) * target.weight

    def cost_of(params: Array) -> Array:
        return _finite(jnp.sum(residual(params) ** 2))

    def step(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        params, cost, damping = state
        misfit, rows = residual(params), jax.jacfwd(residual)(params).T
        slopes = jnp.sum(rows * misfit, axis=1)
        held = ((params <= low) & (slopes > 0)) | ((params >= high) & (slopes < 0))
        rows = jnp.where(held[:, None], 0, rows)
        lengths = _lengths(rows)
        move = _damped(rows / lengths[:, None], misfit, damping) / lengths
        trial = jnp.clip(params + move, low, high)
        trial_cost = cost_of(trial)
        better = trial_cost < cost
        params = jnp.where(better, trial, params)
        damping = jnp.where(better, damping / 10, damping * 6)
        return (params, jnp.where(better, trial_cost, cost), jnp.clip(damping, 1e-6, 1e6)), None

    damping = jnp.asarray(_FIRST_DAMPING, params.dtype)
    state = (params, cost_of(params), damping)
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
    identity = jnp.sqrt(damping) * jnp.eye(num, dtype=rows.dtype)
    columns = [jnp.concatenate([row, extra]) for row, extra in zip(rows, identity, strict=True)]
    wanted = jnp.concatenate([-misfit, jnp.zeros(num, rows.dtype)])
    return fit_columns(columns, wanted, jnp.ones_like(wanted))[0]


def best_of(target: Target, starts: Array, num_steps: int) -> Array:
    """The params (n,) at the bottom of the deepest valley of a few starts (k, n)."""
    ends, costs = jax.vmap(partial(descend, target, num_steps=num_steps))(starts)
    return ends[jnp.argmin(costs)]
