"""Levenberg–Marquardt: Gauss–Newton steps shortened by a damping that follows their success."""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.solvers.linearization import (
    LeastSquaresProblem,
    Linearization,
    damped_step,
    evaluate,
    linearize,
    predicted_reduction,
    projected_gradient,
    unevaluated,
)


class LevenbergMarquardtState(NamedTuple):
    model: Linearization
    trial: Array
    predicted: Array
    damping: Array
    growth: Array
    scale: Array
    short: Array
    status: Array

    @property
    def params(self) -> Array:
        return self.model.params

    @property
    def value(self) -> Array:
        return self.model.cost

    @property
    def optimality(self) -> Array:
        return jnp.max(jnp.where(self.model.free, jnp.abs(self.model.gradient), 0.0))


class LevenbergMarquardt(NamedTuple):
    damping: float = 1e-3
    gtol: float | None = None
    xtol: float | None = None

    def init(self, problem: LeastSquaresProblem, params: Array) -> LevenbergMarquardtState:
        dtype = params.dtype
        params = problem.clip(params)
        return LevenbergMarquardtState(
            model=unevaluated(params),
            trial=params,
            predicted=jnp.zeros((), dtype),
            damping=jnp.asarray(self.damping, dtype),
            growth=jnp.full((), 2, dtype),
            scale=jnp.zeros_like(params),
            short=jnp.zeros((), bool),
            status=jnp.full((), Status.RUNNING, jnp.int32),
        )

    def evaluate(self, problem, trial):
        return evaluate(problem, trial)

    def step(self, problem, state, evaluation):
        eps = jnp.finfo(state.trial.dtype).eps
        gtol = eps**0.6 if self.gtol is None else self.gtol
        xtol = 8 * eps if self.xtol is None else self.xtol
        old = state.model
        new = linearize(problem, state.trial, evaluation, old.cost*(1+16*eps))
        first = jnp.isinf(old.cost)
        finite = jnp.isfinite(new.cost) & jnp.isfinite(new.gradient).all() & jnp.isfinite(new.gram).all()
        # below the resolution of the cost
        floor = ~first & (state.predicted <= 16 * eps * old.cost)
        better = jnp.where(
            floor, (new.cost <= old.cost * (1 + 16 * eps)) & (new.projection < old.projection), new.cost < old.cost
        )
        accept = finite & better
        model = _tree.where(accept, new, old)
        ratio = jnp.where(first | floor, 1.0, (old.cost - new.cost) / state.predicted)
        shrink = jnp.maximum(1 / 9, 1 - (2 * ratio - 1) ** 3)
        damping = jnp.where(accept, jnp.where(first, state.damping, state.damping * shrink), state.damping * state.growth)
        growth = jnp.where(accept, 2.0, state.growth * 2)
        scale = jnp.where(accept, jnp.maximum(state.scale, model.lengths), state.scale)
        # new step
        relative = scale / model.lengths
        scaled = damped_step(model, damping, relative)
        trial = problem.clip(model.params + scaled / model.lengths)
        moved = (trial - model.params) * model.lengths
        predicted = predicted_reduction(model, moved)
        size = jnp.sum(model.lengths * jnp.abs(model.params))
        norm = jnp.sqrt(2 * model.cost)
        stationary = jnp.sqrt(model.projection) <= gtol * norm + xtol * size
        short = jnp.all(jnp.abs(trial - model.params) <= eps * jnp.abs(model.params))
        near = jnp.sqrt(model.projection) <= jnp.sqrt(eps) * norm + 1e3 * eps * size
        stuck = (~accept & floor) | short
        status = jnp.where(stationary, jnp.where(model.rank_deficient, Status.SINGULAR, Status.CONVERGED),
            jnp.where(stuck, jnp.where(near & ~model.rank_deficient, Status.CONVERGED, Status.STALLED), Status.RUNNING))
        status = jnp.where(first & ~finite, Status.NONFINITE, status)
        return LevenbergMarquardtState(model, trial, predicted, damping, growth, scale, short, status.astype(jnp.int32))

    def status(self, problem, state):
        return state.status

    def optimality(self, problem, params):
        return projected_gradient(problem, params)
