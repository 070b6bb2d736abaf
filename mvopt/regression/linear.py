"""`linear_fit`: models that are linear in their parameters, in closed form."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt._types import Array, Fit, Status
from mvopt.families.linearization import LeastSquaresProblem, residual_and_jacobian
from mvopt.iteration.axes import Layout, split_given
from mvopt.iteration.blocks import in_blocks, lanes_for
from mvopt.iteration.lanes import in_chunks
from mvopt.linalg.products import dot
from mvopt.linalg.qr import back_in_place, leading_part, pivoted_qr
from mvopt.linalg.triangular import solve_upper
from mvopt.regression.data import check_like, points_of
from mvopt.regression.uncertainty import uncertainty
from mvopt.regression.worth import root_of_variance, worth


def linear_fit(
    design: Any,
    y: Any,
    sigma: Any = None,
    *,
    mask: Any = None,
    absolute_sigma: bool = False,
    in_axes: Any = None,
) -> Fit:
    """Fit y ≈ design @ params by weighted least squares, for one data set or many at once.

    design: (m, n), a column for each parameter: `jnp.vander(x, 3)` for a parabola, say. y: (m,).
    sigma, mask, absolute_sigma: as of `curve_fit`; sigma may be a covariance matrix (m, m).
    in_axes: as in `jax.vmap`, over `(design, y, sigma, mask)`; None is one data set.

    By orthogonal elimination with column pivoting (Björck 1967) of columns scaled to one length;
    the normal equations would lose twice the digits. A parameter that the data do not determine is
    zero, with an infinite standard error, and the status SINGULAR. Raises ValueError for shapes
    that do not fit.
    """
    data = tuple(None if each is None else jnp.asarray(each) for each in (design, y, sigma, mask))
    names = ("design", "y", "sigma", "mask")
    layout, rows, shared, size = split_given(data, in_axes, names)
    setup = _Setup(layout, absolute_sigma)
    if size is None:
        return jax.tree.map(lambda leaf: leaf[0], _fit_rows(setup, [], shared))
    return in_blocks(lambda rows, _: _fit_rows(setup, rows, shared), rows, size)


class _Setup(NamedTuple):
    layout: Layout
    absolute_sigma: bool


@partial(jax.jit, static_argnames="setup")
def _fit_rows(setup: _Setup, rows: list[Array], shared: list[Array]) -> Fit:
    design, y, sigma, mask = setup.layout.join([leaf[0] for leaf in rows], shared)
    _check(design, y, sigma, mask)
    numbers = 3 * design.size + 4 * y.size + 6 * design.shape[1] ** 2
    lanes = lanes_for(numbers * y.dtype.itemsize, len(rows[0]) if rows else None)

    def fit(row: list[Array]) -> Fit:
        return _fit(*setup.layout.join(row, shared), absolute_sigma=setup.absolute_sigma)

    return in_chunks(fit, rows, lanes)


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
    design: Array, y: Array, sigma: Array | None, mask: Array | None, *, absolute_sigma: bool
) -> Fit:
    dtype = jnp.result_type(design, y, jnp.float32)
    design, y = design.astype(dtype), y.astype(dtype)
    sigma = None if sigma is None else sigma.astype(dtype)
    # The points lie along the last axis, where those left out are replaced.
    points = points_of(design.T, y, sigma, mask, design.shape[1])
    problem = LeastSquaresProblem(lambda params: points.residual(dot(params, points.x)))
    params = solve_linear(problem, jnp.zeros(design.shape[1], dtype))
    finite = jnp.isfinite(params).all()
    status = jnp.where(finite, Status.CONVERGED, Status.NONFINITE)
    found = uncertainty(problem, params)
    judged = worth(
        points, found, status, absolute_sigma=absolute_sigma, has_sigma=sigma is not None
    )
    return Fit(
        params=params,
        covariance=judged.covariance,
        stderr=root_of_variance(jnp.diagonal(judged.covariance)),
        chi2=found.chi2,
        reduced_chi2=judged.reduced_chi2,
        p_value=judged.p_value,
        dof=judged.dof,
        status=judged.status,
        num_steps=jnp.ones((), jnp.int32),
    )


def solve_linear(problem: LeastSquaresProblem, start: Array) -> Array:
    """The minimum, (n,), of a problem whose residual is linear."""
    residual, rows = residual_and_jacobian(problem, start)
    lengths = jnp.sqrt(jnp.sum(rows * rows, axis=1))
    lengths = jnp.where(lengths > 0, lengths, 1.0)
    scaled = rows / lengths[:, None]
    reduced = pivoted_qr(scaled.T, -residual)
    within, upper = leading_part(reduced.triangle, len(residual))
    step = solve_upper(upper, jnp.where(within, reduced.rotated, 0.0))
    return start + back_in_place(step, reduced.order) / lengths
