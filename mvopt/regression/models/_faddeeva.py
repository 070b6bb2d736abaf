"""The Voigt profile and the scaled complementary error function, in real arithmetic.

The real part of the Faddeeva function w is a convolution of a Gaussian with a Lorentzian,

    Re w(x + iy) = y/π ∫ exp(-t²) / ((x - t)² + y²) dt,    y > 0.

The trapezoidal rule with step h converges like exp(-(π/h)²), save for the poles at t = x ± iy,
whose residue adds a term in closed form (Matta and Reichel, 1971). Near a node the sum and that
term are large and opposite, so there the nodes move by half a step (Hunter and Regan, 1972; Al
Azah and Chandler-Wilde, 2021, whose choice of h and of the number of nodes this is). All
summands are positive: the result is accurate relative to itself, also far out, where other
methods switch to continued fractions, and for tiny y, where a rational approximation of w
(Weideman, 1994) has only an absolute accuracy.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

_NODES = 12
_STEP = math.sqrt(math.pi / _NODES)
_WITHOUT_POLE = math.pi / _STEP  # from this y on the residue is below the rounding error
# Nodes come in pairs ±t, except for zero.
_WHOLE = _STEP * np.arange(_NODES)
_HALF = _STEP * (np.arange(_NODES) + 0.5)
_WHOLE_WEIGHTS = np.where(_WHOLE == 0, 0.5, np.exp(-(_WHOLE**2)))
_HALF_WEIGHTS = np.exp(-(_HALF**2))


def wofz_real(x: Array, y: Array) -> Array:
    """Re w(x + iy) for y >= 0, x and y broadcast together."""
    dtype = jnp.result_type(x, y, float)
    offset = x / _STEP - jnp.round(x / _STEP)
    shifted = jnp.abs(offset) < 0.25
    # An axis for the nodes: written out one by one they took seconds to compile.
    here, along, across = shifted[..., None], x[..., None], y[..., None]
    nodes = jnp.where(here, jnp.asarray(_HALF, dtype), jnp.asarray(_WHOLE, dtype))
    weights = jnp.where(here, jnp.asarray(_HALF_WEIGHTS, dtype), jnp.asarray(_WHOLE_WEIGHTS, dtype))
    pairs = 1 / ((along - nodes) ** 2 + across**2) + 1 / ((along + nodes) ** 2 + across**2)
    total = jnp.sum(weights * pairs, axis=-1)
    return _STEP / math.pi * y * total + _residue(x, y, offset, shifted)


def erfcx(y: Array) -> Array:
    """exp(y²) erfc(y) = w(iy) for y >= 0: the sum above at x = 0, where nodes are shifted."""
    dtype = jnp.result_type(y, float)
    nodes, weights = jnp.asarray(_HALF, dtype), jnp.asarray(_HALF_WEIGHTS, dtype)
    total = jnp.sum(2 * weights / (nodes**2 + y[..., None] ** 2), axis=-1)
    there = y < _WITHOUT_POLE
    inner = jnp.where(there, y, 0)
    growth = 2 * math.pi / _STEP * inner
    pole = 2 * jnp.exp(inner**2 - growth) / (1 + jnp.exp(-growth))
    return _STEP / math.pi * y * total + jnp.where(there, pole, 0)


def _residue(x: Array, y: Array, offset: Array, shifted: Array) -> Array:
    """2 Re exp(-z²) / (1 ∓ exp(-2πi z/h)), the lower sign for shifted nodes."""
    largest = math.sqrt(-math.log(jnp.finfo(jnp.result_type(x, y)).tiny))
    there = (y < _WITHOUT_POLE) & (jnp.abs(x) < largest)
    x, y = jnp.where(there, x, 0), jnp.where(there, y, 0)
    angle = 2 * math.pi * jnp.where(there, offset, 0)
    sign = jnp.where(shifted, -1, 1)
    growth = 2 * math.pi / _STEP * y
    decay = jnp.exp(-growth)
    cosine, sine = -sign * jnp.cos(angle), sign * jnp.sin(angle)
    phase = 2 * x * y
    above = jnp.cos(phase) * (decay + cosine) - jnp.sin(phase) * sine
    below = 1 + decay * (decay + 2 * cosine)
    return jnp.where(there, 2 * jnp.exp((y - x) * (y + x) - growth) * above / below, 0)
