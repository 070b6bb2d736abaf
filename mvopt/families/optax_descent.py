"""Steps that an optax transformation chooses, from one evaluation each.

The transformation sees the user's own pytree, so that masks, labels and norms by leaf mean what
they say; the loop sees flat params. Its steps are taken as they are, without a test of decrease:
most such methods are not monotone. Only a trial where the value or the gradient is not finite is
taken back, half way to the last good point, as often as need be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.objective import ObjectiveProblem
from mvopt.iteration import box

# Steps in a row that may leave the params where they are: a schedule that starts from zero, or
# gradients that are summed up over many batches before one step, do so for a while.
_IDLE_STEPS = 100
# What the longest inverse curvature seen on a step loses with each further one.
_KEPT_LENGTH = 0.9


class OptaxState(NamedTuple):
    """The last point where all was finite, what the transformation keeps, and its next point."""

    params: Array  # (n,)
    value: Array  # ()
    gradient: Array  # (n,)
    free: Array  # (n,) bool
    memory: Any  # the transformation's own state
    trial: Array  # (n,)
    steps: Array  # () int32, evaluations so far
    idle: Array  # () int32, steps in a row that moved nothing
    longest: Array  # (), longest inverse curvature of late
    largest: Array  # (), largest |value| so far
    recent: Array  # (), |value| of late: halved with each step, but never below that at the point
    status: Array  # () int32

    @property
    def optimality(self) -> Array:
        """Largest entry of the projected gradient, (); NaN before the first evaluation."""
        return stopping.largest_slope(self.value, self.gradient, self.free)


@dataclass(frozen=True)
class OptaxDescent:
    """A transformation as a solver; `unravel` makes the user's pytree of flat params."""

    transformation: optax.GradientTransformation
    unravel: Callable[[Array], Any]
    ftol: float | Array

    def blank(self, params: Array) -> OptaxState:
        """A state of this shape."""
        zero, count = jnp.zeros((), params.dtype), jnp.zeros((), jnp.int32)
        return OptaxState(
            params=params,
            value=jnp.full_like(zero, jnp.inf),
            gradient=jnp.zeros_like(params),
            free=jnp.zeros(params.shape, bool),
            memory=self.transformation.init(self.unravel(params)),
            trial=params,
            steps=count,
            idle=count,
            longest=zero,
            largest=zero,
            recent=zero,
            status=count,
        )

    def init(self, problem: ObjectiveProblem, params: Array, state: OptaxState) -> OptaxState:
        """State at the start, clipped into the bounds; the infinite value marks the first step."""
        del state
        return self.blank(box.clip(problem.bounds, params))

    def evaluate(self, problem: ObjectiveProblem, state: OptaxState) -> tuple[Array, Array]:
        """Value () and gradient (n,) at the trial, of the objective that this step is given."""
        return jax.value_and_grad(problem.at(state.steps).objective)(state.trial)

    def step(
        self, problem: ObjectiveProblem, state: OptaxState, evaluation: tuple[Array, Array]
    ) -> OptaxState:
        """Take the trial and set out for the next, or go half way back."""
        value, gradient = evaluation
        first = jnp.isinf(state.value)
        finite = jnp.isfinite(value) & jnp.isfinite(gradient).all()
        moved, converged = self._moved(problem, state, value, gradient)
        middle = 0.5 * state.params + 0.5 * state.trial
        middle = jnp.where(jnp.isfinite(middle), middle, state.params)
        state = _tree.where(finite, moved, state._replace(trial=middle))
        unmoved = (state.trial == state.params).all()
        idle = jnp.where(unmoved, state.idle + 1, 0)
        status = jnp.where(
            ~finite & unmoved | (idle >= _IDLE_STEPS), Status.STALLED, Status.RUNNING
        )
        status = jnp.where(finite & converged, Status.CONVERGED, status)
        if problem.drawn is not None:  # one sample says neither that all is done nor that it stalls
            status = jnp.full_like(status, Status.RUNNING)
        status = jnp.where(stopping.bottomless(state.value), Status.UNBOUNDED, status)
        status = jnp.where(first & ~finite, Status.NONFINITE, status)
        return state._replace(steps=state.steps + 1, idle=idle, status=status.astype(jnp.int32))

    def _moved(
        self, problem: ObjectiveProblem, state: OptaxState, value: Array, gradient: Array
    ) -> tuple[OptaxState, Array]:
        """The state at the trial, and whether the decrease still to come is negligible there."""
        params = state.trial
        trial, memory = self._updated(problem, state, value, gradient)
        free = box.free(problem.bounds, params, gradient)
        step = params - state.params
        curvature = jnp.sum(step * (gradient - state.gradient))
        convex = jnp.isfinite(state.value) & (curvature > 0)
        length = jnp.sum(step**2) / jnp.where(convex, curvature, 1.0)
        longest = jnp.where(convex, jnp.maximum(length, _KEPT_LENGTH * state.longest), 0.0)
        largest, recent = stopping.sizes_with(state.largest, state.recent, value)
        ftol = stopping.tolerance(self.ftol, 10 * jnp.finfo(value.dtype).eps, value.dtype)
        least = stopping.negligible(ftol, value, largest, recent)
        square = jnp.sum(jnp.where(free, gradient, 0.0) ** 2)
        negligible = convex & (0.5 * longest * square <= least)
        state = state._replace(
            params=params,
            value=value,
            gradient=gradient,
            free=free,
            memory=memory,
            trial=trial,
            longest=longest,
            largest=largest,
            recent=recent,
        )
        return state, negligible | (square == 0)

    def _updated(
        self, problem: ObjectiveProblem, state: OptaxState, value: Array, gradient: Array
    ) -> tuple[Array, Any]:
        """The next trial, within the bounds, and the transformation's next state."""
        objective = problem.at(state.steps).objective
        params, slope = self.unravel(state.trial), self.unravel(gradient)
        updates, memory = optax.with_extra_args_support(self.transformation).update(
            slope,
            state.memory,
            params,
            value=value,
            grad=slope,
            value_fn=lambda params: objective(_tree.ravel(params)[0]),
        )
        trial = _tree.ravel(optax.apply_updates(params, updates))[0].astype(gradient.dtype)
        # A state that changes its dtype from step to step (float64 beside float32 params) keeps it.
        memory = jax.tree.map(lambda new, old: new.astype(old.dtype), memory, state.memory)
        return box.clip(problem.bounds, trial), memory

    def status(self, problem: ObjectiveProblem, state: OptaxState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ObjectiveProblem, params: Array) -> Array:
        """Projected gradient, (n,)."""
        return problem.optimality(params)
