"""A least-squares problem and its linear model at a point: what Gauss–Newton methods share.

A loss other than the square is brought into the same form: with slope ψ and weight w of each
residual, r = ψ/√w and √w J have the gradient Jᵀψ and the curvature JᵀwJ.

Everything is kept in scaled variables u_j = ‖J_j‖ δ_j, in which each column of the Jacobian has
length one, so that no result depends on the units of a parameter. The model is held twice: as
the normal matrix, which costs a product, and, where that matrix is too badly conditioned to be
trusted, as the R and Qᵀr of a pivoted QR, which does not square the condition number.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.iteration import box
from mvopt.linalg.cholesky import cholesky
from mvopt.linalg.products import HIGHEST, dot
from mvopt.linalg.qr import numerical_rank, pivoted_qr
from mvopt.linalg.triangular import diagonal_of, solve_lower


class Terms(NamedTuple):
    """A loss at each of m residuals z, (m,): its value, its slope, and a curvature for it."""

    value: Array
    slope: Array
    weight: Array  # ≥ 0, zero only where the slope is


class LeastSquaresProblem(NamedTuple):
    """½‖residual(params)‖² over the box `bounds`; flat params (n,), residual (m,).

    With a `loss` it is the sum of its values instead, and with a `penalty` (k,), linear in the
    params, ½‖penalty(params)‖² more. Entries where `held` is True keep their start. Where
    `residual` has its first derivative only, `smooth` is the same with all.
    """

    residual: Callable[[Array], Array]
    bounds: box.Bounds = None
    loss: Callable[[Array], Terms] | None = None
    penalty: Callable[[Array], Array] | None = None
    held: Array | None = None  # (n,) bool
    smooth: Callable[[Array], Array] | None = None

    def objective(self, params: Array) -> Array:
        """Half the sum of squares, or the loss, ()."""
        r = (self.smooth or self.residual)(params)
        cost = 0.5 * dot(r, r) if self.loss is None else jnp.sum(self.loss(r).value)
        return cost if self.penalty is None else cost + 0.5 * jnp.sum(self.penalty(params) ** 2)

    def clip(self, params: Array) -> Array:
        """The nearest point of the box."""
        return box.clip(self.bounds, params)

    def free(self, params: Array, gradient: Array) -> Array:
        """(n,) bool: False where the params rest on a bound that the descent would cross."""
        free = box.free(self.bounds, params, gradient)
        return free if self.held is None else free & ~self.held

    def optimality(self, params: Array) -> Array:
        """The projected gradient of the objective, (n,): zero at a solution."""
        return box.projected_gradient(self.bounds, params, jax.grad(self.objective)(params))

    def evaluate(self, params: Array) -> "Evaluation":
        """Everything that a Gauss–Newton method has to know of the problem at `params`."""
        z, rows = residual_and_jacobian(self.residual, params)
        if self.loss is None:
            found = Evaluation(0.5 * dot(z, z), z, rows)
        else:
            value, slope, weight = self.loss(z)
            root = jnp.sqrt(weight)
            scaled = jnp.where(root > 0, slope / jnp.where(root > 0, root, 1.0), 0.0)
            found = Evaluation(jnp.sum(value), scaled, rows * root)
        if self.penalty is None:
            return found
        r, more = residual_and_jacobian(self.penalty, params)
        return Evaluation(
            cost=found.cost + 0.5 * dot(r, r),
            residual=jnp.concatenate([found.residual, r]),
            rows=jnp.concatenate([found.rows, more], axis=1),
        )


class Evaluation(NamedTuple):
    """The cost at a point, and r and J with the gradient Jᵀr and the curvature JᵀJ."""

    cost: Array  # ()
    residual: Array  # (m,)
    rows: Array  # (n, m), of Jᵀ


class Linearization(NamedTuple):
    """r + J δ around `params`, in scaled variables over the free parameters."""

    params: Array  # (n,)
    cost: Array  # (), ½‖r‖² without a loss, infinite before the first evaluation
    gradient: Array  # (n,), Jᵀr, unscaled
    columns: Array  # (n,), ‖J_j‖, zero where the parameter is not free
    free: Array  # (n,) bool
    ill: Array  # () bool: JᵀJ is not to be trusted, J = Q R is used
    matrix: Array  # (n, n), scaled JᵀJ; R of the scaled J if ill
    vector: Array  # (n,), scaled Jᵀr; Qᵀr if ill
    projection: Array  # (), ‖P r‖², P the projector on the range of J
    rank_deficient: Array  # () bool
    finite: Array  # () bool: residual and Jacobian are finite

    @property
    def lengths(self) -> Array:
        """‖J_j‖, (n,), one where that is zero: what the variables are scaled by."""
        return _unless_zero(self.columns)

    def norm(self) -> Array:
        """‖r‖."""
        return jnp.sqrt(2 * self.cost)

    def offset(self) -> Array:
        """‖P r‖: how much of the residual a step could remove."""
        return jnp.sqrt(self.projection)

    def size(self) -> Array:
        """Sum of ‖J_j x_j‖: the magnitude whose rounding limits the residual."""
        return jnp.sum(self.lengths * jnp.abs(self.params))

    def slope(self) -> Array:
        """Scaled gradient over the free parameters, (n,)."""
        return jnp.where(self.free, self.gradient / self.lengths, 0.0)

    def gram(self) -> Array:
        """Scaled JᵀJ, (n, n), from either form."""
        product = jnp.einsum("ki,kj->ij", self.matrix, self.matrix, precision=HIGHEST)
        return jnp.where(self.ill, product, self.matrix)


def residual_and_jacobian(residual: Callable[[Array], Array], params: Array) -> tuple[Array, Array]:
    """r (m,) and the rows of Jᵀ (n, m) from one evaluation with n tangents."""

    def column(tangent):
        return jax.jvp(residual, (params,), (tangent,))

    basis = jnp.eye(params.shape[0], dtype=params.dtype)
    return jax.vmap(column, out_axes=(None, 0))(basis)


def unevaluated(params: Array) -> Linearization:
    """The model before the first evaluation: infinite cost, so that any finite one is better."""
    n = params.shape[0]
    zeros, matrix = jnp.zeros_like(params), jnp.eye(n, dtype=params.dtype)
    infinite = jnp.full((), jnp.inf, params.dtype)
    return Linearization(
        params=params,
        cost=infinite,
        gradient=zeros,
        columns=zeros,
        free=jnp.ones(n, bool),
        ill=jnp.zeros((), bool),
        matrix=matrix,
        vector=zeros,
        projection=infinite,
        rank_deficient=jnp.zeros((), bool),
        finite=jnp.zeros((), bool),
    )


def linearize(
    problem: LeastSquaresProblem,
    params: Array,
    evaluation: Evaluation,
    threshold: Array,
) -> Linearization:
    """The model at `params` from the evaluation there.

    Where the cost is not below `threshold` the model is not going to be used, and the QR is spared.
    """
    cost, residual, rows = evaluation
    gradient = dot(rows, residual)
    gram = jnp.einsum("im,jm->ij", rows, rows, precision=HIGHEST)
    free = problem.free(params, gradient)
    diagonal = diagonal_of(gram)
    finite = jnp.isfinite(diagonal).all()  # where a column is not finite, its length is not
    columns = jnp.where(free, jnp.sqrt(diagonal), 0.0)
    lengths = _unless_zero(columns)
    both = free[:, None] & free[None, :]
    gram = jnp.where(both, gram / (lengths[:, None] * lengths[None, :]), 0.0)
    slope = jnp.where(free, gradient / lengths, 0.0)
    lower, pivot = cholesky(jnp.where(jnp.eye(len(free), dtype=bool) & ~free, 1.0, gram))
    # By normal equations a step errs by about eps / pivot, relatively, and the point where the
    # steps end by eps / sqrt(pivot) standard errors: beyond this limit both stay harmless.
    ill = ~(pivot > jnp.finfo(params.dtype).eps ** 0.5) & (cost < threshold)
    projection = jnp.sum(solve_lower(lower, slope) ** 2)
    fast = (gram, slope, projection, jnp.zeros((), bool))
    matrix, vector, projection, rank_deficient = lax.cond(
        ill, lambda: _orthogonalize(rows, residual, free, lengths), lambda: fast
    )
    return Linearization(
        params=params,
        cost=cost,
        gradient=gradient,
        columns=columns,
        free=free,
        ill=ill,
        matrix=matrix,
        vector=vector,
        projection=projection,
        rank_deficient=rank_deficient,
        finite=finite & jnp.isfinite(cost),
    )


def _unless_zero(columns: Array) -> Array:
    """One for a length whose square is no normal number: it has lost its digits."""
    return jnp.where(columns > float(jnp.finfo(columns.dtype).tiny) ** 0.5, columns, 1.0)


def _orthogonalize(rows, residual, free, lengths):
    scaled = jnp.where(free, rows.T / lengths, 0.0)
    reduced = pivoted_qr(scaled, residual)
    rank = numerical_rank(reduced.triangle, len(residual))
    within = jnp.arange(len(free)) < rank
    projection = jnp.sum(jnp.where(within, reduced.rotated, 0.0) ** 2)
    return reduced.factor, reduced.rotated, projection, rank < jnp.sum(free)


def curvature_along(model: Linearization, step: Array) -> Array:
    """‖J u‖² of a scaled step u, ()."""
    image = dot(model.matrix, step)
    return jnp.sum(image * jnp.where(model.ill, image, step))


def predicted_reduction(model: Linearization, step: Array) -> Array:
    """Decrease of the cost that the model promises for a scaled step u.

    −(Jᵀr + ½ JᵀJ u)·u, or in terms of w = R u: −(Qᵀr + ½ w)·w.
    """
    image = dot(model.matrix, step)
    along = jnp.where(model.ill, image, step)
    return -dot(model.vector + 0.5 * image, along)
