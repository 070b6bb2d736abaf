"""A function to be minimised: what the methods for it share."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from mvopt._types import Array
from mvopt.iteration import box


class ObjectiveProblem(NamedTuple):
    """The minimum of `objective`, flat params (n,) to a number (), over the box `bounds`.

    drawn: of params and the number of the step, where each step has an objective of its own, such
    as the loss over other rows of the data; `objective` is then that of no step.
    """

    objective: Callable[[Array], Array]
    bounds: box.Bounds = None
    drawn: Callable[[Array, Array], Array] | None = None

    def at(self, step: Array) -> "ObjectiveProblem":
        """The problem whose objective is that of this step."""
        drawn = self.drawn
        if drawn is None:
            return self
        return self._replace(objective=lambda params: drawn(params, step))

    def clip(self, params: Array) -> Array:
        """The nearest point of the box."""
        return box.clip(self.bounds, params)

    def optimality(self, params: Array) -> Array:
        """The projected gradient, (n,): zero at a solution.

        ValueError where each step has an objective of its own: there is no one solution.
        """
        if self.drawn is not None:
            raise ValueError("what was trained on samples has no derivative with respect to them")
        return box.projected_gradient(self.bounds, params, jax.grad(self.objective)(params))
