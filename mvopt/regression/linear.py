"""`linear_fit`: models that are linear in their parameters, in closed form."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.axes import Layout, split_given
from mvopt.iteration.blocks import in_blocks, lanes_for
from mvopt.iteration.lanes import in_chunks
from mvopt.linalg.doubled import Doubled, total, two_product, two_sum
from mvopt.linalg.products import dot
from mvopt.linalg.qr import back_in_place, in_order, leading_part, pivoted_qr
from mvopt.linalg.triangular import solve_lower, solve_upper
from mvopt.regression.data import check_like, omits_nan, points_of, without_nan
from mvopt.regression.fit import About, Fit
from mvopt.regression.worth import Knowledge, root_of_variance, worth

# On 20,000 sets of 25 points and 3 columns two rounds make a fit take half as long again. They
# reach the last digit on NIST's sets in float64; one falls short on the worst, a third adds none.
_ROUNDS = 2


def linear_fit(
    design: Any,
    y: Any,
    sigma: Any = None,
    *,
    mask: Any = None,
    absolute_sigma: bool = False,
    nan_policy: str = "propagate",
    in_axes: Any = None,
) -> Fit:
    """Fit y ≈ design @ params by weighted least squares, for one data set or many at once.

    design: (m, n), a column for each parameter: `jnp.vander(x, 3)` for a parabola, say. y: (m,).
    sigma, mask, absolute_sigma, nan_policy: as of `curve_fit`; sigma may be a covariance matrix
    (m, m). A NaN in a row of the design is one in x.
    in_axes: as in `jax.vmap`, over `(design, y, sigma, mask)`; None is one data set.

    By orthogonal elimination with column pivoting (Björck 1967) of columns scaled to one length;
    the normal equations would lose twice the digits. What it loses to an ill-conditioned design,
    refinement with residuals in doubled precision brings back. A parameter that the data do not
    determine is zero, with an infinite standard error, and the status SINGULAR. Raises ValueError
    for shapes that do not fit and for an unknown nan_policy.
    """
    given = (design, y, sigma, mask)
    data = tuple(None if each is None else _tree.as_leaf(each) for each in given)
    names = ("design", "y", "sigma", "mask")
    layout, rows, shared, size = split_given(data, in_axes, names)
    setup = _Setup(layout, absolute_sigma, omits_nan(nan_policy))
    if size is None:
        return _fit_rows(setup, [], shared)
    return in_blocks(lambda rows, _: _fit_rows(setup, rows, shared), rows, size)


class _Setup(NamedTuple):
    layout: Layout
    absolute_sigma: bool
    omit_nan: bool


@partial(jax.jit, static_argnames="setup")
def _fit_rows(setup: _Setup, rows: list[Array], shared: list[Array]) -> Fit:
    design, y, sigma, mask = setup.layout.join([leaf[0] for leaf in rows], shared)
    _check(design, y, sigma, mask)
    numbers = 3 * design.size + 4 * y.size + 6 * design.shape[1] ** 2
    lanes = lanes_for(numbers * y.dtype.itemsize, len(rows[0]) if rows else None)

    def fit(row: list[Array]) -> Fit:
        return _fit(setup, *setup.layout.join(row, shared))

    fits = in_chunks(fit, rows, lanes)
    return fits if rows else _tree.take(fits, 0)


def _check(design: Array, y: Array, sigma: Array | None, mask: Array | None) -> None:
    if design.ndim != 2 or y.ndim != 1 or len(design) != len(y):
        raise ValueError(
            f"design must have a row for each y and a column for each parameter, but it has shape "
            f"{design.shape} and y {y.shape}"
        )
    for name, given in (("design", design), ("y", y)):
        if jnp.issubdtype(given.dtype, jnp.complexfloating):
            raise TypeError(f"{name} is complex: split it into real and imaginary part")
    check_like("sigma", sigma, y, matrix=True)
    check_like("mask", mask, y, matrix=False)


def _fit(
    setup: _Setup, design: Array, y: Array, sigma: Array | None = None, mask: Array | None = None
) -> Fit:
    dtype = jnp.result_type(design, y, jnp.float32)
    design, y = design.astype(dtype), y.astype(dtype)
    sigma = None if sigma is None else sigma.astype(dtype)
    # The points lie along the last axis, where those left out are replaced.
    if setup.omit_nan:
        mask = without_nan(design.T, y, (sigma,), mask)
    points = points_of(design.T, y, sigma, mask, design.shape[1]).refused()
    problem = LeastSquaresProblem(lambda params: points.residual(dot(params, points.x)))
    params = solve_linear(problem, jnp.zeros(design.shape[1], dtype))
    params = jnp.where(points.sound, params, jnp.nan)
    finite = jnp.isfinite(params).all()
    status = jnp.where(finite, Status.CONVERGED, Status.NONFINITE)
    knowledge = Knowledge(sigma is not None, setup.absolute_sigma)
    judged = worth(points, None, problem, params, status, knowledge)
    return Fit(
        params=params,
        stderr=root_of_variance(jnp.diagonal(judged.covariance)),
        num_steps=jnp.ones((), jnp.int32),
        about=About("linear combination", known_scale=setup.absolute_sigma),
        **judged._asdict(),
    )


def solve_linear(problem: LeastSquaresProblem, start: Array, *, refine: bool = True) -> Array:
    """The minimum, (n,), of a problem whose residual is linear.

    refine: without it an ill-conditioned problem costs digits, and a fit a third less time.
    """
    _, residual, rows = problem.evaluate(start)
    lengths = jnp.sqrt(jnp.sum(rows * rows, axis=1))
    lengths = jnp.where(lengths > 0, lengths, 1.0)
    scaled = rows / lengths[:, None]
    reduced = pivoted_qr(scaled.T, -residual)
    within, upper = leading_part(reduced.triangle, len(residual))
    factor = _Factor(upper, within, reduced.order, lengths)
    image = jnp.where(within, reduced.rotated, 0.0)
    step = factor.step(image)
    if not refine:
        return start + step
    refined = _refined(*lax.stop_gradient((rows, residual, factor, step, image)))
    # The derivatives are those of the elimination.
    return start + (step + lax.stop_gradient(refined - step))


class _Factor(NamedTuple):
    """R of J (m, n), its columns scaled and in the order of their elimination."""

    upper: Array  # (n, n), the identity beyond the rank
    within: Array  # (n,) bool
    order: Array  # (n,)
    lengths: Array  # (n,)

    def step(self, image: Array) -> Array:
        """R⁻¹ image, (n,)."""
        return back_in_place(solve_upper(self.upper, image), self.order) / self.lengths

    def image(self, gradient: Array) -> Array:
        """R⁻ᵀ gradient, (n,)."""
        ordered = in_order(gradient / self.lengths, self.order)
        return solve_lower(self.upper.T, jnp.where(self.within, ordered, 0.0))


def _refined(rows: Array, residual: Array, factor: _Factor, step: Array, image: Array) -> Array:
    """The minimum of ‖r₀ + J δ‖², (n,), from a δ near it; `image` is the Qᵀr of the way there.

    Iterative refinement of the system r = r₀ + J δ, Jᵀr = 0, its residuals in doubled precision
    (Björck 1967; Demmel, Hida, Riedy and Li 2009). With r formed from δ in doubled precision the
    first equation holds, and of the correction the seminormal equations RᵀR Δ = −Jᵀr are left
    (Björck 1987). Each round divides the error by about 1 / (eps · condition number).
    """

    def improve(_: Any, state: tuple[Doubled, Array]) -> tuple[Doubled, Array]:
        estimate, size = state
        image = factor.image(_gradient(rows, residual, estimate))
        now = jnp.sum(image * image)
        # What no longer shrinks is rounding, and what is not finite an overflow.
        change = jnp.where(now < size, factor.step(image), 0.0)
        return estimate.plus(-change), jnp.minimum(now, size)

    start = Doubled(step, jnp.zeros_like(step))
    estimate, _ = lax.fori_loop(0, _ROUNDS, improve, (start, jnp.sum(image * image)))
    return estimate.rounded()


def _gradient(rows: Array, residual: Array, step: Doubled) -> Array:
    """Jᵀ(r₀ + J δ), (n,), as if in doubled precision throughout."""

    def add(misfit: Doubled, column: tuple[Array, Array, Array]) -> tuple[Doubled, None]:
        row, high, low = column
        product = two_product(row, high)
        sum_, error = two_sum(misfit.high, product.high)
        return Doubled(sum_, misfit.low + (error + product.low + row * low)), None

    misfit = Doubled(residual, jnp.zeros_like(residual))
    misfit, _ = lax.scan(add, misfit, (rows, *step))

    def along(row: Array) -> Array:
        high, low = two_product(row, misfit.high)
        return total(Doubled(high, low + row * misfit.low)).rounded()

    return lax.map(along, rows)
