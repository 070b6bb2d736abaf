"""Peaks in two dimensions: round, elliptic and rotated Gaussians, and the elliptic Lorentzian."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import Points, combinations, extent, geometric, search
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._peak_search import BROAD, crossed, extremes, joined, narrow_widths
from mvopt.regression.models.peaks import resonance

Array = jax.Array


def _gaussian2d(
    x: Array, amplitude: Array, center_x: Array, center_y: Array, sigma: Array, offset: Array
) -> Array:
    return _gaussian2d_elliptic(x, amplitude, center_x, center_y, sigma, sigma, offset)


def _gaussian2d_elliptic(
    x: Array,
    amplitude: Array,
    center_x: Array,
    center_y: Array,
    sigma_x: Array,
    sigma_y: Array,
    offset: Array,
) -> Array:
    return amplitude * _bell((x[0] - center_x) / sigma_x, (x[1] - center_y) / sigma_y) + offset


def _gaussian2d_rotated(
    x: Array,
    amplitude: Array,
    center_x: Array,
    center_y: Array,
    sigma_x: Array,
    sigma_y: Array,
    offset: Array,
    angle: Array,
) -> Array:
    first, second = _rotated(x[0] - center_x, x[1] - center_y, angle)
    return amplitude * _bell(first / sigma_x, second / sigma_y) + offset


def _lorentzian2d_elliptic(
    x: Array,
    amplitude: Array,
    center_x: Array,
    center_y: Array,
    sigma_x: Array,
    sigma_y: Array,
    offset: Array,
) -> Array:
    return amplitude * _resonance((x[0] - center_x) / sigma_x, (x[1] - center_y) / sigma_y) + offset


def _bell(first: Array, second: Array) -> Array:
    return jnp.exp(-(first**2 + second**2) / 2)


def _resonance(first: Array, second: Array) -> Array:
    return resonance(first) * resonance(second)


def _rotated(across: Array, up: Array, angle: Array) -> tuple[Array, Array]:
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return across * cosine - up * sine, across * sine + up * cosine


def _centers(points: Points, u: Array, steps: int) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Candidates (x, y) for the center of a narrow peak and of a broad one."""
    even = jnp.linspace(0, 1, steps, dtype=u.dtype)
    tops = jnp.max(jnp.where(points.weight > 0, u, 0), axis=1)  # 1 where an axis has its own unit
    return tuple(u[:, extremes(points)]), combinations(even * tops[0], even * tops[1])


def _guess_round(points: Points) -> Array:
    lows, spans = extent(points.x, points.weight)
    span = jnp.max(spans)  # one unit for both axes: the peak is round
    u = (points.x - lows[:, None]) / span

    def columns(center_x: Array, center_y: Array, width: Array) -> list[Array]:
        across, up = u[0][:, None] - center_x, u[1][:, None] - center_y
        return [jnp.ones_like(across[:, :1]), _bell(across / width, up / width)]

    tops, even = _centers(points, u, 5)
    widths = geometric(BROAD, 0.8, 5).astype(u.dtype)
    candidates = joined(
        crossed(tops, (narrow_widths(points, 2, 5),)),
        crossed(even, (widths,)),
    )
    (center_x, center_y, width), along = search(columns, candidates, points)
    center = lows + jnp.stack([center_x, center_y]) * span
    return jnp.stack([along[1], center[0], center[1], width * span, along[0]])


def _guess_elliptic(points: Points, shape: Callable[[Array, Array], Array]) -> Array:
    lows, spans = extent(points.x, points.weight)
    u = (points.x - lows[:, None]) / spans[:, None]

    def columns(center_x: Array, center_y: Array, width_x: Array, width_y: Array) -> list[Array]:
        along_x, along_y = (
            (u[0][:, None] - center_x) / width_x,
            (u[1][:, None] - center_y) / width_y,
        )
        return [jnp.ones_like(along_x[:, :1]), shape(along_x, along_y)]

    tops, even = _centers(points, u, 6)
    narrow = jnp.concatenate([narrow_widths(points, 2, 4), jnp.asarray([0.3, 0.7], u.dtype)])
    broad = geometric(BROAD, 1.0, 5).astype(u.dtype)
    candidates = joined(
        crossed(tops, combinations(narrow, narrow)), crossed(even, combinations(broad, broad))
    )
    (center_x, center_y, width_x, width_y), along = search(columns, candidates, points)
    center = lows + jnp.stack([center_x, center_y]) * spans
    widths = jnp.stack([width_x, width_y]) * spans
    return jnp.concatenate([along[1:], center, widths, along[:1]])


def _guess_rotated(points: Points) -> Array:
    lows, spans = extent(points.x, points.weight)
    span = jnp.max(spans)  # one unit for both axes: angles keep their meaning
    u = (points.x - lows[:, None]) / span

    def columns(
        center_x: Array, center_y: Array, long: Array, short: Array, angle: Array
    ) -> list[Array]:
        first, second = _rotated(u[0][:, None] - center_x, u[1][:, None] - center_y, angle)
        return [jnp.ones_like(first[:, :1]), _bell(first / long, second / short)]

    tops, even = _centers(points, u, 5)
    candidates = joined(
        crossed(tops, _ellipses(jnp.concatenate([narrow_widths(points, 2, 4), jnp.array([0.4])]))),
        crossed(even, _ellipses(geometric(BROAD, 0.9, 4))),
    )
    candidates = tuple(axis.astype(u.dtype) for axis in candidates)
    (center_x, center_y, long, short, angle), along = search(columns, candidates, points)
    center = lows + jnp.stack([center_x, center_y]) * span
    widths = jnp.stack([long, short]) * span
    return jnp.concatenate([along[1:], center, widths, along[:1], angle[None]])


def _ellipses(widths: Array) -> tuple[Array, Array, Array]:
    """Candidates (long, short, angle): a round one needs one angle, others six."""
    short, long = np.triu_indices(len(widths), k=1)
    angles = jnp.arange(6) * (np.pi / 6)
    pairs = crossed((widths[long], widths[short]), (angles,))
    long_axis, short_axis, angle = joined(pairs, (widths, widths, jnp.zeros_like(widths)))
    return long_axis, short_axis, angle


_CENTER_MEANINGS = (
    "height at the center above the offset",
    "position along the first axis",
    "position along the second axis",
)
_OFFSET_MEANING = "value far from the peak"
_ELLIPTIC_NAMES = ("amplitude", "center_x", "center_y", "sigma_x", "sigma_y", "offset")

gaussian2d = Model(
    name="gaussian2d",
    names=("amplitude", "center_x", "center_y", "sigma", "offset"),
    formula="amplitude*exp(-((x - center_x)**2 + (y - center_y)**2)/(2*sigma**2)) + offset",
    function=_gaussian2d,
    guess_function=_guess_round,
    source="Gpufit, GAUSS_2D (Przybylski et al., 2017)",
    num_x=2,
    x_names=("x", "y"),
    meanings=(
        *_CENTER_MEANINGS,
        "standard deviation, the same along both axes",
        _OFFSET_MEANING,
    ),
)

gaussian2d_elliptic = Model(
    name="gaussian2d_elliptic",
    names=_ELLIPTIC_NAMES,
    formula=(
        "amplitude*exp(-((x - center_x)/sigma_x)**2/2 - ((y - center_y)/sigma_y)**2/2) + offset"
    ),
    function=_gaussian2d_elliptic,
    guess_function=partial(_guess_elliptic, shape=_bell),
    source="Gpufit, GAUSS_2D_ELLIPTIC (Przybylski et al., 2017)",
    num_x=2,
    x_names=("x", "y"),
    meanings=(
        *_CENTER_MEANINGS,
        "standard deviation along the first axis",
        "standard deviation along the second axis",
        _OFFSET_MEANING,
    ),
)

gaussian2d_rotated = Model(
    name="gaussian2d_rotated",
    names=(*_ELLIPTIC_NAMES, "angle"),
    formula=(
        "amplitude*exp("
        "-(((x - center_x)*cos(angle) - (y - center_y)*sin(angle))/sigma_x)**2/2"
        " - (((x - center_x)*sin(angle) + (y - center_y)*cos(angle))/sigma_y)**2/2"
        ") + offset"
    ),
    function=_gaussian2d_rotated,
    guess_function=_guess_rotated,
    source="Gpufit, GAUSS_2D_ROTATED (Przybylski et al., 2017)",
    num_x=2,
    x_names=("x", "y"),
    meanings=(
        *_CENTER_MEANINGS,
        "standard deviation along the first axis of the ellipse",
        "standard deviation along its second axis",
        _OFFSET_MEANING,
        "in radians, from the first axis of the ellipse to that of the plane",
    ),
)

lorentzian2d_elliptic = Model(
    name="lorentzian2d_elliptic",
    names=_ELLIPTIC_NAMES,
    formula=(
        "amplitude/(1 + ((x - center_x)/sigma_x)**2)/(1 + ((y - center_y)/sigma_y)**2) + offset"
    ),
    function=_lorentzian2d_elliptic,
    guess_function=partial(_guess_elliptic, shape=_resonance),
    source="Gpufit, CAUCHY_2D_ELLIPTIC (Przybylski et al., 2017)",
    num_x=2,
    x_names=("x", "y"),
    meanings=(
        *_CENTER_MEANINGS,
        "half width at half maximum along the first axis",
        "half width at half maximum along the second axis",
        _OFFSET_MEANING,
    ),
)
