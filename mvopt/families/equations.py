"""A system of equations to be solved: what the methods for it share."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array
from mvopt.iteration import box
from mvopt.linalg.products import dot
from mvopt.linalg.qr import back_in_place, numerical_rank, pivoted_qr
from mvopt.linalg.triangular import solve_upper

# Up to this order a pivoted QR over lanes, above it the library's LU, which is a call per matrix.
_LIBRARY_ORDER = 16
# Of GMRES, of 20 products each; of CG products.
_MAX_RESTARTS = 50


class RootProblem(NamedTuple):
    """A zero of `function`, flat params (n,) to (n,), within the box `bounds`."""

    function: Callable[[Array], Array]
    bounds: box.Bounds = None

    def objective(self, params: Array) -> Array:
        """Half the sum of squares of the function, ()."""
        value = self.function(params)
        return 0.5 * dot(value, value)

    def optimality(self, params: Array) -> Array:
        """The function itself, (n,): zero at a solution."""
        return self.function(params)

    def residual(self, params: Array) -> Array:
        """The function, (n,); ValueError if it has not as many entries as the params."""
        value = self.function(params)
        if value.shape != params.shape:
            raise ValueError(
                f"fn returns {value.size} numbers for {params.size} unknowns (a complex number is "
                "two): root needs as many equations as unknowns; use least_squares for more"
            )
        return value

    def clip(self, params: Array) -> Array:
        """The nearest point of the box."""
        return box.clip(self.bounds, params)


def residual_and_jacobian(problem: RootProblem, params: Array) -> tuple[Array, Array]:
    """f (n,) and J (n, n) from one evaluation with n tangents."""

    def column(tangent: Array) -> tuple[Array, Array]:
        return jax.jvp(problem.residual, (params,), (tangent,))

    basis = jnp.eye(params.shape[0], dtype=params.dtype)
    return jax.vmap(column, out_axes=(None, 1))(basis)


def half_square(residual: Array) -> Array:
    """Half the sum of squares, ()."""
    return 0.5 * jnp.sum(residual * residual)


def norm(residual: Array) -> Array:
    """‖f‖, (), also where the squares overflow."""
    largest, most = jnp.max(jnp.abs(residual)), float(jnp.finfo(residual.dtype).max)
    # Not divided by the largest: the inverse of what nearly overflows is flushed to zero.
    scale = jnp.where(
        largest > most**0.25, most**-0.6, jnp.where(largest < most**-0.25, most**0.6, 1)
    )
    scale = scale.astype(residual.dtype)
    return jnp.sqrt(jnp.sum((scale * residual) ** 2)) / scale


def unit_of(size: Array) -> Array:
    """What each equation is measured by, (n,), from the sizes of their terms at the start.

    An equation all of whose terms are zero there takes the size of the largest.
    """
    largest = jnp.max(size)
    return jnp.where(size > 0, size, jnp.where(largest > 0, largest, 1.0))


def holds(residual: Array, unit: Array) -> Array:
    """() bool: f has come down to a share of its size at the start that half the digits allow.

    Necessary for a root: at a point far away, the rounding of the terms alone may exceed all that
    the equations were at the start, and then they say nothing.
    """
    return (jnp.abs(residual) <= 4 * jnp.finfo(unit.dtype).eps ** 0.5 * unit).all()


def magnitudes(former: Array, point: Array) -> Array:
    """What the params were lately, (n,): halved at most at each step, never above the start's.

    A param that tends to zero is measured by them. Were they to grow, anything would be small after
    a search has come back from far away. A param that started at zero takes that of its first move.
    """
    size = jnp.abs(point)
    return jnp.where(former > 0, jnp.minimum(former, jnp.maximum(size, 0.5 * former)), size)


def largest_entry(residual: Array) -> Array:
    """Largest |f_i|, (); NaN before the first evaluation."""
    largest = jnp.max(jnp.abs(residual))
    return jnp.where(jnp.isinf(largest), jnp.nan, largest)


def moved(point: Array, step: Array) -> Array:
    """`step`, where it would be lost in the rounding of `point` as large as that rounding."""
    least = jnp.finfo(point.dtype).eps * jnp.abs(point)
    return jnp.where(jnp.abs(step) < least, jnp.sign(step) * least, step)


def vanished(
    residual: Array, flat: Array, former: Array, shrinking: Array, multiple: Array
) -> Array:
    """Whether f and its derivative are zero because they underflowed, as exp(x) does; ().

    flat: () bool, the derivative is zero. former: |f| at the point before, infinite if there is
    none. shrinking: () bool, the params tend to zero themselves, as they do for x³: then it is a
    root. multiple: () bool, the steps have shrunk as they do toward a multiple root.
    """
    info = jnp.finfo(residual.dtype)
    tiny = (former < float(info.tiny) / float(info.eps) ** 2) & ~shrinking
    return jnp.all(residual == 0) & flat & (tiny | ~(multiple | jnp.isinf(former)))


class Correction(NamedTuple):
    """f at a point, and Newton's step from there."""

    residual: Array  # (n,)
    step: Array  # (n,), d with J d = −f, or the least squares solution
    descent: Array  # (n,), to the minimum of the linear model of ‖f / scale‖ along its gradient
    lengths: Array  # (n,), of the columns of J / scale: units for lengths of steps
    scale: Array  # (n,), Σ_j |J_ij d_j|: what f is measured by
    size: Array  # (n,), |f_i| + Σ_j |J_ij x_j|
    offset: Array  # (), largest |f_i| / Σ_j |J_ij x_j|: the share of the terms that is left over
    solved: Array  # () bool: the step does solve J d = −f, and it is short beside the params
    finite: Array  # () bool
    vanishing: Array  # () bool: J is zero


def dense_correction(
    params: Array, residual: Array, jacobian: Array, reach: Array, unit: Array
) -> Correction:
    """Newton's step by a factorisation of J (n, n); reach: (n,), magnitudes of the params lately.

    Where the params tend to zero, so do the terms J_ij x_j: those with `reach` take their place, as
    far as they do not exceed `unit`, (n,).
    """
    finite = jnp.isfinite(residual).all() & jnp.isfinite(jacobian).all()
    sizes = jnp.abs(jacobian)
    step = solve_square(jacobian, -residual)
    image = dot(jacobian, step)
    scale = dot(sizes, jnp.abs(step))
    # A param that is zero has no magnitude: a small one compared with the others, in the units of
    # the columns, limits what its rounding can mean.
    columns = jnp.max(sizes * _inverse(jnp.max(sizes, axis=1))[:, None], axis=0)
    least = jnp.finfo(step.dtype).eps ** (1 / 3) * jnp.max(columns * reach) * _inverse(columns)
    own = dot(sizes, jnp.maximum(jnp.abs(params), least))
    reach = jnp.maximum(reach, least)
    size = jnp.maximum(own, jnp.minimum(dot(sizes, reach), unit))
    left, rounding = jnp.abs(residual + image), 16 * jnp.finfo(step.dtype).eps
    # An equation that holds and on which the step has no bearing is measured by its rounding.
    scale = jnp.maximum(scale, rounding * own)
    share = jnp.where(residual == 0, 0.0, jnp.abs(residual) / size)
    weighted = jnp.where(scale > 0, 1 / scale, 0.0)[:, None] * jacobian
    lengths = jnp.sqrt(jnp.sum(weighted * weighted, axis=0))
    slope = dot(jnp.where(scale > 0, residual / scale, 0.0), weighted)
    descent = -jnp.where(lengths > 0, slope / lengths**2, 0.0)
    along = dot(weighted, descent)
    descent = descent * jnp.where((along != 0).any(), -dot(slope, descent) / dot(along, along), 0.0)
    return Correction(
        residual=residual,
        step=step,
        descent=descent,
        lengths=lengths,
        scale=scale,
        size=jnp.abs(residual) + own,
        offset=jnp.max(share),
        solved=(left <= jnp.maximum(1e-3 * scale, rounding * size)).all() & is_short(step, reach),
        finite=finite & jnp.isfinite(step).all(),
        vanishing=jnp.all(jacobian == 0),
    )


def is_short(step: Array, reach: Array) -> Array:
    """Whether a step changes the leading half of the digits of no param."""
    return (jnp.abs(step) <= jnp.finfo(step.dtype).eps ** 0.5 * reach).all()


def solve_square(matrix: Array, b: Array) -> Array:
    """x (n,) with A x = b, whatever the units of rows and columns; where A is singular a basic
    solution of the least squares problem, in which the columns that add nothing have no part.
    """
    rows = _inverse(jnp.max(jnp.abs(matrix), axis=1))
    scaled = matrix * rows[:, None]
    columns = _inverse(jnp.max(jnp.abs(scaled), axis=0))
    scaled, b = scaled * columns, b * rows
    if len(b) > _LIBRARY_ORDER:
        return columns * _solve_library(scaled, b)
    return columns * _solve_by_qr(scaled, b)


def _inverse(size: Array) -> Array:
    return jnp.where((size > 0) & jnp.isfinite(size), 1 / size, 1.0)


def _solve_by_qr(matrix: Array, b: Array) -> Array:
    reduced = pivoted_qr(matrix, b)
    triangle, order = reduced.triangle, reduced.order
    within = jnp.arange(len(b)) < numerical_rank(triangle, len(b))
    # The columns beyond the rank leave the system: ones on the diagonal, zeros on the right.
    both = within[:, None] & within[None, :]
    upper = jnp.where(both, triangle, jnp.eye(len(b), dtype=b.dtype))
    return back_in_place(solve_upper(upper, jnp.where(within, reduced.rotated, 0.0)), order)


def _solve_library(matrix: Array, b: Array) -> Array:
    x = jnp.linalg.solve(matrix, b)
    left = jnp.abs(dot(matrix, x) - b)
    trusted = (left <= 1e-3 * dot(jnp.abs(matrix), jnp.abs(x))).all()
    eps = jnp.finfo(b.dtype).eps
    trusted = trusted & (jnp.max(jnp.abs(x)) * eps * len(b) < jnp.max(jnp.abs(b)))
    return lax.cond(~trusted, lambda: _solve_by_qr(matrix, b), lambda: x)


def krylov_correction(
    problem: RootProblem, params: Array, reach: Array, forcing: Array, method: str
) -> Correction:
    """Newton's step by GMRES or CG to the relative accuracy `forcing`, from products with J."""
    residual, product = jax.linearize(problem.residual, params)
    solver = jax.scipy.sparse.linalg.cg if method == "cg" else jax.scipy.sparse.linalg.gmres
    step, _ = solver(product, -residual, tol=forcing, maxiter=_MAX_RESTARTS)
    image = product(step)
    length = norm(residual)
    left = norm(residual + image)
    share = share_of_terms(problem, params, residual, reach)
    return Correction(
        residual=residual,
        step=step,
        descent=step,
        lengths=jnp.ones_like(step),
        scale=jnp.full_like(residual, length),
        size=jnp.full_like(residual, size_from(length, share)),
        offset=share,
        solved=(left <= 0.5 * length) & is_short(step, reach),
        finite=jnp.isfinite(residual).all() & jnp.isfinite(step).all(),
        vanishing=jnp.all(product(jnp.ones_like(params)) == 0),
    )


def share_of_terms(problem: RootProblem, params: Array, residual: Array, reach: Array) -> Array:
    """‖f‖ relative to that of the terms J_ij x_j whose sum it is, (), from one product with J.

    The size of the terms is estimated by their sum with random signs: its expected square is
    the sum of their squares. reach: (n,), magnitudes of the params.
    """
    signs = jax.random.rademacher(jax.random.key(0), params.shape, params.dtype)
    _, terms = jax.jvp(problem.residual, (params,), (signs * reach,))
    length = norm(residual)
    return jnp.where(length > 0, length / norm(terms), 0.0)


def size_from(length: Array, share: Array) -> Array:
    """‖f‖ and that of the terms together, (), where ‖f‖ is this share of them."""
    return length + jnp.where(share > 0, length / jnp.where(share > 0, share, 1.0), 0.0)


def inverse_of(matrix: Array) -> Array:
    """A⁻¹ (n, n), or the pseudo-inverse, whatever the units of rows and columns."""
    rows = _inverse(jnp.max(jnp.abs(matrix), axis=1))
    columns = _inverse(jnp.max(jnp.abs(matrix) * rows[:, None], axis=0))
    scaled = matrix * rows[:, None] * columns
    scaled = jnp.where(jnp.isfinite(scaled).all(), scaled, jnp.nan)
    return columns[:, None] * jnp.linalg.pinv(scaled) * rows
