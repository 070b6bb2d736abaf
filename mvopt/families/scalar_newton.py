"""Newton's method for one equation in one unknown, elementwise: the fast path of a batch.

    accept the trial?  →  Newton's step, or a shorter one  →  where to go when neither helps

A trial is accepted if it reduces |f|. Once two points with different signs of f are known they
bracket a root: a Newton step that leaves the bracket, or that reduces |f| too little, gives way to
bisection (Press et al. 2007, Numerical Recipes, section 9.4), and every trial narrows the bracket.
Without a bracket a rejected step is cut to a quarter; when that leads nowhere, |f| is stationary:
then the bounds are tried, which may reveal a bracket, and after them the whole Newton step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mvopt._types import Array, Status
from mvopt.families.equations import RootProblem, holds, moved, unit_of, vanished

_SUFFICIENT = 1e-4
_SHRINK = 0.25
# Rejections in a row after which |f| counts as stationary: the step is then 1/256 of Newton's.
_STATIONARY = 4
# A ratio of successive steps that tells a multiple root, of order 1.7 to 20.
_LINEAR_RATIO = (0.4, 0.95)
_LINEAR_STEPS = 3
_JUMPING = -1
# From the last of the rejected steps back to Newton's.
_WHOLE = 4.0 ** (_STATIONARY - 1)


class ScalarState(NamedTuple):
    """The best point; the present one, the trial after it, the far end of the bracket around the
    root.
    """

    params: Array  # (1,), where |f| is least, or the root
    residual: Array  # (), f there
    point: Array  # (1,)
    here: Array  # (), f there; infinite before the first evaluation
    unit: Array  # (), what f is measured by, set at the start
    trial: Array  # (1,)
    other: Array  # (), a point where f has the other sign; NaN while none is known
    rejections: Array  # () int32, in a row; negative: the trial is taken whatever it brings
    escapes: Array  # () int32
    linear: Array  # () int32, steps in a row that shrank by a constant ratio
    status: Array  # () int32

    @property
    def value(self) -> Array:
        """Half the square of f, ()."""
        return 0.5 * self.residual * self.residual

    @property
    def optimality(self) -> Array:
        """|f|, (); NaN before the first evaluation."""
        size = jnp.abs(self.residual)
        return jnp.where(jnp.isinf(size), jnp.nan, size)


def scalar_blank(params: Array) -> ScalarState:
    """A state of this dtype."""
    zero, count = jnp.zeros((), params.dtype), jnp.zeros((), jnp.int32)
    return ScalarState(
        *(params, zero, params, zero, zero), *(params, zero, count, count, count, count)
    )


def scalar_init(problem: RootProblem, params: Array, state: ScalarState) -> ScalarState:
    """State at the start; the infinite residual marks the first step."""
    params = problem.clip(params)
    none = jnp.zeros_like(state.escapes)
    return state._replace(
        params=params,
        point=params,
        here=jnp.full_like(state.here, jnp.inf),
        trial=params,
        other=jnp.full_like(state.other, jnp.nan),
        rejections=none,
        escapes=none,
        linear=none,
    )


def value_and_slope(problem: RootProblem, point: Array) -> tuple[Array, Array]:
    """f and its derivative at a point (1,), both ()."""
    value, slope = jax.jvp(problem.residual, (point,), (jnp.ones_like(point),))
    return value[0], slope[0]


def scalar_step(
    problem: RootProblem,
    state: ScalarState,
    evaluation: tuple[Array, Array],
    xtol: Array,
    max_escapes: Array | int,
) -> ScalarState:
    """Accept or reject the trial and choose the next one."""
    (f, slope), (x, t) = evaluation, (state.point[0], state.trial[0])
    eps = jnp.finfo(t.dtype).eps
    size, old_size = jnp.abs(f), jnp.abs(state.here)
    first, jumping = jnp.isinf(state.here), state.rejections < 0
    crossed = ~first & (((f < 0) & (state.here > 0)) | ((f > 0) & (state.here < 0)))
    finite = jnp.isfinite(f) & (jnp.isfinite(slope) | (f == 0))
    # Between the ends of a bracket a point with the sign of f at x takes its place in any case.
    narrows = ~jnp.isnan(state.other) & ~crossed
    better = size < (1 - _SUFFICIENT) * old_size
    accept = finite & (first | jumping | better | narrows)
    new, here = jnp.where(accept, t, x), jnp.where(accept, f, state.here)
    unit = jnp.where(first, unit_of((size + jnp.abs(slope * t))[None])[0], state.unit)
    other = jnp.where(crossed, jnp.where(accept, x, t), state.other)
    known, width = ~jnp.isnan(other), other - new
    closed = known & (jnp.abs(width) <= 2 * eps * jnp.abs(new))
    rejections = jnp.where(accept, 0, jnp.maximum(state.rejections, 0) + 1)

    step = -f / slope
    ratio = step / (t - x)
    constant = (state.rejections == 0) & (ratio > _LINEAR_RATIO[0]) & (ratio < _LINEAR_RATIO[1])
    linear = jnp.where(accept & constant & ~first, state.linear + 1, 0)
    extrapolate = linear > _LINEAR_STEPS
    newton = t + moved(t, jnp.where(extrapolate, step / (1 - ratio), step))
    # Without a bracket.
    damped = problem.clip(jnp.where(accept, newton, x + _SHRINK * (t - x))[None])[0]
    flat = (slope == 0) | ~jnp.isfinite(newton)
    stuck = jnp.where(accept, flat | (damped == t), rejections >= _STATIONARY) & ~known
    escape, target = _escape(problem, state, t, jnp.where(accept, newton, x + _WHOLE * (t - x)))
    escape = escape & stuck & (state.escapes < max_escapes)
    # With one.
    inside = (newton - new) * (newton - other) < 0
    fast = accept & inside & (first | jumping | (size <= 0.5 * old_size))
    bracketed = jnp.where(fast, newton, jnp.where(closed, new, new + 0.5 * width))
    following = jnp.where(known, bracketed, jnp.where(escape, target, damped))

    whole = jnp.where(accept, step, jnp.where(stuck, _WHOLE, 1) * (t - x))
    reach = jnp.where(jnp.isfinite(t), jnp.abs(t), 0.0)
    small, nearly = jnp.abs(whole) <= xtol * reach, jnp.abs(whole) <= eps ** (2 / 3) * reach
    # Near a pole f is small in proportion to its derivative too, but there the steps grow.
    dropped = accept & (size <= 0.25 * old_size) & (jnp.abs(step) <= 0.5 * jnp.abs(t - x))
    exhausted = ~accept & finite & ~known & (rejections == 1)
    ended = closed & accept & (step * width > 0)
    good = (small & (dropped | exhausted)) | (nearly & ~first & (stuck | ended))
    good = (f == 0) | (good & holds(here[None], unit[None]))
    bad = (closed & accept) | (stuck & ~escape)
    status = jnp.where(good, Status.CONVERGED, jnp.where(bad, Status.STALLED, Status.RUNNING))
    shrinking = jnp.abs(t) <= 0.96 * jnp.abs(x)
    lost = vanished(f, slope == 0, old_size, shrinking, (state.linear > 0) | ~jnp.isnan(other))
    status = jnp.where(lost, Status.STALLED, status)
    best = first | good | (jnp.abs(here) < jnp.abs(state.residual))
    return ScalarState(
        params=jnp.where(best, new, state.params),
        residual=jnp.where(best, here, state.residual),
        point=new[None],
        here=here,
        unit=unit,
        trial=following[None],
        other=other,
        rejections=jnp.where(escape, _JUMPING, rejections),
        escapes=state.escapes + escape,
        linear=jnp.where(extrapolate, 1, linear),
        status=jnp.where(first & ~finite, Status.NONFINITE, status).astype(jnp.int32),
    )


def _escape(
    problem: RootProblem, state: ScalarState, point: Array, whole: Array
) -> tuple[Array, Array]:
    """Whether there is a way out of a stationary point of |f|, and where it leads."""
    nudge = jnp.finfo(point.dtype).eps ** (1 / 3) * jnp.maximum(jnp.abs(point), 1)
    target = jnp.where(jnp.isfinite(whole), whole, point + nudge)
    if problem.bounds is not None:
        lower, upper = problem.bounds[0][0], problem.bounds[1][0]
        target = problem.clip(target[None])[0]
        target = jnp.where((state.escapes == 1) & jnp.isfinite(upper), upper, target)
        target = jnp.where((state.escapes == 0) & jnp.isfinite(lower), lower, target)
    return target != point, target
