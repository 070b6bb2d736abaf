"""Mehrotra's method for convex quadratic and linear programs.

Each step predicts where Newton's method would go with μ = 0, chooses μ by how far that got, and
corrects the step for the products that the prediction neglected (Mehrotra 1992; Nocedal and Wright
2006, section 16.6). No start needs to be feasible. Where there is no solution the multipliers, or
the variables, grow along a ray that proves it.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Certificate, Status
from mvopt.families import stopping
from mvopt.families.barrier import Barrier, Forces, Point, System, direction, inside
from mvopt.families.constrained import ConstrainedProblem, Sizes, Unknowns, finite_gaps
from mvopt.families.units import Units
from mvopt.linalg.products import dot

_PUSH = 1.0  # of the start from the bounds and of the slacks
_NEAREST = 0.995  # share of the way to a bound
_SHIFT = 1e-12  # of a singular matrix: P is definite or has a null space
_IDLE = 12  # steps in a row that make nothing better


class PredictorState(NamedTuple):
    """The point and its multipliers; the functions are evaluated at `x`."""

    x: Array  # (n,)
    s: Array  # (k,)
    forces: Forces
    units: Units
    certificate: Certificate  # at the point
    value: Array  # (), the objective
    best: Array  # (), smallest residual so far
    idle: Array  # () int32
    begun: Array  # () bool
    status: Array  # () int32
    w: Array  # all unknowns, not scaled

    @property
    def params(self) -> Array:
        """All unknowns, w."""
        return self.w

    @property
    def optimality(self) -> Array:
        """The largest residual of the conditions, ()."""
        return self.certificate.residual

    @property
    def trial(self) -> Array:
        """Where to evaluate next, (n,)."""
        return self.x


@_tree.node
@dataclass(frozen=True)
class PredictorCorrector:
    """The solver of `quadratic_program`.

    tol: converged when the residuals are below tol, or what rounding leaves, and infeasible or
    unbounded when a ray proves it to that accuracy; NaN: √eps/16, about 1e-9 in float64.
    """

    tol: float | Array = stopping.AUTO
    sizes: Sizes | None = field(default=None, repr=False, metadata={"static": True})

    def _tol(self, dtype: Any) -> Array:
        return stopping.of_certificate(self.tol, dtype)

    def blank(self, params: Array) -> PredictorState:
        """A state of this shape."""
        if self.sizes is None:
            raise ValueError("PredictorCorrector is the solver of `quadratic_program` alone")
        n, m, k, _ = self.sizes
        zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
        of = lambda size: jnp.zeros(size, params.dtype)
        return PredictorState(
            x=of(n),
            s=of(k),
            forces=Forces(of(m), of(k), of(n), of(n)),
            units=Units(zero, of(m), of(k)),
            certificate=Certificate(*(zero,) * 6),
            value=zero,
            best=zero,
            idle=jnp.zeros((), jnp.int32),
            begun=no,
            status=jnp.zeros((), jnp.int32),
            w=params,
        )

    def init(
        self, problem: ConstrainedProblem, params: Array, state: PredictorState
    ) -> PredictorState:
        """State at the start, well inside the bounds."""
        start = Unknowns.of(params, problem.sizes)
        return self.blank(params)._replace(
            x=inside(problem.box(), start.x, 0.5 * _PUSH),
            units=jax.tree.map(jnp.ones_like, state.units),
        )

    def evaluate(
        self, problem: ConstrainedProblem, state: PredictorState
    ) -> tuple[Array, Array, Array]:
        """Values (1 + m + k,), Jacobian (1 + m + k, n), Hessian of the objective (n, n)."""
        return problem.curved(state.x, jnp.zeros_like(state.units.flat()).at[0].set(1.0))

    def step(
        self,
        problem: ConstrainedProblem,
        state: PredictorState,
        evaluation: tuple[Array, Array, Array],
    ) -> PredictorState:
        """One prediction and its correction."""
        values, jacobian, hessian = evaluation
        units = _tree.where(state.begun, state.units, Units.of(jacobian, problem.sizes))
        at = units.functions(values, jacobian, problem.sizes)
        zero = jnp.zeros_like(at.f)
        barrier = Barrier(zero, zero > 1, *problem.box())
        s = jnp.where(state.begun, state.s, jnp.maximum(at.d, _PUSH))
        point = Point(state.x, s, at, hessian * units.f)
        one = Forces(jnp.zeros_like(at.c), *barrier.walls(point.x, s))
        forces = _tree.where(state.begun, state.forces, one)
        unknowns = units.unknowns(point, forces)
        certificate = units.certificate(problem, point, unknowns)
        residual = certificate.residual
        better = residual < 0.9 * jnp.where(state.begun, state.best, jnp.inf)
        state = state._replace(
            units=units,
            certificate=certificate,
            value=at.f / units.f,
            best=jnp.where(better, residual, state.best),
            idle=jnp.where(better, 0, state.idle + 1),
            begun=jnp.ones_like(state.begun),
            w=unknowns.flat(problem.sizes),
        )
        system = System.of(barrier, point, forces, _SHIFT + zero)
        status = self._status(problem, state, point, forces, system)
        x, s, forces = _stepped(barrier, point, forces, system)
        return state._replace(x=x, s=s, forces=forces, status=status)

    def _status(
        self,
        problem: ConstrainedProblem,
        state: PredictorState,
        point: Point,
        forces: Forces,
        system: System,
    ) -> Array:
        tol = self._tol(state.x.dtype)
        stuck = (state.idle >= _IDLE) | ~jnp.isfinite(state.x).all()
        status = jnp.where(stuck, Status.STALLED, Status.RUNNING)
        close = state.certificate.within(8 * tol, 256)
        status = jnp.where(stuck & close, Status.CONVERGED, status)
        unsolvable = _contradiction(problem, point, forces, tol)
        if system.along is not None:
            lacking = jnp.abs(system.along.left_over(system.rows, point.at.c))
            reach = dot(jnp.abs(system.dc), jnp.abs(point.x)) + jnp.abs(point.at.c)
            rounding = 1e3 * jnp.finfo(tol.dtype).eps * jnp.max(reach)
            unsolvable = unsolvable | (jnp.max(lacking) > tol + rounding)
        status = jnp.where(unsolvable, Status.INFEASIBLE, status)
        status = jnp.where(_bottomless(problem, point, tol), Status.UNBOUNDED, status)
        status = jnp.where(state.certificate.within(tol, 16), Status.CONVERGED, status)
        return jnp.where(~point.finite(), Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: ConstrainedProblem, state: PredictorState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ConstrainedProblem, params: Array) -> Array:
        """The conditions as equations, of the length of the params."""
        return problem.optimality(params)


def _stepped(
    barrier: Barrier, point: Point, forces: Forces, system: System
) -> tuple[Array, Array, Forces]:
    """Variables, slacks and multipliers after a step."""
    pull = point.at.c, point.gap()
    mu = barrier.mean_product(point.x, point.s, forces)
    nothing = tuple(jnp.zeros_like(force) for force in forces[1:])
    guess = direction(system, barrier, point, forces, pull, nothing)
    reach = barrier.reaches(point, forces, guess, 1.0)
    there = _moved(point, forces, guess, *reach)
    left = barrier.mean_product(there[0], there[1], there[2])
    centering = (left / jnp.where(mu > 0, mu, 1.0)) ** 3
    moves = guess.s, guess.x, -guess.x
    walls = barrier.walls(point.x, point.s)
    targets = tuple(
        jnp.where(one > 0, centering * mu - move * change, 0.0)
        for one, move, change in zip(walls, moves, guess.forces[1:], strict=True)
    )
    step = direction(system, barrier, point, forces, pull, targets)
    reach = barrier.reaches(point, forces, step, _NEAREST)
    return _moved(point, forces, step, *reach)


def _moved(
    point: Point, forces: Forces, step: Any, length: Array, dual: Array
) -> tuple[Array, Array, Forces]:
    # One length for both where they are coupled by the curvature of the objective.
    both = jnp.minimum(length, dual)
    curved = jnp.any(point.hessian != 0)
    length, dual = jnp.where(curved, both, length), jnp.where(curved, both, dual)
    walls = (force + dual * change for force, change in zip(forces, step.forces, strict=True))
    return point.x + length * step.x, point.s + length * step.s, Forces(*walls)


def _contradiction(problem: ConstrainedProblem, point: Point, forces: Forces, tol: Array) -> Array:
    """() bool: the constraints, added up with the multipliers, have no solution (Farkas 1902).

    The sum is linear in x. Its slope must be nothing, for any x that could matter, beside its
    value, and that must have the wrong sign.
    """
    lower, upper = problem.box()
    (y, z, p, q), at, x = forces, point.at, point.x
    slope = dot(y, at.dc) + dot(z, at.dd) + p - q
    below, above = finite_gaps(x - lower), finite_gaps(upper - x)
    total = dot(y, at.c) + dot(z, at.d) + jnp.sum(p * below) + jnp.sum(q * above)
    fixed = lower >= upper
    slope = jnp.where(fixed, 0.0, slope)
    total = total - jnp.sum(slope * x)
    size = 1 + jnp.max(jnp.abs(x))
    # Multipliers of a problem with a solution are moderate, and so is their sum of constraints.
    large = jnp.max(jnp.abs(jnp.concatenate(forces))) > 1e4 * (1 + jnp.max(jnp.abs(at.df)))
    return large & (total < 0) & (jnp.max(jnp.abs(slope)) * size <= tol**0.5 * -total)


def _bottomless(problem: ConstrainedProblem, point: Point, tol: Array) -> Array:
    """() bool: along x itself nothing but the objective changes, and that falls for ever."""
    lower, upper = problem.box()
    x, at = point.x, point.at
    size = jnp.max(jnp.abs(x))
    ray = x / jnp.where(size > 0, size, 1.0)
    bend = dot(point.hessian, ray)
    fall = size * dot(ray, bend) - dot(at.df, ray)
    walls = jnp.concatenate(
        [jnp.where(jnp.isfinite(lower), -ray, 0.0), jnp.where(jnp.isfinite(upper), ray, 0.0)]
    )
    equations = jnp.abs(jnp.concatenate([bend, dot(at.dc, ray)]))
    worst = jnp.max(jnp.concatenate([equations, -dot(at.dd, ray), walls]), initial=0.0)
    return (size > 1e6) & (fall > 0) & (worst <= tol**0.5 * fall)
