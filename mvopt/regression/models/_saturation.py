"""Elementary functions whose values and derivatives stay finite at the ends of the range."""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def _largest_exponent(z: Array) -> float:
    """80 in float32 and 640 in float64: room is left for a product with other numbers."""
    return 0.9 * float(np.log(jnp.finfo(jnp.result_type(z, float)).max))


def exp_below(z: Array) -> Array:
    """exp(z), constant from just below the overflow on.

    For exp(-exp(z)): without the bound the inner exponential overflows and its derivative is
    infinity times zero, a NaN that ends the fit.
    """
    return jnp.exp(jnp.minimum(z, _largest_exponent(z)))


def exp_within(z: Array) -> Array:
    """exp(z), constant from just before underflow and overflow on: finite and never zero."""
    largest = _largest_exponent(z)
    return jnp.exp(jnp.clip(z, -largest, largest))


def relative_rise(z: Array) -> Array:
    """(1 - exp(-z)) / z for z >= 0, with its limit 1 at z = 0 and accurate derivatives there."""
    small = z < 0.01
    series = 1 - z / 2 * (1 - z / 3 * (1 - z / 4 * (1 - z / 5 * (1 - z / 6))))
    safe = jnp.where(small, 1, z)
    return jnp.where(small, series, -jnp.expm1(-safe) / safe)
