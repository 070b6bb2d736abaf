"""Solving a Gauss–Newton model with a penalty on the step, by normal equations or by QR."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.families.linearization import Linearization
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.qr import back_in_place, in_order, numerical_rank, pivoted_qr
from mvopt.linalg.triangular import diagonal_of, solve_lower, solve_upper

Solve = Callable[[Array, Array], tuple[Array, Array]]


def with_solve(model: Linearization, use: Callable[[Solve], Any]) -> Any:
    """`use(solve)` with the cheaper solve that the model's conditioning allows.

    `solve(penalty, scale)` minimises ½‖r + J u‖² + ½ Σ penalty u² over scaled steps u, (n,), and
    returns u and ‖L⁻¹ scale² u‖², where L Lᵀ is the matrix of the system: minus half the derivative
    of ‖scale·u‖² by the damping. With a penalty of zero a direction that J does not see stays out.
    """
    slope = model.slope()
    fast = use(lambda penalty, scale: normal_solve(model.matrix, slope, model.free, penalty, scale))
    return lax.cond(
        model.ill,
        lambda: use(lambda penalty, scale: _orthogonal_solve(model, penalty, scale)),
        lambda: fast,
    )


def normal_solve(
    gram: Array, slope: Array, free: Array, penalty: Array, scale: Array
) -> tuple[Array, Array]:
    """The solve by normal equations, for the parameters that are free."""
    added = jnp.where(free, penalty, 1.0)
    diagonal = jnp.eye(len(slope), dtype=bool)
    lower, _ = cholesky(jnp.where(diagonal, gram + added, gram))
    step = -solve_upper(lower.T, solve_lower(lower, slope))
    return step, jnp.sum(solve_lower(lower, scale * scale * step) ** 2)


def _orthogonal_solve(model: Linearization, penalty: Array, scale: Array) -> tuple[Array, Array]:
    """The same from R and Qᵀr, by a QR of R on top of the square root of the penalty."""
    rows = jnp.concatenate([model.matrix, jnp.diag(jnp.sqrt(penalty))])
    again = pivoted_qr(rows, jnp.concatenate([model.vector, jnp.zeros_like(model.vector)]))
    triangle, order = again.triangle, again.order
    # Without a penalty no step may follow a direction that is rounding alone. (The number of points
    # is not in the limit: in float32 a direction known to a digit is better than none.)
    rank = numerical_rank(triangle, len(order))
    rank = jnp.where((penalty > 0).any(), len(order), rank)
    within = (jnp.arange(len(order)) < rank) & (diagonal_of(triangle) > 0)
    upper = triangle + jnp.diag(jnp.where(within, 0.0, 1.0))
    solved = -solve_upper(upper, jnp.where(within, again.rotated, 0.0))
    step = back_in_place(solved, order)
    image = solve_lower(upper.T, in_order(scale * scale * step, order))
    return jnp.where(model.free, step, 0.0), jnp.sum(image**2)
