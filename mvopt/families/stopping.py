"""When to stop: tolerances from the dtype, and how small a decrease of a value counts as none.

A value is measured by its own size, and where it tends to zero by the sizes that it had: `largest`
of all points, and `recent`, which with each step is halved, or goes half the way in digits where
the value falls faster, but never below that at the point.
"""

from typing import Any

import jax.numpy as jnp

from mvopt._types import Array

# A tolerance chosen from the dtype. A number, so that another tolerance compiles nothing anew.
AUTO = float("nan")


def tolerance(chosen: float | Array, automatic: Any, dtype: Any) -> Array:
    """`chosen`, or where it is NaN `automatic`."""
    return jnp.where(jnp.isnan(chosen), automatic, chosen).astype(dtype)


def of_certificate(chosen: float | Array, dtype: Any) -> Array:
    """By how much each condition of a constrained minimum may be missed; NaN: √eps/16."""
    return tolerance(chosen, jnp.finfo(dtype).eps ** 0.5 / 16, dtype)


def sizes_with(largest: Array, recent: Array, value: Array) -> tuple[Array, Array]:
    """`largest` and `recent` after a step to a point of this value."""
    size = jnp.abs(value)
    return jnp.maximum(largest, size), recent_with(recent, size)


def recent_with(recent: Array, size: Array) -> Array:
    """`recent` after a step to where the size is this."""
    # Halved alone, it lags so far behind a value that falls from 1e30 to 1e20 in two steps that
    # the 1e20 seem nothing.
    faster = jnp.where(size > 0, jnp.sqrt(recent) * jnp.sqrt(size), recent)
    return jnp.maximum(jnp.minimum(recent / 2, faster), size)


def negligible(ftol: Array, value: Array, largest: Array, recent: Array) -> Array:
    """A decrease, (), below which a method that still expects one has converged."""
    eps = jnp.finfo(value.dtype).eps
    floor = jnp.maximum(eps**1.5 * recent, eps**2 * jnp.minimum(1.0, largest))
    return jnp.maximum(ftol * jnp.abs(value), floor)


def nearly_negligible(value: Array, largest: Array) -> Array:
    """A decrease, (), that is too small to be found where every step has failed already."""
    eps = jnp.finfo(value.dtype).eps
    return jnp.maximum(8 * eps**0.5 * jnp.abs(value), 100 * eps * jnp.minimum(1.0, largest))


def immaterial(decrease: Array, value: Array, largest: Array) -> Array:
    """() bool: whether it would not matter if rounding hid a decrease of this size."""
    small = decrease <= 8 * jnp.finfo(value.dtype).eps ** 0.5 * jnp.abs(value)
    return small | (jnp.abs(value) <= rounding_of_zero(largest))


def rounding_of_zero(largest: Array) -> Array:
    """What rounding leaves of a value, (), whose least is zero."""
    return 1e4 * jnp.finfo(largest.dtype).eps ** 2 * jnp.minimum(1.0, largest)


def bottomless(value: Array) -> Array:
    """() bool: a value so low that there is no bound below."""
    return value < -(jnp.finfo(value.dtype).max ** 0.5)


def largest_slope(value: Array, gradient: Array, free: Array) -> Array:
    """Largest entry of the projected gradient, (); NaN before the first evaluation."""
    largest = jnp.max(jnp.where(free, jnp.abs(gradient), 0.0))
    return jnp.where(jnp.isinf(value), jnp.nan, largest)
