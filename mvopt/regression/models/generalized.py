"""Curves with a parameter of shape: Richards' growth, Arps' decline and the shifted power law."""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    extent,
    geometric,
    largest,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below, exp_within

Array = jax.Array


def _power_decay(z: Array, b: Array) -> Array:
    """(1 + b*z)**(-1/b) for z >= 0, with its limit exp(-z) at b = 0; 0 where 1 + b*z < 0."""
    y = b * z
    positive = y > -1
    small = jnp.abs(y) < 0.01
    near = jnp.where(small, y, 0)
    series = 1 - near * (1 / 2 - near * (1 / 3 - near * (1 / 4 - near * (1 / 5 - near / 6))))
    far = jnp.where(small | ~positive, 1, y)
    ratio = jnp.where(small, series, jnp.log1p(far) / far)  # log(1 + y)/y
    return jnp.where(positive, jnp.exp(-z * ratio), 0)


def _richards(x: Array, Asym: Array, xmid: Array, scal: Array, nu: Array) -> Array:
    return Asym * _power_decay(exp_below((xmid - x) / scal), nu)


def _hyperbolic_decline(x: Array, qi: Array, Di: Array, b: Array) -> Array:
    return qi * _power_decay(Di * x, b)


def _shifted_power_law(x: Array, amplitude: Array, shift: Array, exponent: Array) -> Array:
    total = x + shift
    inside = total > 0
    power = exp_below(exponent * jnp.log(jnp.where(inside, total, 1)))
    return amplitude * jnp.where(inside, power, 0)


def _guess_richards(points: Points) -> Array:
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(middle: Array, width: Array, nu: Array) -> list[Array]:
        return [_power_decay(exp_below((middle - u) / width), nu)]

    middles = jnp.linspace(-0.3, 1.2, 16, dtype=u.dtype)
    widths = geometric(0.02, 0.6, 8).astype(u.dtype)
    nus = geometric(0.05, 12.0, 6).astype(u.dtype)
    grid = combinations(middles, jnp.concatenate([widths, -widths]), nus)
    (middle, width, nu), _ = search(columns, grid, points)
    # A second, finer search: the three trade with one another along a curved valley.
    grid = combinations(
        middle + jnp.linspace(-0.08, 0.08, 7, dtype=u.dtype),
        width * geometric(0.6, 1.6, 7).astype(u.dtype),
        nu * geometric(0.4, 2.5, 7).astype(u.dtype),
    )
    (middle, width, nu), along = search(columns, grid, points)
    return jnp.stack([along[0], low + middle * span, width * span, nu])


def _guess_hyperbolic_decline(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(rate: Array, b: Array) -> list[Array]:
        return [_power_decay(rate * u, b)]

    rates, shapes = geometric(0.02, 500.0, 32), jnp.linspace(0.02, 3, 13)
    grid = combinations(rates.astype(u.dtype), shapes.astype(u.dtype))
    (rate, b), along = search(columns, grid, points)
    return jnp.stack([along[0], rate / scale, b])


def _guess_shifted_power_law(points: Points) -> Array:
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(start: Array, exponent: Array) -> list[Array]:
        return [jnp.exp(exponent * jnp.log((u + start) / _anchor(start, exponent)))]

    # `start` is the lowest x + shift in units of the span.
    starts = geometric(0.003, 30.0, 24).astype(u.dtype)
    exponents = geometric(0.2, 12.0, 14).astype(u.dtype)
    grid = combinations(starts, jnp.concatenate([exponents, -exponents]))
    (start, exponent), _ = search(columns, grid, points)
    grid = combinations(
        start * geometric(0.6, 1.6, 9).astype(u.dtype),
        exponent * geometric(0.7, 1.4, 9).astype(u.dtype),
    )
    (start, exponent), along = search(columns, grid, points)
    amplitude = along[0] * exp_within(-exponent * jnp.log(span * _anchor(start, exponent)))
    return jnp.stack([amplitude, start * span - low, exponent])


def _anchor(start: Array, exponent: Array) -> Array:
    """Where the power is largest on [start, start + 1]: the columns are at most 1."""
    return jnp.where(exponent > 0, start + 1, start)


richards = Model(
    name="richards",
    names=("Asym", "xmid", "scal", "nu"),
    formula="Asym*(1 + nu*exp((xmid - x)/scal))**(-1/nu)",
    function=_richards,
    guess_function=_guess_richards,
    source="Richards (1959)",
    meanings=(
        "asymptote",
        "x at the inflection",
        "scale along x",
        "shape: 1 for the logistic, towards 0 for the Gompertz curve",
    ),
)

hyperbolic_decline = Model(
    name="hyperbolic_decline",
    names=("qi", "Di", "b"),
    formula="qi*(1 + b*Di*x)**(-1/b)",
    function=_hyperbolic_decline,
    guess_function=_guess_hyperbolic_decline,
    source="Arps (1945)",
    meanings=(
        "rate at x = 0",
        "relative decline at x = 0 for one unit of x",
        "towards 0 exponential, 1 harmonic",
    ),
)

shifted_power_law = Model(
    name="shifted_power_law",
    names=("amplitude", "shift", "exponent"),
    formula="amplitude*(x + shift)**exponent",
    function=_shifted_power_law,
    guess_function=_guess_shifted_power_law,
    source="Utsu (1961)",
    meanings=(
        "value at x + shift = 1",
        "added to x, so that the sum is positive",
        "power of the sum",
    ),
)
