"""First guesses for any model: its linear parameters solved, its others searched for.

Candidates for the nonlinear parameters fill ranges in the data's own units, which the symmetries
of the formula tell (`symmetries.py`). A few damped steps from the best of them find the deepest
valley.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array
from mvopt.regression.modelling.grid import Points, extent, largest
from mvopt.regression.modelling.model import coordinates, guess_by
from mvopt.regression.modelling.refinement import Target, best_of, with_best_linear
from mvopt.regression.separable import linear_indices
from mvopt.regression.symmetries import Measure, Measures, measures

# Candidates for one, two, and three or more nonlinear parameters.
_CANDIDATES = (256, 1024, 2048)
_CHUNK = 32  # of candidates evaluated at once, as in `modelling.grid.search`
# The best of each of so many random groups of candidates is followed: unlike the best of all they
# seldom lie in one valley.
_FOLLOWED = 8
_STEPS = 16
# Widths and times as shares of the extent of x. A rate is the inverse of one.
_SHORTEST, _LONGEST = 0.004, 20.0
# A box that spans more than this ratio is searched by ratios.
_WIDE = 50.0


def guess_for(
    model: Callable[[Any, Any], Array],
    x: Any,
    y: Any,
    mask: Any = None,
    lower: Sequence[float] | None = None,
    upper: Sequence[float] | None = None,
) -> Array:
    """A start for the fit of any `model(x, params)` that has `names`, shape (n,).

    x: (m,) or (k, m); y, mask: (m,), as of `Model.guess`. lower, upper: (n,) of numbers, infinite
    where there is no bound; equal ones fix a parameter.

    Parameters in which the model is linear are solved for. Candidates for the others are a Latin
    hypercube (McKay, Beckman and Conover, 1979), the same for all data sets. The model must be
    hashable and is called on random numbers of order one to find out what its parameters are.
    """
    ends = (None if side is None else tuple(map(float, side)) for side in (lower, upper))
    return guess_by(Search(model, *ends), coordinates(x), jnp.asarray(y), mask)


class Frame(NamedTuple):
    """The units of the data: low, span and size (largest |x|) are (k,), height (largest |y|) and
    the number of points are ().
    """

    low: Array
    span: Array
    size: Array
    height: Array
    points: Array


@dataclass(frozen=True)
class Search:
    """The guess function of a model, within bounds (n,) that may be None."""

    model: Any
    lower: tuple[float, ...] | None = None
    upper: tuple[float, ...] | None = None

    def __call__(self, points: Points) -> Array:
        """Start, (n,)."""
        size, dtype = len(self.model.names), points.y.dtype
        lower = np.array((-np.inf,) * size if self.lower is None else self.lower)
        upper = np.array((np.inf,) * size if self.upper is None else self.upper)
        free = np.flatnonzero(lower != upper)
        held = np.where(lower == upper, lower, 1)

        def curve(x: Array, moving: Array) -> Array:
            return self.model(x, jnp.asarray(held, moving.dtype).at[free].set(moving))

        linear = linear_indices(curve, points.x, free.size)
        others = np.setdiff1d(np.arange(free.size), linear)
        target = Target(
            lambda moving: curve(points.x, moving),
            linear,
            points.y,
            points.weight,
            lower[free],
            upper[free],
        )
        blank = jnp.ones(free.size, dtype)
        if others.size == 0:
            found = with_best_linear(target, blank[:, None])[0][:, 0]
        else:
            meaning = measures(curve, points.x, free.size, linear)
            values = _candidates(meaning, _frame(points), lower[free][others], upper[free][others])
            starts = _best_of_groups(target, blank, others, values.astype(dtype))
            found = best_of(target, starts, _STEPS)
        return jnp.asarray(held, dtype).at[free].set(found)


def _best_of_groups(target: Target, blank: Array, others: np.ndarray, values: Array) -> Array:
    """The best candidate of each group with its linear params, (groups, n); values (N, d)."""

    def judge(chunk: Array) -> tuple[Array, Array]:
        params = jnp.broadcast_to(blank[:, None], (blank.size, _CHUNK))
        return with_best_linear(target, params.at[others].set(chunk))

    chunks = jnp.moveaxis(values.reshape(-1, _CHUNK, len(others)), 1, 2)
    params, costs = jax.lax.map(judge, chunks)
    params = jnp.moveaxis(params, 1, 2).reshape(_FOLLOWED, -1, blank.size)
    best = jnp.argmin(costs.reshape(_FOLLOWED, -1), axis=1)
    return jnp.take_along_axis(params, best[:, None, None], axis=1)[:, 0]


def _frame(points: Points) -> Frame:
    rows = jnp.atleast_2d(points.x)
    low, span = extent(rows, points.weight)
    size = jax.vmap(largest, in_axes=(0, None))(rows, points.weight)
    height = largest(points.y, points.weight)
    return Frame(low, span, size, height, jnp.sum(points.weight))


def _candidates(meaning: Measures, frame: Frame, lower: np.ndarray, upper: np.ndarray) -> Array:
    """Values (N, d) of the nonlinear parameters, all within their bounds."""
    num = _CANDIDATES[min(lower.size, len(_CANDIDATES)) - 1]
    rng = np.random.default_rng(0)
    slices = np.stack([rng.permutation(num) for _ in range(lower.size)])
    shares = (slices + rng.uniform(size=slices.shape)) / num
    columns = []
    for measure, share, low, high in zip(meaning.each, shares, lower, upper, strict=True):
        columns.append(_within(measure, meaning.shiftable, frame, share, low, high))
    return jnp.stack(columns, axis=1)


def _within(
    measure: Measure,
    shiftable: tuple[bool, ...],
    frame: Frame,
    share: np.ndarray,
    low: float,
    high: float,
) -> Array:
    """Values (N,) of one parameter between its bounds from shares of its range in [0, 1]."""
    if not (np.isfinite(low) and np.isfinite(high)):
        values = _pool(measure, shiftable, frame, share)
        # What lies beyond the only bound is reflected at it.
        if np.isfinite(low):
            values = jnp.where(values < low, 2 * low - values, values)
        if np.isfinite(high):
            values = jnp.where(values > high, 2 * high - values, values)
        return values
    # A box may be much wider than the data call for: half of the values are as without it.
    half = 2 * share % 1
    ratio = low > 0 and high > _WIDE * low
    boxed = low * (high / low) ** half if ratio else low + (high - low) * half
    values = _pool(measure, shiftable, frame, half)
    return jnp.where((share < 0.5) | (values < low) | (values > high), boxed, values)


def _pool(measure: Measure, shiftable: tuple[bool, ...], frame: Frame, share: np.ndarray) -> Array:
    """Values (N,) of one parameter without bounds, in the data's own units."""
    if measure.place is not None:
        return _places(frame, measure.place, share)
    if measure.powers is None:
        return _anything(measure, shiftable, frame, share)
    if not any(measure.powers) and not measure.height:
        return jnp.asarray(_numbers(share))
    return _scales(measure, shiftable, frame, share)


def _places(frame: Frame, variable: int, share: np.ndarray) -> Array:
    """Mostly within the data, some beyond."""
    inside = np.interp(share, [0, 0.15, 0.85, 1], [-1, -0.05, 1.05, 2])
    return frame.low[variable] + frame.span[variable] * inside


def _numbers(share: np.ndarray) -> np.ndarray:
    """Pure numbers: phases, and exponents of both signs."""
    exponent = 0.1 * 100 ** (share * 2.5 % 1)
    phase = np.pi * (5 * share - 1)
    return np.select([share < 0.4, share < 0.8], [phase, exponent], -0.1 * 100 ** (5 * share - 4))


def _scales(
    measure: Measure, shiftable: tuple[bool, ...], frame: Frame, share: np.ndarray
) -> Array:
    """Ratios of the size of the data to the power that the parameter has; a third negative."""
    powers = np.array(measure.powers)
    rising = powers.sum() + measure.height
    size = jnp.where(np.array(shiftable), frame.span, frame.size)
    unit = jnp.prod(size**powers) * frame.height**measure.height
    sign, part = (
        np.where(share < 1 / 3, -1, 1),
        np.where(share < 1 / 3, 3 * share, 1.5 * share - 0.5),
    )
    ratio = _SHORTEST * (_LONGEST / _SHORTEST) ** part
    values = unit * jnp.asarray(sign * ratio ** (rising or 1.0))
    if measure.oscillating and rising < 0:
        # From none to half a cycle between points, in even steps.
        steps = np.pi * share * frame.points
        values = jnp.where(np.arange(share.size) % 4 > 0, unit * steps**-rising, values)
    return values


def _anything(
    measure: Measure, shiftable: tuple[bool, ...], frame: Frame, share: np.ndarray
) -> Array:
    """For a formula without symmetry: places, lengths, rates and pure numbers, a quarter each."""
    part = 4 * share % 1
    none = (0.0,) * (len(shiftable) - 1)
    lengths, rates = (
        _scales(measure._replace(powers=(power, *none), height=0.0), shiftable, frame, part)
        for power in (1.0, -1.0)
    )
    quarters = [share < 0.25, share < 0.5, share < 0.75]
    return jnp.select(quarters, [_places(frame, 0, part), lengths, rates], _numbers(part))
