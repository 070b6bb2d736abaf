"""Powell's dogleg: along the steepest descent, then towards the Gauss–Newton step."""

from dataclasses import dataclass

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.damped import with_solve
from mvopt.families.linearization import Linearization, curvature_along
from mvopt.families.trust_region import TrustRegionMethod


@_tree.node
@dataclass(frozen=True)
class Dogleg(TrustRegionMethod):
    """One factorisation a step, whatever the radius (Powell 1970; Nocedal and Wright 2006, 4.1)."""

    def subproblem(
        self, model: Linearization, scale: Array, radius: Array, damping: Array
    ) -> tuple[Array, Array, Array]:
        """The point where the path leaves the region, or its end."""
        zero = jnp.zeros_like(damping)
        newton, _ = with_solve(model, lambda solve: solve(jnp.zeros_like(scale), scale))
        descent = -model.slope() / (scale * scale)
        decrease = -jnp.sum(model.slope() * descent)
        along = curvature_along(model, descent)
        cauchy = descent * jnp.where(along > 0, decrease / along, 0.0)
        newton_length, cauchy_length = _length(scale, newton), _length(scale, cauchy)
        shortened = cauchy * jnp.minimum(
            1.0, radius / jnp.where(cauchy_length > 0, cauchy_length, 1.0)
        )
        leg = newton - cauchy
        corner = cauchy + leg * _fraction(scale * cauchy, scale * leg, radius)
        step = jnp.where(cauchy_length >= radius, shortened, corner)
        inside = newton_length <= radius
        return jnp.where(inside, newton, step), zero, ~inside


def _length(scale: Array, step: Array) -> Array:
    return jnp.sqrt(jnp.sum((scale * step) ** 2))


def _fraction(base: Array, leg: Array, radius: Array) -> Array:
    """The t in [0, 1] at which ‖base + t leg‖ = radius, written so that it does not cancel."""
    a, b = jnp.sum(leg * leg), jnp.sum(base * leg)
    c = jnp.maximum(radius * radius - jnp.sum(base * base), 0.0)
    root = jnp.sqrt(jnp.maximum(b * b + a * c, 0.0))
    t = jnp.where(b > 0, c / jnp.where(b > 0, b + root, 1.0), (root - b) / jnp.where(a > 0, a, 1.0))
    return jnp.clip(t, 0.0, 1.0)
