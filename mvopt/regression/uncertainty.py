"""The inverse curvature of a problem at its solution, with what the data do not determine."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.products import HIGHEST, dot
from mvopt.linalg.qr import back_in_place, leading_part, pivoted_qr
from mvopt.linalg.triangular import diagonal_of, solve_lower, solve_upper


class Uncertainty(NamedTuple):
    """Of one fit with n free parameters; infinite where the data do not determine a parameter."""

    inverse: Array  # (n, n), (JᵀJ)⁻¹
    chi2: Array  # (), ‖r‖²
    residual: Array  # (m,)
    rank_deficient: Array  # () bool
    num_free: Array  # () int32: a parameter that rests on a bound is held there


def uncertainty(problem: LeastSquaresProblem, params: Array) -> Uncertainty:
    """(JᵀJ)⁻¹ and χ² at the solution; rows of parameters that rest on a bound are infinite."""
    _, residual, rows = problem.evaluate(params)
    free = problem.free(params, dot(rows, residual))
    gram = jnp.einsum("im,jm->ij", rows, rows, precision=HIGHEST)
    diagonal = diagonal_of(gram)
    used = free & (diagonal > 0)
    lengths = jnp.where(used, jnp.sqrt(jnp.where(used, diagonal, 1.0)), 1.0)
    both = used[:, None] & used[None, :]
    gram = jnp.where(both, gram / (lengths[:, None] * lengths[None, :]), 0.0)
    lower, pivot = cholesky(gram + jnp.diag(jnp.where(used, 0.0, 1.0)))
    ill = ~(pivot > jnp.finfo(params.dtype).eps ** 0.5) | (free & ~used).any()
    unit = jnp.eye(len(params), dtype=params.dtype)
    root = solve_lower(lower, unit)
    inverse, undetermined = lax.cond(
        ill,
        lambda: _inverse_by_qr(jnp.where(used, rows.T / lengths, 0.0), residual, free),
        lambda: (dot(root.T, root), ~free),
    )
    inverse = inverse / (lengths[:, None] * lengths[None, :])
    infinite = undetermined[:, None] | undetermined[None, :]
    return Uncertainty(
        inverse=jnp.where(infinite, jnp.inf, inverse),
        chi2=jnp.sum(residual * residual),
        residual=residual,
        rank_deficient=(undetermined & free).any(),
        num_free=jnp.sum(free, dtype=jnp.int32),
    )


def _inverse_by_qr(jacobian: Array, residual: Array, free: Array) -> tuple[Array, Array]:
    """The inverse on the determined subspace, and which parameters are outside of it.

    With R = [R₁ R₂; 0 0] of rank k the null space is spanned by the columns of [−R₁⁻¹R₂; I]: a
    parameter with a share in it has no finite variance; the variances of the others are those of
    R₁ alone.
    """
    reduced = pivoted_qr(jacobian, residual)
    triangle, order = reduced.triangle, reduced.order
    within, corner = leading_part(triangle, len(jacobian))
    beyond = jnp.where(within[:, None] & ~within[None, :], triangle, 0.0)
    null = jnp.where(within[:, None], -solve_upper(corner, beyond), 0.0)
    share = jnp.sqrt(jnp.sum(null * null, axis=1)) > jnp.finfo(triangle.dtype).eps ** 0.25
    root = solve_upper(corner, jnp.diag(jnp.where(within, 1.0, 0.0).astype(triangle.dtype)))
    inverse = dot(root, root.T)
    # Both indices of the symmetric inverse back in the order of the parameters.
    inverse = back_in_place(back_in_place(inverse, order).T, order)
    undetermined = back_in_place((~within | share).astype(jnp.int32), order) > 0
    return inverse, undetermined | ~free


def chi2_p_value(chi2: Array, dof: Array) -> Array:
    """Probability of a χ² at least as large with `dof` degrees of freedom; NaN for none."""
    positive = dof > 0
    half = jnp.where(positive, dof, 1) / 2
    value = jax.scipy.special.gammaincc(half.astype(chi2.dtype), jnp.maximum(chi2, 0.0) / 2)
    return jnp.where(positive, value, jnp.nan)
