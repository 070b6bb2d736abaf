"""Voigt profiles, symmetric and skewed, and the pseudo-Voigt mixture."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.special import erf

from mvopt.regression.modelling.grid import Points
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._faddeeva import erfcx, wofz_real
from mvopt.regression.models._peak_search import Peak, peak_search
from mvopt.regression.models._saturation import exp_below
from mvopt.regression.models.peaks import resonance

Array = jax.Array


def _voigt(x: Array, amplitude: Array, center: Array, sigma: Array, gamma: Array) -> Array:
    along, across = _reduced(x - center, sigma, gamma)
    return amplitude * _relative(along, across)


def _voigt_offset(
    x: Array, amplitude: Array, center: Array, sigma: Array, gamma: Array, offset: Array
) -> Array:
    return _voigt(x, amplitude, center, sigma, gamma) + offset


def _skewed_voigt(
    x: Array, amplitude: Array, center: Array, sigma: Array, gamma: Array, skew: Array
) -> Array:
    along, across = _reduced(x - center, sigma, gamma)
    density = _height(across) * _relative(along, across) / (_positive(sigma, gamma) * _ROOT_2PI)
    return amplitude * density * (1 + erf(skew * along))


def _pseudo_voigt(
    x: Array, amplitude: Array, center: Array, sigma: Array, fraction: Array
) -> Array:
    return amplitude * _mixture((x - center) / sigma, fraction)


_ROOT_2PI = math.sqrt(2 * math.pi)


def _positive(sigma: Array, gamma: Array) -> Array:
    """|sigma|, but no smaller than what a profile of this `gamma` can tell from zero."""
    least = jnp.finfo(jnp.result_type(sigma, float)).eps ** 0.5
    return jnp.maximum(jnp.abs(sigma), least * jnp.abs(gamma))


def _reduced(distance: Array, sigma: Array, gamma: Array) -> tuple[Array, Array]:
    """Real and imaginary part of z = (distance + i gamma) / (sigma √2)."""
    scale = math.sqrt(2) * _positive(sigma, gamma)
    return distance / scale, gamma / scale


def _relative(x: Array, y: Array) -> Array:
    """Re w(x + iy) / w(iy), also for y < 0, where Re w(z) = 2 Re exp(-z²) - Re w(-z).

    The continuation makes gamma = 0 a point like any other: at a bound or at the kink of |gamma|,
    fits of data without a Lorentzian part would stop without a derivative that is zero.
    """
    depth = jnp.abs(y)
    inner, height = wofz_real(x, depth), erfcx(depth)
    below = y < 0
    decay = jnp.exp(-(jnp.where(below, depth, 0) ** 2))  # common to all terms, against overflow
    wave = 2 * jnp.exp(-(x**2)) * jnp.cos(2 * x * depth)
    continued = (wave - decay * inner) / (2 - decay * height)
    return jnp.where(below, continued, inner / height)


def _height(y: Array) -> Array:
    """w(iy) for y of either sign."""
    depth = jnp.abs(y)
    below = 2 * exp_below(jnp.where(y < 0, depth, 0) ** 2) - erfcx(depth)
    return jnp.where(y < 0, below, erfcx(depth))


def _mixture(z: Array, fraction: Array) -> Array:
    """Gaussian and Lorentzian of the same height 1 and the same half width 1."""
    return (1 - fraction) * jnp.exp(-math.log(2) * z**2) + fraction * resonance(z)


_FRACTIONS = (0.05, 0.35, 0.65, 0.95)


def _widths(half_width: Array, fraction: Array) -> tuple[Array, Array]:
    """Sigma and gamma of about the profile that the mixture imitates (Thompson et al., 1987)."""
    lorentzian = math.pi * fraction
    share = lorentzian / (
        lorentzian + math.sqrt(math.pi / math.log(2)) * (1 - fraction)
    )  # of the area
    gamma = share * (0.72928 + share * (0.19289 + share * 0.07783))
    gaussian = 1 - share * (0.74417 + share * (0.24781 + share * 0.00810))
    return half_width * jnp.sqrt(gaussian / (2 * math.log(2))), half_width * gamma


def _guess_voigt(points: Points, offset: bool) -> Array:
    peak = peak_search(points, _mixture, [_FRACTIONS], offset=offset)
    values = [peak.amplitude, peak.center, *_widths(peak.scale, peak.shape[0])]
    return jnp.stack([*values, peak.offset] if offset else values)


def _guess_pseudo_voigt(points: Points) -> Array:
    peak = peak_search(points, _mixture, [_FRACTIONS])
    return jnp.stack([peak.amplitude, peak.center, peak.scale, *peak.shape])


def _guess_skewed_voigt(points: Points) -> Array:
    def shape(z: Array, fraction: Array, skew: Array) -> Array:
        sigma, _ = _widths(jnp.ones_like(fraction), fraction)
        return _mixture(z, fraction) * (1 + erf(skew * z / (sigma * math.sqrt(2))))

    peak: Peak = peak_search(points, shape, [(0.1, 0.5, 0.9), (-4.0, -1.5, -0.5, 0.5, 1.5, 4.0)])
    fraction, skew = peak.shape
    sigma, gamma = _widths(peak.scale, fraction)
    height = _height(gamma / (sigma * math.sqrt(2))) / (sigma * _ROOT_2PI)
    return jnp.stack([peak.amplitude / height, peak.center, sigma, gamma, skew])


_HEIGHT = "height at the center"
_POSITION = "position of the peak"
_WIDTHS = ("standard deviation of the Gaussian part", "half width of the Lorentzian part")
_FORMULA = (
    "amplitude*wofz_real((x - center)/(sqrt(2)*sigma), gamma/(sqrt(2)*sigma))"
    "/wofz_real(0, gamma/(sqrt(2)*sigma))"
)
_SOURCE = "Voigt (1912)"

voigt = Model(
    name="voigt",
    names=("amplitude", "center", "sigma", "gamma"),
    formula=_FORMULA,
    function=_voigt,
    guess_function=partial(_guess_voigt, offset=False),
    source=_SOURCE,
    meanings=(_HEIGHT, _POSITION, *_WIDTHS),
)

voigt_offset = Model(
    name="voigt_offset",
    names=("amplitude", "center", "sigma", "gamma", "offset"),
    formula=_FORMULA + " + offset",
    function=_voigt_offset,
    guess_function=partial(_guess_voigt, offset=True),
    source=_SOURCE,
    meanings=(_HEIGHT + " above the offset", _POSITION, *_WIDTHS, "value far from the peak"),
)

pseudo_voigt = Model(
    name="pseudo_voigt",
    names=("amplitude", "center", "sigma", "fraction"),
    formula=(
        "amplitude*((1 - fraction)*exp(-log(2)*((x - center)/sigma)**2)"
        " + fraction/(1 + ((x - center)/sigma)**2))"
    ),
    function=_pseudo_voigt,
    guess_function=_guess_pseudo_voigt,
    source="Wertheim et al. (1974)",
    meanings=(
        _HEIGHT,
        _POSITION,
        "half width at half maximum, of both parts",
        "share of the Lorentzian in the height",
    ),
)

skewed_voigt = Model(
    name="skewed_voigt",
    names=("amplitude", "center", "sigma", "gamma", "skew"),
    formula=(
        "amplitude/(sqrt(2*pi)*sigma)"
        "*wofz_real((x - center)/(sqrt(2)*sigma), gamma/(sqrt(2)*sigma))"
        "*(1 + erf(skew*(x - center)/(sqrt(2)*sigma)))"
    ),
    function=_skewed_voigt,
    guess_function=_guess_skewed_voigt,
    source="lmfit, SkewedVoigtModel (Newville et al., 2014)",
    meanings=(
        "area: the height has no closed form",
        "position of the peak without the skew",
        *_WIDTHS,
        "skewness: positive for a tail to high x",
    ),
)
