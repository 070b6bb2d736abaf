"""Bounds on the parameters: a box (lower, upper), each (n,), or None for the whole space."""

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array

Bounds = tuple[Array, Array] | None


def clip(bounds: Bounds, params: Array) -> Array:
    """The nearest point of the box; what is within rounding of a bound is put on it."""
    if bounds is None:
        return params
    lower, upper = bounds
    rounding = 4 * jnp.finfo(params.dtype).eps * jnp.abs(params)
    params = jnp.where(params - rounding <= lower, lower, params)
    return jnp.where(params + rounding >= upper, upper, params)


def free(bounds: Bounds, params: Array, gradient: Array) -> Array:
    """(n,) bool: False where the params rest on a bound that the descent would cross."""
    if bounds is None:
        return jnp.ones(params.shape, bool)
    lower, upper = bounds
    below = (params <= lower) & (gradient > 0)
    above = (params >= upper) & (gradient < 0)
    return ~(below | above | (lower >= upper))


def cut(bounds: Bounds, params: Array, scale: Array, step: Array) -> tuple[Array, Array]:
    """A step of scale·params cut off at the box, entry by entry, and which entries were cut."""
    trial = params + step / scale
    nearest = clip(bounds, trial)
    hit = nearest != trial
    return jnp.where(hit, (nearest - params) * scale, step), hit


def projected_gradient(bounds: Bounds, params: Array, gradient: Array) -> Array:
    """Gradient where the params are free, distance to the bound where they are not; (n,)."""
    if bounds is None:
        return gradient
    lower, upper = bounds
    fixed, descent = lax.stop_gradient((params, gradient))
    nearest = jnp.where(descent > 0, lower, upper)
    return jnp.where(free(bounds, fixed, descent), gradient, params - nearest)
