"""Mehrotra's method for convex quadratic and linear programs, on their homogeneous embedding.

Each step predicts where Newton's method would go with μ = 0, chooses μ by how far that got, and
corrects the step for the products that the prediction neglected (Mehrotra 1992; Nocedal and Wright
2006, section 16.6). No start needs to be feasible, and none is asked for: the first step finds one.

The embedding leads to a solution, or to a proof that there is none. A ray along which the objective
falls for ever says nothing about feasibility: behind it, a point is sought without the objective.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.barrier import Forces
from mvopt.families.constrained import ConstrainedProblem, Sizes, Unknowns
from mvopt.families.homogeneous import Iterate, Newton
from mvopt.families.program import Program, Scaling
from mvopt.families.proof import Judge

_IDLE = 12  # steps in a row that make nothing better


class PredictorState(NamedTuple):
    """A point of the embedding in the units of `scaling`, and the best that such points were."""

    origin: Array  # (n,), where the functions are evaluated
    scaling: Scaling
    independent: Array  # (m,) bool, equations that do not follow from others
    iterate: Iterate
    ray: Array  # (n,)
    falls: Array  # () bool: the objective does along the ray; only a feasible point is sought
    best: Array  # (3,), how near it was to a solution, a contradiction, a ray
    idle: Array  # () int32
    begun: Array  # () bool
    status: Array  # () int32
    value: Array  # (), the objective
    w: Array  # all unknowns, as they are reported

    @property
    def params(self) -> Array:
        """All unknowns, w."""
        return self.w

    @property
    def optimality(self) -> Array:
        """Relative distance from a solution, ()."""
        return self.best[0]

    @property
    def trial(self) -> Array:
        """Where to evaluate next, (n,)."""
        return self.origin


@_tree.node
@dataclass(frozen=True)
class PredictorCorrector:
    """The solver of `quadratic_program`.

    tol: converged when rows, slopes and the gap to the value of the dual program are met to that
    accuracy, relative to the terms that they consist of; NaN: √eps/16, about 1e-9 in float64.
    """

    tol: float | Array = stopping.AUTO
    sizes: Sizes | None = field(default=None, repr=False, metadata={"static": True})

    def blank(self, params: Array) -> PredictorState:
        """A state of this shape."""
        if self.sizes is None:
            raise ValueError("PredictorCorrector is the solver of `quadratic_program` alone")
        n, m, k, _ = self.sizes
        zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
        none = jnp.zeros((), jnp.int32)
        of = lambda size: jnp.zeros(size, params.dtype)
        return PredictorState(
            origin=of(n),
            scaling=Scaling(of(m + k), of(n), zero, zero),
            independent=jnp.zeros(m, bool),
            iterate=Iterate(of(n), of(m), of(k + 2 * n), of(k + 2 * n), zero, zero),
            ray=of(n),
            falls=no,
            best=of(3),
            idle=none,
            begun=no,
            status=none,
            value=zero,
            w=params,
        )

    def init(
        self, problem: ConstrainedProblem, params: Array, state: PredictorState
    ) -> PredictorState:
        """The point of the box that is nearest to zero, and the units."""
        del state
        origin, scaling = _frame(problem, params)
        blank, never = self.blank(params), jnp.full(3, jnp.inf, params.dtype)
        unknown = jnp.full_like(blank.value, jnp.nan)
        return blank._replace(origin=origin, scaling=scaling, best=never, value=unknown)

    def evaluate(
        self, problem: ConstrainedProblem, state: PredictorState
    ) -> tuple[Array, Array, Array]:
        """Values (1 + m + k,), Jacobian (1 + m + k, n), Hessian of the objective (n, n)."""
        return _matrices(problem, state.origin)

    def step(
        self,
        problem: ConstrainedProblem,
        state: PredictorState,
        evaluation: tuple[Array, Array, Array],
    ) -> PredictorState:
        """One prediction and its correction, and what the point after it proves."""
        given, begun = Program.of(problem, state.origin, evaluation), state.begun
        program = state.scaling.apply(given).without(begun & ~state.independent, state.falls)
        newton = Newton.of(program, _tree.where(begun, state.iterate, Iterate.unit(program)))
        independent, contrary = newton.equations()
        iterate, ray = newton.next(begun)
        state = state._replace(
            independent=jnp.where(begun, state.independent, independent),
            iterate=iterate,
            begun=jnp.ones_like(begun),
        )
        y, z = jnp.where(begun, iterate.y, contrary), jnp.where(begun, iterate.z, 0.0)
        return self._judged(given, state, evaluation[0][0], (y, z), ray)

    def _judged(
        self,
        given: Program,
        state: PredictorState,
        constant: Array,
        contrary: tuple[Array, Array],
        ray: Array,
    ) -> PredictorState:
        """The state with its status.

        constant: the objective at the origin. contrary: multipliers that may be a contradiction.
        ray: a direction (n,) on which the objective may fall for ever.
        """
        scaling, at, k = state.scaling, state.iterate, len(given.h)
        sizes = cast("Sizes", self.sizes)
        judge = Judge.of(given, state.origin, scaling, self._tol(state.w.dtype))
        x = jnp.clip(scaling.variables(at.x / at.tau), -given.below, given.above)
        y, z = scaling.multipliers(at.y / at.tau, at.z[:k] / at.tau)
        value = constant + given.objective(x)
        feasible, best, bounds = judge.solved(value, x, y, z)
        cannot, against = judge.infeasible(*scaling.multipliers(contrary[0], contrary[1][:k]))
        endless, way = judge.unbounded(scaling.variables(ray))
        near = jnp.where(state.falls, feasible, jnp.maximum(feasible, best))
        now = jnp.stack([near, cannot, jnp.where(state.falls, jnp.inf, endless)])

        better = now < 0.9 * state.best
        idle = jnp.where(better.any(), 0, state.idle + 1)
        nearest = jnp.where(better, now, state.best)
        status = _status(judge, now, nearest, (idle >= _IDLE) | ~at.finite())
        status = jnp.where((status == Status.CONVERGED) & state.falls, Status.UNBOUNDED, status)
        status = jnp.where(given.finite(), status, Status.NONFINITE)
        turn = (status == Status.RUNNING) & (now[2] <= judge.proof())

        take = better[0] | (near <= judge.tol)
        found = Unknowns(state.origin + x, y, z, *bounds)
        found = Unknowns.of(jnp.where(take, found.flat(sizes), state.w), sizes)
        value = jnp.where(take, value, state.value)
        found, value = _told(given, state, status, (found, value, constant), against)
        return state._replace(
            ray=jnp.where(turn, way, state.ray),
            falls=state.falls | turn,
            best=jnp.where(turn, jnp.inf, nearest),
            idle=jnp.where(turn, 0, idle).astype(jnp.int32),
            begun=~turn,
            status=status.astype(jnp.int32),
            value=value,
            w=found.flat(sizes),
        )

    def _tol(self, dtype: Any) -> Array:
        return stopping.of_certificate(self.tol, dtype)

    def status(self, problem: ConstrainedProblem, state: PredictorState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ConstrainedProblem, params: Array) -> Array:
        """The conditions as equations, of the length of the params."""
        _, scaling = lax.stop_gradient(_frame(problem, params))
        return problem.optimality(params, scaling.against_slacks(problem.sizes))


def _told(
    given: Program,
    state: PredictorState,
    status: Array,
    best: tuple[Unknowns, Array, Array],
    against: Forces,
) -> tuple[Unknowns, Array]:
    """What is reported, and its value: with a contradiction `against`, with a ray a point far out.

    best: the best unknowns, the objective there, and at the origin.
    """
    found, value, constant = best
    found = _tree.where(status == Status.INFEASIBLE, Unknowns(found.x, *against), found)
    far = found.x + state.ray / jnp.finfo(value.dtype).eps ** 0.5
    unbounded = status == Status.UNBOUNDED
    there = constant + given.objective(far - state.origin)
    return found._replace(x=jnp.where(unbounded, far, found.x)), jnp.where(unbounded, there, value)


def _status(judge: Judge, now: Array, nearest: Array, stuck: Array) -> Array:
    """From the distances to a solution, a contradiction and a ray: now, and the least so far."""
    status = jnp.where(stuck, Status.STALLED, Status.RUNNING)
    status = jnp.where(stuck & (nearest[0] <= 8 * judge.tol), Status.CONVERGED, status)
    status = jnp.where(now[1] <= judge.proof(), Status.INFEASIBLE, status)
    return jnp.where(now[0] <= judge.tol, Status.CONVERGED, status)


def _frame(problem: ConstrainedProblem, w: Array) -> tuple[Array, Scaling]:
    """The point of the box that is nearest to zero, and the units."""
    origin = jnp.clip(jnp.zeros_like(w[: problem.sizes.variables]), *problem.box())
    return origin, Scaling.of(Program.of(problem, origin, _matrices(problem, origin)))


def _matrices(problem: ConstrainedProblem, x: Array) -> tuple[Array, Array, Array]:
    objective = jnp.zeros(1 + problem.sizes.equalities + problem.sizes.inequalities, x.dtype)
    return problem.curved(x, objective.at[0].set(1.0))
