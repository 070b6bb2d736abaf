"""Models that are linear in some or all of their parameters: found, and used.

Where some parameters are linear, the best ones for given others are a linear least squares problem,
and what is left is a smaller problem in the others alone (variable projection; Golub and Pereyra
1973).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.regression.linear import solve_linear


def linear_indices(model: Callable[[Any, Array], Array], x: Any, size: int) -> tuple[int, ...]:
    """Indices of params in which, taken together, `model(x, params)` is linear.

    As many as come first. A jaxpr does not tell the entries of an array apart, so the derivatives
    are compared at random numbers of order one, for x of the shapes given as well: where a model is
    linear they do not change with its linear parameters.
    """
    rng = np.random.default_rng(0)

    def draw(leaf: Any) -> Any:
        return rng.uniform(0.5, 2.0, leaf.shape).astype(leaf.dtype)

    with jax.ensure_compile_time_eval():
        somewhere = jax.tree.map(draw, x)
        derivative = jax.jacfwd(lambda params: model(somewhere, params).reshape(-1))
        at = lambda params, columns: np.asarray(derivative(jnp.asarray(params)))[:, columns]
        base = rng.uniform(0.5, 2.0, size)
        found: list[int] = []
        for index in range(size):
            changed = base.copy()
            changed[[*found, index]] = rng.uniform(0.5, 2.0, len(found) + 1)
            columns = np.array([*found, index])
            one, other = at(base, columns), at(changed, columns)
            tolerance = 100 * jnp.finfo(one.dtype).eps * np.abs(one).max()
            if np.isfinite(one).all() and np.all(np.abs(one - other) <= tolerance):
                found.append(index)
    return tuple(found)


class Projection:
    """A least-squares problem with its linear parameters at their best."""

    def __init__(self, linear: tuple[int, ...], size: int):
        self.linear = np.array(linear, int)
        self.others = np.setdiff1d(np.arange(size), self.linear)
        self.size = size

    def whole(self, problem: LeastSquaresProblem, others: Array) -> Array:
        """All params (n,) from the nonlinear ones: the linear ones at their best."""
        blank = jnp.zeros(self.size, others.dtype).at[self.others].set(others)

        def residual(linear: Array) -> Array:
            return problem.residual(blank.at[self.linear].set(linear))

        given = problem.penalty
        inner = LeastSquaresProblem(
            residual, penalty=given and (lambda linear: given(blank.at[self.linear].set(linear)))
        )
        zeros = jnp.zeros(self.linear.size, others.dtype)
        return blank.at[self.linear].set(solve_linear(inner, zeros, refine=False))

    def reduced(self, problem: LeastSquaresProblem) -> LeastSquaresProblem:
        """The problem in the nonlinear parameters."""
        given = problem.penalty
        return LeastSquaresProblem(
            residual=lambda others: problem.residual(self.whole(problem, others)),
            penalty=given and (lambda others: given(self.whole(problem, others))),
        )
