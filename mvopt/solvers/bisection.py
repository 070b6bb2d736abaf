"""Bisection: the root of one equation in a bracket, half as long after each step."""

from dataclasses import dataclass

import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.bracketing import BracketingMethod, BracketState


@_tree.node
@dataclass(frozen=True)
class Bisection(BracketingMethod):
    """The bracket is halved at each step.

    For a number x, of shape () or (1,), between finite bounds at which f has opposite signs; fields
    and statuses as in `BracketingMethod`.
    """

    def share(self, state: BracketState, tol: Array) -> Array:
        """The middle."""
        del state
        return jnp.full_like(tol, 0.5)
