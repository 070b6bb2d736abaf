"""The augmented Lagrangian: a sequence of problems without constraints, for many variables.

    φ(x) = f − y·c + ρ/2 ‖c‖² + Σ (max(0, z − ρ d)² − z²) / 2ρ

is minimised within the bounds by any method that can; then y ← y − ρ c and z ← max(0, z − ρ d), and
ρ grows where the constraints were not met much better than before (Hestenes 1969; Powell 1969;
Rockafellar 1973; the rules are those of Birgin and Martínez 2014). Nothing larger than the memory
of that method is built: the functions are differentiated in reverse alone.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.constrained import ConstrainedProblem, Sizes, Unknowns
from mvopt.families.extent import Extent, Shares, Terms
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

    @property
    def rho(self) -> Array:
        """ρ, (); before there is one, at the start, one."""
        return jnp.where(self.penalty > 0, self.penalty, 1.0)


class Reached(NamedTuple):
    """A point, what the functions are there, and how far it is from a minimum."""

    w: Array  # all unknowns
    values: Array  # (1 + m + k,)
    optimality: Array  # (), largest residual of the conditions


class AugmentedState(NamedTuple):
    """The inner method's state, and what it is working on."""

    inner: Any
    outer: Outer
    here: Reached  # the inner method's best point
    best: Reached  # the last one where converged, else that of least merit
    start: Reached
    prices: Array  # (m + k,), of violations in the merit: twice the largest multipliers so far
    slope: Array  # (n,), gradient of φ here
    extent: Extent
    shares: Shares  # of the tolerance here; of slopes more than one where ∇f is larger
    status: Array  # () int32

    @property
    def params(self) -> Array:
        """All unknowns, w."""
        return self.best.w

    @property
    def value(self) -> Array:
        """The objective, ()."""
        return self.best.values[0]

    @property
    def optimality(self) -> Array:
        """The largest residual of the conditions, ()."""
        return self.best.optimality

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
    that, the first as a share of the largest entry of ∇f where that is above one, and all as shares
    of their terms where those are below one; NaN: eps^0.4, about 5e-7 in float64.
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
        nowhere = Reached(params, jnp.inf + of(1 + m + k), zero)
        return AugmentedState(
            inner=self.solver.blank(of(n)),
            outer=Outer(of(m), of(k), zero, zero, zero, count),
            here=nowhere,
            best=nowhere,
            start=nowhere,
            prices=of(m + k),
            slope=of(n),
            extent=Extent.none(n, m + k, params.dtype),
            shares=Shares.whole(n, m + k, params.dtype),
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
            rho = outer.rho
            pressed = jnp.maximum(0.0, outer.z - rho * d)
            rest = jnp.sum(c * (0.5 * rho * c - outer.y))
            return values[0] + rest + 0.5 * jnp.sum(pressed**2 - outer.z**2) / rho

        return ObjectiveProblem(augmented, problem.bounds)

    def evaluate(self, problem: ConstrainedProblem, state: AugmentedState) -> Any:
        """What the inner method wants to know, and functions and gradient of φ at its trial."""
        trial = state.inner.trial
        found = self.solver.evaluate(self._inner(problem, state.outer), state.inner)
        values, pull = jax.vjp(problem.functions, trial)
        y, z = self._forces(problem, values, state.outer)
        along = lambda weights: pull(weights)[0]
        slope = along(jnp.concatenate([jnp.ones_like(values[:1]), -y, -z]))
        df = along(jnp.zeros_like(values).at[0].set(1.0))
        # With signs by chance, as terms that cancel are not to hide each other.
        x = trial * jax.random.rademacher(jax.random.key(0), trial.shape, trial.dtype)
        rows = jnp.abs(jax.vjp(along, jnp.zeros_like(values))[1](x)[0][1:])
        return found, values, slope, (df, rows)

    def _forces(
        self, problem: ConstrainedProblem, values: Array, outer: Outer
    ) -> tuple[Array, Array]:
        """The multipliers, (m,) and (k,), with which ∇φ is that of the Lagrangian."""
        end = 1 + problem.sizes.equalities
        c, d = values[1:end], values[end:]
        return outer.y - outer.rho * c, jnp.maximum(0.0, outer.z - outer.rho * d)

    def step(
        self, problem: ConstrainedProblem, state: AugmentedState, evaluation: Any
    ) -> AugmentedState:
        """A step of the inner method; where that is done, the next problem for it."""
        found, values, slope, (df, rows) = evaluation
        begin = state.outer.penalty == 0
        inner_problem = self._inner(problem, state.outer)
        inner = self.solver.step(inner_problem, state.inner, found)
        extent = state.extent.with_point(Terms.at(inner.params, df, rows))
        shares = extent.shares(jnp.zeros_like(slope[0]))
        steepness = jnp.maximum(1.0, jnp.max(jnp.abs(df)))
        there = state._replace(
            here=state.here._replace(values=values),
            slope=slope,
            extent=extent,
            shares=shares._replace(slopes=steepness * shares.slopes),
        )
        state = _tree.where(jnp.all(inner.params == state.inner.trial), there, state)
        state = state._replace(inner=inner)
        state, stationarity, rest = self._measured(problem, state)
        told = self.solver.status(inner_problem, inner)
        ready = begin | (told != Status.RUNNING) | (stationarity <= state.outer.accuracy)
        first = self._first(problem, state)
        later = self._later(problem, state, told, stationarity)
        outer = _tree.where(begin, first, _tree.where(ready, later, state.outer))
        restarted = self.solver.init(self._inner(problem, outer), inner.params, inner)
        undefined = begin & ~jnp.isfinite(values).all()
        ended = ready & ~begin
        status = self._status(state, outer, told, stationarity, rest, undefined, ended)
        start = _tree.where(begin, state.here, state.start)
        better = partial(_better, problem, state.prices)
        best = better(better(start, state.best), state.here)
        return state._replace(
            inner=_tree.where(ready, restarted, inner),
            outer=outer,
            best=_tree.where(begin | (status == Status.CONVERGED), state.here, best),
            start=start,
            status=status,
        )

    def _measured(
        self, problem: ConstrainedProblem, state: AugmentedState
    ) -> tuple[AugmentedState, Array, Array]:
        """With the unknowns here; stationarity and the largest other residual, in shares."""
        x, end, shares = state.inner.params, 1 + problem.sizes.equalities, state.shares
        values = state.here.values
        y, z = self._forces(problem, values, state.outer)
        lower, upper = problem.box()
        p = jnp.where(x <= lower, jnp.maximum(state.slope, 0.0), 0.0)
        q = jnp.where(x >= upper, jnp.maximum(-state.slope, 0.0), 0.0)
        left, products = jnp.abs(state.slope - p + q), jnp.abs(z * values[end:])
        short = _misses(problem, values)
        residuals = jnp.concatenate([left, short, products])
        rest = jnp.concatenate([short / shares.rows, products / shares.value])
        w = Unknowns(x, y, z, p, q).flat(problem.sizes)
        here = Reached(w, values, jnp.max(residuals))
        multipliers = jnp.abs(jnp.concatenate([y, z]))
        state = state._replace(here=here, prices=jnp.maximum(state.prices, 2 * multipliers))
        return state, jnp.max(left / shares.slopes), jnp.max(rest, initial=0.0)

    def _first(self, problem: ConstrainedProblem, state: AugmentedState) -> Outer:
        """The first ρ: such that objective and violation weigh the same."""
        violation = jnp.max(self._violations(problem, state), initial=0.0)
        squares = jnp.sum(_misses(problem, state.here.values) ** 2)
        balanced = 2 * jnp.abs(state.here.values[0]) / jnp.where(squares > 0, squares, 1.0)
        penalty = jnp.where(
            squares > 0, jnp.clip(balanced, _LEAST_PENALTY, _FIRST_PENALTY), _FIRST_PENALTY
        )
        slope = jnp.max(jnp.abs(state.slope) / state.shares.slopes)
        least = self._tol(slope.dtype)
        accuracy = jnp.maximum(_FIRST_ACCURACY * jnp.minimum(1.0, slope), least)
        return state.outer._replace(penalty=penalty, violation=violation, accuracy=accuracy)

    def _later(
        self, problem: ConstrainedProblem, state: AugmentedState, told: Array, slope: Array
    ) -> Outer:
        """Multipliers from the point reached, and a larger ρ where it is violated too much."""
        old, at = state.outer, Unknowns.of(state.here.w, problem.sizes)
        violations = self._violations(problem, state)
        violation, tol = jnp.max(violations, initial=0.0), self._tol(violations.dtype)
        missed = jnp.max(violations / state.shares.rows, initial=0.0)
        worse = (violation > _PROGRESS * old.violation) & (missed > 0.1 * tol)
        growing = worse | (told == Status.UNBOUNDED)
        failed = (told != Status.RUNNING) & (slope > old.accuracy)
        failed = failed & ((violation > 0.9 * old.violation) | (missed <= 0.1 * tol))
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

    def _violations(self, problem: ConstrainedProblem, state: AugmentedState) -> Array:
        """|c| and what d and the multipliers that go with it miss, (m + k,)."""
        end = 1 + problem.sizes.equalities
        values = state.here.values
        slack = jnp.minimum(values[end:], state.outer.z / state.outer.rho)
        return jnp.abs(jnp.concatenate([values[1:end], slack]))

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
        # Where φ tends to a minimum without curvature its slopes are soon none that a share of
        # those before could be asked of.
        settled = (told == Status.CONVERGED) & (stationarity * state.shares.slopes <= tol).all()
        good = ((stationarity <= tol) | settled) & (rest <= tol) & (state.outer.penalty > 0)
        status = jnp.where(good, Status.CONVERGED, status)
        return jnp.where(undefined, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: ConstrainedProblem, state: AugmentedState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ConstrainedProblem, params: Array) -> Array:
        """The conditions as equations, of the length of the params."""
        return problem.optimality(params)


def _misses(problem: ConstrainedProblem, values: Array) -> Array:
    """By how much each constraint is violated, (m + k,)."""
    end = 1 + problem.sizes.equalities
    return jnp.concatenate([jnp.abs(values[1:end]), jnp.maximum(-values[end:], 0.0)])


def _better(problem: ConstrainedProblem, prices: Array, one: Reached, other: Reached) -> Reached:
    """The one where an exact penalty function is lower; prices: (m + k,), of the violations.

    Multipliers that were too small at first let a search leave the solution for a point that is
    none, so that the start is always among those to be compared.
    """

    def merit(point: Reached) -> Array:
        return point.values[0] + jnp.sum(prices * _misses(problem, point.values))

    return _tree.where(merit(one) <= merit(other), one, other)
