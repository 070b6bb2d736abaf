"""Powell's dogleg: along the steepest descent, then towards the Gauss–Newton step."""

from dataclasses import dataclass

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.damped import with_solve
from mvopt.families.dogleg import length_of, on_dogleg
from mvopt.families.linearization import Linearization
from mvopt.families.trust_region import TrustRegionMethod


@_tree.node
@dataclass(frozen=True)
class Dogleg(TrustRegionMethod):
    """One factorisation a step, whatever the radius (Powell 1970; Nocedal and Wright 2006, 4.1)."""

    def subproblem(
        self, model: Linearization, scale: Array, radius: Array, damping: Array
    ) -> tuple[Array, Array, Array]:
        """The point where the path leaves the region, or its end."""
        newton, _ = with_solve(model, lambda solve: solve(jnp.zeros_like(scale), scale))
        step = on_dogleg(model, newton, scale, radius)
        return step, jnp.zeros_like(damping), length_of(scale, newton) > radius
