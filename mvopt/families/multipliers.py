"""The multipliers that belong to a point, found from the gradients there alone.

Where constraints depend on each other the multipliers of an interior point grow without end,
although the point is right and others would do: those of least squares, none of them negative.
"""

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.families.barrier import Barrier, Forces, Point
from mvopt.linalg.null_space import equations

# So many times a multiplier that came out negative is left out; then what is left stays at zero.
_ROUNDS = 12


def at_point(barrier: Barrier, point: Point, tol: Array) -> Forces:
    """Multipliers of the equations and of what is within `tol` of its bound, zero for the rest."""
    at, movable = point.at, barrier.movable(point.x)
    below, above = barrier.room(point.x)
    m, k, n = len(at.c), len(at.d), point.x.size
    eye = jnp.eye(n, dtype=at.df.dtype)
    rows = jnp.concatenate([at.dc, at.dd, eye, -eye])
    rows = jnp.where(movable, rows, 0.0)
    active = jnp.concatenate([jnp.ones(m, bool), point.s <= tol, below <= tol, above <= tol])
    free = jnp.arange(len(rows)) < m
    slope = jnp.where(movable, at.df, 0.0)
    found = _nonnegative(rows, slope, active, free)
    return Forces(found[:m], found[m : m + k], found[m + k : m + k + n], found[m + k + n :])


def _nonnegative(rows: Array, slope: Array, active: Array, free: Array) -> Array:
    """λ with rowsᵀλ near `slope`, zero where not active and not negative where not free."""

    def fitted(active: Array) -> Array:
        along = equations(jnp.where(active[:, None], rows, 0.0))
        return along.multipliers(along.along(slope))

    def drop(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        active, _ = carry
        found = fitted(active)
        lowest = jnp.argmin(jnp.where(free, 0.0, found))
        wrong = (jnp.arange(len(found)) == lowest) & (found < 0) & ~free
        return active & ~wrong, found

    _, found = lax.fori_loop(0, _ROUNDS, drop, (active, jnp.zeros_like(rows[:, 0])))
    return jnp.where(free, found, jnp.maximum(found, 0.0))
