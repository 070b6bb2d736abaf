"""Into the elastic problem when no step helps any more, and out of it when it did."""

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.barrier import LARGEST_MULTIPLIER, Barrier, Forces, Point, balanced
from mvopt.families.barrier_parameter import settled
from mvopt.families.constrained import ConstrainedProblem
from mvopt.families.primal_dual_state import FORCED, PrimalDualState, Trial

_RESTORED = 0.9  # of the violation, to leave the elastic problem (Wächter and Biegler 2006)
_SHARE = 1e-2  # of the violation that the elastic problem's μ is at least


def restored(
    problem: ConstrainedProblem, state: PrimalDualState, point: Point, accept: Array, tol: Array
) -> tuple[Array, Array]:
    """Whether to return from the elastic problem, and whether the filter must give way for it."""
    barrier = state.barrier(problem)
    outer = barrier._replace(mu=state.outer_mu, elastic=jnp.zeros_like(state.elastic))
    violation = point.violation()
    fair = violation <= _RESTORED * state.outer_violation
    fair = fair & state.corners.accepts(violation, outer.merit(point))
    feasible = settled(point, tol * state.shares.rows)
    leave = state.elastic & accept & point.at.finite() & (fair | feasible)
    return leave, leave & ~fair


def turned(
    problem: ConstrainedProblem,
    state: PrimalDualState,
    enter: Array,
    leave: Array,
) -> PrimalDualState:
    """The state at the same point of the other problem, which has to be evaluated there first."""
    point, barrier = state.point, state.barrier(problem)
    violation = point.violation()
    outer = jnp.where(leave, state.outer_mu, state.mu)
    elastic = jnp.maximum(state.mu, _SHARE * jnp.minimum(violation, 10.0))
    mu = jnp.where(enter, elastic, outer)
    forces = _central(barrier, point, mu, leave)
    turn = enter | leave
    here = Trial(point.x, point.s, forces)
    return state._replace(
        phase=jnp.where(turn, FORCED, state.phase).astype(jnp.int32),
        trial=_tree.where(turn, here, state.trial),
        forces=_tree.where(turn, forces, state.forces),
        mu=mu,
        elastic=(state.elastic | enter) & ~leave,
        corners=state.corners.extended(enter, violation, barrier.merit(point)),
        idle=jnp.where(turn, 0, state.idle).astype(jnp.int32),
        least=jnp.where(turn, jnp.inf, state.least),
        outer_mu=jnp.where(enter, state.mu, state.outer_mu),
        outer_violation=jnp.where(enter, violation, state.outer_violation),
        restorations=state.restorations + enter,
        shift=jnp.where(turn, 0.0, state.shift),
    )


def hopeless(barrier: Barrier, state: PrimalDualState, tol: Array) -> tuple[Array, Array]:
    """() bool: the violation is at a minimum of its own, and not zero; and whether it nearly is."""
    point = state.point
    error = barrier.misses(point, state.forces).error(0.0)
    worst = jnp.max(jnp.abs(point.equations()), initial=0.0)
    there = state.elastic & ~settled(point, tol * state.shares.rows)
    return there & (error <= jnp.minimum(1e-3 * worst, tol**0.5)), there & (error <= 1e-2 * worst)


def _central(barrier: Barrier, point: Point, mu: Array, with_equations: Array) -> Forces:
    """Multipliers such that each product is μ; those of the equations by least squares, or zero."""
    rooms = point.s, barrier.below(point.x), barrier.above(point.x)
    walls = [
        jnp.where(one > 0, jnp.minimum(mu / jnp.where(one > 0, room, 1.0), LARGEST_MULTIPLIER), 0.0)
        for one, room in zip(barrier.walls(point.x, point.s), rooms, strict=True)
    ]
    forces = Forces(jnp.zeros_like(point.at.c), *walls)
    return forces._replace(y=balanced(barrier, point, forces, with_equations))
