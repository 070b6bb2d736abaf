"""Peaks: Gaussian and Lorentzian, alone or on an offset, and the Gaussian in two dimensions."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from mvopt.regression.models._model import Model
from mvopt.regression.models._separable import Points, combinations, extent, geometric, search

Array = jax.Array

# From this width on, in units of the span, a peak covers so many points that even steps find it.
_BROAD = 0.12


def _gaussian(x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    return amplitude * _bell(((x - center) / sigma) ** 2)


def _gaussian_offset(
    x: Array, amplitude: Array, center: Array, sigma: Array, offset: Array
) -> Array:
    return _gaussian(x, amplitude, center, sigma) + offset


def _lorentzian(x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    return amplitude * _resonance(((x - center) / sigma) ** 2)


def _lorentzian_offset(
    x: Array, amplitude: Array, center: Array, sigma: Array, offset: Array
) -> Array:
    return _lorentzian(x, amplitude, center, sigma) + offset


def _gaussian2d(
    x: Array, amplitude: Array, center_x: Array, center_y: Array, sigma: Array, offset: Array
) -> Array:
    squared = (x[0] - center_x) ** 2 + (x[1] - center_y) ** 2
    return amplitude * jnp.exp(squared / (-2 * sigma**2)) + offset


def _bell(squared: Array) -> Array:
    return jnp.exp(-squared / 2)


def _resonance(squared: Array) -> Array:
    return 1 / (1 + squared)


def _extremes(points: Points) -> Array:
    """Indices of the highest and of the lowest point in use, shape (2,)."""
    used = points.weight > 0
    high = jnp.argmax(jnp.where(used, points.y, -jnp.inf))
    low = jnp.argmin(jnp.where(used, points.y, jnp.inf))
    return jnp.stack([high, low])


def _narrow_widths(points: Points, dimensions: int, num: int) -> Array:
    """Widths in units of the span: from below the mean spacing of the points up to `_BROAD`."""
    count = jnp.maximum(jnp.sum(points.weight), 4) ** (1 / dimensions)
    return geometric(0.3 / count, _BROAD, num)


def _joined(*grids: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(jnp.concatenate(axis) for axis in zip(*grids, strict=True))


def _guess_peak(points: Points, shape: Callable[[Array], Array], offset: bool) -> Array:
    low, span = extent(points.x, points.weight)
    u = (points.x - low) / span

    def columns(center: Array, width: Array) -> list[Array]:
        peak = shape(((u[:, None] - center) / width) ** 2)
        return [jnp.ones_like(u)[:, None], peak] if offset else [peak]

    # The extremes place a narrow peak to a fraction of its width, even steps a broad one.
    narrow = combinations(u[_extremes(points)], _narrow_widths(points, 1, 8))
    even = jnp.linspace(-0.2, 1.2, 14, dtype=u.dtype)
    broad = combinations(even, geometric(_BROAD, 1.0, 8).astype(u.dtype))
    candidates = _joined(narrow, broad)
    (center, width), along = search(columns, candidates, points)
    return jnp.stack([along[-1], low + center * span, width * span, *along[:-1]])


def _guess_gaussian2d(points: Points) -> Array:
    lows, spans = extent(points.x, points.weight)
    span = jnp.max(spans)  # one unit for both axes: the peak is round
    u = (points.x - lows[:, None]) / span

    def columns(center_x: Array, center_y: Array, width: Array) -> list[Array]:
        squared = (u[0][:, None] - center_x) ** 2 + (u[1][:, None] - center_y) ** 2
        return [jnp.ones_like(squared[:, :1]), _bell(squared / width**2)]

    widths = _narrow_widths(points, 2, 5)
    extremes = u[:, _extremes(points)]
    narrow = tuple(jnp.repeat(axis, len(widths)) for axis in extremes)
    steps = jnp.linspace(0, 1, 5, dtype=u.dtype)
    ratios = spans / span
    broad = combinations(
        steps * ratios[0], steps * ratios[1], geometric(_BROAD, 0.8, 5).astype(u.dtype)
    )
    candidates = _joined((*narrow, jnp.tile(widths, 2)), broad)
    (center_x, center_y, width), along = search(columns, candidates, points)
    center = lows + jnp.stack([center_x, center_y]) * span
    return jnp.stack([along[1], center[0], center[1], width * span, along[0]])


_PEAK_NAMES = ("amplitude", "center", "sigma")
_GAUSSIAN_MEANINGS = ("height at the center", "position of the peak", "standard deviation")
_LORENTZIAN_MEANINGS = (
    "height at the center",
    "position of the peak",
    "half width at half maximum",
)

gaussian = Model(
    name="gaussian",
    names=_PEAK_NAMES,
    formula="amplitude*exp(-(x - center)**2/(2*sigma**2))",
    function=_gaussian,
    guess_function=partial(_guess_peak, shape=_bell, offset=False),
    source="Gauss (1809)",
    meanings=_GAUSSIAN_MEANINGS,
)

gaussian_offset = Model(
    name="gaussian_offset",
    names=(*_PEAK_NAMES, "offset"),
    formula="amplitude*exp(-(x - center)**2/(2*sigma**2)) + offset",
    function=_gaussian_offset,
    guess_function=partial(_guess_peak, shape=_bell, offset=True),
    source="Gpufit, GAUSS_1D (Przybylski et al., 2017)",
    meanings=(*_GAUSSIAN_MEANINGS, "value far from the peak"),
)

lorentzian = Model(
    name="lorentzian",
    names=_PEAK_NAMES,
    formula="amplitude/(1 + ((x - center)/sigma)**2)",
    function=_lorentzian,
    guess_function=partial(_guess_peak, shape=_resonance, offset=False),
    source="Lorentz (1906)",
    meanings=_LORENTZIAN_MEANINGS,
)

lorentzian_offset = Model(
    name="lorentzian_offset",
    names=(*_PEAK_NAMES, "offset"),
    formula="amplitude/(1 + ((x - center)/sigma)**2) + offset",
    function=_lorentzian_offset,
    guess_function=partial(_guess_peak, shape=_resonance, offset=True),
    source="Lorentz (1906)",
    meanings=(*_LORENTZIAN_MEANINGS, "value far from the peak"),
)

gaussian2d = Model(
    name="gaussian2d",
    names=("amplitude", "center_x", "center_y", "sigma", "offset"),
    formula="amplitude*exp(-((x - center_x)**2 + (y - center_y)**2)/(2*sigma**2)) + offset",
    function=_gaussian2d,
    guess_function=_guess_gaussian2d,
    source="Gpufit, GAUSS_2D (Przybylski et al., 2017)",
    num_x=2,
    x_names=("x", "y"),
    meanings=(
        "height at the center above the offset",
        "position along the first axis",
        "position along the second axis",
        "standard deviation, the same along both axes",
        "value far from the peak",
    ),
)
