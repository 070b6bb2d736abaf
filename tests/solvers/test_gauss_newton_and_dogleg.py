"""The other two methods on the shared trust-region iteration, free and bounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares

from benchmarks.problems import nist
from mvopt import Dogleg, GaussNewton, LevenbergMarquardt, Status, least_squares

SOLVERS = pytest.mark.parametrize(
    "solver", [Dogleg(), GaussNewton()], ids=lambda s: type(s).__name__
)


def rosenbrock(x):
    return jnp.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def scaled_rosenbrock(x):
    return 1e-9 * rosenbrock(x * jnp.array([1e-15, 1e15]))


@SOLVERS
def test_rosenbrock_in_any_units(solver):
    plain = least_squares(rosenbrock, [-1.2, 1.0], solver=solver)
    scaled = least_squares(scaled_rosenbrock, [-1.2e15, 1e-15], solver=solver)
    np.testing.assert_allclose(plain.params, [1, 1], rtol=1e-10)
    np.testing.assert_allclose(scaled.params, [1e15, 1e-15], rtol=1e-10)
    assert plain.status == scaled.status == Status.CONVERGED


@SOLVERS
@pytest.mark.parametrize("bounds", [([-2, -2], [0.5, 3]), ([-2, 1.5], [2, 3])])
def test_bounds_as_scipy(solver, bounds):
    start = np.clip([-1.2, 1.0], np.add(bounds[0], 1e-9), np.subtract(bounds[1], 1e-9))
    tight = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)
    expected = scipy_least_squares(
        lambda x: np.asarray(rosenbrock(x)), start, bounds=bounds, **tight
    )
    found = least_squares(rosenbrock, [-1.2, 1.0], solver=solver, bounds=bounds)
    np.testing.assert_allclose(found.params, expected.x, rtol=1e-6)
    np.testing.assert_allclose(found.value, expected.cost, rtol=1e-9)
    assert found.status == Status.CONVERGED


@SOLVERS
@pytest.mark.parametrize("name", ["Misra1a", "Thurber"])
def test_nist_from_the_near_start(solver, name):
    problem = nist.load(name)
    model = problem.model

    def residual(b, x, y):
        return model(x, b) - y

    found = least_squares(residual, problem.starts[1], (problem.x, problem.y), solver=solver)
    assert nist.worst_lre(found.params, problem.certified) >= 6
    assert found.status == Status.CONVERGED


@SOLVERS
def test_a_nan_in_one_lane_leaves_the_others(solver):
    def residual(x, shift):
        return rosenbrock(x) + shift

    shifts = np.array([0.0, np.nan, 0.1])
    found = least_squares(residual, [-1.2, 1.0], (shifts,), solver=solver, in_axes=(None, 0))
    alone = least_squares(
        residual, [-1.2, 1.0], (shifts[[0, 2]],), solver=solver, in_axes=(None, 0)
    )
    converged, bad = Status.CONVERGED, Status.NONFINITE
    assert found.status.tolist() == [converged, bad, converged]
    np.testing.assert_array_equal(found.params[np.array([0, 2])], alone.params)


def cubic_plate(x):
    """A cubic term on a square plate, by differences: J is singular where the sum is least."""
    inner = x.reshape(10, 10)
    u = jnp.pad(inner, 1)
    across = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return (across - 4 * inner + inner**3).ravel()


@pytest.mark.parametrize("solver", [LevenbergMarquardt(), Dogleg(), GaussNewton()], ids=type)
def test_a_minimum_at_which_j_is_singular(solver):
    """All of r seems to be removable in one step there, and the model promises what never comes."""
    found = least_squares(cubic_plate, np.ones(100), solver=solver, max_steps=1000)
    assert found.status == Status.CONVERGED
    cost = lambda x: 0.5 * jnp.sum(cubic_plate(x) ** 2)
    gradient, hessian = jax.grad(cost)(found.params), jax.hessian(cost)(found.params)
    assert np.linalg.eigvalsh(hessian)[0] > 0.1
    assert 0.5 * gradient @ np.linalg.solve(hessian, gradient) < 1e-11 * found.value
    # From here SciPy 1.18 reaches it by `trf`; Gauss–Newton ends at another minimum.
    assert found.value < 0.7463
    if not isinstance(solver, GaussNewton):
        np.testing.assert_allclose(found.value, 0.28732461797, rtol=1e-9)
