"""How μ falls, and what counts as having got no further.

μ falls when its barrier problem is solved to within a multiple of it (Fiacco and McCormick 1968,
with the constants of Wächter and Biegler 2006), or when rounding allows no more.
"""

import jax.numpy as jnp

from mvopt._types import Array
from mvopt.families.barrier import Barrier, Forces, Point
from mvopt.families.primal_dual_state import FORCED, PrimalDualState
from mvopt.linalg.products import dot

FIRST_MU = 0.1
# No more is expected after so many steps in a row that gained less than the tolerance and brought
# the error down no further; a step whose gain is lost in rounding counts as several (ours).
MOST_IDLE = 32
_LOST = 8
_SLOWER, _FASTER = 0.2, 1.5  # factor and power by which μ falls
_SOLVED = 10.0  # multiple of μ
_UPDATES = 4  # of one step at most (ours)


def least_mu(state: PrimalDualState, tol: Array) -> Array:
    """Below this μ does not fall: what it leaves of the products is well below the tolerance."""
    return 0.1 * tol * state.shares.value * state.units.f


def next_mu(
    state: PrimalDualState,
    barrier: Barrier,
    point: Point,
    forces: Forces,
    accept: Array,
    tol: Array,
) -> tuple[Array, Array, Array]:
    """μ for the next step, the steps in a row that gained nothing, the least error seen with it."""
    least = least_mu(state, tol)
    mu, misses = barrier.mu, barrier.misses(point, forces)
    for _ in range(_UPDATES):
        solved = accept & (misses.error(mu) <= _SOLVED * mu)
        mu = jnp.where(solved, _smaller(mu, least), mu)
    error = misses.error(barrier.mu)
    promised = jnp.abs(state.length * state.slope)
    size = jnp.abs(barrier.merit(point))
    better = (error < 0.9 * state.least) | ~settled(point, tol * state.shares.rows)
    little = ~better & (promised <= tol * jnp.maximum(state.shares.value, size))
    hidden = ~better & (promised <= 10 * jnp.finfo(error.dtype).eps * size)
    hidden = hidden | (state.phase == FORCED)  # it did not move
    more = jnp.where(hidden, _LOST, 1)
    idle = jnp.where(accept, jnp.where(hidden | little, state.idle + more, 0), state.idle)
    mu = jnp.where(idle >= MOST_IDLE, _smaller(mu, least), mu)
    fell = mu < barrier.mu
    smallest = jnp.where(accept, jnp.minimum(error, state.least), state.least)
    return mu, jnp.where(fell, 0, idle).astype(jnp.int32), jnp.where(fell, jnp.inf, smallest)


def _smaller(mu: Array, least: Array) -> Array:
    return jnp.minimum(mu, jnp.maximum(jnp.minimum(_SLOWER * mu, mu**_FASTER), least))


def settled(point: Point, tol: Array) -> Array:
    """() bool: the constraints hold to within tol (m + k,), or as rounding lets them."""
    slopes = jnp.abs(jnp.concatenate([point.at.dc, point.at.dd]))
    rounding = dot(slopes, jnp.abs(point.x))
    rounding = 16 * jnp.finfo(point.x.dtype).eps * rounding
    return (jnp.abs(point.equations()) <= tol + rounding).all()
