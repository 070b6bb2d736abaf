"""Levenberg–Marquardt in the trust-region form of Moré (1978).

At each point the step minimises the Gauss–Newton model ½‖r + J δ‖² within ‖D δ‖ ≤ Δ. D holds the
largest norm that each column of J has had so far, which makes the iterates independent of the
units of the parameters. The radius Δ follows the ratio of the actual to the predicted decrease.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.solvers.linearization import (
    LeastSquaresProblem,
    Linearization,
    evaluate,
    linearize,
    predicted_reduction,
    projected_gradient,
    unevaluated,
)
from mvopt.solvers.trust_region import bounded_step, trust_region_step


class LevenbergMarquardtState(NamedTuple):
    """Model at the best point, the trial after it, and the region that the trial is from."""

    model: Linearization
    trial: Array  # (n,)
    predicted: Array  # (), decrease that the model promises at the trial
    length: Array  # (), ‖D δ‖ of the step to the trial
    radius: Array  # (), Δ
    damping: Array  # (), λ of that step, zero inside the region
    scale: Array  # (n,), D
    rejected: Array  # () bool: the step before was rejected
    status: Array  # () int32

    @property
    def params(self) -> Array:
        """Best point so far, (n,)."""
        return self.model.params

    @property
    def value(self) -> Array:
        """Cost there, ()."""
        return self.model.cost

    @property
    def optimality(self) -> Array:
        """Largest entry of the projected gradient there, ()."""
        return jnp.max(jnp.where(self.model.free, jnp.abs(self.model.gradient), 0.0))


class LevenbergMarquardt(NamedTuple):
    """The default of `least_squares` and `curve_fit`.

    radius: first Δ as a multiple of ‖D x‖ at the start.
    gtol: converged when the part of the residual that a step could still remove, ‖P r‖, is below
    gtol·‖r‖ (the relative offset of Bates and Watts 1981); None: eps^0.6.
    xtol: …or below xtol times the sum of ‖J_j x_j‖, where a step is lost in the rounding of the
    params; None: 8 eps.
    """

    radius: float | Array = 1.0
    gtol: float | Array | None = None
    xtol: float | Array | None = None

    def blank(self, params: Array) -> LevenbergMarquardtState:
        """A state of this shape."""
        zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
        return LevenbergMarquardtState(
            model=unevaluated(params),
            trial=params,
            predicted=zero,
            length=zero,
            radius=zero,
            damping=zero,
            scale=params,
            rejected=no,
            status=jnp.zeros((), jnp.int32),
        )

    def init(
        self, problem: LeastSquaresProblem, params: Array, state: LevenbergMarquardtState
    ) -> LevenbergMarquardtState:
        """State at the start, clipped into the bounds; the infinite cost marks the first step."""
        params = problem.clip(params)
        infinite = jnp.full_like(state.model.cost, jnp.inf)
        return state._replace(
            model=state.model._replace(params=params, cost=infinite),
            trial=params,
            damping=jnp.zeros_like(state.damping),
            scale=jnp.zeros_like(state.scale),
        )

    def evaluate(self, problem: LeastSquaresProblem, trial: Array) -> tuple[Array, Array]:
        """Residual (m,) and rows of Jᵀ (n, m)."""
        return evaluate(problem, trial)

    def step(
        self,
        problem: LeastSquaresProblem,
        state: LevenbergMarquardtState,
        evaluation: tuple[Array, Array],
    ) -> LevenbergMarquardtState:
        """Accept or reject the trial, adapt the region, choose the next trial."""
        eps = jnp.finfo(state.trial.dtype).eps
        old = state.model
        first = jnp.isinf(old.cost)
        # Below this a decrease is lost in the rounding of the cost itself; then the step is judged
        # by whether it brings the gradient down.
        blind = ~first & (jnp.abs(state.predicted) <= 16 * eps * old.cost)
        threshold = jnp.where(blind, old.cost * (1 + 32 * eps), old.cost)
        new = linearize(problem, state.trial, evaluation, threshold)
        accept = new.finite & (new.cost < threshold) & (~blind | (new.projection < old.projection))
        model = _tree.where(accept, new, old)

        scale = jnp.where(accept, jnp.maximum(state.scale, model.lengths), state.scale)
        ratio = jnp.where(blind, 1.0, (old.cost - new.cost) / state.predicted)
        radius = jnp.where(first, self._first_radius(model, scale), self._radius(state, ratio))
        step, damping = trust_region_step(model, scale / model.lengths, radius, state.damping)
        step = bounded_step(problem, model, step, damping * (scale / model.lengths) ** 2)
        trial = problem.clip(model.params + step / model.lengths)
        return LevenbergMarquardtState(
            model=model,
            trial=trial,
            predicted=predicted_reduction(model, step),
            length=jnp.sqrt(jnp.sum((scale / model.lengths * step) ** 2)),
            radius=radius,
            damping=damping,
            scale=scale,
            rejected=~accept,
            status=self._status(model, trial, first & ~new.finite, blind & ~accept),
        )

    def _first_radius(self, model: Linearization, scale: Array) -> Array:
        length = jnp.sqrt(jnp.sum((scale * model.params) ** 2))
        return self.radius * jnp.where(length > 0, length, model.norm())

    def _radius(self, state: LevenbergMarquardtState, ratio: Array) -> Array:
        """Half the step's length after a poor step, a quarter after two; twice Δ after a good one.

        A ratio that is NaN (a trial where the residual is not defined) counts as poor.
        """
        shorter = jnp.where(state.rejected, 0.25, 0.5) * state.length
        longer = jnp.where((ratio > 0.75) & (state.damping > 0), 2.0, 1.0) * state.radius
        return jnp.where(ratio >= 0.25, longer, shorter)

    def _status(self, model: Linearization, trial: Array, undefined: Array, blocked: Array):
        eps = jnp.finfo(trial.dtype).eps
        gtol = eps**0.6 if self.gtol is None else self.gtol
        xtol = 8 * eps if self.xtol is None else self.xtol
        offset, size = model.offset(), model.size()
        converged = offset <= jnp.maximum(gtol * model.norm(), xtol * size)
        nearly = offset <= jnp.maximum(eps**0.5 * model.norm(), 1e3 * xtol * size)
        unmoved = jnp.all(jnp.abs(trial - model.params) <= eps * jnp.abs(model.params))
        stopped = blocked | unmoved
        done = converged | (stopped & nearly)
        good = jnp.where(model.rank_deficient, Status.SINGULAR, Status.CONVERGED)
        status = jnp.where(done, good, jnp.where(stopped, Status.STALLED, Status.RUNNING))
        return jnp.where(undefined, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: LeastSquaresProblem, state: LevenbergMarquardtState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: LeastSquaresProblem, params: Array) -> Array:
        """Projected gradient of the cost, (n,)."""
        return projected_gradient(problem, params)
