"""BFGS (Broyden, Fletcher, Goldfarb, Shanno): a method that learns the inverse Hessian."""

from dataclasses import dataclass

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.descent import DescentMethod
from mvopt.linalg.products import dot


@_tree.node
@dataclass(frozen=True)
class BFGS(DescentMethod):
    """For up to a few hundred parameters: memory and time per step grow with their square.

    Nocedal and Wright (2006), section 6.1. The first estimate is a multiple of the identity, scaled
    by the first step (eq. 6.20).
    """

    def nothing_learnt(self, params: Array) -> Array:
        """Inverse Hessian, (n, n)."""
        return jnp.zeros((params.size, params.size), params.dtype)

    def learn(
        self, memory: Array, fresh: Array, step: Array, change: Array, gradient: Array
    ) -> Array:
        """The update of rank two by which the estimate maps the change to the step."""
        del gradient
        curvature = jnp.sum(step * change)
        scale = curvature / jnp.sum(change * change)
        image = jnp.where(fresh, scale * change, dot(memory, change))
        multiple = jnp.where(jnp.eye(step.size, dtype=bool), scale, 0.0)
        rho = 1 / curvature
        weight = rho * (1 + rho * jnp.sum(change * image))
        cross = image[:, None] * step
        update = weight * (step[:, None] * step) - rho * (cross + cross.T)
        return jnp.where(fresh, multiple, memory) + update

    def downhill(self, memory: Array, gradient: Array, free: Array) -> Array:
        """−H⁻¹ g over the free parameters."""
        step = -dot(memory, gradient)
        return jnp.where(free, step, 0.0)
