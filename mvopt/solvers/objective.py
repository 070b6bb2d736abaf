"""A function to be minimised: what the methods for it share."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from mvopt._types import Array
from mvopt.iteration import box


class ObjectiveProblem(NamedTuple):
    """The minimum of `objective`, flat params (n,) to a number (), over the box `bounds`."""

    objective: Callable[[Array], Array]
    bounds: box.Bounds = None

    def optimality(self, params: Array) -> Array:
        """The projected gradient, (n,): zero at a solution."""
        return box.projected_gradient(self.bounds, params, jax.grad(self.objective)(params))
