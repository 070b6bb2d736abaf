"""Growth and saturation: Michaelis-Menten, asymptotic regression, Weibull growth, power laws."""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    extent,
    fastest,
    geometric,
    largest,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below, exp_within
from mvopt.regression.models.exponentials import rate_search

Array = jax.Array


def _michaelis_menten(x: Array, Vm: Array, K: Array) -> Array:
    return Vm * x / (K + x)


def _asymptotic(x: Array, Asym: Array, R0: Array, lrc: Array) -> Array:
    return Asym + (R0 - Asym) * jnp.exp(-exp_below(lrc) * x)


def _asymptotic_offset(x: Array, Asym: Array, lrc: Array, c0: Array) -> Array:
    return -Asym * _expm1_below(-exp_below(lrc) * (x - c0))


def _asymptotic_origin(x: Array, Asym: Array, lrc: Array) -> Array:
    return -Asym * jnp.expm1(-exp_below(lrc) * x)


def _bertalanffy(x: Array, Linf: Array, K: Array, t0: Array) -> Array:
    return -Linf * _expm1_below(-K * (x - t0))


def _expm1_below(z: Array) -> Array:
    """exp(z) - 1 without overflow: before its zero the curve falls without limit."""
    below = z < 0
    return jnp.where(below, jnp.expm1(jnp.where(below, z, 0)), exp_below(z) - 1)


def _weibull_growth(x: Array, Asym: Array, Drop: Array, lrc: Array, pwr: Array) -> Array:
    # exp(lrc)*x**pwr by logarithms: the power alone overflows where the product does not.
    zero = x == 0
    growth = exp_below(lrc + pwr * jnp.log(jnp.where(zero, 1, x)))
    return Asym - Drop * jnp.exp(-jnp.where(zero, 0, growth))


def _power_law(x: Array, amplitude: Array, exponent: Array) -> Array:
    return amplitude * x**exponent


def _positive(points: Points) -> Points:
    """The points with x > 0, at log(x)."""
    used = points.weight * (points.x > 0)
    anywhere = jnp.max(jnp.where(used > 0, points.x, 0))
    x = jnp.where(used > 0, points.x, jnp.where(anywhere > 0, anywhere, 1))
    return Points(jnp.log(x), points.y * used, used)


def _guess_michaelis_menten(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(half: Array) -> list[Array]:
        return [u / (half + u)]

    halves = geometric(0.0005, 50.0, 32).astype(u.dtype)
    (half,), along = search(columns, (halves,), points)
    return jnp.stack([along[0], half * scale])


def _approach(points: Points) -> tuple[Array, Array, Array]:
    """Limit, difference from it at x = 0, and rate of an exponential approach, each ()."""
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(rate: Array) -> list[Array]:
        return [jnp.ones_like(u), jnp.exp(-rate * u)]

    rates = geometric(0.02, fastest(u[:, 0], points.weight), 32)
    (rate,), along = search(columns, (rates,), points)
    return along[0], along[1] * exp_within(rate * low / span), rate / span


def _guess_asymptotic(points: Points) -> Array:
    limit, difference, rate = _approach(points)
    return jnp.stack([limit, limit + difference, jnp.log(rate)])


def _guess_bertalanffy(points: Points) -> Array:
    limit, difference, rate = _approach(points)
    # The zero, where difference * exp(-rate*x) = -limit: there is none where both have one sign.
    ratio = jnp.maximum(jnp.abs(difference / limit), jnp.finfo(rate.dtype).tiny)
    return jnp.stack([limit, rate, jnp.log(ratio) / rate])


def _guess_asymptotic_offset(points: Points) -> Array:
    limit, rate, zero = _guess_bertalanffy(points)
    return jnp.stack([limit, jnp.log(rate), zero])


def rise_from_zero(points: Points) -> Array:
    """Limit and logarithm of the rate of a saturation that starts at x = y = 0, (2,)."""
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(rate: Array) -> list[Array]:
        return [-jnp.expm1(-rate * u)]

    rates = geometric(0.02, fastest(u[:, 0], points.weight), 48)
    (rate,), along = search(columns, (rates,), points)
    return jnp.stack([along[0], jnp.log(rate / scale)])


def _guess_weibull_growth(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    positive = _positive(points)
    log_u = (positive.x - jnp.log(scale))[:, None]

    def columns(log_time: Array, power: Array) -> list[Array]:
        return [jnp.ones_like(log_u), jnp.exp(-exp_below(power * (log_u - log_time)))]

    log_times = jnp.log(geometric(0.01, 3.0, 16)).astype(log_u.dtype)
    powers = geometric(0.25, 12.0, 12).astype(log_u.dtype)
    log_time, power = combinations(log_times, powers)
    # A growth that is over (u**power > 5) at the second point would fit the first one alone.
    lowest = jnp.min(log_u)
    second = jnp.min(log_u, where=log_u > lowest + 1e-4, initial=0)
    candidates = (jnp.maximum(log_time, second - jnp.log(5) / power), power)
    (log_time, power), along = search(columns, candidates, positive)
    lrc = -power * (log_time + jnp.log(scale))
    return jnp.stack([along[0], -along[1], lrc, power])


def _guess_power_law(points: Points) -> Array:
    # An exponential in log(x); x = 0 has no logarithm and is left to the fit.
    exponent, along = rate_search(_positive(points), offset=False)
    return jnp.stack([along[0], exponent])


michaelis_menten = Model(
    name="michaelis_menten",
    names=("Vm", "K"),
    formula="Vm*x/(K + x)",
    function=_michaelis_menten,
    guess_function=_guess_michaelis_menten,
    source="R, SSmicmen; Michaelis and Menten (1913)",
    meanings=("limit for large x", "x at half the limit"),
)

asymptotic = Model(
    name="asymptotic",
    names=("Asym", "R0", "lrc"),
    formula="Asym + (R0 - Asym)*exp(-exp(lrc)*x)",
    function=_asymptotic,
    guess_function=_guess_asymptotic,
    source="R, SSasymp (Pinheiro and Bates, 2000)",
    meanings=("limit for large x", "value at x = 0", "logarithm of the rate"),
)

weibull_growth = Model(
    name="weibull_growth",
    names=("Asym", "Drop", "lrc", "pwr"),
    formula="Asym - Drop*exp(-exp(lrc)*x**pwr)",
    function=_weibull_growth,
    guess_function=_guess_weibull_growth,
    source="R, SSweibull (Ratkowsky, 1983)",
    meanings=(
        "limit for large x",
        "difference from the limit to the value at x = 0",
        "logarithm of the rate",
        "power of x, which is not negative",
    ),
)

power_law = Model(
    name="power_law",
    names=("amplitude", "exponent"),
    formula="amplitude*x**exponent",
    function=_power_law,
    guess_function=_guess_power_law,
    source="lmfit, PowerLawModel (Newville et al., 2014)",
    meanings=("value at x = 1", "power of x, which is positive"),
)

asymptotic_offset = Model(
    name="asymptotic_offset",
    names=("Asym", "lrc", "c0"),
    formula="Asym*(1 - exp(-exp(lrc)*(x - c0)))",
    function=_asymptotic_offset,
    guess_function=_guess_asymptotic_offset,
    source="R, SSasympOff (Pinheiro and Bates, 2000)",
    meanings=("limit for large x", "logarithm of the rate", "x where the value is 0"),
)

asymptotic_origin = Model(
    name="asymptotic_origin",
    names=("Asym", "lrc"),
    formula="Asym*(1 - exp(-exp(lrc)*x))",
    function=_asymptotic_origin,
    guess_function=rise_from_zero,
    source="R, SSasympOrig (Pinheiro and Bates, 2000)",
    meanings=("limit for large x", "logarithm of the rate"),
)

bertalanffy = Model(
    name="bertalanffy",
    names=("Linf", "K", "t0"),
    formula="Linf*(1 - exp(-K*(x - t0)))",
    function=_bertalanffy,
    guess_function=_guess_bertalanffy,
    source="von Bertalanffy (1938); Beverton and Holt (1957)",
    meanings=("length at high age", "growth coefficient", "age at which the length would be 0"),
)
