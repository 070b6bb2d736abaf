"""Nelder and Mead's simplex: a minimum from values alone.

One evaluation a step, so that the method is a small machine: it fills the simplex vertex by vertex,
then reflects the worst vertex at the centroid of the others, and expands, contracts or shrinks
(Nelder and Mead 1965; the rules of Lagarias and others 1998), by factors that depend on the number
of parameters (Gao and Han 2012, section 4). A value that is NaN counts as infinite.

A trial outside the bounds is drawn back along its line, and given up where too little of the line
is left: clipped entry by entry, the simplex would be flattened onto the bound and never leave it.

A simplex can collapse where there is no minimum (McKinnon 1998), or because it is too small for the
function to tell its vertices apart. It is therefore set up anew at the best vertex, on the other
side and not smaller than a fixed size, and believed only when it ends there again.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families import stopping
from mvopt.families.objective import ObjectiveProblem
from mvopt.iteration import box

# What the trial is: a vertex of a new simplex, or a point on the line through worst and centroid.
_FILL, _REFLECT, _EXPAND, _OUTSIDE, _INSIDE = range(5)
# A reflection of which the bounds leave less than this share is a contraction instead: each makes
# the simplex thinner by so much.
_LEAST_SHARE = 0.25
# A parameter that is smaller has the edge of this one when the simplex is set up again: with a
# `size` of 0.05 that edge is 0.00025, which SciPy and MATLAB take at zero.
_LEAST_SIZE = 0.005


class SimplexState(NamedTuple):
    """The simplex, and what is being tried."""

    vertices: Array  # (n + 1, n)
    values: Array  # (n + 1,), infinite while unknown
    trial: Array  # (n,)
    phase: Array  # () int32
    vertex: Array  # () int32, the one to fill
    reflected: Array  # (n,), the worst vertex's reflection
    reflected_value: Array  # ()
    side: Array  # (), 1 or -1: where the next simplex is set up
    mark: Array  # (), least value when the last simplex collapsed; inf: none has
    largest: Array  # (), largest finite |value| so far
    status: Array  # () int32

    @property
    def params(self) -> Array:
        """Best vertex so far, (n,)."""
        return _row(self.vertices, jnp.argmin(self.values))

    @property
    def value(self) -> Array:
        """Objective there, ()."""
        return jnp.min(self.values)

    @property
    def optimality(self) -> Array:
        """NaN, (): the gradient is not known."""
        return jnp.full_like(self.mark, jnp.nan)


@_tree.node
@dataclass(frozen=True)
class NelderMead:
    """For a few parameters, where derivatives do not exist or mean nothing; memory n².

    ftol: the simplex has collapsed when its values differ by less than ftol·|value|; NaN: 10 eps.
    size: edges of a new simplex as a share of the parameters, in their absolute value.

    Bounds hold for each trial. CONVERGED: a second simplex, set up where the first one
    collapsed, collapsed there too, and where the function has a Hessian no step by that leads
    lower. STALLED: the same, but one does, or the values differ at points that do not, as where
    the function jumps. `Solution.optimality` is NaN.
    """

    ftol: float | Array = stopping.AUTO
    size: float | Array = 0.05

    def blank(self, params: Array) -> SimplexState:
        """A state of this shape."""
        zero, count = jnp.zeros((), params.dtype), jnp.zeros((), jnp.int32)
        infinite = jnp.full_like(zero, jnp.inf)
        return SimplexState(
            vertices=jnp.zeros((params.size + 1, params.size), params.dtype) + params,
            values=jnp.full(params.size + 1, jnp.inf, params.dtype),
            trial=params,
            phase=count,
            vertex=count,
            reflected=params,
            reflected_value=infinite,
            side=jnp.ones_like(zero),
            mark=infinite,
            largest=zero,
            status=count,
        )

    def init(self, problem: ObjectiveProblem, params: Array, state: SimplexState) -> SimplexState:
        """The start, clipped into the bounds, as the first vertex to fill."""
        del state
        state = self.blank(box.clip(problem.bounds, params))
        size = jnp.abs(state.trial)
        largest = jnp.max(size)
        size = jnp.where(size > 0, size, jnp.where(largest > 0, largest, 1.0))
        return state._replace(vertices=self._simplex(problem, state.trial, size, state.side))

    def _simplex(self, problem: ObjectiveProblem, params: Array, size: Array, side: Array) -> Array:
        """(n + 1, n): `params`, and from there one step along each axis, where there is room."""
        length = self.size * size
        ahead, back = (box.clip(problem.bounds, params + s * length) for s in (side, -side))
        short = jnp.abs(ahead - params) < jnp.minimum(length, jnp.abs(back - params))
        moved = jnp.where(short, back, ahead)
        diagonal = jnp.eye(params.size, dtype=bool)
        return jnp.concatenate([params[None], jnp.where(diagonal, moved, params)])

    def evaluate(self, problem: ObjectiveProblem, state: SimplexState) -> Array:
        """Value () at the trial."""
        return problem.objective(state.trial)

    def step(self, problem: ObjectiveProblem, state: SimplexState, value: Array) -> SimplexState:
        """Put the trial into the simplex, or try another point on its line, or shrink."""
        missing = (state.vertex == 0) & (state.phase == _FILL) & ~jnp.isfinite(value)
        value = jnp.where(jnp.isnan(value), jnp.inf, value)
        size = jnp.where(jnp.isfinite(value), jnp.abs(value), 0.0)
        state = state._replace(largest=jnp.maximum(state.largest, size))
        filled, full = _filled(state, value)
        probed, settled, shrink = _judged(problem, state, value)
        filling = state.phase == _FILL
        other = _tree.where(shrink, _shrunk(state), probed)
        ready = jnp.where(filling, full, settled)
        state = _tree.where(filling, filled, other)
        state = _tree.where(ready, self._next(problem, state), state)
        status = jnp.where(stopping.bottomless(state.value), Status.UNBOUNDED, state.status)
        status = jnp.where(missing, Status.NONFINITE, status)
        return state._replace(status=status.astype(jnp.int32))

    def _next(self, problem: ObjectiveProblem, state: SimplexState) -> SimplexState:
        """A reflection, or a new simplex where this one has collapsed, or the end."""
        eps = jnp.finfo(state.mark.dtype).eps
        ftol = stopping.tolerance(self.ftol, 10 * eps, state.mark.dtype)
        best, value = state.params, state.value
        tolerance = jnp.maximum(ftol * jnp.abs(value), eps**2 * jnp.minimum(1.0, state.largest))
        spread = jnp.max(state.values) - value
        width = jnp.max(jnp.abs(state.vertices - best), axis=0)
        scale = jnp.maximum(jnp.abs(best), eps * jnp.max(jnp.abs(best)))
        flat = (spread <= tolerance) & (width <= eps**0.5 * scale).all()
        point = (width <= 4 * eps * scale).all()
        collapsed, tried = flat | point, state.mark - value <= 10 * tolerance
        close = spread <= jnp.maximum(8 * eps**0.5 * jnp.abs(value), 100 * eps * state.largest)
        status = jnp.where(close, Status.CONVERGED, Status.STALLED)
        status = jnp.where(collapsed & tried, status, Status.RUNNING)
        again = self._again(problem, state, best, value)
        following = _tree.where(collapsed & ~tried, again, _reflecting(problem, state))
        return following._replace(status=status.astype(jnp.int32))

    def _again(
        self, problem: ObjectiveProblem, state: SimplexState, best: Array, value: Array
    ) -> SimplexState:
        """A new simplex around the best vertex, on the other side of it."""
        size = jnp.maximum(jnp.abs(best), _LEAST_SIZE)
        vertices = self._simplex(problem, best, size, -state.side)
        first = jnp.arange(len(vertices)) == 0
        return state._replace(
            vertices=vertices,
            values=jnp.where(first, value, jnp.inf),
            trial=vertices[1],
            phase=jnp.full_like(state.phase, _FILL),
            vertex=jnp.ones_like(state.vertex),
            side=-state.side,
            mark=value,
        )

    def status(self, problem: ObjectiveProblem, state: SimplexState) -> Array:
        """`Status` as int32 ()."""
        del problem
        return state.status

    def optimality(self, problem: ObjectiveProblem, params: Array) -> Array:
        """Projected gradient, (n,), for the implicit rule; the method itself does without."""
        return problem.optimality(params)


def _factors(n: int) -> tuple[float, float, float]:
    """Of expansion, contraction and shrinkage; in one dimension those of Nelder and Mead."""
    n = max(n, 2)
    return 1 + 2 / n, 0.75 - 1 / (2 * n), 1 - 1 / n


def _row(rows: Array, index: Array) -> Array:
    """One row by a mask: an index that differs between lanes would be a gather."""
    return jnp.sum(jnp.where(jnp.arange(len(rows))[:, None] == index, rows, 0.0), axis=0)


def _worst(values: Array) -> Array:
    """The last of the largest: never the best one, which is the first of the least."""
    return len(values) - 1 - jnp.argmax(values[::-1])


def _centroid(state: SimplexState) -> Array:
    """Of all vertices but the worst, (n,)."""
    rows, n = jnp.arange(len(state.values)), state.trial.size
    others = rows[:, None] != _worst(state.values)
    return jnp.sum(jnp.where(others, state.vertices, 0.0), axis=0) / n


def _filled(state: SimplexState, value: Array) -> tuple[SimplexState, Array]:
    """The simplex with one more vertex known, and whether that was the last."""
    rows = jnp.arange(len(state.values))
    index = state.vertex + 1
    values = jnp.where(rows == state.vertex, value, state.values)
    trial = _row(state.vertices, jnp.minimum(index, len(rows) - 1))
    return state._replace(values=values, vertex=index, trial=trial), index == len(rows)


def _judged(
    problem: ObjectiveProblem, state: SimplexState, value: Array
) -> tuple[SimplexState, Array, Array]:
    """What follows from a trial on the line; whether the worst is replaced, whether to shrink."""
    phase, values = state.phase, state.values
    expansion, contraction, _ = _factors(state.trial.size)
    worst = jnp.arange(len(values)) == _worst(values)
    highest, second = jnp.max(values), jnp.max(jnp.where(worst, -jnp.inf, values))
    reflecting, expanding = phase == _REFLECT, phase == _EXPAND
    point = jnp.where(reflecting, state.trial, state.reflected)
    height = jnp.where(reflecting, value, state.reflected_value)
    better = jnp.where(phase == _OUTSIDE, value <= height, value < highest)
    low, middle = value < jnp.min(values), value < second
    settled = jnp.where(reflecting, ~low & middle, expanding | better)
    # An expansion that leads no lower than the reflection leaves that.
    kept = expanding & ~(value < height)
    entry = jnp.where(kept, point, state.trial), jnp.where(kept, height, value)
    put = worst & settled
    vertices = jnp.where(put[:, None], entry[0], state.vertices)
    tried = jnp.where(low, _EXPAND, jnp.where(value < highest, _OUTSIDE, _INSIDE))
    factor = jnp.where(tried == _EXPAND, expansion, contraction).astype(value.dtype)
    centroid = _centroid(state)
    following = state._replace(
        vertices=vertices,
        values=jnp.where(put, entry[1], values),
        trial=jnp.where(
            tried == _INSIDE,
            _contracted(state, centroid),
            _within(problem, centroid, centroid + factor * (point - centroid))[0],
        ),
        phase=tried.astype(jnp.int32),
        reflected=point,
        reflected_value=height,
    )
    return following, settled, ~reflecting & ~settled


def _reflecting(problem: ObjectiveProblem, state: SimplexState) -> SimplexState:
    """The worst vertex's reflection at the centroid as the next trial; a contraction at a bound."""
    centroid = _centroid(state)
    mirrored = centroid + (centroid - _row(state.vertices, _worst(state.values)))
    reflected, share = _within(problem, centroid, mirrored)
    room = share >= _LEAST_SHARE
    return state._replace(
        trial=jnp.where(room, reflected, _contracted(state, centroid)),
        phase=jnp.where(room, _REFLECT, _INSIDE).astype(jnp.int32),
        reflected_value=jnp.full_like(state.reflected_value, jnp.inf),
    )


def _contracted(state: SimplexState, centroid: Array) -> Array:
    """A point between the worst vertex and the centroid."""
    worst = _row(state.vertices, _worst(state.values))
    return centroid + _factors(worst.size)[1] * (worst - centroid)


def _within(problem: ObjectiveProblem, centroid: Array, point: Array) -> tuple[Array, Array]:
    """The last point within the bounds on the way to `point`, and how much of the way that is."""
    clipped = box.clip(problem.bounds, point)
    way, left = point - centroid, clipped - centroid
    share = jnp.min(jnp.where(clipped == point, 1.0, left / way))
    share = jnp.maximum(share, 0.0)
    return box.clip(problem.bounds, jnp.where(share < 1, centroid + share * way, point)), share


def _shrunk(state: SimplexState) -> SimplexState:
    """All vertices drawn towards the best one, which becomes the first; the others are unknown."""
    rows = jnp.arange(len(state.values))
    best, value = state.params, state.value
    swapped = (rows == jnp.argmin(state.values))[:, None]
    vertices = jnp.where(swapped, state.vertices[0], state.vertices)
    vertices = best + _factors(best.size)[2] * (vertices - best)
    vertices = jnp.where(rows[:, None] == 0, best, vertices)
    return state._replace(
        vertices=vertices,
        values=jnp.where(rows == 0, value, jnp.inf),
        trial=vertices[1],
        phase=jnp.full_like(state.phase, _FILL),
        vertex=jnp.ones_like(state.vertex),
    )
