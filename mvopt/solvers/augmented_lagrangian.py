"""The augmented Lagrangian: a sequence of problems without constraints, for many variables.

    φ(x) = f − y·c + ρ/2 ‖c‖² + Σ (max(0, z − ρ d)² − z²) / 2ρ

is minimised within the bounds by any method that can; then y ← y − ρ c and z ← max(0, z − ρ d), and
ρ grows where the constraints were not met much better than before (Hestenes 1969; Powell 1969;
Rockafellar 1973; the rules are those of Birgin and Martínez 2014). Nothing larger than the memory
of that method is built: the functions are differentiated in reverse alone.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.constrained import ConstrainedProblem, Sizes, Unknowns
from mvopt.families.objective import ObjectiveProblem

_LEAST_PENALTY, _FIRST_PENALTY = 1e-6, 10.0  # the first is in between
_GROWTH = 10.0
_LARGEST_PENALTY = 1e16  # times eps^(1/4)
_PROGRESS = 0.5  # share of the violation that must be left, or ρ grows
_LARGEST_MULTIPLIER = 1e16
_FIRST_ACCURACY = 0.1  # of the first problem, as a share of its first slope
_ACCURACY = 0.1  # of each problem, as a share of the one before


class Outer(NamedTuple):
    """The multipliers that the present problem was made with."""

    y: Array  # (m,)
    z: Array  # (k,)
    penalty: Array  # (), ρ
    violation: Array  # (), when they were made
    accuracy: Array  # (), to which the problem is to be solved
    fails: Array  # () int32, problems in a row that were not solved and brought nothing


class AugmentedState(NamedTuple):
    """The inner method's state, and what it is working on."""

    inner: Any
    outer: Outer
    values: Array  # (1 + m + k,), functions at the inner method's best point
    slope: Array  # (n,), gradient of φ there
    steepness: Array  # (), the largest entry of ∇f there, at least one
    w: Array  # all unknowns there
    optimality: Array  # (), largest residual of the conditions
    status: Array  # () int32

    @property
    def params(self) -> Array:
        """All unknowns, w."""
        return self.w

    @property
    def value(self) -> Array:
        """The objective, ()."""
        return self.values[0]

    @property
    def trial(self) -> Array:
        """Where to evaluate next, (n,)."""
        return self.inner.trial


@_tree.node
@dataclass(frozen=True)
class AugmentedLagrangian:
    """For constraints on more variables than a matrix can be built for.

    solver: minimises within bounds, such as `LBFGS()`, which stands for None.
    tol: converged when stationarity, feasibility and complementarity are each missed by less than
    that, the first as a share of the largest entry of ∇f where that is above one; NaN: eps^0.4,
    about 5e-7 in float64.
    """

    solver: Any = None
    tol: float | Array = stopping.AUTO
    sizes: Sizes | None = field(default=None, repr=False, metadata={"static": True})

    def _tol(self, dtype: Any) -> Array:
        return stopping.tolerance(self.tol, jnp.finfo(dtype).eps ** 0.4, dtype)

    def _sizes(self) -> Sizes:
        if self.sizes is None:
            raise ValueError("AugmentedLagrangian is a solver of `minimize` with constraints")
        return self.sizes

    def blank(self, params: Array) -> AugmentedState:
        """A state of this shape."""
        n, m, k, _ = self._sizes()
        zero, count = jnp.zeros((), params.dtype), jnp.zeros((), jnp.int32)
        of = lambda size: jnp.zeros(size, params.dtype)
        return AugmentedState(
            inner=self.solver.blank(of(n)),
            outer=Outer(of(m), of(k), zero, zero, zero, count),
            values=of(1 + m + k),
            slope=of(n),
            steepness=zero,
            w=params,
            optimality=zero,
            status=count,
        )

    def init(
        self, problem: ConstrainedProblem, params: Array, state: AugmentedState
    ) -> AugmentedState:
        """State at the start; multipliers that are NaN are zero. No penalty yet marks the start."""
        at = Unknowns.of(params, problem.sizes)
        y, z = (jnp.where(jnp.isfinite(part), part, 0.0) for part in (at.y, at.z))
        blank = self.blank(params)
        outer = blank.outer._replace(y=y, z=z, violation=jnp.inf + blank.outer.violation)
        inner = self.solver.init(self._inner(problem, outer), at.x, state.inner)
        return blank._replace(inner=inner, outer=outer)

    def _inner(self, problem: ConstrainedProblem, outer: Outer) -> ObjectiveProblem:
        def augmented(x: Array) -> Array:
            values = problem.functions(x)
            end = 1 + problem.sizes.equalities
            c, d = values[1:end], values[end:]
            rho = jnp.where(outer.penalty > 0, outer.penalty, 1.0)
            pressed = jnp.maximum(0.0, outer.z - rho * d)
            rest = jnp.sum(c * (0.5 * rho * c - outer.y))
            return values[0] + rest + 0.5 * jnp.sum(pressed**2 - outer.z**2) / rho

        return ObjectiveProblem(augmented, problem.bounds)

    def evaluate(self, problem: ConstrainedProblem, state: AugmentedState) -> Any:
        """What the inner method wants to know, and functions and gradient of φ at its trial."""
        inner = self._inner(problem, state.outer)
        trial = state.inner.trial
        slope = jax.grad(inner.objective)(trial)
        steepness = jnp.max(jnp.abs(jax.grad(lambda x: problem.functions(x)[0])(trial)))
        found = self.solver.evaluate(inner, state.inner)
        return found, problem.functions(trial), slope, jnp.maximum(1.0, steepness)

    def step(
        self, problem: ConstrainedProblem, state: AugmentedState, evaluation: Any
    ) -> AugmentedState:
        """A step of the inner method; where that is done, the next problem for it."""
        found, values, slope, steepness = evaluation
        begin = state.outer.penalty == 0
        inner_problem = self._inner(problem, state.outer)
        inner = self.solver.step(inner_problem, state.inner, found)
        moved = jnp.all(inner.params == state.inner.trial)
        state = state._replace(
            inner=inner,
            values=jnp.where(moved, values, state.values),
            slope=jnp.where(moved, slope, state.slope),
            steepness=jnp.where(moved, steepness, state.steepness),
        )
        state, stationarity, rest = self._measured(problem, state)
        told = self.solver.status(inner_problem, inner)
        ready = begin | (told != Status.RUNNING) | (stationarity <= state.outer.accuracy)
        first = self._first(problem, state)
        later = self._later(problem, state, told, stationarity)
        outer = _tree.where(begin, first, _tree.where(ready, later, state.outer))
        restarted = self.solver.init(self._inner(problem, outer), inner.params, inner)
        undefined = begin & ~jnp.isfinite(values).all()
        return state._replace(
            inner=_tree.where(ready, restarted, inner),
            outer=outer,
            status=self._status(state, outer, told, stationarity, rest, undefined, ready & ~begin),
        )

    def _measured(
        self, problem: ConstrainedProblem, state: AugmentedState
    ) -> tuple[AugmentedState, Array, Array]:
        """With the unknowns at the point; relative stationarity, the largest other residual."""
        x, end = state.inner.params, 1 + problem.sizes.equalities
        c, d = state.values[1:end], state.values[end:]
        rho = jnp.where(state.outer.penalty > 0, state.outer.penalty, 1.0)
        y, z = state.outer.y - rho * c, jnp.maximum(0.0, state.outer.z - rho * d)
        lower, upper = problem.box()
        p = jnp.where(x <= lower, jnp.maximum(state.slope, 0.0), 0.0)
        q = jnp.where(x >= upper, jnp.maximum(-state.slope, 0.0), 0.0)
        stationarity = jnp.max(jnp.abs(state.slope - p + q))
        short = jnp.concatenate([jnp.abs(c), -d, jnp.abs(z * d)])
        rest = jnp.max(short, initial=0.0)
        w = Unknowns(x, y, z, p, q).flat(problem.sizes)
        state = state._replace(w=w, optimality=jnp.maximum(stationarity, rest))
        return state, stationarity / state.steepness, rest

    def _first(self, problem: ConstrainedProblem, state: AugmentedState) -> Outer:
        """The first ρ: such that objective and violation weigh the same."""
        violation = self._violation(problem, state)
        end = 1 + problem.sizes.equalities
        squares = jnp.sum(state.values[1:end] ** 2)
        squares = squares + jnp.sum(jnp.minimum(state.values[end:], 0.0) ** 2)
        balanced = 2 * jnp.abs(state.values[0]) / jnp.where(squares > 0, squares, 1.0)
        penalty = jnp.where(
            squares > 0, jnp.clip(balanced, _LEAST_PENALTY, _FIRST_PENALTY), _FIRST_PENALTY
        )
        slope = jnp.max(jnp.abs(state.slope)) / state.steepness
        least = self._tol(slope.dtype)
        accuracy = jnp.maximum(_FIRST_ACCURACY * jnp.minimum(1.0, slope), least)
        return state.outer._replace(penalty=penalty, violation=violation, accuracy=accuracy)

    def _later(
        self, problem: ConstrainedProblem, state: AugmentedState, told: Array, slope: Array
    ) -> Outer:
        """Multipliers from the point reached, and a larger ρ where it is violated too much."""
        old, at = state.outer, Unknowns.of(state.w, problem.sizes)
        violation = self._violation(problem, state)
        tol = self._tol(violation.dtype)
        worse = (violation > _PROGRESS * old.violation) & (violation > 0.1 * tol)
        growing = worse | (told == Status.UNBOUNDED)
        failed = (told != Status.RUNNING) & (slope > old.accuracy)
        failed = failed & (violation > 0.9 * old.violation)
        accuracy = jnp.where(worse, 1.0, _ACCURACY) * old.accuracy
        most = _LARGEST_MULTIPLIER
        return Outer(
            y=jnp.clip(at.y, -most, most),
            z=jnp.clip(at.z, 0.0, most),
            penalty=jnp.where(growing, _GROWTH * old.penalty, old.penalty),
            violation=violation,
            accuracy=jnp.maximum(accuracy, 0.5 * tol),
            fails=jnp.where(failed, old.fails + 1, 0).astype(jnp.int32),
        )

    def _violation(self, problem: ConstrainedProblem, state: AugmentedState) -> Array:
        """The largest of |c| and of what d and the multipliers that go with it miss."""
        end = 1 + problem.sizes.equalities
        rho = jnp.where(state.outer.penalty > 0, state.outer.penalty, 1.0)
        slack = jnp.minimum(state.values[end:], state.outer.z / rho)
        parts = jnp.concatenate([state.values[1:end], slack])
        return jnp.max(jnp.abs(parts), initial=0.0)

    def _status(
        self,
        state: AugmentedState,
        outer: Outer,
        told: Array,
        stationarity: Array,
        rest: Array,
        undefined: Array,
        ended: Array,
    ) -> Array:
        tol = self._tol(rest.dtype)
        limit = _LARGEST_PENALTY * jnp.finfo(rest.dtype).eps ** 0.25
        exhausted = outer.penalty > limit
        status = jnp.where(ended & (outer.fails >= 3), Status.STALLED, Status.RUNNING)
        lost = jnp.where(rest > tol, Status.INFEASIBLE, Status.STALLED)
        lost = jnp.where(told == Status.UNBOUNDED, Status.UNBOUNDED, lost)
        status = jnp.where(ended & exhausted, lost, status)
        good = (stationarity <= tol) & (rest <= tol) & (state.outer.penalty > 0)
        status = jnp.where(good, Status.CONVERGED, status)
        return jnp.where(undefined, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: ConstrainedProblem, state: AugmentedState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ConstrainedProblem, params: Array) -> Array:
        """The conditions as equations, of the length of the params."""
        return problem.optimality(params)
