"""Constrained success judged by what was reached, in float64, never by a solver's own word.

A point is certified when the conditions of Karush, Kuhn and Tucker hold there: with the multipliers
that the method returned, or, where it returns none, with those that fit them best. It is at a known
minimum when its value is and no constraint is violated. It is a false success when its solver says
that it converged, yet it is at no known minimum and violates a constraint or those conditions by
far. Everything else is a failure that is owned up to.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import nnls

import mvopt
from benchmarks.judging import (
    CRASHED,
    FAILED,
    FALSE,
    LOCAL,
    NONFINITE,
    SOLVED,
    Reached,
    Solve,
    at,
    residual_share,
)
from benchmarks.problems.constrained import ConstrainedProblem

STATIONARY = "certified elsewhere"

# From a problem to what solves it from a start, compiled once.
Prepare = Callable[[ConstrainedProblem], Solve]


class Limits(NamedTuple):
    """What is asked of a point in one precision."""

    value: float  # at a minimum: so far from it, over max(1, |minimum|)
    violation: float  # by which a constraint may be missed there
    relative: bool  # the violation is one of the terms that a constraint is a sum of
    certified: float  # largest residual of a certified point
    false_violation: float  # beyond which a success is a false one
    false_residual: float  # the same, over max(1, |∂f/∂x|)


class Point(NamedTuple):
    """Where a method ended."""

    value: float
    violation: float  # the largest of |c|, −d and what a bound is exceeded by
    share: float  # the same, each over 1 + the size of its terms
    residual: float  # of the conditions, with the violation
    slope: float  # the largest |∂f/∂x|

    def missed(self, limits: Limits) -> float:
        """The violation that counts."""
        return self.share if limits.relative else self.violation


NOWHERE = Point(np.nan, np.inf, np.inf, np.inf, np.inf)


class Derivatives(NamedTuple):
    """Functions and first derivatives at a point, in float64."""

    f: np.ndarray  # ()
    c: np.ndarray  # (m,)
    d: np.ndarray  # (k,)
    df: np.ndarray  # (n,)
    dc: np.ndarray  # (m, n)
    dd: np.ndarray  # (k, n)


def box(problem: ConstrainedProblem, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (n,), infinite where there are none."""
    n = problem.num_variables
    sides = (problem.lower, -np.inf), (problem.upper, np.inf)
    lower, upper = (np.full(n, none) if side is None else np.array(side) for side, none in sides)
    return lower.astype(dtype), upper.astype(dtype)


def bounded(problem: ConstrainedProblem) -> bool:
    return problem.lower is not None or problem.upper is not None


class ConstrainedJudge:
    """A problem in float64: its functions, its derivatives, its conditions."""

    def __init__(self, problem: ConstrainedProblem) -> None:
        self._problem, self._box = problem, box(problem)

        def functions(x: jax.Array) -> tuple[jax.Array, ...]:
            none = jnp.zeros(0, x.dtype)
            constraints = problem.equality, problem.inequality
            return problem.objective(x), *(each(x) if each else none for each in constraints)

        self._both = jax.jit(lambda x: (*functions(x), *jax.jacfwd(functions)(x)))

    def point(self, found: Reached) -> Point:
        x = np.asarray(found.x, np.float64)
        if not np.all(np.isfinite(x)):
            return NOWHERE
        here = Derivatives(*(np.asarray(part) for part in self._both(x)))
        if not all(np.all(np.isfinite(part)) for part in here):
            return NOWHERE._replace(value=float(here.f))
        lower, upper = self._box
        beyond = np.maximum(np.maximum(lower - x, x - upper), 0)
        short = np.concatenate([np.abs(here.c), np.maximum(-here.d, 0)])
        jacobian = np.concatenate([here.dc, here.dd])
        of_bounds = np.max(beyond / (1 + np.abs(x)))
        return Point(
            value=float(here.f),
            violation=float(np.max([*short, *beyond])),
            share=max(residual_share(short, jacobian, x), float(of_bounds)),
            residual=self._residual(x, found.multipliers, here),
            slope=float(np.max(np.abs(here.df))),
        )

    def _residual(self, x: np.ndarray, multipliers: Any, here: Derivatives) -> float:
        problem = self._problem
        if multipliers is None:
            multipliers = self._fitted(x, here)
        wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), multipliers)
        certificate = mvopt.check_kkt(
            problem.objective,
            SimpleNamespace(params=x, multipliers=wide),
            equality=problem.equality,
            inequality=problem.inequality,
            bounds=self._box if bounded(problem) else None,
        )
        residual = float(certificate.residual)
        return residual if np.isfinite(residual) else np.inf

    def _fitted(self, x: np.ndarray, here: Derivatives) -> mvopt.Multipliers:
        """The multipliers that leave least of stationarity and complementarity, in squares."""
        problem, n, m, k = self._problem, x.size, here.c.size, here.d.size
        lower, upper = self._box
        forces = best_forces(
            here.df,
            np.concatenate([here.dc, -here.dc, here.dd, np.eye(n), -np.eye(n)]),
            np.concatenate([np.zeros(2 * m), here.d, x - lower, upper - x]),
        )
        plus, minus, of_inequality, below, above = np.split(
            forces, np.cumsum([m, m, k, n]).tolist()
        )
        return mvopt.Multipliers(
            equality=plus - minus if problem.equality else None,
            inequality=of_inequality if problem.inequality else None,
            lower=below if bounded(problem) else None,
            upper=above if bounded(problem) else None,
        )


def best_forces(slope: np.ndarray, pulls: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Forces u (r,) ≥ 0 with the least |slope − pullsᵀu|² + |gaps·u|²; 0 for an infinite gap.

    slope: (n,), pulls: (r, n), gaps: (r,).
    """
    usable = np.isfinite(gaps)
    rows = np.concatenate([pulls[usable].T, np.diag(gaps[usable])])
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1
    wanted = np.concatenate([slope, np.zeros(rows.shape[1])])
    forces = np.zeros(len(gaps))
    if rows.shape[1]:
        forces[usable] = nnls(rows / scale, wanted, maxiter=100 * rows.shape[1])[0] / scale
    return forces


def verdict(found: Reached, point: Point, problem: ConstrainedProblem, limits: Limits) -> str:
    """What became of a minimisation that ended there."""
    if not np.isfinite(point.value):
        return NONFINITE if found.evaluations else CRASHED
    missed = point.missed(limits)
    if missed <= limits.violation:
        index = at(point.value, (problem.best, *problem.local), limits.value)
        if index >= 0:
            return LOCAL if index else SOLVED
        if certified(point, limits.certified):
            return STATIONARY
    far = point.residual > limits.false_residual * max(1.0, point.slope)
    return FALSE if found.converged and (far or missed > limits.false_violation) else FAILED


def certified(point: Point, limit: float) -> bool:
    """Whether the conditions hold to that, not scaled by anything."""
    return max(point.residual, point.violation) <= limit
