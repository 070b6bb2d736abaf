"""Binding and reaction rates: isotherms, competition, inhibition by substrate, Arrhenius' law."""

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    extent,
    geometric,
    largest,
    ordered_pairs,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below
from mvopt.regression.models.exponentials import rate_search
from mvopt.regression.models.growth import michaelis_menten, power_law

Array = jax.Array

_GAS_CONSTANT = 8.31446261815324  # J/(mol K), exact since 2019
_DECADE = float(np.log(10))


def _langmuir(x: Array, qmax: Array, K: Array) -> Array:
    return qmax * K * x / (1 + K * x)


def _freundlich(x: Array, K: Array, n: Array) -> Array:
    zero = x <= 0
    power = exp_below(jnp.log(jnp.where(zero, 1, x)) / n)
    return K * jnp.where(zero, 0, power)


def _substrate_inhibition(x: Array, Vmax: Array, Km: Array, Ki: Array) -> Array:
    return Vmax * x / (Km + x + x**2 / Ki)


def _one_site(x: Array, Bottom: Array, Top: Array, logIC50: Array) -> Array:
    return Bottom + (Top - Bottom) * _free(x, logIC50)


def _two_site(
    x: Array, Bottom: Array, Top: Array, fraction: Array, logIC50_1: Array, logIC50_2: Array
) -> Array:
    free = fraction * _free(x, logIC50_1) + (1 - fraction) * _free(x, logIC50_2)
    return Bottom + (Top - Bottom) * free


def _free(x: Array, middle: Array) -> Array:
    """1/(1 + 10**(x - middle)): sites that the competitor leaves free."""
    return jax.nn.sigmoid((middle - x) * _DECADE)


def _arrhenius(x: Array, A: Array, Ea: Array) -> Array:
    zero = x == 0  # nothing happens there, and the derivative of 1/x is no number
    exponent = -Ea / (_GAS_CONSTANT * jnp.where(zero, 1, x))
    return A * jnp.where(zero, 0, exp_below(exponent))


def _guess_langmuir(points: Points) -> Array:
    limit, half = michaelis_menten.guess_function(points)
    return jnp.stack([limit, 1 / half])


def _guess_freundlich(points: Points) -> Array:
    amplitude, exponent = power_law.guess_function(points)
    return jnp.stack([amplitude, 1 / exponent])


def _guess_substrate_inhibition(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(half: Array, inhibition: Array) -> list[Array]:
        # The largest value, at x = sqrt(Km Ki), is 1/(1 + 2 sqrt(Km/Ki)).
        return [(1 + 2 * jnp.sqrt(half / inhibition)) * u / (half + u + u**2 / inhibition)]

    halves, inhibitions = geometric(0.0005, 20.0, 28), geometric(0.001, 50.0, 28)
    grid = combinations(halves.astype(u.dtype), inhibitions.astype(u.dtype))
    (half, inhibition), along = search(columns, grid, points)
    limit = along[0] * (1 + 2 * jnp.sqrt(half / inhibition))
    return jnp.stack([limit, half * scale, inhibition * scale])


def _middles(points: Points, num: int) -> Array:
    low, span = extent(points.x, points.weight)
    return low + span * jnp.linspace(-0.1, 1.1, num, dtype=points.y.dtype)


def _guess_one_site(points: Points) -> Array:
    x = points.x[:, None]

    def columns(middle: Array) -> list[Array]:
        return [jnp.ones_like(x), _free(x, middle)]

    (middle,), along = search(columns, (_middles(points, 64),), points)
    return jnp.stack([along[0], along[0] + along[1], middle])


def _guess_two_site(points: Points) -> Array:
    x = points.x[:, None]

    def columns(first: Array, second: Array) -> list[Array]:
        return [jnp.ones_like(x), _free(x, first), _free(x, second)]

    (first, second), along = search(columns, ordered_pairs(_middles(points, 28)), points)
    whole = along[1] + along[2]
    return jnp.stack([along[0], along[0] + whole, along[1] / whole, first, second])


def _guess_arrhenius(points: Points) -> Array:
    # An exponential in 1/x; x = 0 has none and is left to the fit.
    used = (points.weight > 0) & (points.x > 0)
    anywhere = jnp.max(jnp.where(used, points.x, 0))
    x = jnp.where(used, points.x, jnp.where(anywhere > 0, anywhere, 1))
    inverse = Points(1 / x, jnp.where(used, points.y, 0), used.astype(x.dtype))
    rate, along = rate_search(inverse, offset=False)
    return jnp.stack([along[0], -rate * _GAS_CONSTANT])


langmuir = Model(
    name="langmuir",
    names=("qmax", "K"),
    formula="qmax*K*x/(1 + K*x)",
    function=_langmuir,
    guess_function=_guess_langmuir,
    source="Langmuir (1918)",
    meanings=("amount bound at high x", "equilibrium constant"),
)

freundlich = Model(
    name="freundlich",
    names=("K", "n"),
    formula="K*x**(1/n)",
    function=_freundlich,
    guess_function=_guess_freundlich,
    source="Freundlich (1907)",
    meanings=("amount bound at x = 1", "above 1: binding slows down"),
)

substrate_inhibition = Model(
    name="substrate_inhibition",
    names=("Vmax", "Km", "Ki"),
    formula="Vmax*x/(Km + x + x**2/Ki)",
    function=_substrate_inhibition,
    guess_function=_guess_substrate_inhibition,
    source="Haldane (1930); Andrews (1968)",
    meanings=(
        "limit without inhibition",
        "x at half the limit without inhibition",
        "x from which on the substrate inhibits",
    ),
)

one_site_competition = Model(
    name="one_site_competition",
    names=("Bottom", "Top", "logIC50"),
    formula="Bottom + (Top - Bottom)/(1 + 10**(x - logIC50))",
    function=_one_site,
    guess_function=_guess_one_site,
    source="Cheng and Prusoff (1973)",
    meanings=(
        "binding at high concentration of the competitor",
        "binding without competitor",
        "decimal logarithm of the concentration half way",
    ),
)

two_site_competition = Model(
    name="two_site_competition",
    names=("Bottom", "Top", "fraction", "logIC50_1", "logIC50_2"),
    formula=(
        "Bottom + (Top - Bottom)*(fraction/(1 + 10**(x - logIC50_1))"
        " + (1 - fraction)/(1 + 10**(x - logIC50_2)))"
    ),
    function=_two_site,
    guess_function=_guess_two_site,
    source="Cheng and Prusoff (1973)",
    meanings=(
        "binding at high concentration of the competitor",
        "binding without competitor",
        "fraction of sites of high affinity",
        "decimal logarithm of the concentration half way at these",
        "the same for the other sites",
    ),
)

arrhenius = Model(
    name="arrhenius",
    names=("A", "Ea"),
    formula="A*exp(-Ea/(8.31446261815324*x))",
    function=_arrhenius,
    guess_function=_guess_arrhenius,
    source="Arrhenius (1889)",
    meanings=("rate at infinite temperature", "activation energy in J/mol, for x in kelvin"),
)
