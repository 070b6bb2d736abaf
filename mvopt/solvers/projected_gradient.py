"""The spectral projected gradient method: for simple sets and more variables than fit a matrix."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.objective import ObjectiveProblem
from mvopt.iteration import box

# Constants of Birgin, Martínez and Raydan (2000) unless said.
_MEMORY = 10  # values that the next one must improve on the largest of
_DECREASE = 1e-4
_SHORTEST, _LONGEST = 1e-30, 1e30  # of the step length along the gradient
_NEAR, _FAR = 0.1, 0.9  # share of the last trial that the next may be
_MOST_TRIALS = 40  # along one direction (ours)


class ProjectedState(NamedTuple):
    """The last point accepted, the direction from it, and the trial along that."""

    params: Array  # (n,)
    value: Array  # ()
    gradient: Array  # (n,)
    direction: Array  # (n,)
    slope: Array  # ()
    t: Array  # (), the trial is t times the direction away
    trial: Array  # (n,)
    length: Array  # (), along the gradient, before the projection
    values: Array  # (_MEMORY,), of late
    accepted: Array  # () int32, points so far
    trials: Array  # () int32
    optimality: Array  # (), ‖P(x − g) − x‖∞
    largest: Array  # (), that of all points so far
    status: Array  # () int32


@_tree.node
@dataclass(frozen=True)
class _Closed:
    """A projection with the arrays that it closes over, (n,) to (n,)."""

    constants: Any
    function: Callable[..., Array] = field(metadata={"static": True})

    def __call__(self, x: Array) -> Array:
        """The nearest point."""
        return self.function(x, *self.constants)


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class ProjectedGradient:
    """Minimise over a set that is easy to project onto (Birgin, Martínez and Raydan 2000).

    projection: maps flat params (n,) to the nearest point of the set, such as those of
    `mvopt.projections`; None: onto the bounds. A function of your own is compiled anew when it is
    another object; make it a pytree, as those are, to pass it numbers. The solution is
    differentiable with respect to these, and to what a function closes over.
    gtol: converged when ‖P(x − g) − x‖∞, with the gradient g, is below that; NaN: √eps, or √eps
    times the largest that it was where that is below one.

    No second derivative and no matrix is used, and the value may rise for a few steps.
    """

    projection: Callable[[Array], Array] | None = None
    gtol: float | Array = stopping.AUTO

    def _is_function(self) -> bool:
        return jax.tree.leaves(self.projection) == [self.projection]

    def tree_flatten(self) -> tuple[tuple, Any]:
        """The numbers of a projection are leaves; a function that is no pytree is not."""
        if self._is_function():
            return (None, self.gtol), self.projection
        return (self.projection, self.gtol), None

    @classmethod
    def tree_unflatten(cls, function: Any, leaves: tuple) -> "ProjectedGradient":
        """The solver again."""
        projection, gtol = leaves
        return cls(projection if function is None else function, gtol)

    def over(self, unravel: Callable[[Array], Any], params: Array) -> "ProjectedGradient":
        """The same solver, what its own function closes over among its numbers."""
        del unravel
        if not self._is_function():
            return self
        assert self.projection is not None
        function, constants = jax.closure_convert(self.projection, params)
        return dataclasses.replace(self, projection=_Closed(constants, function))

    def _project(self, problem: ObjectiveProblem, point: Array) -> Array:
        if self.projection is None:
            return box.clip(problem.bounds, point)
        if problem.bounds is not None:
            raise ValueError("give ProjectedGradient a projection or `bounds`, not both")
        return self.projection(point)

    def blank(self, params: Array) -> ProjectedState:
        """A state of this shape."""
        zero, count = jnp.zeros((), params.dtype), jnp.zeros((), jnp.int32)
        nothing = jnp.zeros_like(params)
        values = jnp.full(_MEMORY, -jnp.inf, params.dtype)
        return ProjectedState(
            params, zero + jnp.inf, nothing, nothing, zero, zero, params, zero, values, count,
            count, zero, zero, count,
        )  # fmt: skip

    def init(
        self, problem: ObjectiveProblem, params: Array, state: ProjectedState
    ) -> ProjectedState:
        """State at the start, projected onto the set; the infinite value marks the first step."""
        del state
        return self.blank(self._project(problem, params))

    def evaluate(self, problem: ObjectiveProblem, state: ProjectedState) -> tuple[Array, Array]:
        """Value () and gradient (n,) at the trial."""
        return jax.value_and_grad(problem.objective)(state.trial)

    def step(
        self, problem: ObjectiveProblem, state: ProjectedState, evaluation: tuple[Array, Array]
    ) -> ProjectedState:
        """Accept the trial and set out anew, or come back along the same direction."""
        value, gradient = evaluation
        eps = jnp.finfo(value.dtype).eps
        finite = jnp.isfinite(value) & jnp.isfinite(gradient).all()
        first = jnp.isinf(state.value)
        worst = jnp.max(state.values)
        enough = value <= worst + _DECREASE * state.t * state.slope + 4 * eps * jnp.abs(worst)
        accept = finite & (first | enough)
        started = self._set_out(problem, state, value, gradient, first)
        t = _shorter(state, value)
        back = state._replace(
            t=t, trial=state.params + t * state.direction, trials=state.trials + 1
        )
        state = _tree.where(accept, started, back)
        return state._replace(status=self._status(state, first & ~accept))

    def _set_out(
        self,
        problem: ObjectiveProblem,
        state: ProjectedState,
        value: Array,
        gradient: Array,
        first: Array,
    ) -> ProjectedState:
        """A new direction from the trial."""
        x = state.trial
        nearest = self._project(problem, x - gradient) - x
        optimality = jnp.max(jnp.abs(nearest))
        step, change = x - state.params, gradient - state.gradient
        bend = jnp.sum(step * change)
        longest = jnp.where(
            bend > 0, jnp.sum(step * step) / jnp.where(bend > 0, bend, 1.0), jnp.inf
        )
        length = jnp.where(first, 1 / jnp.where(optimality > 0, optimality, 1.0), longest)
        length = jnp.clip(length, _SHORTEST, _LONGEST)
        # Without curvature the next step goes as far as ten of this one.
        length = jnp.where(jnp.isfinite(longest) | first, length, 10 * state.length)
        direction = self._project(problem, x - length * gradient) - x
        place = jnp.arange(_MEMORY) == state.accepted % _MEMORY
        return ProjectedState(
            params=x,
            value=value,
            gradient=gradient,
            direction=direction,
            slope=jnp.sum(gradient * direction),
            t=jnp.ones_like(state.t),
            trial=x + direction,
            length=length,
            values=jnp.where(place, value, state.values),
            accepted=state.accepted + 1,
            trials=jnp.zeros_like(state.trials),
            optimality=optimality,
            largest=jnp.maximum(state.largest, optimality),
            status=state.status,
        )

    def _status(self, state: ProjectedState, undefined: Array) -> Array:
        eps = jnp.finfo(state.value.dtype).eps
        automatic = eps**0.5 * jnp.minimum(1.0, state.largest)
        gtol = stopping.tolerance(self.gtol, automatic, state.value.dtype)
        unmoved = ~jnp.any(jnp.abs(state.trial - state.params) > eps * jnp.abs(state.params))
        stopped = (state.trials >= _MOST_TRIALS) | unmoved
        # From a start that is nearly the minimum the tolerance may be beyond the rounding.
        nearly = -state.slope <= 8 * eps * jnp.abs(state.value)
        ended = jnp.where(nearly, Status.CONVERGED, Status.STALLED)
        status = jnp.where(stopped, ended, Status.RUNNING)
        status = jnp.where(state.optimality <= gtol, Status.CONVERGED, status)
        status = jnp.where(stopping.bottomless(state.value), Status.UNBOUNDED, status)
        return jnp.where(undefined, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: ObjectiveProblem, state: ProjectedState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ObjectiveProblem, params: Array) -> Array:
        """x − P(x − g), (n,)."""
        return params - self._project(problem, params - jax.grad(problem.objective)(params))


def _shorter(state: ProjectedState, value: Array) -> Array:
    """The minimum of the parabola through both values and the slope, kept within limits."""
    bend = 2 * (value - state.value - state.t * state.slope)
    best = -state.slope * state.t**2 / jnp.where(bend > 0, bend, 1.0)
    inside = (bend > 0) & (best >= _NEAR * state.t) & (best <= _FAR * state.t)
    return jnp.where(inside, best, 0.5 * state.t)
