"""Bisection: the root of one equation in a bracket, half as long after each step."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from mvopt._types import Array
from mvopt.solvers.bracketing import BracketingMethod, BracketState


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Bisection(BracketingMethod):
    __doc__ = BracketingMethod.__doc__

    def share(self, state: BracketState, tol: Array) -> Array:
        """The middle."""
        return jnp.full_like(tol, 0.5)
