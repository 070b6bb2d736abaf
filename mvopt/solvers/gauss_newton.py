"""Gauss–Newton: the undamped step, shortened only where the cost would rise."""

from dataclasses import dataclass

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.damped import with_solve
from mvopt.families.linearization import Linearization
from mvopt.families.trust_region import TrustRegionMethod


@_tree.node
@dataclass(frozen=True)
class GaussNewton(TrustRegionMethod):
    """Fast near a solution with small residuals; far from one `LevenbergMarquardt` is safer.

    The step keeps the Gauss–Newton direction; a step that fails is halved, and tried again
    (Björck 1996, section 9.2.1). `radius` is infinite unless given.
    """

    radius: float | Array = float("inf")

    def subproblem(
        self, model: Linearization, scale: Array, radius: Array, damping: Array
    ) -> tuple[Array, Array, Array]:
        """The Gauss–Newton step, cut off at the radius."""
        newton, _ = with_solve(model, lambda solve: solve(jnp.zeros_like(scale), scale))
        length = jnp.sqrt(jnp.sum((scale * newton) ** 2))
        inside = length <= radius
        cut = newton * (radius / jnp.where(inside, 1.0, length))
        return jnp.where(inside, newton, cut), jnp.zeros_like(damping), ~inside
