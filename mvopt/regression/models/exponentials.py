"""Exponential decay and growth, with an offset, and the sum of two decays."""

import jax
import jax.numpy as jnp

from mvopt.regression.models._model import Model
from mvopt.regression.models._saturation import exp_below, exp_within
from mvopt.regression.models._separable import (
    Points,
    extent,
    fastest,
    geometric,
    ordered_pairs,
    search,
)

Array = jax.Array


def _decay(x: Array, amplitude: Array, decay: Array) -> Array:
    return amplitude * jnp.exp(-x / decay)


def _growth(x: Array, amplitude: Array, rate: Array) -> Array:
    return amplitude * jnp.exp(rate * x)


def _decay_offset(x: Array, amplitude: Array, decay: Array, offset: Array) -> Array:
    return amplitude * jnp.exp(-x / decay) + offset


def _biexponential(x: Array, A1: Array, lrc1: Array, A2: Array, lrc2: Array) -> Array:
    return A1 * jnp.exp(-exp_below(lrc1) * x) + A2 * jnp.exp(-exp_below(lrc2) * x)


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


def _guess_biexponential(points: Points) -> Array:
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(slow: Array, fast: Array) -> list[Array]:
        return [jnp.exp(-fast * u), jnp.exp(-slow * u)]

    pairs = ordered_pairs(geometric(0.05, fastest(u[:, 0], points.weight), 16))
    (slow, fast), along = search(columns, pairs, points)
    rates = jnp.stack([fast, slow])
    along = along * exp_within(rates * low / span)  # from the lowest x to x = 0
    lrc = jnp.log(rates / span)
    return jnp.stack([along[0], lrc[0], along[1], lrc[1]])


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
