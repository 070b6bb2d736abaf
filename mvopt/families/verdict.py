"""How a primal-dual method stands: the status after a step."""

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array, Certificate, Status
from mvopt.families.barrier_parameter import MOST_IDLE, least_mu
from mvopt.families.constrained import ConstrainedProblem
from mvopt.families.multipliers import at_point
from mvopt.families.primal_dual_state import PrimalDualState
from mvopt.families.restoration import hopeless

_ROUNDINGS = 16  # multiples of what rounding may leave of a residual
_MOST_RESTORATIONS = 30
_FAR = 1e15  # so large are variables, or the objective below zero, on the way to infinity


def judged(
    problem: ConstrainedProblem,
    state: PrimalDualState,
    failed: Array,
    leave: Array,
    tol: Array,
) -> PrimalDualState:
    """The state with its status.

    failed: no step from here helps. leave: the elastic problem has done its service.
    """
    barrier = state.barrier(problem)
    plain = ~state.elastic
    ended = (state.idle >= MOST_IDLE) & (state.mu <= 1.01 * least_mu(state, tol))
    stuck = failed | ended | (state.restorations > _MOST_RESTORATIONS)
    # A lane that is done is stepped on until another problem takes it.
    stuck = stuck & (state.status == Status.RUNNING)
    state = _with_better_multipliers(problem, state, stuck & plain, tol)
    found, rest = state.residuals, state.residuals.within(8 * tol, 16 * _ROUNDINGS)
    sure, likely = hopeless(barrier, state, tol)
    status = jnp.where(stuck, Status.STALLED, Status.RUNNING)
    status = jnp.where(stuck & plain & rest, Status.CONVERGED, status)
    status = jnp.where((sure | (stuck & likely)) & ~leave, Status.INFEASIBLE, status)
    status = jnp.where(plain & found.within(tol, _ROUNDINGS), Status.CONVERGED, status)
    far = (jnp.abs(state.point.x).max() > _FAR) | (state.point.at.f < -_FAR)
    near = state.point.violation() <= state.corners.most
    status = jnp.where(plain & far & near, Status.UNBOUNDED, status)
    return state._replace(status=status.astype(jnp.int32))


def _with_better_multipliers(
    problem: ConstrainedProblem, state: PrimalDualState, stuck: Array, tol: Array
) -> PrimalDualState:
    """Where the method is stuck, other multipliers for the same point if they certify it better."""
    barrier = state.barrier(problem)

    def other() -> tuple[Certificate, Array]:
        forces = at_point(barrier, state.point, tol)
        unknowns = state.units.unknowns(state.point, forces)
        found = state.units.certificate(problem, state.point, unknowns, state.shares)
        better = stuck & (found.residual < state.residuals.residual)
        w = jnp.where(better, unknowns.flat(problem.sizes), state.w)
        pairs = zip(found, state.residuals, strict=True)
        return Certificate(*(jnp.where(better, a, b) for a, b in pairs)), w

    residuals, w = lax.cond(stuck, other, lambda: (state.residuals, state.w))
    return state._replace(residuals=residuals, w=w)
