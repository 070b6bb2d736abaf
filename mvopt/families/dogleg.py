"""Powell's path: along the steepest descent, then towards the Gauss–Newton step."""

import jax.numpy as jnp

from mvopt._types import Array
from mvopt.families.linearization import Linearization, curvature_along


def on_dogleg(model: Linearization, newton: Array, scale: Array, radius: Array) -> Array:
    """Where the path leaves the region ‖scale·u‖ ≤ radius, or its end `newton`, (n,).

    Powell (1970); Nocedal and Wright (2006), section 4.1.
    """
    descent = -model.slope() / (scale * scale)
    decrease = -jnp.sum(model.slope() * descent)
    along = curvature_along(model, descent)
    cauchy = descent * jnp.where(along > 0, decrease / along, 0.0)
    cauchy_length = length_of(scale, cauchy)
    shortened = cauchy * jnp.minimum(1.0, radius / jnp.where(cauchy_length > 0, cauchy_length, 1.0))
    leg = newton - cauchy
    corner = cauchy + leg * _fraction(scale * cauchy, scale * leg, radius)
    step = jnp.where(cauchy_length >= radius, shortened, corner)
    return jnp.where(length_of(scale, newton) <= radius, newton, step)


def length_of(scale: Array, step: Array) -> Array:
    """‖scale·u‖, ()."""
    return jnp.sqrt(jnp.sum((scale * step) ** 2))


def _fraction(base: Array, leg: Array, radius: Array) -> Array:
    """The t in [0, 1] at which ‖base + t leg‖ = radius, written so that it does not cancel."""
    a, b = jnp.sum(leg * leg), jnp.sum(base * leg)
    c = jnp.maximum(radius * radius - jnp.sum(base * base), 0.0)
    root = jnp.sqrt(jnp.maximum(b * b + a * c, 0.0))
    t = jnp.where(b > 0, c / jnp.where(b > 0, b + root, 1.0), (root - b) / jnp.where(a > 0, a, 1.0))
    return jnp.clip(t, 0.0, 1.0)
