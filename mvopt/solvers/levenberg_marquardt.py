"""Levenberg–Marquardt: Gauss–Newton steps shortened by a damping that follows their success.

At each point the step minimises ½‖r + J δ‖² + ½ λ‖D δ‖² (Levenberg 1944, Marquardt 1963). D holds
the largest norm each column of J has had so far (Moré 1978), which makes the iterates independent
of the units of the parameters. λ follows the ratio of the actual to the predicted decrease by the
rule of Nielsen (1999, IMM-REP-1999-05, eq. 2.4–2.5).
"""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.solvers.linearization import (
    LeastSquaresProblem,
    Linearization,
    bounded_step,
    evaluate,
    linearize,
    predicted_reduction,
    projected_gradient,
    unevaluated,
)


class LevenbergMarquardtState(NamedTuple):
    """Model at the best point, the trial after it, and the damping that chose the trial."""

    model: Linearization
    trial: Array
    predicted: Array  # (), decrease that the model promises at the trial
    damping: Array  # ()
    growth: Array  # (), factor of the damping after the next rejection
    scale: Array  # (n,), D
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

    damping: first λ, relative to the squared column norms of J.
    gtol: converged when the part of the residual that a step could still remove, ‖P r‖, is below
    gtol·‖r‖ (the relative offset of Bates and Watts 1981); None: eps^0.6.
    xtol: …or below xtol times the sum of ‖J_j x_j‖, where a step is lost in the rounding of the
    params; None: 8 eps.
    """

    damping: float | Array = 1e-3
    gtol: float | Array | None = None
    xtol: float | Array | None = None

    def init(self, problem: LeastSquaresProblem, params: Array) -> LevenbergMarquardtState:
        """State at the start, clipped into the bounds."""
        dtype, params = params.dtype, problem.clip(params)
        return LevenbergMarquardtState(
            model=unevaluated(params),
            trial=params,
            predicted=jnp.zeros((), dtype),
            damping=jnp.asarray(self.damping, dtype),
            growth=jnp.full((), 2, dtype),
            scale=jnp.zeros_like(params),
            status=jnp.full((), Status.RUNNING, jnp.int32),
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
        """Accept or reject the trial, adapt the damping, choose the next trial."""
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

        ratio = jnp.where(first | blind, 1.0, (old.cost - new.cost) / state.predicted)
        shrink = jnp.where(first, 1.0, jnp.maximum(1 / 9, 1 - (2 * ratio - 1) ** 3))
        damping = state.damping * jnp.where(accept, shrink, state.growth)
        scale = jnp.where(accept, jnp.maximum(state.scale, model.lengths), state.scale)
        step = bounded_step(problem, model, damping, scale / model.lengths)
        trial = problem.clip(model.params + step / model.lengths)
        return LevenbergMarquardtState(
            model=model,
            trial=trial,
            predicted=predicted_reduction(model, step),
            damping=damping,
            growth=jnp.where(accept, 2.0, 2 * state.growth).astype(damping.dtype),
            scale=scale,
            status=self._status(model, trial, first & ~new.finite, blind & ~accept),
        )

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
