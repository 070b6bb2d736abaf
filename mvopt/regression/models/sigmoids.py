"""Sigmoids: logistic with three and four parameters, and Gompertz."""

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    extent,
    geometric,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below, exp_within

Array = jax.Array

# Sigmoids use the logistic function of JAX: its derivative s*(1 - s) cannot overflow, that of a
# written-out 1/(1 + exp(z)) is infinity over infinity for large z.


def _logistic3(x: Array, Asym: Array, xmid: Array, scal: Array) -> Array:
    return Asym * jax.nn.sigmoid((x - xmid) / scal)


def _logistic4(x: Array, A: Array, B: Array, xmid: Array, scal: Array) -> Array:
    return A + (B - A) * jax.nn.sigmoid((x - xmid) / scal)


def _gompertz(x: Array, Asym: Array, b2: Array, b3: Array) -> Array:
    # b2*b3**x for b3 > 0, without overflow of the power
    return Asym * jnp.exp(-b2 * exp_below(x * jnp.log(b3)))


def _steps(dtype: jnp.dtype, signed: bool) -> tuple[Array, ...]:
    """Candidates (midpoint, width) of a step in units of the span, the width of either sign."""
    widths = np.geomspace(0.015, 0.8, 8)
    midpoints = np.linspace(-0.4, 1.4, 13 if signed else 16)
    widths = np.concatenate([widths, -widths]) if signed else widths
    steps = np.meshgrid(midpoints, widths, indexing="ij")
    return tuple(jnp.asarray(axis.ravel(), dtype) for axis in steps)


def _guess_logistic3(points: Points) -> Array:
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(middle: Array, width: Array) -> list[Array]:
        return [jax.nn.sigmoid((u - middle) / width)]

    (middle, width), along = search(columns, _steps(u.dtype, signed=True), points)
    return jnp.stack([along[0], low + middle * span, width * span])


def _guess_logistic4(points: Points) -> Array:
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]
    one = jnp.ones_like(u)

    def columns(middle: Array, width: Array) -> list[Array]:
        return [one, jax.nn.sigmoid((u - middle) / width)]

    # A falling step is the rising one with A above B: one sign of the width is enough.
    (middle, width), along = search(columns, _steps(u.dtype, signed=False), points)
    return jnp.stack([along[0], along[0] + along[1], low + middle * span, width * span])


def _guess_gompertz(points: Points) -> Array:
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(middle: Array, width: Array) -> list[Array]:
        return [jnp.exp(-exp_below((middle - u) / width))]

    # A second, finer search: in b2 and b3 the valley of the cost is so curved that a fit from the
    # coarse grid alone crept along it for hundreds of steps in 3 problems of 100.
    (middle, width), _ = search(columns, _steps(u.dtype, signed=True), points)
    middles = middle + jnp.linspace(-0.16, 0.16, 8, dtype=u.dtype)
    widths = width * geometric(0.3, 2.0, 12).astype(u.dtype)
    (middle, width), along = search(columns, combinations(middles, widths), points)
    rate = 1 / (width * span)
    b2 = exp_within((low + middle * span) * rate)
    return jnp.stack([along[0], b2, exp_within(-rate)])


logistic3 = Model(
    name="logistic3",
    names=("Asym", "xmid", "scal"),
    formula="Asym/(1 + exp((xmid - x)/scal))",
    function=_logistic3,
    guess_function=_guess_logistic3,
    source="R, SSlogis (Pinheiro and Bates, 2000); Verhulst (1838)",
    meanings=("asymptote", "x where the value is half the asymptote", "scale along x"),
)

logistic4 = Model(
    name="logistic4",
    names=("A", "B", "xmid", "scal"),
    formula="A + (B - A)/(1 + exp((xmid - x)/scal))",
    function=_logistic4,
    guess_function=_guess_logistic4,
    source="R, SSfpl (Pinheiro and Bates, 2000)",
    meanings=("asymptote at low x", "asymptote at high x", "x at the inflection", "scale along x"),
)

gompertz = Model(
    name="gompertz",
    names=("Asym", "b2", "b3"),
    formula="Asym*exp(-b2*b3**x)",
    function=_gompertz,
    guess_function=_guess_gompertz,
    source="R, SSgompertz; Gompertz (1825)",
    meanings=("asymptote", "sets the value at x = 0: Asym*exp(-b2)", "factor for one unit of x"),
)
