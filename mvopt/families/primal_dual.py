"""The primal-dual method with a filter: Newton's on the barrier problem, a trial in each step.

    FIRST ──► FORCED ──► SEARCH ⇄ CORRECTION      one evaluation each
                ▲          │
                └──────────┘  into and out of the elastic problem, which restores feasibility

FIRST sees the start and chooses scales and multipliers. FORCED evaluates where it stands because
the Lagrangian has become another one. SEARCH tries a step, and shorter ones; when the first of them
makes the violation worse, CORRECTION bends it back to the constraints (Wächter and Biegler 2006).
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Certificate, Status
from mvopt.families import filter as filters
from mvopt.families import stopping
from mvopt.families.barrier import (
    Barrier,
    Direction,
    Forces,
    Point,
    System,
    balanced,
    direction,
    inside,
)
from mvopt.families.barrier_parameter import FIRST_MU, next_mu, settled
from mvopt.families.constrained import ConstrainedProblem, Sizes, Unknowns
from mvopt.families.extent import Terms
from mvopt.families.filter import Filter
from mvopt.families.primal_dual_state import (
    CORRECTION,
    FIRST,
    FORCED,
    SEARCH,
    PrimalDualState,
    Trial,
    blank_state,
)
from mvopt.families.restoration import restored, turned
from mvopt.families.units import Units
from mvopt.families.verdict import judged
from mvopt.linalg.products import dot

# Constants of Wächter and Biegler (2006) unless said.
_PUSH = 1e-2  # from the bounds, of the start
_WARM_PUSH = 1e-4  # the same with multipliers (ours)
_LEAST_FORCE = 1e-6  # of multipliers that are given (ours)
_NEAREST = 0.99  # share of the way to a bound that a step may go
_SPREAD = 1e10  # largest factor between a multiplier and μ/s
_CORRECTIONS = 4
_LESS = 0.99  # to which a correction must bring the violation for another one
_ELASTIC_SHORTEST = 1e-10  # step length (ours)


@dataclass(frozen=True)
class PrimalDualMethod:
    """What `LagrangeNewton` and `InteriorPoint` share.

    tol: converged when stationarity, feasibility and complementarity are each missed by less than
    that, without any scaling, or by what rounding leaves; where the terms that they consist of are
    less than one, by less than that share of them. NaN: √eps/16, about 1e-9 in float64.
    """

    tol: float | Array = stopping.AUTO
    sizes: Sizes | None = field(default=None, repr=False, metadata={"static": True})

    def _sizes(self) -> Sizes:
        if self.sizes is None:
            raise ValueError(f"{type(self).__name__} is a solver of `minimize` alone")
        return self.sizes

    def _tol(self, dtype: Any) -> Array:
        return stopping.of_certificate(self.tol, dtype)

    def blank(self, params: Array) -> PrimalDualState:
        """A state of this shape."""
        return blank_state(params, self._sizes())

    def init(
        self, problem: ConstrainedProblem, params: Array, state: PrimalDualState
    ) -> PrimalDualState:
        """State at the start, pushed into the bounds. NaN multipliers are to be estimated."""
        start = Unknowns.of(params, problem.sizes)
        state = self.blank(params)
        push = jnp.where(_is_warm(start), _WARM_PUSH, _PUSH)
        x, s = inside(problem.box(), start.x, push), jnp.ones_like(state.point.s)
        # FIRST goes through the same arithmetic as the others, which must not find cause for alarm.
        calm = state.point._replace(x=x, s=s, hessian=jnp.eye(x.size, dtype=x.dtype))
        return state._replace(
            units=jax.tree.map(jnp.ones_like, state.units),
            point=calm,
            trial=Trial(x, s, Forces(*start[1:])),
        )

    def evaluate(
        self, problem: ConstrainedProblem, state: PrimalDualState
    ) -> tuple[Array, Array, Array]:
        """Values (1 + m + k,), Jacobian (1 + m + k, n), Hessian (n, n) at the trial."""
        trial, sizes, scale = state.trial, problem.sizes, state.units.flat()
        values = problem.functions(trial.x) * scale
        end = 1 + sizes.equalities
        one = jnp.ones(1, scale.dtype)
        lagrangian = jnp.concatenate([one, -trial.forces.y, -trial.forces.z])
        slacks = state.barrier(problem).slacks(values[end:], trial.s)
        elastic = jnp.concatenate([0 * one, values[1:end], values[end:] - slacks])
        weights = scale * jnp.where(state.elastic, elastic, lagrangian)
        return problem.curved(trial.x, weights)

    def step(
        self, problem: ConstrainedProblem, state: PrimalDualState, evaluation: Any
    ) -> PrimalDualState:
        """Judge the trial, and choose the next."""
        values, jacobian, hessian = evaluation
        begun = self._begun(problem, state, values, jacobian)
        ahead = self._tried(problem, state, values, jacobian, hessian)
        return _tree.where(state.phase == FIRST, begun, ahead)

    def _tried(
        self,
        problem: ConstrainedProblem,
        state: PrimalDualState,
        values: Array,
        jacobian: Array,
        hessian: Array,
    ) -> PrimalDualState:
        """The state after a trial."""
        at = state.units.functions(values, jacobian, problem.sizes)
        barrier = state.barrier(problem)
        new = Point(state.trial.x, barrier.slacks(at.d, state.trial.s), at, hessian)
        state, accept = self._judged(problem, state, new)
        moved, leave = self._moved(problem, state, new, accept)
        return self._ahead(problem, moved, new, accept, leave)

    def _begun(
        self, problem: ConstrainedProblem, state: PrimalDualState, values: Array, jacobian: Array
    ) -> PrimalDualState:
        """Scales, slacks and multipliers for the start."""
        given = state.trial.forces
        warm = _is_warm(given)
        units = Units.of(jacobian, problem.sizes)
        at = units.functions(values, jacobian, problem.sizes)
        s = jnp.maximum(at.d, jnp.where(warm, _WARM_PUSH, _PUSH))
        x = state.trial.x
        point = Point(x, s, at, state.point.hessian)
        barrier = state.barrier(problem)
        scaled, one = units.forces(given), barrier.walls(x, s)
        cold = Forces(jnp.zeros_like(at.c), *one)
        cold = cold._replace(y=balanced(barrier, point, cold, state.phase == FIRST))
        kept = Forces(
            scaled.y,
            *(jnp.maximum(a, _LEAST_FORCE) * b for a, b in zip(scaled[1:], one, strict=True)),
        )
        forces = _tree.where(warm, kept, cold)
        bad = ~(at.finite() & jnp.isfinite(x).all())
        return state._replace(
            phase=jnp.full_like(state.phase, FORCED),
            point=point,
            forces=forces,
            trial=Trial(x, s, forces),
            units=units,
            mu=jnp.where(warm, _first_mu(barrier, x, s, forces), FIRST_MU).astype(x.dtype),
            corners=Filter.empty(point.violation()),
            least=jnp.full_like(state.least, jnp.inf),
            residuals=Certificate(*(jnp.full_like(state.mu, jnp.nan),) * 6),
            status=jnp.where(bad, Status.NONFINITE, Status.RUNNING).astype(jnp.int32),
        )

    def _judged(
        self, problem: ConstrainedProblem, state: PrimalDualState, new: Point
    ) -> tuple[PrimalDualState, Array]:
        """The filter after the trial, and whether it is accepted."""
        barrier, corners = state.barrier(problem), state.corners
        old = barrier.violation(state.point), barrier.merit(state.point)
        now = barrier.violation(new), barrier.merit(new)
        # A correction is judged as the step that it corrects.
        length = jnp.where(state.phase == CORRECTION, state.reach, state.length)
        descent = filters.descends(corners, old[0], state.slope, length) | state.elastic
        sufficient = filters.enough(old[1], now[1], state.slope, length)
        open_ = corners.accepts(*now) | state.elastic
        good = jnp.where(descent, sufficient, filters.improves(old, now)) & open_
        finite = new.at.finite() | (state.elastic & _constraints_finite(new))
        finite = finite & jnp.isfinite(new.hessian).all() & jnp.isfinite(now[1])
        forced = state.phase == FORCED
        accept = finite & (forced | good) & (state.phase != FIRST)
        blocked = accept & ~forced & ~(descent & sufficient)
        return state._replace(corners=corners.extended(blocked, *old)), accept

    def _moved(
        self, problem: ConstrainedProblem, state: PrimalDualState, new: Point, accept: Array
    ) -> tuple[PrimalDualState, Array]:
        """The state at the point, a smaller μ where its problem is solved; whether to leave."""
        tol = self._tol(new.x.dtype)
        point = _tree.where(accept, new, state.point)
        forces = _tree.where(accept, state.trial.forces, state.forces)
        state = _tree.where(accept, self._measured(state, point), state)
        leave, clear = restored(problem, state, point, accept, tol)
        barrier = state.barrier(problem)
        mu, idle, least = next_mu(state, barrier, point, forces, accept, tol)
        unknowns = state.units.unknowns(point, forces)
        found = state.units.certificate(problem, point, unknowns, state.shares)
        return state._replace(
            point=point,
            forces=forces,
            mu=mu,
            corners=state.corners.cleared(((mu < state.mu) & ~state.elastic) | clear),
            idle=idle,
            least=least,
            residuals=_tree.where(accept, found, state.residuals),
            w=jnp.where(accept, unknowns.flat(problem.sizes), state.w),
        ), leave

    def _measured(self, state: PrimalDualState, point: Point) -> PrimalDualState:
        """The state with the shares of the tolerance that count at this point."""
        extent = state.extent.with_point(Terms.at(*state.units.terms(point)))
        x = jnp.abs(point.x)
        curvature = jnp.max(x * dot(jnp.abs(point.hessian), x)) / state.units.f
        return state._replace(extent=extent, shares=extent.shares(curvature))

    def _ahead(
        self,
        problem: ConstrainedProblem,
        state: PrimalDualState,
        tried: Point,
        accept: Array,
        leave: Array,
    ) -> PrimalDualState:
        """The next trial from where it stands: a new step, a correction, a shorter one."""
        point, forces, barrier = state.point, state.forces, state.barrier(problem)
        correct, pull, worst = self._correcting(state, barrier, tried, accept)
        here = point.at.c, point.gap()
        ask = tuple(jnp.where(correct, a, b) for a, b in zip(pull, here, strict=True))
        system = System.of(barrier, point, forces, state.shift)
        step = direction(system, barrier, point, forces, ask, (barrier.mu,) * 3)
        shift = system.factors.shift
        slopes = barrier.slopes(point)
        slope = jnp.sum(slopes[0] * step.x) + jnp.sum(slopes[1] * step.s)
        share = jnp.maximum(_NEAREST, 1 - barrier.mu)
        reach, dual_reach = barrier.reaches(point, forces, step, share)
        again = accept | correct | (state.phase == CORRECTION)
        length = jnp.where(again, reach, 0.5 * state.length)
        # After corrections that failed the first step has been tried already.
        length = jnp.where((state.phase == CORRECTION) & ~accept & ~correct, 0.5 * reach, length)
        slope = jnp.where(correct, state.slope, slope)
        least = filters.shortest(state.corners, barrier.violation(point), slope)
        least = jnp.where(state.elastic, _ELASTIC_SHORTEST, least)
        finite = jnp.isfinite(step.x).all() & jnp.isfinite(step.s).all() & jnp.isfinite(slope)
        feasible = settled(point, self._tol(point.x.dtype) * state.shares.rows)
        still = self._lost(point, step) & accept
        lost = still & feasible
        failed = ~finite | (~accept & (length < least)) | (still & ~feasible)
        failed = failed & (state.phase != FIRST)
        trial = _stepped(barrier, point, forces, step, length, dual_reach)
        phase = jnp.where(correct, CORRECTION, jnp.where(lost, FORCED, SEARCH))
        state = state._replace(
            phase=phase.astype(jnp.int32),
            trial=trial,
            length=length,
            reach=jnp.where(correct, state.reach, reach),
            slope=slope,
            pull=pull,
            worst=worst,
            corrections=jnp.where(correct, state.corrections + 1, 0).astype(jnp.int32),
            shift=jnp.where(shift > 0, shift, state.shift),
        )
        tol = self._tol(point.x.dtype)
        enter = failed & ~state.elastic & ~feasible
        state = judged(problem, state, failed & ~enter, leave, tol)
        return turned(problem, state, enter, leave)

    def _correcting(
        self, state: PrimalDualState, barrier: Barrier, tried: Point, accept: Array
    ) -> tuple[Array, tuple[Array, ...], Array]:
        """Whether to correct the rejected step, what for, and the violation to improve on."""
        violation = tried.violation()
        fresh = (state.phase == SEARCH) & (state.length == state.reach)
        fresh = fresh & (violation >= barrier.violation(state.point))
        more = (state.phase == CORRECTION) & (violation <= _LESS * state.worst)
        more = more & (state.corrections < _CORRECTIONS)
        correct = ~accept & ~state.elastic & (fresh | more) & jnp.isfinite(violation)
        old = state.point.at.c, state.point.gap()
        before = tuple(jnp.where(fresh, a, b) for a, b in zip(old, state.pull, strict=True))
        now = tried.at.c, tried.gap()
        pull = tuple(state.length * a + b for a, b in zip(before, now, strict=True))
        return correct, pull, violation

    def _lost(self, point: Point, step: Direction) -> Array:
        """() bool: the step is within the rounding of the variables."""
        eps = jnp.finfo(point.x.dtype).eps
        x = jnp.max(jnp.abs(step.x) / (1 + jnp.abs(point.x)))
        s = jnp.max(jnp.abs(step.s) / (1 + point.s), initial=0.0)
        return jnp.maximum(x, s) < 10 * eps

    def status(self, problem: ConstrainedProblem, state: PrimalDualState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ConstrainedProblem, params: Array) -> Array:
        """The conditions as equations, of the length of the params."""
        return problem.optimality(params)


def _is_warm(given: Unknowns | Forces) -> Array:
    """() bool: multipliers were given."""
    y, z, p, q = given[-4:]
    return jnp.isfinite(jnp.concatenate([y, z, p, q])).all()


def _first_mu(barrier: Barrier, x: Array, s: Array, forces: Forces) -> Array:
    """The μ of a point with multipliers, ()."""
    return jnp.clip(barrier.mean_product(x, s, forces), 1e-9, FIRST_MU)


def _stepped(
    barrier: Barrier,
    point: Point,
    forces: Forces,
    step: Direction,
    length: Array,
    dual_length: Array,
) -> Trial:
    """The trial at the end of the step, its multipliers kept near μ over the gaps."""
    x, s = point.x + length * step.x, point.s + length * step.s
    movable = barrier.movable(x)
    gaps = s, barrier.below(x), barrier.above(x)
    there = barrier.walls(x, s)
    walls = []
    for one, gap, z, dz in zip(there, gaps, forces[1:], step.forces[1:], strict=True):
        central = barrier.mu / jnp.where(one > 0, gap, 1.0)
        new = jnp.clip(z + dual_length * dz, central / _SPREAD, central * _SPREAD)
        walls.append(jnp.where(one > 0, new, 0.0))
    x = jnp.where(movable, x, point.x)
    return Trial(x, s, Forces(forces.y + length * step.forces.y, *walls))


def _constraints_finite(point: Point) -> Array:
    at = point.at
    return jnp.stack([jnp.isfinite(part).all() for part in (at.c, at.d, at.dc, at.dd)]).all()
