"""Minima at vertices, on edges and inside of boxes, and what satisfies the conditions exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import (
    BFGS,
    LBFGS,
    GradientDescent,
    NonlinearCG,
    Status,
    TrustRegionNewton,
    minimize,
)

SOLVERS = [
    *(TrustRegionNewton(), TrustRegionNewton(hessian="products")),
    *(BFGS(), LBFGS(), NonlinearCG(), GradientDescent()),
]
every_solver = pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)
BOX = (-1.0, 2.0)


@every_solver
def test_a_linear_objective_ends_at_its_vertex(solver):
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(300, 4)) * 10.0 ** rng.integers(-3, 4, (300, 4))
    found = minimize(
        lambda x, c: jnp.sum(c * x),
        np.zeros((300, 4)),
        (slopes,),
        bounds=BOX,
        solver=solver,
        in_axes=0,
    )
    np.testing.assert_array_equal(found.params, np.where(slopes > 0, *BOX))
    assert (found.status == Status.CONVERGED).all()


@every_solver
def test_each_variable_of_a_sum_finds_its_own_minimum(solver):
    """w (exp(x − a) − x + a) has its minimum at a, or at the bound next to it."""
    rng = np.random.default_rng(1)
    a, w = rng.uniform(-3, 3, (100, 3)), 10.0 ** rng.uniform(-2, 2, (100, 3))
    found = minimize(
        lambda x, a, w: jnp.sum(w * (jnp.exp(x - a) - (x - a))),
        np.zeros((100, 3)),
        (a, w),
        bounds=BOX,
        solver=solver,
        in_axes=0,
    )
    converged = found.status == Status.CONVERGED
    assert converged.mean() >= (0.8 if isinstance(solver, GradientDescent) else 1)
    at = np.clip(a, *BOX)
    lowest = np.sum(w * (np.exp(at - a) - (at - a)), axis=1)
    np.testing.assert_allclose(found.value[converged], lowest[converged], rtol=1e-8)


@every_solver
def test_what_satisfies_the_conditions_exactly_has_converged(solver):
    """A variable without influence beside one on its bound, and a constant."""
    free = minimize(lambda x: -x[0], np.zeros(2), bounds=(-1.0, 1.0), solver=solver)
    assert free.status == Status.CONVERGED
    np.testing.assert_array_equal(free.params, [1, 0])
    constant = minimize(lambda x: 3 + 0 * x[0], np.ones(2), solver=solver)
    assert constant.status == Status.CONVERGED
    assert constant.value == 3


def test_a_norm_that_rounds_below_the_radius_loses_no_lane():
    """The product of the ends of the interval for the damping was flushed to zero, and NaN came."""
    slopes = np.random.default_rng(0).normal(size=(2000, 5)) * [1e3, 1.0, 1e-3, 1.0, 30.0]
    found = jax.jit(
        lambda c: minimize(
            lambda x, c: jnp.sum(c * x), np.zeros((2000, 5)), (c,), bounds=BOX, in_axes=0
        )
    )(slopes)
    np.testing.assert_array_equal(found.params, np.where(slopes > 0, *BOX))
