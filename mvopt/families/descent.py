"""Descent along a direction with a line search: what the methods from gradients alone share.

The search is folded into the loop: each step digests one evaluation and narrows the interval of
step lengths. It ends at a point of sufficient decrease whose slope is flat enough (Wolfe 1969),
found by expansion, then by cubic interpolation kept within the interval (Lewis and Overton 2013 for
the logic; Nocedal and Wright 2006, section 3.5). Where a decrease is lost in the rounding of the
value, the slopes alone decide (Hager and Zhang 2005). With bounds the trial is the projection of
the point on the line (Bertsekas 1982).

A method that learns the curvature as it goes can take a slope for flat because what it learnt is
wrong. It is therefore believed only when, after forgetting all, it gains nothing more.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.objective import ObjectiveProblem
from mvopt.iteration import box

_DECREASE = 1e-4  # share of the predicted decrease that is sufficient (Nocedal and Wright 2006)
_EXPANSION = 10.0  # largest factor between one trial and the next
_MAX_TRIALS = 40  # of one search: enough to halve an interval down to rounding
_MAX_IDLE = 4  # steps that may leave the value where it is, within its rounding
_FIRST_MOVE = 0.01  # of the params, before any curvature is known (Hager and Zhang 2005)


class Search(NamedTuple):
    """The interval of step lengths, with value and slope at its ends; high is inf at first."""

    t: Array
    low: Array
    low_value: Array
    low_slope: Array
    high: Array
    high_value: Array
    high_slope: Array
    trials: Array  # int32


class DescentState(NamedTuple):
    """The last point accepted, the direction from it, and the search along it."""

    params: Array  # (n,)
    value: Array  # ()
    gradient: Array  # (n,)
    free: Array  # (n,) bool
    direction: Array  # (n,)
    memory: Any  # the curvature learnt so far
    search: Search
    trial: Array  # (n,)
    forced: Array  # () bool: the trial is known to be better, accept it
    learnt: Array  # () bool: the memory holds curvature
    mark: Array  # (), value where all was forgotten last; inf: not yet
    idle: Array  # () int32, steps in a row that did not bring the value down
    close: Array  # () bool: at the mark the decrease to come seemed negligible
    largest: Array  # (), largest |value| so far
    recent: Array  # (), |value| of late: halved with each step, but never below that at the point
    status: Array  # () int32

    @property
    def optimality(self) -> Array:
        """Largest entry of the projected gradient, (); NaN before the first evaluation."""
        return stopping.largest_slope(self.value, self.gradient, self.free)


@dataclass(frozen=True)
class DescentMethod:
    """A method that goes down along directions; those that derive from it say along which.

    ftol: converged when the decrease that the method still expects is below ftol·|value|; NaN:
    eps. A value that tends to zero counts as converged when that decrease is below eps^1.5 of
    the values of late, or below eps² times the smaller of one and the largest value.
    """

    ftol: float | Array = stopping.AUTO

    # Share of the first slope to which a step must flatten it, and whether on both sides.
    flatness = 0.9
    two_sided = False

    def nothing_learnt(self, params: Array) -> Any:
        """A memory for params of this shape; what is in it is not used."""
        raise NotImplementedError

    def learn(self, memory: Any, fresh: Array, step: Array, change: Array, gradient: Array) -> Any:
        """The memory after a step over which the gradient changed by so much.

        fresh: () bool, what is in the memory is to be forgotten.
        """
        raise NotImplementedError

    def downhill(self, memory: Any, gradient: Array, free: Array) -> Array:
        """The direction, (n,), over the free params; the gradient is zero where they are not."""
        raise NotImplementedError

    def blank(self, params: Array) -> DescentState:
        """A state of this shape."""
        zero, no = jnp.zeros((), params.dtype), jnp.zeros((), bool)
        infinite, count = jnp.full((), jnp.inf, params.dtype), jnp.zeros((), jnp.int32)
        return DescentState(
            params=params,
            value=infinite,
            gradient=jnp.zeros_like(params),
            free=jnp.zeros(params.shape, bool),
            direction=jnp.zeros_like(params),
            memory=self.nothing_learnt(params),
            search=Search(zero, zero, zero, zero, infinite, zero, zero, count),
            trial=params,
            forced=~no,
            learnt=no,
            mark=infinite,
            idle=count,
            close=no,
            largest=zero,
            recent=zero,
            status=count,
        )

    def init(self, problem: ObjectiveProblem, params: Array, state: DescentState) -> DescentState:
        """State at the start, clipped into the bounds; the infinite value marks the first step."""
        start = self.blank(box.clip(problem.bounds, params))
        return start._replace(memory=state.memory)

    def evaluate(self, problem: ObjectiveProblem, state: DescentState) -> tuple[Array, Array]:
        """Value () and gradient (n,) at the trial."""
        return jax.value_and_grad(problem.objective)(state.trial)

    def step(
        self, problem: ObjectiveProblem, state: DescentState, evaluation: tuple[Array, Array]
    ) -> DescentState:
        """Accept the trial and set out in a new direction, or go on searching along this one."""
        value, gradient = evaluation
        finite = jnp.isfinite(value) & jnp.isfinite(gradient).all()
        first = jnp.isinf(state.value)
        searched, found, failed = self._searched(problem, state, value, gradient, finite)
        accept = finite & (found | state.forced)
        here = self._moved(problem, state, value, gradient, accept)
        again = first | accept | failed
        ended = (failed & ~accept) | (here.idle >= _MAX_IDLE)
        ready, direction, done = self._concluded(here, again, ended)
        started = self._set_out(problem, ready, direction)
        going_on = self._going_on(problem, state._replace(search=searched))
        state = _chosen(again, started, going_on, ready.memory)
        return state._replace(status=self._status(state, done & again, first & ~accept))

    def _searched(
        self,
        problem: ObjectiveProblem,
        state: DescentState,
        value: Array,
        gradient: Array,
        finite: Array,
    ) -> tuple[Search, Array, Array]:
        """The interval after an evaluation, whether that was good enough, whether none will be."""
        eps = jnp.finfo(value.dtype).eps
        old, start = state.search, jnp.sum(state.gradient * state.direction)
        moved = state.trial - state.params
        # A component that a bound stops has no part in the slope along the projected line.
        going = _kept_inside(problem.bounds, state.trial, state.direction)
        slope = jnp.sum(gradient * going)
        expected = jnp.sum(state.gradient * moved)
        enough = (expected < 0) & (value <= state.value + _DECREASE * expected)
        level = (value <= state.value + 4 * eps * jnp.abs(state.value)) & (slope <= -0.8 * start)
        enough = finite & (enough | level)
        steep = slope < self.flatness * start
        beyond = ~enough | (self.two_sided & (slope > -self.flatness * start))
        # What is not a number stays out of the interpolation.
        known = jnp.where(finite, value, jnp.nan), jnp.where(finite, slope, jnp.nan)
        search = Search(
            t=old.t,
            low=jnp.where(beyond, old.low, old.t),
            low_value=jnp.where(beyond, old.low_value, value),
            low_slope=jnp.where(beyond, old.low_slope, slope),
            high=jnp.where(beyond, old.t, old.high),
            high_value=jnp.where(beyond, known[0], old.high_value),
            high_slope=jnp.where(beyond, known[1], old.high_slope),
            trials=old.trials + 1,
        )
        width = search.high - search.low
        narrow = jnp.isfinite(search.high) & (width <= 4 * eps * search.high)
        unmoved = (moved == 0).all()
        # Closer in, the value could not tell a decrease from its rounding.
        lost = beyond & (-expected <= eps * jnp.abs(state.value))
        exhausted = narrow | lost | (search.trials >= _MAX_TRIALS) | unmoved
        good = ~beyond & ~steep & ~unmoved
        return (
            search._replace(t=jnp.where(exhausted, search.low, _next_length(search, start))),
            good,
            exhausted & (unmoved | (search.low == 0)) & ~good,
        )

    def _moved(
        self,
        problem: ObjectiveProblem,
        state: DescentState,
        value: Array,
        gradient: Array,
        accept: Array,
    ) -> DescentState:
        """The state at the trial, if it is accepted, what was seen on the way to it learnt."""
        step, change = state.trial - state.params, gradient - state.gradient
        curvature = jnp.sum(step * change)
        eps = jnp.finfo(value.dtype).eps
        useful = jnp.isfinite(state.value) & (
            curvature > eps * jnp.sqrt(jnp.sum(step**2)) * jnp.sqrt(jnp.sum(change**2))
        )
        memory = lax.cond(
            accept & useful,
            lambda: self.learn(state.memory, ~state.learnt, step, change, gradient),
            lambda: state.memory,
        )
        gained = state.value - value > 4 * eps * jnp.abs(value)
        largest, recent = stopping.sizes_with(state.largest, state.recent, value)
        moved = state._replace(
            idle=jnp.where(gained, 0, state.idle + 1),
            params=state.trial,
            value=value,
            gradient=gradient,
            free=box.free(problem.bounds, state.trial, gradient),
            learnt=state.learnt | useful,
            largest=largest,
            recent=recent,
        )
        return _chosen(accept, moved, state, memory)

    def _concluded(
        self, state: DescentState, again: Array, failed: Array
    ) -> tuple[DescentState, Array, Array]:
        """Forget what was learnt where it leads no further; done where that was tried already.

        Returns the state, the direction to go, and whether all is done.
        """
        value, largest, recent = state.value, state.largest, state.recent
        ftol = stopping.tolerance(self.ftol, jnp.finfo(value.dtype).eps, value.dtype)
        slope = jnp.where(state.free, state.gradient, 0.0)
        learnt = self.downhill(state.memory, slope, state.free)
        direction = jnp.where(state.learnt, learnt, -slope)
        decrement = -0.5 * jnp.sum(slope * direction)
        least = stopping.negligible(ftol, value, largest, recent)
        negligible = state.learnt & (decrement <= least)
        nearly = decrement <= stopping.nearly_negligible(value, largest)
        gained = state.mark - value > 10 * least
        still = (slope == 0).all()
        tried = jnp.isfinite(state.mark) & ~gained
        done = still | (tried & (negligible | failed))
        # At the rounding of a minimum of zero it does not matter what has been learnt.
        zero = jnp.abs(value) <= stopping.rounding_of_zero(largest)
        close = negligible | (failed & ((state.learnt & nearly) | zero))
        restart = again & (negligible | failed) & ~tried
        state = state._replace(
            learnt=state.learnt & ~restart,
            mark=jnp.where(restart, value, state.mark),
            idle=jnp.where(restart, 0, state.idle),
            close=jnp.where(restart, close, state.close | still),
        )
        return state, jnp.where(restart, -slope, direction), done

    def _set_out(
        self, problem: ObjectiveProblem, state: DescentState, direction: Array
    ) -> DescentState:
        """The state at the start of a line, with the first trial along it."""
        steepest = -jnp.where(state.free, state.gradient, 0.0)
        direction = _kept_inside(problem.bounds, state.params, direction)
        slope = jnp.sum(state.gradient * direction)
        descends = slope < 0
        direction = jnp.where(descends, direction, steepest)
        slope = jnp.where(descends, slope, -jnp.sum(steepest**2))
        t = jnp.where(
            state.learnt & descends, 1.0, _first_length(state.params, state.value, steepest)
        )
        zero, infinite = jnp.zeros_like(t), jnp.full_like(t, jnp.inf)
        count = jnp.zeros_like(state.search.trials)
        return state._replace(
            direction=direction,
            search=Search(t, zero, state.value, slope, infinite, zero, zero, count),
            trial=box.clip(problem.bounds, state.params + t * direction),
            forced=jnp.zeros_like(state.forced),
        )

    def _going_on(self, problem: ObjectiveProblem, state: DescentState) -> DescentState:
        """The next trial along the same direction."""
        search = state.search
        trial = box.clip(problem.bounds, state.params + search.t * state.direction)
        return state._replace(trial=trial, forced=search.t == search.low)

    def _status(self, state: DescentState, done: Array, undefined: Array) -> Array:
        good = jnp.where(state.close, Status.CONVERGED, Status.STALLED)
        status = jnp.where(done, good, Status.RUNNING)
        status = jnp.where(stopping.bottomless(state.value), Status.UNBOUNDED, status)
        return jnp.where(undefined, Status.NONFINITE, status).astype(jnp.int32)

    def status(self, problem: ObjectiveProblem, state: DescentState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ObjectiveProblem, params: Array) -> Array:
        """Projected gradient, (n,)."""
        return problem.optimality(params)


def _chosen(condition: Array, one: DescentState, other: DescentState, memory: Any) -> DescentState:
    """One state or the other, with this memory: choosing between two would pass over both."""
    chosen = _tree.where(condition, one._replace(memory=None), other._replace(memory=None))
    return chosen._replace(memory=memory)


def _next_length(search: Search, start: Array) -> Array:
    """Between the ends of the interval, or beyond its lower end while it has no upper one."""
    width = search.high - search.low
    cubic = _cubic_minimum(search)
    # The first trial of a line may be far too long, and then the cubic knows by how much.
    margin = jnp.where(search.trials <= 3, 1e-3, 0.1) * width
    inner = jnp.clip(cubic, search.low + margin, search.high - 0.1 * width)
    late = search.trials >= 10
    inner = jnp.where(jnp.isnan(inner) | late, search.low + 0.5 * width, inner)
    # Next to a point where the function is not defined the way back is longer.
    inner = jnp.where(jnp.isnan(search.high_value), search.low + 0.1 * width, inner)
    flattening = search.low_slope - start
    secant = -search.low * start / jnp.where(flattening > 0, flattening, 1.0)
    secant = jnp.where(flattening > 0, secant, jnp.inf)
    outer = jnp.clip(secant, 2 * search.low, _EXPANSION * search.low)
    return jnp.where(jnp.isinf(search.high), outer, inner)


def _cubic_minimum(search: Search) -> Array:
    """Of the cubic through values and slopes at both ends (Nocedal and Wright 2006, eq. 3.59)."""
    width = search.high - search.low
    theta = 3 * (search.low_value - search.high_value) / width
    theta = theta + search.low_slope + search.high_slope
    size = jnp.maximum(jnp.abs(theta), jnp.maximum(jnp.abs(search.low_slope), 1e-30))
    inside = (theta / size) ** 2 - (search.low_slope / size) * (search.high_slope / size)
    root = size * jnp.sqrt(inside)  # NaN where the cubic has no minimum
    return search.low + width * (root - search.low_slope + theta) / (
        2 * root - search.low_slope + search.high_slope
    )


def _first_length(params: Array, value: Array, direction: Array) -> Array:
    """A step length for the steepest descent when nothing is known of the curvature."""
    largest, slope = jnp.max(jnp.abs(params)), jnp.max(jnp.abs(direction))
    square = jnp.sum(direction**2)
    by_params = _FIRST_MOVE * largest / slope
    by_value = _FIRST_MOVE * jnp.abs(value) / square
    length = jnp.where(largest > 0, by_params, by_value)
    return jnp.where((length > 0) & jnp.isfinite(length), length, 1.0)


def _kept_inside(bounds: box.Bounds, params: Array, direction: Array) -> Array:
    """The direction without the components that a bound stops at once."""
    return jnp.where(box.free(bounds, params, -direction), direction, 0.0)
