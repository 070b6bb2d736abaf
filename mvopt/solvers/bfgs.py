"""BFGS (Broyden, Fletcher, Goldfarb, Shanno): a method that learns the inverse Hessian."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from mvopt._types import Array
from mvopt.families.descent import DescentMethod
from mvopt.linalg.qr import HIGHEST


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BFGS(DescentMethod):
    """For up to a few hundred parameters: memory and time per step grow with their square.

    Nocedal and Wright (2006), section 6.1. The first estimate is a multiple of the identity, scaled
    by the first step (eq. 6.20).
    """

    def nothing_learnt(self, params: Array) -> tuple[Array, Array]:
        """Inverse Hessian (n, n), and whether it is only a multiple of the identity."""
        return jnp.eye(params.size, dtype=params.dtype), jnp.ones((), bool)

    def learn(
        self, memory: tuple[Array, Array], step: Array, change: Array, gradient: Array
    ) -> tuple[Array, Array]:
        """The update of rank two by which the estimate maps the change to the step."""
        del gradient
        inverse, blank = memory
        curvature = jnp.sum(step * change)
        scale = jnp.where(blank, curvature / jnp.sum(change * change), 0.0)
        identity = jnp.eye(step.size, dtype=bool)
        inverse = jnp.where(blank, jnp.where(identity, scale, 0.0), inverse)
        image = jnp.dot(inverse, change, precision=HIGHEST)
        rho = 1 / curvature
        weight = rho * (1 + rho * jnp.sum(change * image))
        cross = image[:, None] * step
        updated = inverse + weight * (step[:, None] * step) - rho * (cross + cross.T)
        return updated, jnp.zeros_like(blank)

    def downhill(self, memory: tuple[Array, Array], gradient: Array, free: Array) -> Array:
        """−H⁻¹ g over the free parameters."""
        step = -jnp.dot(memory[0], gradient, precision=HIGHEST)
        return jnp.where(free, step, 0.0)
