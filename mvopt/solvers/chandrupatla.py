"""Chandrupatla's method: inverse quadratic interpolation where it is safe, else bisection.

T. R. Chandrupatla (1997), A new hybrid quadratic/bisection algorithm for finding the zero of a
nonlinear function without using derivatives, Advances in Engineering Software 28, 145-149. His
stopping rule is xtol = 4·eps_m and atol = eps_a; the number of steps is then the published one.
"""

from dataclasses import dataclass

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.bracketing import BracketingMethod, BracketState


@_tree.node
@dataclass(frozen=True)
class Chandrupatla(BracketingMethod):
    """Inverse quadratic interpolation and bisection: the method of choice for a bracket.

    For a number x, of shape () or (1,), between finite bounds at which f has opposite signs; fields
    and statuses as in `BracketingMethod`.
    """

    def share(self, state: BracketState, tol: Array) -> Array:
        """Interpolate where the inverse parabola is monotone between x₁ and x₂ (his equation 7)."""
        x1, x2, x3 = state.x1[0], state.x2[0], state.x3[0]
        f1, f2, f3 = state.f1, state.f2, state.f3
        xi, phi = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
        monotone = (1 - jnp.sqrt(1 - xi) < phi) & (phi < jnp.sqrt(xi))
        alpha = (x3 - x1) / (x2 - x1)
        inverse = f1 / (f1 - f2) * f3 / (f3 - f2) - alpha * f1 / (f3 - f1) * f2 / (f2 - f3)
        share = jnp.where(monotone, inverse, 0.5)
        # Not nearer to an end than half the length to end at.
        least = 0.5 * tol / jnp.abs(x2 - x1)
        return jnp.clip(share, least, 1 - least)
