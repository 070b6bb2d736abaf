"""Exponential decay and growth, with an offset, stretched, and the sum of two decays."""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    extent,
    fastest,
    geometric,
    largest,
    ordered_pairs,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below, exp_within

Array = jax.Array


def _decay(x: Array, amplitude: Array, decay: Array) -> Array:
    return amplitude * jnp.exp(-x / decay)


def _growth(x: Array, amplitude: Array, rate: Array) -> Array:
    return amplitude * jnp.exp(rate * x)


def _decay_offset(x: Array, amplitude: Array, decay: Array, offset: Array) -> Array:
    return amplitude * jnp.exp(-x / decay) + offset


def _biexponential(x: Array, A1: Array, lrc1: Array, A2: Array, lrc2: Array) -> Array:
    return A1 * jnp.exp(-exp_below(lrc1) * x) + A2 * jnp.exp(-exp_below(lrc2) * x)


def _biexponential_offset(
    x: Array, A1: Array, lrc1: Array, A2: Array, lrc2: Array, offset: Array
) -> Array:
    return _biexponential(x, A1, lrc1, A2, lrc2) + offset


def _stretched(x: Array, amplitude: Array, decay: Array, beta: Array) -> Array:
    # By logarithms: the power alone overflows, and its derivative at x = 0 is no number.
    zero = (x <= 0) | (decay == 0)
    ratio = jnp.where(zero, 1, x) / jnp.where(decay == 0, 1, jnp.abs(decay))
    power = exp_below(beta * jnp.log(ratio))
    return amplitude * jnp.exp(-jnp.where(zero, 0, power))


def rate_search(points: Points, offset: bool) -> tuple[Array, Array]:
    """Rate and coefficients of c0 * exp(rate * x) (+ c1): the rate () and c (1,) or (2,)."""
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]
    one = jnp.ones_like(u)

    def columns(rate: Array) -> list[Array]:
        # At most 1, whatever the sign: anchored at the end where the exponential is largest.
        growth = jnp.exp(rate * u - jnp.maximum(rate, 0))
        return [one, growth] if offset else [growth]

    # Coarse steps of a factor of about 1.8, then fine ones around the best of them.
    falling = -geometric(0.05, fastest(u[:, 0], points.weight), 16)
    rising = geometric(0.05, fastest(1 - u[:, 0], points.weight), 16)
    (rate,), _ = search(columns, (jnp.concatenate([falling, rising]),), points)
    (rate,), along = search(columns, (rate * geometric(0.5, 2.0, 32).astype(u.dtype),), points)
    log_origin = -jnp.maximum(rate, 0) - rate * low / span  # from the anchor to x = 0
    at_origin = along[-1] * exp_within(log_origin)
    return rate / span, jnp.stack([at_origin, *along[:-1]])


def _guess_decay(points: Points) -> Array:
    rate, along = rate_search(points, offset=False)
    return jnp.stack([along[0], -1 / rate])


def _guess_growth(points: Points) -> Array:
    rate, along = rate_search(points, offset=False)
    return jnp.stack([along[0], rate])


def _guess_decay_offset(points: Points) -> Array:
    rate, along = rate_search(points, offset=True)
    return jnp.stack([along[0], -1 / rate, along[1]])


def two_rates(points: Points, offset: bool = False) -> tuple[Array, Array]:
    """Two rates (2,), the faster one first, and the coefficients (2,) or (3,) of their decays.

    c0 * exp(-fast * x) + c1 * exp(-slow * x) (+ c2).
    """
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(slow: Array, fast: Array) -> list[Array]:
        decays = [jnp.exp(-fast * u), jnp.exp(-slow * u)]
        return [*decays, jnp.ones_like(u)] if offset else decays

    pairs = ordered_pairs(geometric(0.05, fastest(u[:, 0], points.weight), 16))
    (slow, fast), along = search(columns, pairs, points)
    rates = jnp.stack([fast, slow])
    along = along.at[:2].multiply(exp_within(rates * low / span))  # from the lowest x to x = 0
    return rates / span, along


def _guess_biexponential(points: Points) -> Array:
    rates, along = two_rates(points)
    lrc = jnp.log(rates)
    return jnp.stack([along[0], lrc[0], along[1], lrc[1]])


def _guess_biexponential_offset(points: Points) -> Array:
    rates, along = two_rates(points, offset=True)
    lrc = jnp.log(rates)
    return jnp.stack([along[0], lrc[0], along[1], lrc[1], along[2]])


def _guess_stretched(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(decay: Array, beta: Array) -> list[Array]:
        return [_stretched(u, jnp.ones_like(decay), decay, beta)]

    decays, betas = geometric(1e-3, 10.0, 24), geometric(0.15, 6.0, 10)
    grid = combinations(decays.astype(u.dtype), betas.astype(u.dtype))
    (decay, beta), along = search(columns, grid, points)
    return jnp.stack([along[0], decay * scale, beta])


exponential_decay = Model(
    name="exponential_decay",
    names=("amplitude", "decay"),
    formula="amplitude*exp(-x/decay)",
    function=_decay,
    guess_function=_guess_decay,
    source="lmfit, ExponentialModel (Newville et al., 2014)",
    meanings=("value at x = 0", "x over which the value falls by the factor e"),
)

exponential_growth = Model(
    name="exponential_growth",
    names=("amplitude", "rate"),
    formula="amplitude*exp(rate*x)",
    function=_growth,
    guess_function=_guess_growth,
    source="Malthus (1798)",
    meanings=("value at x = 0", "relative growth for one unit of x"),
)

exponential_decay_offset = Model(
    name="exponential_decay_offset",
    names=("amplitude", "decay", "offset"),
    formula="amplitude*exp(-x/decay) + offset",
    function=_decay_offset,
    guess_function=_guess_decay_offset,
    source="lmfit, ExponentialModel + ConstantModel (Newville et al., 2014)",
    meanings=("value at x = 0 above the offset", "x for a fall by the factor e", "value far out"),
)

biexponential = Model(
    name="biexponential",
    names=("A1", "lrc1", "A2", "lrc2"),
    formula="A1*exp(-exp(lrc1)*x) + A2*exp(-exp(lrc2)*x)",
    function=_biexponential,
    guess_function=_guess_biexponential,
    source="R, SSbiexp (Pinheiro and Bates, 2000)",
    meanings=(
        "value of the faster decay at x = 0",
        "logarithm of its rate",
        "value of the slower decay at x = 0",
        "logarithm of its rate",
    ),
)

biexponential_offset = Model(
    name="biexponential_offset",
    names=(*biexponential.names, "offset"),
    formula=f"{biexponential.formula} + offset",
    function=_biexponential_offset,
    guess_function=_guess_biexponential_offset,
    source=biexponential.source,
    meanings=(*biexponential.meanings, "value far out"),
)

stretched_exponential = Model(
    name="stretched_exponential",
    names=("amplitude", "decay", "beta"),
    formula="amplitude*exp(-(x/decay)**beta)",
    function=_stretched,
    guess_function=_guess_stretched,
    source="Kohlrausch (1854)",
    meanings=("value at x = 0", "x for a fall by the factor e", "below 1: the decay slows down"),
)
