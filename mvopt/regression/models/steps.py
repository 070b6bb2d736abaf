"""Steps, and rectangles of a step up and a step down, in the four forms of lmfit.

Every form is an odd function that rises from -1 to 1. A step is (1 + form(z))/2, a rectangle
half the sum of two forms.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    extent,
    fit_columns,
    geometric,
    ordered_pairs,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._peak_search import crossed

Array = jax.Array
Form = Callable[[Array], Array]


def _ramp(z: Array) -> Array:
    return jnp.clip(z, -1, 1)


def _steep_ramp(z: Array) -> Array:
    """The ramp of a step: in lmfit half as wide as the side of a rectangle of the same sigma."""
    return _ramp(2 * z)


def _arctan(z: Array) -> Array:
    return 2 / np.pi * jnp.arctan(z)


def logistic(z: Array) -> Array:
    """2/(1 + exp(-z)) - 1."""
    # Written as such, its derivative is infinity over infinity for large -z.
    return jnp.tanh(z / 2)


def _step(form: Form, x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    return amplitude / 2 * (1 + form((x - center) / sigma))


def _rectangle(
    form: Form,
    x: Array,
    amplitude: Array,
    center1: Array,
    sigma1: Array,
    center2: Array,
    sigma2: Array,
) -> Array:
    return amplitude / 2 * (form((x - center1) / sigma1) + form((center2 - x) / sigma2))


# A model is known by its function, so each has one of its own.


def _step_linear(x: Array, *params: Array) -> Array:
    return _step(_steep_ramp, x, *params)


def _step_atan(x: Array, *params: Array) -> Array:
    return _step(_arctan, x, *params)


def _step_erf(x: Array, *params: Array) -> Array:
    return _step(erf, x, *params)


def _step_logistic(x: Array, *params: Array) -> Array:
    return _step(logistic, x, *params)


def _rectangle_linear(x: Array, *params: Array) -> Array:
    return _rectangle(_ramp, x, *params)


def _rectangle_atan(x: Array, *params: Array) -> Array:
    return _rectangle(_arctan, x, *params)


def _rectangle_erf(x: Array, *params: Array) -> Array:
    return _rectangle(erf, x, *params)


def _rectangle_logistic(x: Array, *params: Array) -> Array:
    return _rectangle(logistic, x, *params)


def _half_rise(form: Form) -> float:
    """The z at which half of the rise from 0 to 1 is done, to 2 %: the form's unit of width."""
    z = np.geomspace(0.1, 3, 170)
    with jax.ensure_compile_time_eval():
        values = np.asarray(form(jnp.asarray(z)))
    return float(z[np.argmax(values >= 0.5)])


# How far, in units of the span, and by which factor in width the searches reach around the best
# of the one before.
FINER = ((0.08, 2.0),) * 2
# The sum of squares of a ramp has a local minimum for many a choice of the points that lie on it,
# often at a kink, and a fit stays in the one where it starts.
_FINEST = (*FINER, (0.03, 1.3), (0.01, 1.1), (0.0015, 1.015))

Side = tuple[Array, Array]  # center and width


def _around(side: Side, reach: Array, factor: Array) -> Side:
    """Candidates (center, width) on a grid around those given."""
    ends = jnp.linspace(-1, 1, 13, dtype=reach.dtype)
    center, width = combinations(side[0] + reach * ends, side[1] * factor**ends)
    return center, width


def guess_step(points: Points, form: Form, finer: tuple[tuple[float, float], ...]) -> Array:
    """Amplitude, center and sigma, shape (3,), by searches on finer and finer grids."""
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]
    unit = _half_rise(form)

    def columns(center: Array, width: Array) -> list[Array]:
        return [1 + form((u - center) / width)]

    widths = geometric(0.01, 0.7, 10).astype(u.dtype) / unit
    centers = jnp.linspace(-0.3, 1.3, 33, dtype=u.dtype)
    candidates = combinations(centers, jnp.concatenate([widths, -widths]))
    (center, width), _ = search(columns, candidates, points)

    def closer(side: Side, reaches: tuple[Array, Array]) -> tuple[Side, None]:
        (center, width), _ = search(columns, _around(side, *reaches), points)
        return (center, width), None

    reaches, factors = jnp.asarray(finer, u.dtype).T
    (center, width), _ = jax.lax.scan(closer, (center, width), (reaches, factors))
    along, _ = fit_columns(columns(center, width), points.y[:, None], points.weight[:, None])
    return jnp.stack([2 * along[0, 0], low + center * span, width * span])


def _guess_rectangle(points: Points, form: Form, finer: tuple[tuple[float, float], ...]) -> Array:
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]
    unit = _half_rise(form)

    def columns(up: Array, rise: Array, down: Array, fall: Array) -> list[Array]:
        return [form((u - up) / rise) + form((down - u) / fall)]

    def room(up: Array, down: Array) -> Array:
        # Sides that overlap make a plateau as well, the same one for equal widths, and so a
        # second optimum: this is how wide both may be together.
        return jnp.maximum(down - up, 0.01) / (2 * unit)

    def closer(best: tuple[Side, Side], reaches: tuple[Array, Array]) -> tuple:
        # One side at a time: a grid over both has the square of the number of points.
        (up, rise), (down, fall) = best
        ups, rises = _around((up, rise), *reaches)
        rises = jnp.minimum(rises, jnp.maximum(room(ups, down) - fall, rise / 8))
        first = lambda up, rise: columns(up, rise, down, fall)
        (up, rise), _ = search(first, (ups, rises), points)
        downs, falls = _around((down, fall), *reaches)
        falls = jnp.minimum(falls, jnp.maximum(room(up, downs) - rise, fall / 8))
        second = lambda down, fall: columns(up, rise, down, fall)
        (down, fall), _ = search(second, (downs, falls), points)
        return ((up, rise), (down, fall)), None

    widths = geometric(0.01, 0.25, 5).astype(u.dtype) / unit
    sides = ordered_pairs(jnp.linspace(0, 1, 14, dtype=u.dtype))
    up, down, rise, fall = crossed(sides, combinations(widths, widths))
    rise, fall = (jnp.minimum(width, room(up, down) / 2) for width in (rise, fall))
    (up, rise, down, fall), _ = search(columns, (up, rise, down, fall), points)
    reaches, factors = jnp.asarray(finer, u.dtype).T
    best, _ = jax.lax.scan(closer, ((up, rise), (down, fall)), (reaches, factors))

    (up, rise), (down, fall) = best
    column = columns(up, rise, down, fall)
    along, _ = fit_columns(column, points.y[:, None], points.weight[:, None])
    ups, downs = low + up * span, low + down * span
    return jnp.stack([2 * along[0, 0], ups, rise * span, downs, fall * span])


_STEP_MEANINGS = (
    "height of the step",
    "x at half its height",
    "width of the rise, negative for a fall",
)
_RECTANGLE_MEANINGS = (
    "height of the rectangle",
    "x at half the height of the rise",
    "width of the rise",
    "x at half the height of the fall",
    "width of the fall",
)
_STEP_NAMES = ("amplitude", "center", "sigma")
_RECTANGLE_NAMES = ("amplitude", "center1", "sigma1", "center2", "sigma2")
_STEP_SOURCE = "lmfit, StepModel (Newville et al., 2014)"
_RECTANGLE_SOURCE = "lmfit, RectangleModel (Newville et al., 2014)"

step_linear = Model(
    name="step_linear",
    names=_STEP_NAMES,
    formula="amplitude*minimum(1, maximum(0, (x - center)/sigma + 1/2))",
    function=_step_linear,
    guess_function=partial(guess_step, form=_steep_ramp, finer=_FINEST),
    source=_STEP_SOURCE,
    meanings=_STEP_MEANINGS,
)

step_atan = Model(
    name="step_atan",
    names=_STEP_NAMES,
    formula="amplitude*(1/2 + arctan((x - center)/sigma)/pi)",
    function=_step_atan,
    guess_function=partial(guess_step, form=_arctan, finer=FINER),
    source=_STEP_SOURCE,
    meanings=_STEP_MEANINGS,
)

step_erf = Model(
    name="step_erf",
    names=_STEP_NAMES,
    formula="amplitude/2*(1 + erf((x - center)/sigma))",
    function=_step_erf,
    guess_function=partial(guess_step, form=erf, finer=FINER),
    source=_STEP_SOURCE,
    meanings=_STEP_MEANINGS,
)

step_logistic = Model(
    name="step_logistic",
    names=_STEP_NAMES,
    formula="amplitude/(1 + exp((center - x)/sigma))",
    function=_step_logistic,
    guess_function=partial(guess_step, form=logistic, finer=FINER),
    source=_STEP_SOURCE,
    meanings=_STEP_MEANINGS,
)

rectangle_linear = Model(
    name="rectangle_linear",
    names=_RECTANGLE_NAMES,
    formula=(
        "amplitude/2*(minimum(1, maximum(-1, (x - center1)/sigma1))"
        " + minimum(1, maximum(-1, (center2 - x)/sigma2)))"
    ),
    function=_rectangle_linear,
    guess_function=partial(_guess_rectangle, form=_ramp, finer=_FINEST),
    source=_RECTANGLE_SOURCE,
    meanings=_RECTANGLE_MEANINGS,
)

rectangle_atan = Model(
    name="rectangle_atan",
    names=_RECTANGLE_NAMES,
    formula="amplitude/pi*(arctan((x - center1)/sigma1) + arctan((center2 - x)/sigma2))",
    function=_rectangle_atan,
    guess_function=partial(_guess_rectangle, form=_arctan, finer=FINER),
    source=_RECTANGLE_SOURCE,
    meanings=_RECTANGLE_MEANINGS,
)

rectangle_erf = Model(
    name="rectangle_erf",
    names=_RECTANGLE_NAMES,
    formula="amplitude/2*(erf((x - center1)/sigma1) + erf((center2 - x)/sigma2))",
    function=_rectangle_erf,
    guess_function=partial(_guess_rectangle, form=erf, finer=FINER),
    source=_RECTANGLE_SOURCE,
    meanings=_RECTANGLE_MEANINGS,
)

rectangle_logistic = Model(
    name="rectangle_logistic",
    names=_RECTANGLE_NAMES,
    formula=(
        "amplitude*(1 - 1/(1 + exp((x - center1)/sigma1)) - 1/(1 + exp((center2 - x)/sigma2)))"
    ),
    function=_rectangle_logistic,
    guess_function=partial(_guess_rectangle, form=logistic, finer=FINER),
    source=_RECTANGLE_SOURCE,
    meanings=_RECTANGLE_MEANINGS,
)
