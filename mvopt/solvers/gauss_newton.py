"""Gauss–Newton: the undamped step, shortened only where the cost would rise."""

from dataclasses import dataclass

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.damped import with_solve
from mvopt.families.dogleg import length_of, on_dogleg
from mvopt.families.linearization import Linearization
from mvopt.families.trust_region import TrustRegionMethod

_SHORTEST = 1e-3


@_tree.node
@dataclass(frozen=True)
class GaussNewton(TrustRegionMethod):
    """Fast near a solution with small residuals; far from one `LevenbergMarquardt` is safer.

    The step keeps the Gauss–Newton direction; a step that fails is halved, and tried again
    (Björck 1996, section 9.2.1). Where a thousandth of it fails, J is nearly singular and the
    direction leads nowhere: it then bends towards the steepest descent, as Powell's dogleg does.
    `radius` is infinite unless given.
    """

    radius: float | Array = float("inf")

    def subproblem(
        self, model: Linearization, scale: Array, radius: Array, damping: Array
    ) -> tuple[Array, Array, Array]:
        """The Gauss–Newton step, cut off at the radius."""
        newton, _ = with_solve(model, lambda solve: solve(jnp.zeros_like(scale), scale))
        length = length_of(scale, newton)
        inside = length <= radius
        cut = newton * (radius / jnp.where(inside, 1.0, length))
        cut = jnp.where(radius < _SHORTEST * length, on_dogleg(model, newton, scale, radius), cut)
        return jnp.where(inside, newton, cut), jnp.zeros_like(damping), ~inside
