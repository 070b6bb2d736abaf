"""L-BFGS: quasi-Newton from the last few steps alone, for many parameters."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.descent import DescentMethod


class Pairs(NamedTuple):
    """The last steps and changes of the gradient, the newest last; unused rows are zero."""

    steps: Array  # (m, n)
    changes: Array  # (m, n)
    scale: Array  # (), multiple of the identity that stands for what is older


@_tree.node
@dataclass(frozen=True)
class LBFGS(DescentMethod):
    """Memory and time per step grow with n times `memory` (Liu and Nocedal 1989).

    memory: how many steps are remembered.
    """

    memory: int = field(default=10, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise ValueError(f"memory={self.memory}: remember at least one step")

    def nothing_learnt(self, params: Array) -> Pairs:
        """No steps."""
        empty = jnp.zeros((self.memory, params.size), params.dtype)
        return Pairs(empty, empty, jnp.ones((), params.dtype))

    def learn(
        self, memory: Pairs, fresh: Array, step: Array, change: Array, gradient: Array
    ) -> Pairs:
        """The newest pair in, the oldest out."""
        del gradient
        steps, changes = (jnp.where(fresh, 0.0, m[1:]) for m in (memory.steps, memory.changes))
        return Pairs(
            steps=jnp.concatenate([steps, step[None]]),
            changes=jnp.concatenate([changes, change[None]]),
            scale=jnp.sum(step * change) / jnp.sum(change * change),
        )

    def downhill(self, memory: Pairs, gradient: Array, free: Array) -> Array:
        """The two loops over the pairs (Nocedal and Wright 2006, algorithm 7.4).

        What a bound holds is left out of the pairs too, so that they describe the free parameters.
        """
        steps = jnp.where(free, memory.steps, 0.0)
        changes = jnp.where(free, memory.changes, 0.0)
        curvatures = jnp.sum(steps * changes, axis=1)
        used = curvatures > 0
        rho = jnp.where(used, 1 / jnp.where(used, curvatures, 1.0), 0.0)

        def backwards(vector, pair):
            step, change, rho = pair
            alpha = rho * jnp.sum(step * vector)
            return vector - alpha * change, alpha

        def forwards(vector, pair):
            step, change, rho, alpha = pair
            beta = rho * jnp.sum(change * vector)
            return vector + (alpha - beta) * step, None

        pairs = (steps, changes, rho)
        vector, alphas = lax.scan(backwards, gradient, pairs, reverse=True)
        vector, _ = lax.scan(forwards, memory.scale * vector, (*pairs, alphas))
        return -vector
