"""Peaks with a power law for a tail: Pearson IV and VII, Student's t and Moffat."""

import math

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points, combinations, extent, geometric, search
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._peak_search import extremes, peak_search
from mvopt.regression.models._saturation import exp_below

Array = jax.Array


def _moffat(x: Array, amplitude: Array, center: Array, sigma: Array, beta: Array) -> Array:
    return amplitude * _tailed((x - center) / sigma, beta)


def _pearson7(x: Array, amplitude: Array, center: Array, sigma: Array, exponent: Array) -> Array:
    return amplitude * _unit_width((x - center) / sigma, exponent)


def _pearson4(
    x: Array, amplitude: Array, center: Array, sigma: Array, expon: Array, skew: Array
) -> Array:
    return amplitude * _skewed((x - center) / sigma, expon, skew)


def _students_t(x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    return amplitude * _student(x - center, sigma)


def _tailed(z: Array, exponent: Array) -> Array:
    """(1 + z²)**-exponent without overflow of the power."""
    return exp_below(-exponent * jnp.log1p(z**2))


def _unit_width(z: Array, exponent: Array) -> Array:
    """The same with half width 1; below an exponent of 0.02 the width is no longer held."""
    power = jnp.abs(exponent)
    stretch = jnp.expm1(math.log(2) / jnp.maximum(power, 0.02))
    return jnp.exp(-power * jnp.log1p(stretch * z**2))


def _skewed(z: Array, exponent: Array, skew: Array) -> Array:
    """Pearson IV of height 1, which it reaches at z = -skew/(2 exponent)."""
    mode = -skew / (2 * exponent)
    tail = -exponent * (jnp.log1p(z**2) - jnp.log1p(mode**2))
    return exp_below(tail - skew * (jnp.arctan(z) - jnp.arctan(mode)))


def _student(distance: Array, freedom: Array) -> Array:
    freedom = jnp.abs(freedom)
    return jnp.exp(-(freedom + 1) / 2 * jnp.log1p(distance**2 / freedom))


_EXPONENTS = (0.7, 1.2, 2.5, 8.0)


def _guess_moffat(points: Points) -> Array:
    peak = peak_search(points, _tailed, [_EXPONENTS])
    return jnp.stack([peak.amplitude, peak.center, peak.scale, *peak.shape])


def _guess_pearson7(points: Points) -> Array:
    peak = peak_search(points, _unit_width, [_EXPONENTS])
    return jnp.stack([peak.amplitude, peak.center, peak.scale, *peak.shape])


def _guess_pearson4(points: Points) -> Array:
    def shape(z: Array, exponent: Array, lean: Array) -> Array:
        return _skewed(z, exponent, lean * exponent)

    # The ratio of skew to exponent places the mode: grids in it suit every exponent.
    peak = peak_search(points, shape, [(0.8, 1.5, 4.0), (-3.0, -1.2, 0.0, 1.2, 3.0)])
    exponent, lean = peak.shape
    return jnp.stack([peak.amplitude, peak.center, peak.scale, exponent, lean * exponent])


def _guess_students_t(points: Points) -> Array:
    """The model has a unit of x of its own: its half width is between 0.5 and 1.2."""
    low, span = extent(points.x, points.weight)
    distance = (points.x - low)[:, None]

    def columns(center: Array, freedom: Array) -> list[Array]:
        return [_student(distance - center, freedom)]

    even = jnp.linspace(-0.1, 1.1, 32, dtype=distance.dtype) * span
    centers = jnp.concatenate([distance[extremes(points), 0], even])
    freedoms = geometric(0.1, 60.0, 12).astype(distance.dtype)
    (center, freedom), along = search(columns, combinations(centers, freedoms), points)
    return jnp.stack([along[0], low + center, freedom])


_HEIGHT = "height of the peak"
_POSITION = "position of the peak"

pearson7 = Model(
    name="pearson7",
    names=("amplitude", "center", "sigma", "exponent"),
    formula="amplitude*(1 + (2**(1/exponent) - 1)*((x - center)/sigma)**2)**-exponent",
    function=_pearson7,
    guess_function=_guess_pearson7,
    source="Pearson (1916), in the form of Hall et al. (1977)",
    meanings=(
        _HEIGHT,
        _POSITION,
        "half width at half maximum",
        "1 for a Lorentzian, infinite for a Gaussian",
    ),
)

pearson4 = Model(
    name="pearson4",
    names=("amplitude", "center", "sigma", "expon", "skew"),
    formula=(
        "amplitude*((1 + ((x - center)/sigma)**2)/(1 + (skew/(2*expon))**2))**-expon"
        "*exp(-skew*(arctan((x - center)/sigma) + arctan(skew/(2*expon))))"
    ),
    function=_pearson4,
    guess_function=_guess_pearson4,
    source="Pearson (1895); lmfit, Pearson4Model (Newville et al., 2014)",
    meanings=(
        _HEIGHT,
        "location; the peak is at center - sigma*skew/(2*expon)",
        "scale along x",
        "half the power with which the tails fall",
        "skewness: negative for a tail to high x",
    ),
)

students_t = Model(
    name="students_t",
    names=("amplitude", "center", "sigma"),
    formula="amplitude*(1 + (x - center)**2/sigma)**(-(sigma + 1)/2)",
    function=_students_t,
    guess_function=_guess_students_t,
    source="Student (1908); lmfit, StudentsTModel (Newville et al., 2014)",
    meanings=(_HEIGHT, _POSITION, "degrees of freedom: the width is that of no other unit of x"),
)

moffat = Model(
    name="moffat",
    names=("amplitude", "center", "sigma", "beta"),
    formula="amplitude*(1 + ((x - center)/sigma)**2)**-beta",
    function=_moffat,
    guess_function=_guess_moffat,
    source="Moffat (1969)",
    meanings=(_HEIGHT, _POSITION, "scale along x", "half the power with which the tails fall"),
)
