"""Asymmetric peaks: split, skewed, with an exponential tail, in log(x), and resonances."""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.special import erf, erfc

from mvopt.regression.modelling.grid import Points, combinations, extent, geometric, search
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._faddeeva import erfcx
from mvopt.regression.models._peak_search import crossed, extremes, joined, peak_search
from mvopt.regression.models._saturation import exp_below
from mvopt.regression.models.peaks import bell, resonance

Array = jax.Array


def _split(
    x: Array,
    amplitude: Array,
    center: Array,
    sigma: Array,
    sigma_r: Array,
    shape: Callable[[Array], Array],
) -> Array:
    return amplitude * shape((x - center) / jnp.where(x < center, sigma, sigma_r))


def _split_gaussian(
    x: Array, amplitude: Array, center: Array, sigma: Array, sigma_r: Array
) -> Array:
    return _split(x, amplitude, center, sigma, sigma_r, bell)


def _split_lorentzian(
    x: Array, amplitude: Array, center: Array, sigma: Array, sigma_r: Array
) -> Array:
    return _split(x, amplitude, center, sigma, sigma_r, resonance)


def _skewed_gaussian(
    x: Array, amplitude: Array, center: Array, sigma: Array, gamma: Array
) -> Array:
    return amplitude / (sigma * math.sqrt(2 * math.pi)) * _skewed((x - center) / sigma, gamma)


def _skewed(z: Array, skew: Array) -> Array:
    return bell(z) * (1 + erf(skew * z / math.sqrt(2)))


def _exponential_gaussian(
    x: Array, amplitude: Array, center: Array, sigma: Array, gamma: Array
) -> Array:
    sigma, gamma = jnp.abs(sigma), jnp.abs(gamma)
    return amplitude * gamma / 2 * _tailed((x - center) / sigma, gamma * sigma)


def _tailed(z: Array, rate: Array) -> Array:
    """exp(rate²/2 - rate z) erfc((rate - z)/√2), where either factor alone may overflow."""
    argument = (rate - z) / math.sqrt(2)
    rising = argument > 0
    scaled = bell(z) * erfcx(jnp.where(rising, argument, 0))
    falling = jnp.where(rising, 0, rate * (rate / 2 - z))
    plain = jnp.exp(falling) * erfc(jnp.where(rising, 0, argument))
    return jnp.where(rising, scaled, plain)


def _lognormal(x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    positive = x > 0
    z = (jnp.log(jnp.where(positive, x, 1)) - center + sigma**2) / sigma
    return jnp.where(positive, amplitude * bell(z), 0)


def _doniach(x: Array, amplitude: Array, center: Array, sigma: Array, gamma: Array) -> Array:
    return amplitude * _edge((x - center) / sigma, gamma)


def _edge(z: Array, gamma: Array) -> Array:
    """The Doniach-Šunjić line of height 1, which it reaches at z = -tan(πγ/(4 - 2γ))."""
    wave = jnp.cos(math.pi / 2 * gamma + (1 - gamma) * jnp.arctan(z))
    # From gamma = 1 on the line has no height: there it keeps that of just before.
    held = jnp.minimum(gamma, 0.999)
    log_height = (2 - held) * jnp.log(jnp.cos(math.pi * held / (4 - 2 * held)))
    return wave * exp_below((gamma - 1) / 2 * jnp.log1p(z**2) - log_height)


def _breit_wigner(x: Array, amplitude: Array, center: Array, sigma: Array, q: Array) -> Array:
    return amplitude * _fano(2 * (x - center) / sigma, q)


def _fano(z: Array, q: Array) -> Array:
    return (q + z) ** 2 / (1 + z**2)


def _guess_split(points: Points, shape: Callable[[Array], Array]) -> Array:
    def both(z: Array, ratio: Array) -> Array:
        return shape(z * jnp.where(z < 0, ratio, 1 / ratio))

    peak = peak_search(points, both, [(0.55, 0.75, 1.0, 1.33, 1.8)])
    left, right = peak.scale / peak.shape[0], peak.scale * peak.shape[0]
    return jnp.stack([peak.amplitude, peak.center, left, right])


def _guess_skewed_gaussian(points: Points) -> Array:
    # Not 0: there the derivatives depend on each other, and a fit gets no further.
    peak = peak_search(points, _skewed, [(-5.0, -2.5, -1.2, 1.2, 2.5, 5.0)])
    area = peak.amplitude * peak.scale * math.sqrt(2 * math.pi)
    return jnp.stack([area, peak.center, peak.scale, *peak.shape])


def _guess_exponential_gaussian(points: Points) -> Array:
    peak = peak_search(points, _tailed, [(0.1, 0.25, 0.5, 1.0, 2.0, 5.0)])
    gamma = peak.shape[0] / peak.scale
    return jnp.stack([2 * peak.amplitude / gamma, peak.center, peak.scale, gamma])


def _guess_lognormal(points: Points) -> Array:
    """A Gaussian in log(x), whose mode is `center` less the square of `sigma`."""
    used = points.weight * (points.x > 0)
    lowest = jnp.min(points.x, where=used > 0, initial=jnp.inf)
    x = jnp.where(used > 0, points.x, jnp.where(jnp.isfinite(lowest), lowest, 1))
    peak = peak_search(Points(jnp.log(x), points.y * used, used), bell)
    return jnp.stack([peak.amplitude, peak.center + peak.scale**2, peak.scale])


def _guess_doniach(points: Points) -> Array:
    def shape(z: Array, gamma: Array, side: Array) -> Array:
        return _edge(side * z, gamma)

    peak = peak_search(points, shape, [(0.05, 0.15, 0.3, 0.5, 0.7), (-1.0, 1.0)])
    gamma, side = peak.shape
    return jnp.stack([peak.amplitude, peak.center, side * peak.scale, gamma])


def _guess_breit_wigner(points: Points) -> Array:
    low, span = extent(points.x, points.weight)
    u = (points.x - low) / span

    def columns(center: Array, half_width: Array, q: Array) -> list[Array]:
        return [_fano((u[:, None] - center) / half_width, q)]

    widths = geometric(0.02, 0.8, 9).astype(u.dtype)
    slopes = jnp.asarray([0.15, 0.5, 1.0, 2.0, 5.0], u.dtype)
    slopes = jnp.concatenate([-slopes, slopes])
    position, width, q = combinations(u[extremes(points)], widths, slopes)
    # An extreme is the top, at z = 1/q, or the zero, at z = -q.
    tops, zeros = (position - width / q, width, q), (position + width * q, width, q)
    even = jnp.linspace(-0.1, 1.1, 20, dtype=u.dtype)
    candidates = joined(tops, zeros, crossed((even,), combinations(widths, slopes)))
    (center, width, q), along = search(columns, candidates, points)
    return jnp.stack([along[0], low + center * span, 2 * width * span, q])


_HEIGHT = "height of the peak"
_POSITION = "position of the peak"
_SIDES = ("to the left of the peak", "to its right")
_AREA = "area: the height has no closed form"

split_gaussian = Model(
    name="split_gaussian",
    names=("amplitude", "center", "sigma", "sigma_r"),
    formula="amplitude*exp(-((x - center)/where(x < center, sigma, sigma_r))**2/2)",
    function=_split_gaussian,
    guess_function=partial(_guess_split, shape=bell),
    source="Fechner (1897)",
    meanings=(_HEIGHT, _POSITION, *(f"standard deviation {side}" for side in _SIDES)),
)

split_lorentzian = Model(
    name="split_lorentzian",
    names=("amplitude", "center", "sigma", "sigma_r"),
    formula="amplitude/(1 + ((x - center)/where(x < center, sigma, sigma_r))**2)",
    function=_split_lorentzian,
    guess_function=partial(_guess_split, shape=resonance),
    source="lmfit, SplitLorentzianModel (Newville et al., 2014)",
    meanings=(_HEIGHT, _POSITION, *(f"half width {side}" for side in _SIDES)),
)

skewed_gaussian = Model(
    name="skewed_gaussian",
    names=("amplitude", "center", "sigma", "gamma"),
    formula=(
        "amplitude/(sqrt(2*pi)*sigma)*exp(-((x - center)/sigma)**2/2)"
        "*(1 + erf(gamma*(x - center)/(sqrt(2)*sigma)))"
    ),
    function=_skewed_gaussian,
    guess_function=_guess_skewed_gaussian,
    source="Azzalini (1985)",
    meanings=(
        _AREA,
        "position of the peak without the skew",
        "standard deviation without the skew",
        "skewness: positive for a tail to high x",
    ),
)

exponential_gaussian = Model(
    name="exponential_gaussian",
    names=("amplitude", "center", "sigma", "gamma"),
    formula=(
        "amplitude*gamma/2*exp(gamma*(center - x + gamma*sigma**2/2))"
        "*erfc((center - x + gamma*sigma**2)/(sqrt(2)*sigma))"
    ),
    function=_exponential_gaussian,
    guess_function=_guess_exponential_gaussian,
    source="Grushka (1972)",
    meanings=(
        _AREA,
        "position of the Gaussian",
        "standard deviation of the Gaussian",
        "rate at which the tail to high x decays",
    ),
)

lognormal = Model(
    name="lognormal",
    names=("amplitude", "center", "sigma"),
    formula="amplitude*exp(-((log(x) - center + sigma**2)/sigma)**2/2)",
    function=_lognormal,
    guess_function=_guess_lognormal,
    source="Galton (1879)",
    meanings=(
        "height of the peak, which is at exp(center - sigma**2)",
        "mean of log(x)",
        "standard deviation of log(x)",
    ),
)

doniach = Model(
    name="doniach",
    names=("amplitude", "center", "sigma", "gamma"),
    formula=(
        "amplitude*cos(pi*gamma/2 + (1 - gamma)*arctan((x - center)/sigma))"
        "*(1 + ((x - center)/sigma)**2)**((gamma - 1)/2)"
        "*cos(pi*gamma/(4 - 2*gamma))**(gamma - 2)"
    ),
    function=_doniach,
    guess_function=_guess_doniach,
    source="Doniach and Šunjić (1970)",
    meanings=(
        _HEIGHT,
        "position of the line for gamma = 0",
        "half width of the line for gamma = 0; negative for a tail to high x",
        "asymmetry, 0 to 1",
    ),
)

breit_wigner = Model(
    name="breit_wigner",
    names=("amplitude", "center", "sigma", "q"),
    formula="amplitude*(q*sigma/2 + x - center)**2/((sigma/2)**2 + (x - center)**2)",
    function=_breit_wigner,
    guess_function=_guess_breit_wigner,
    source="Fano (1961); lmfit, BreitWignerModel (Newville et al., 2014)",
    meanings=(
        "value far from the resonance",
        "position of the resonance",
        "full width of the resonance",
        "asymmetry: the value is highest at center + sigma/(2*q)",
    ),
)
