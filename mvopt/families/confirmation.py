"""What a Newton step would still gain: the second opinion on a method without a Hessian."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.families.newton_models import DENSE_LIMIT, DenseModel, ProductModel
from mvopt.families.objective import ObjectiveProblem
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.triangular import solve_lower

# Of a step: the function may bend long before its end.
_SHARES = tuple(4.0**-k for k in range(12))


def is_minimum(problem: ObjectiveProblem, params: Array) -> Array:
    """() bool: False where the exact Hessian promises a decrease that matters, or bends down.

    What matters is more than 8 √eps of the value, or eps where the value is small. True where
    gradient and Hessian are zero, for the conditions of first order hold exactly there; where the
    Hessian is not finite, or where the objective has no second derivative: then it has no say.
    """
    if not _twice_differentiable(problem, params):
        return jnp.ones((), bool)
    eps = jnp.finfo(params.dtype).eps
    dense = params.size <= DENSE_LIMIT
    form: Any = DenseModel if dense else ProductModel
    model = form.blank(params).moved_to(problem, params, form.evaluate(problem, params))
    tolerance = 8 * eps**0.5 * jnp.abs(model.value) + eps

    def carefully() -> Array:
        move = model.move(problem._replace(bounds=None), jnp.full((), jnp.inf, params.dtype))
        return move.nearly_convex & ~(move.decrement > tolerance)

    if not dense:
        return ~model.finite() | carefully()
    decrement, definite = _decrement(model)
    fine = definite & (decrement <= tolerance)
    return ~model.finite() | lax.cond(~fine, carefully, lambda: fine)


def is_lowest(problem: ObjectiveProblem, params: Array) -> Array:
    """() bool: False where a step by gradient and Hessian leads lower by an amount that matters.

    Unlike `is_minimum` it serves functions with kinks, whose derivatives promise what is not there.
    They are believed where the values cannot tell, being nothing but rounding of the params; then
    the Hessian has to be safely positive definite.
    """
    if params.size > DENSE_LIMIT or not _twice_differentiable(problem, params):
        return jnp.ones((), bool)
    model = DenseModel.blank(params).moved_to(problem, params, DenseModel.evaluate(problem, params))
    eps = jnp.finfo(params.dtype).eps

    def none_lower() -> Array:
        length = model.length(params)
        tolerance = 8 * eps**0.5 * jnp.abs(model.value) + 100 * eps
        move = model.move(problem, jnp.where(length > 0, length, 1.0))
        shares = jnp.asarray(_SHARES, params.dtype)
        values = lax.map(lambda t: problem.objective(problem.clip(params + t * move.step)), shares)
        lowest = jnp.min(jnp.where(jnp.isnan(values), jnp.inf, values))
        rounding = eps * jnp.abs(params)
        curvature = jnp.abs(jnp.diagonal(model.hessian))
        change = (jnp.abs(model.gradient) + 0.5 * curvature * rounding) * rounding
        decrement, definite = _decrement(model)
        told = jnp.sum(change) <= tolerance
        confirmed = definite & (decrement <= tolerance)
        return ~(lowest < model.value - tolerance) & (told | confirmed)

    return lax.cond(model.finite(), none_lower, lambda: jnp.ones((), bool))


def _twice_differentiable(problem: ObjectiveProblem, params: Array) -> bool:
    """False for a function that cannot be differentiated forwards or backwards, or not at all."""
    try:
        jax.eval_shape(partial(DenseModel.evaluate, problem), params)
    except (TypeError, ValueError):
        return False
    return True


def _decrement(model: DenseModel) -> tuple[Array, Array]:
    """½ gᵀH⁻¹g over the free parameters by Cholesky, and whether H is safely positive definite."""
    slope, matrix = model.scaled()
    matrix = jnp.where(model.free[:, None] & model.free[None, :], matrix, 0.0)
    factor, pivot = cholesky(matrix + jnp.diag(jnp.where(model.free, 0.0, 1.0)))
    slope = jnp.where(model.free, slope, 0.0)
    definite = pivot > 100 * jnp.finfo(slope.dtype).eps
    return 0.5 * jnp.sum(solve_lower(factor, slope) ** 2), definite
