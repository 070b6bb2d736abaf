"""Fixed-point iteration with Anderson acceleration.

D. G. Anderson (1965), Iterative procedures for nonlinear integral equations, Journal of the ACM 12,
547-560; in the form of Walker and Ni (2011), SIAM Journal on Numerical Analysis 49, 1715-1735,
algorithm AA, with mixing β:

    γ minimises ‖f_k − ΔF γ‖,    x_{k+1} = x_k + β f_k − (ΔX + β ΔF) γ
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families.equations import (
    RootProblem,
    half_square,
    holds,
    largest_entry,
    magnitudes,
    norm,
    share_of_terms,
    unit_of,
)
from mvopt.families.stopping import AUTO, tolerance
from mvopt.linalg.products import dot
from mvopt.linalg.qr import back_in_place, numerical_rank, pivoted_qr
from mvopt.linalg.triangular import solve_upper

# A residual that grows more than this drops the memory, which no longer describes the function.
_GROWTH = 2.0
_SHRINK = 0.25
# Steps without a smaller residual after which there is none to come.
_PATIENCE = 50


class FixedPointState(NamedTuple):
    """The last point, the best one, and the differences between the points before."""

    params: Array  # (n,), where the sum of squares is least, or the root
    residual: Array  # (n,), f there; infinite before the first evaluation
    point: Array  # (n,), the last
    here: Array  # (n,), f there
    unit: Array  # (n,), of each equation, set at the start
    least: Array  # (), ‖f / x‖ of all points so far
    trial: Array  # (n,)
    points: Array  # (memory, n), ΔX
    residuals: Array  # (memory, n), ΔF; zero where there is none yet
    typical: Array  # (n,), magnitudes that the params had lately
    remembered: Array  # () int32, rows of the memory in use
    rejections: Array  # () int32, trials without a finite value in a row
    waiting: Array  # () int32, steps since the best point
    status: Array  # () int32

    @property
    def value(self) -> Array:
        """Half the sum of squares of f, ()."""
        return half_square(self.residual)

    @property
    def optimality(self) -> Array:
        """Largest |f_i|, (); NaN before the first evaluation."""
        return largest_entry(self.residual)


@_tree.node
@dataclass(frozen=True)
class FixedPoint:
    """Solves fn(x) = 0 by x ← x + β fn(x): for a map g, give fn(x) = g(x) − x.

    step_size: β; memory: number of differences that Anderson's acceleration combines, 0 for the
    plain iteration.
    xtol: converged when every |f_i| is below xtol·|x_i|, and f small beside its own terms J x as
    well; NaN: 8 eps.

    The memory is dropped when the residual grows. STALLED when the best residual has not changed
    for 50 steps. Raises ValueError for a negative memory.
    """

    step_size: float | Array = 1.0
    xtol: float | Array = AUTO
    memory: int = field(default=5, metadata={"static": True})

    def __post_init__(self):
        """ValueError for a negative memory."""
        if self.memory < 0:
            raise ValueError(f"memory={self.memory} must not be negative")

    def blank(self, params: Array) -> FixedPointState:
        """A state of this shape."""
        rows = jnp.zeros((self.memory, params.shape[0]), params.dtype)
        count = jnp.zeros((), jnp.int32)
        return FixedPointState(
            *(params, params, params, params, params, jnp.zeros((), params.dtype), params),
            *(rows, rows, params),
            *(count, count, count, count),
        )

    def init(self, problem: RootProblem, params: Array, state: FixedPointState) -> FixedPointState:
        """State at the start; the infinite residual marks the first step."""
        params = problem.clip(params)
        infinite, none = jnp.full_like(params, jnp.inf), jnp.zeros_like(state.status)
        return state._replace(
            params=params,
            residual=infinite,
            point=params,
            here=infinite,
            least=jnp.full_like(state.least, jnp.inf),
            trial=params,
            points=jnp.zeros_like(state.points),
            residuals=jnp.zeros_like(state.residuals),
            typical=jnp.abs(params),
            remembered=none,
            rejections=none,
            waiting=none,
        )

    def evaluate(self, problem: RootProblem, state: FixedPointState) -> tuple[Array, Array]:
        """f at the trial, and where it is small beside x what share it is of its own terms."""
        residual = problem.residual(state.trial)
        reach = _scale(state, residual)
        small = (jnp.abs(residual) <= jnp.finfo(reach.dtype).eps ** (2 / 3) * reach).all()
        share = lax.cond(
            small,
            lambda: share_of_terms(problem, state.trial, residual, reach),
            lambda: jnp.full((), jnp.inf, reach.dtype),
        )
        return residual, share

    def step(
        self, problem: RootProblem, state: FixedPointState, evaluation: tuple[Array, Array]
    ) -> FixedPointState:
        """Take the trial unless the acceleration failed, and mix the next one."""
        residual, share = evaluation
        reach = _reach(state)
        weight = jnp.where(reach > 0, 1 / reach, 1.0)
        first = jnp.isinf(state.residual[0])
        size, last = norm(weight * residual), norm(weight * state.here)
        unit = jnp.where(first, unit_of(jnp.abs(residual) + reach), state.unit)
        finite = jnp.isfinite(residual).all()
        grown = ~first & (size > _GROWTH * last)
        accept = finite & (~grown | (state.remembered == 0))
        point = jnp.where(accept, state.trial, state.point)
        here = jnp.where(accept, residual, state.here)
        kept = accept & ~first
        points = _pushed(state.points, state.trial - state.point, kept)
        residuals = _pushed(state.residuals, residual - state.here, kept)
        mixed = self._mixed(point, here, points, residuals, weight)
        shorter = state.point + _SHRINK * (state.trial - state.point)
        trial = problem.clip(jnp.where(finite, mixed, shorter))
        waiting = jnp.where(finite & (size < state.least), 0, state.waiting + 1)
        rejections = jnp.where(finite, 0, state.rejections + 1)
        stopped = (waiting >= _PATIENCE) | (rejections >= _PATIENCE)
        scale = _scale(state, residual)
        done = self._done(residual, share, scale, unit, first, stopped) & finite
        status = jnp.where(stopped, Status.STALLED, Status.RUNNING)
        status = jnp.where(done, Status.CONVERGED, status)
        best = finite & (first | (norm(residual) < norm(state.residual)))
        return FixedPointState(
            params=jnp.where(best | done, state.trial, state.params),
            residual=jnp.where(best | done, residual, state.residual),
            point=point,
            here=here,
            unit=unit,
            least=jnp.where(finite, jnp.minimum(size, state.least), state.least),
            trial=trial,
            points=points,
            residuals=residuals,
            typical=jnp.where(accept, magnitudes(state.typical, point), state.typical),
            remembered=jnp.where(kept, jnp.minimum(state.remembered + 1, self.memory), 0),
            rejections=rejections,
            waiting=waiting,
            status=jnp.where(first & ~finite, Status.NONFINITE, status).astype(jnp.int32),
        )

    def _mixed(self, point, here, points, residuals, weight) -> Array:
        plain = point + self.step_size * here
        if self.memory == 0:
            return plain
        gamma = _least_squares((residuals * weight).T, weight * here)
        return plain - dot(gamma, points + self.step_size * residuals)

    def _done(self, residual, share, scale, unit, first, stopped) -> Array:
        """Whether f is nothing beside x, to the tolerance or nearly so where all has stopped."""
        eps = jnp.finfo(scale.dtype).eps
        xtol = tolerance(self.xtol, 8 * eps, scale.dtype)
        size, root = jnp.abs(residual), holds(residual, unit) & (share <= eps**0.5)
        small, near = (size <= xtol * scale).all(), (size <= eps ** (2 / 3) * scale).all()
        return (residual == 0).all() | (root & ((small & ~first) | (near & stopped)))

    def status(self, problem: RootProblem, state: FixedPointState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: RootProblem, params: Array) -> Array:
        """The function itself, (n,)."""
        return problem.optimality(params)


def _reach(state: FixedPointState) -> Array:
    return jnp.maximum(jnp.abs(state.trial), 0.5 * state.typical)


def _scale(state: FixedPointState, residual: Array) -> Array:
    """Magnitudes that f is compared with, (n,): a param whose leading half of digits f would not
    change has its own; one that tends to zero has those on the way there.
    """
    own = jnp.abs(state.trial)
    settled = jnp.abs(residual) <= jnp.finfo(own.dtype).eps ** 0.5 * own
    return jnp.where(settled, own, _reach(state))


def _pushed(rows: Array, row: Array, keep: Array) -> Array:
    """The memory with a new row in front; empty where the point was taken but tells nothing."""
    if rows.shape[0] == 0:
        return rows
    longer = jnp.concatenate([row[None], rows[:-1]])
    return jnp.where(keep, longer, jnp.zeros_like(rows))


def _least_squares(matrix: Array, b: Array) -> Array:
    """γ (m,) that minimises ‖A γ − b‖, regularised: columns of A (n, m) may be parallel."""
    m = matrix.shape[1]
    lengths = jnp.sqrt(jnp.sum(matrix * matrix, axis=0))
    inverse = jnp.where(lengths > 0, 1 / lengths, 0.0)
    ridge = 4 * jnp.finfo(b.dtype).eps ** 0.75 * jnp.eye(m, dtype=b.dtype)
    rows = jnp.concatenate([matrix * inverse, ridge])
    reduced = pivoted_qr(rows, jnp.concatenate([b, jnp.zeros(m, b.dtype)]))
    within = jnp.arange(m) < numerical_rank(reduced.triangle, len(rows))
    both = within[:, None] & within[None, :]
    upper = jnp.where(both, reduced.triangle, jnp.eye(m, dtype=b.dtype))
    solved = solve_upper(upper, jnp.where(within, reduced.rotated, 0.0))
    return inverse * back_in_place(solved, reduced.order)
