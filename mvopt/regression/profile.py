"""Where the profile of the cost reaches a level: ends of likelihood intervals, and contours.

Along a ray t ↦ best + t·direction of one or two held parameters, the others are at each t those of
the lowest cost: the profile. Wanted is the t at which it has risen by a given amount (Bates and
Watts 1988, section 6.1; MINOS in James and Roos 1975). h(t) = √(2·rise(t)) − √(2·wanted) is
straight for a linear model, and its slope is known without another fit: by the envelope theorem the
profile rises as the cost does with the other parameters at rest. So Newton's method on h, kept in a
bracket, needs few fits, and each begins where the last one ended, moved along the tangent.

The fits and the search for t are one iteration: a step of the method inside, and when that is done,
a new t. No lane waits for another.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families.linearization import Evaluation, LeastSquaresProblem
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt

# Beyond so many of the distances at which a linear model would have its end there is none.
_FAR = 1e4
_GROWTH = 4.0  # of t in a turn, while no point beyond the end is known
_MAX_TURNS = 60


class ProfileProblem(NamedTuple):
    """A least-squares problem and a ray from its solution."""

    problem: LeastSquaresProblem
    best: Array  # (n,)
    direction: Array  # (n,), zero but for the held parameters
    tangent: Array  # (n,), how all parameters move with t in the linear model
    minimum: Array  # (), cost at the best
    rise: Array  # (), of the cost at the wanted end

    def at(self, t: Array) -> LeastSquaresProblem:
        """The problem in the other parameters."""
        del t  # the held ones are where the start has put them
        return self.problem._replace(held=self.direction != 0)

    def start(self, params: Array, old: Array, new: Array) -> Array:
        """Where to begin at t = new, from the params at t = old."""
        moved = params + (new - old) * self.tangent
        return jnp.where(self.direction != 0, self.best + new * self.direction, moved)

    def furthest(self) -> Array:
        """The t at which a held parameter arrives at its bound."""
        if self.problem.bounds is None:
            return jnp.full_like(self.rise, jnp.inf)
        lower, upper = self.problem.bounds
        held = self.direction != 0
        room = jnp.where(self.direction > 0, upper - self.best, self.best - lower)
        size = jnp.where(held, jnp.abs(self.direction), 1.0)
        return jnp.maximum(jnp.min(jnp.where(held, room / size, jnp.inf)), 0.0)


class ProfileState(NamedTuple):
    """The fit at one t, and what is known of h."""

    inner: Any
    t: Array
    low: Array  # the largest t known to be below the end
    high: Array  # the smallest known to be beyond it
    gap: Array  # |h| relative to √(2·wanted), of the last fit
    turns: Array  # () int32
    lowest: Array  # (), the least cost seen relative to the minimum, in units of the rise
    status: Array

    @property
    def params(self) -> Array:
        """All params at t, (n,)."""
        return self.inner.params

    @property
    def value(self) -> Array:
        """Cost relative to the minimum, the least seen, in units of the rise."""
        return self.lowest

    @property
    def optimality(self) -> Array:
        """How far t is from the end."""
        return self.gap

    @property
    def trial(self) -> Array:
        """Where the fit goes next, (n,)."""
        return self.inner.trial


@_tree.node
@dataclass(frozen=True)
class ProfileEnd:
    """The solver; `inner` fits the other parameters."""

    inner: LevenbergMarquardt = LevenbergMarquardt()  # noqa: RUF009 (immutable)

    def blank(self, params: Array) -> ProfileState:
        """A state of this shape."""
        zero, count = jnp.zeros((), params.dtype), jnp.zeros((), jnp.int32)
        inner = self.inner.blank(params)
        return ProfileState(inner, zero, zero, zero, zero, count, zero, count)

    def init(self, problem: ProfileProblem, params: Array, state: ProfileState) -> ProfileState:
        """The first t is the end of the linear model, or the bound before it."""
        del params
        zero = jnp.zeros_like(problem.rise)
        t = jnp.minimum(1.0, problem.furthest())
        start = problem.start(problem.best, zero, t)
        return ProfileState(
            inner=self.inner.init(problem.at(t), start, state.inner),
            t=t,
            low=zero,
            high=jnp.full_like(zero, jnp.inf),
            gap=jnp.full_like(zero, jnp.inf),
            turns=jnp.zeros_like(state.turns),
            lowest=zero,
            status=jnp.zeros_like(state.status),
        )

    def evaluate(self, problem: ProfileProblem, state: ProfileState) -> Evaluation:
        """The problem at the trial of the fit."""
        return self.inner.evaluate(problem.at(state.t), state.inner)

    def step(
        self, problem: ProfileProblem, state: ProfileState, evaluation: Evaluation
    ) -> ProfileState:
        """A step of the fit; when it is done, the next t."""
        inside = problem.at(state.t)
        inner = self.inner.step(inside, state.inner, evaluation)
        done = self.inner.status(inside, inner) != Status.RUNNING
        state = state._replace(inner=inner)
        turned = self._turn(problem, state)
        return _tree.where(done, turned, state)

    def _turn(self, problem: ProfileProblem, state: ProfileState) -> ProfileState:
        inner, t = state.inner, state.t
        wanted = jnp.sqrt(2 * problem.rise)
        climbed = inner.value - problem.minimum
        # Undefined there, which is far beyond any end.
        climbed = jnp.where(jnp.isfinite(climbed), climbed, jnp.inf)
        root = jnp.sqrt(2 * jnp.maximum(climbed, 0.0))
        h = root - wanted
        slope = jnp.sum(inner.model.gradient * problem.direction) / jnp.where(root > 0, root, 1.0)
        low = jnp.where(h < 0, jnp.maximum(t, state.low), state.low)
        high = jnp.where(h < 0, state.high, jnp.minimum(t, state.high))
        furthest = problem.furthest()
        new = _next(t, h, slope, low, high, furthest)
        eps = jnp.finfo(t.dtype).eps
        gap = jnp.abs(h) / wanted
        found = gap <= 10 * eps**0.5
        # What is left is lost in the rounding of t.
        pinched = high - low <= 4 * eps * high
        at_bound = (t >= furthest) & (h < 0)
        endless = (low >= _FAR) & ~jnp.isfinite(high)
        status = jnp.where(endless, Status.UNBOUNDED, Status.RUNNING)
        status = jnp.where(state.turns >= _MAX_TURNS, Status.MAX_STEPS, status)
        status = jnp.where(pinched & (state.turns > 2), Status.STALLED, status)
        status = jnp.where(found | at_bound, Status.CONVERGED, status).astype(jnp.int32)
        ended = status != Status.RUNNING
        start = problem.start(jnp.where(jnp.isfinite(climbed), inner.params, problem.best), t, new)
        again = self.inner.init(problem.at(new), start, inner)
        return state._replace(
            inner=_tree.where(ended, inner, again),
            t=jnp.where(ended, t, new),
            low=low,
            high=high,
            gap=gap,
            turns=state.turns + 1,
            lowest=jnp.minimum(state.lowest, climbed / problem.rise),
            status=status,
        )

    def status(self, problem: ProfileProblem, state: ProfileState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ProfileProblem, params: Array) -> Array:
        """Projected gradient of the cost, (n,)."""
        return problem.problem.optimality(params)


def _next(t: Array, h: Array, slope: Array, low: Array, high: Array, furthest: Array) -> Array:
    """Newton's step if it stays in the bracket, else its middle, or further out without one."""
    good = slope > 0
    newton = t - h / jnp.where(good, slope, 1.0)
    good = good & jnp.isfinite(newton)
    open_end = ~jnp.isfinite(high)
    beyond = jnp.where(good, newton, jnp.inf)
    outward = jnp.clip(beyond, 1.1 * low, _GROWTH * jnp.maximum(low, 0.25))
    within = good & (newton > low) & (newton < high)
    middle = jnp.where(open_end, low, (low + high) / 2)
    return jnp.minimum(jnp.where(open_end, outward, jnp.where(within, newton, middle)), furthest)
