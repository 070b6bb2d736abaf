"""Convolution of a curve known at some times with decaying exponentials.

Between samples the curve is a straight line, for which the convolution has a closed form, and what
lies before a sample has only decayed since the last one (Flouri, Lesnic and Mayo, 2016). The
recursion over the samples is exact for any rate, where the trapezoidal rule on the product of
curve and exponential needs samples much closer than the decay.
"""

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

# Terms of a power series in |z| < 1/2: the next one is below the rounding of float64.
_TERMS = 14
# A negative rate is growth; the whole growth over the samples stays within float32.
_LARGEST_GROWTH = 50.0


def mean_decay(z: Array) -> tuple[Array, Array]:
    """∫ exp(-z(1 - s)) ds and ∫ s exp(-z(1 - s)) ds over s in [0, 1], for z of either sign."""
    small = jnp.abs(z) < 0.5
    near = jnp.where(small, z, 0)
    even = ramp = jnp.zeros_like(z)
    for k in reversed(range(_TERMS)):  # Σ (-z)^k / (k + 1)! and Σ (-z)^k / (k + 2)!
        even = (1 - near * even) / (k + 1)
        ramp = (1 - near * ramp) / (k + 2)
    far = jnp.where(small, 1, z)
    even_far = -jnp.expm1(-far) / far
    return jnp.where(small, even, even_far), jnp.where(small, ramp, (1 - even_far) / far)


def in_order(time: Array, curve: Array) -> tuple[Array, Array, Array]:
    """Time and curve by ascending time, and the indices that lead back, each (m,)."""
    order = jnp.argsort(time)
    return time[order], curve[order], jnp.argsort(order)


def convolved(time: Array, curve: Array, rate: Array) -> Array:
    """∫ curve(s) exp(-rate (t - s)) ds from the first time to each t, of times in order.

    time and curve are (m,), rate is () or (grid,); the result is (m,) or (m, grid). Rate 0 gives
    the integral by trapezoids.
    """
    span = time[-1] - time[0]
    rate = jnp.maximum(rate, -_LARGEST_GROWTH / jnp.where(span > 0, span, 1))
    wide = (-1,) + (1,) * jnp.ndim(rate)
    width = jnp.diff(time).reshape(wide)
    earlier, later = curve[:-1].reshape(wide), curve[1:].reshape(wide)
    even, ramp = mean_decay(rate * width)
    gain = width * (earlier * (even - ramp) + later * ramp)
    factor = jnp.exp(-rate * width)

    def advance(value: Array, piece: tuple[Array, Array]) -> tuple[Array, Array]:
        value = piece[0] * value + piece[1]
        return value, value

    # An associative scan takes as long to run for 40 points and twice as long to compile.
    start = jnp.zeros_like(gain[0])
    _, values = lax.scan(advance, start, (factor, gain))
    return jnp.concatenate([start[None], values])
