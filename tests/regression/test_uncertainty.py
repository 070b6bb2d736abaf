"""Covariance, standard errors and goodness of fit, against NIST, SciPy and closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from benchmarks.problems import nist
from mvopt import LevenbergMarquardt, Status, curve_fit
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.regression.uncertainty import chi2_p_value, uncertainty

X = np.linspace(0, 2, 12)
Y = 1 + 2 * X + 0.1 * np.random.default_rng(0).normal(size=12)


def line(x, b):
    return b[0] + b[1] * x


def two_equal_columns(x, b):
    """b[0] and b[2] are not determined, only their sum; b[1] is."""
    return b[0] + b[1] * x + b[2]


def unused(x, b):
    return b[0] + 0 * b[1] + b[2] * x


def linear_problem(design, y, **bounds):
    return LeastSquaresProblem(lambda p: design @ p - y, **bounds)


@pytest.mark.parametrize("name", ["MGH10", "Bennett5"])
def test_standard_errors_of_nist(name):
    problem = nist.load(name)
    fit = curve_fit(problem.model, problem.x, problem.y, problem.starts, in_axes=(None, None, 0))
    assert (fit.status == Status.CONVERGED).all()
    for params, stderr in zip(fit.params, fit.stderr, strict=True):
        assert nist.worst_lre(params, problem.certified) >= 6
        assert nist.worst_lre(stderr, problem.stderr) >= 5
    np.testing.assert_allclose(fit.chi2, problem.rss, rtol=1e-6)
    np.testing.assert_allclose(fit.reduced_chi2**0.5, problem.residual_std, rtol=1e-6)


@pytest.mark.parametrize("scale", [(1.0, 1.0, 1.0), (1e12, 1.0, 1e-12)], ids=["plain", "scaled"])
@pytest.mark.parametrize("closeness", [1.0, 1e-3, 1e-6])
def test_inverse_of_ever_worse_designs(scale, closeness):
    rng = np.random.default_rng(5)
    design = rng.normal(size=(30, 3))
    design[:, 2] = design[:, 1] + closeness * design[:, 2]
    inverse = np.linalg.inv(np.linalg.qr(design)[1])
    inverse = inverse @ inverse.T / np.outer(scale, scale)
    found = uncertainty(linear_problem(jnp.asarray(design * scale), jnp.zeros(30)), jnp.ones(3))
    assert not found.rank_deficient
    np.testing.assert_allclose(found.inverse, inverse, rtol=1e-8 / closeness, atol=0)


def test_rank_deficiency_is_infinite_for_the_params_concerned_only(dtype):
    start = np.array([0.0, 0.0, 0.0], dtype)
    fit = curve_fit(two_equal_columns, np.asarray(X, dtype), np.asarray(Y, dtype), start)
    assert fit.status == Status.SINGULAR
    np.testing.assert_array_equal(np.isinf(fit.stderr), [True, False, True])
    expected = curve_fit(line, X, Y, np.zeros(2))
    # The scale of the errors is divided by dof, which counts every parameter.
    ratio = np.sqrt(10 / 9)
    np.testing.assert_allclose(fit.stderr[1], ratio * expected.stderr[1], rtol=1e-4)
    np.testing.assert_allclose(fit.params[0] + fit.params[2], expected.params[0], rtol=1e-4)
    np.testing.assert_allclose(fit.chi2, expected.chi2, rtol=1e-4)
    inf = np.isinf(np.asarray(fit.covariance))
    np.testing.assert_array_equal(inf, [[1, 1, 1], [1, 0, 1], [1, 1, 1]])


def test_a_param_without_influence_is_infinite_the_others_are_not():
    fit = curve_fit(unused, X, Y, np.array([0.0, 7.0, 0.0]))
    assert fit.status == Status.SINGULAR
    np.testing.assert_array_equal(np.isinf(fit.stderr), [False, True, False])
    assert fit.params[1] == 7
    expected = curve_fit(line, X, Y, np.zeros(2), absolute_sigma=True)
    found = curve_fit(unused, X, Y, np.array([0.0, 7.0, 0.0]), absolute_sigma=True)
    np.testing.assert_allclose(found.stderr[jnp.array([0, 2])], expected.stderr, rtol=1e-9)


def test_a_param_on_its_bound_is_infinite_the_others_are_not():
    bounds = (np.array([1.3, -9.0]), np.array([9.0, 9.0]))
    fit = curve_fit(line, X, Y, np.array([2.0, 0.0]), bounds=bounds, absolute_sigma=True)
    assert fit.status == Status.CONVERGED
    assert fit.params[0] == 1.3
    np.testing.assert_array_equal(np.isinf(fit.stderr), [True, False])
    np.testing.assert_allclose(fit.stderr[1], 1 / np.linalg.norm(X), rtol=1e-9)
    np.testing.assert_allclose(fit.params[1], X @ (Y - 1.3) / (X @ X), rtol=1e-9)


def test_a_bound_that_is_not_reached_changes_nothing():
    bounds = (np.array([-9.0, -9.0]), np.array([9.0, 9.0]))
    fit = curve_fit(line, X, Y, np.zeros(2), bounds=bounds)
    expected = curve_fit(line, X, Y, np.zeros(2))
    np.testing.assert_allclose(fit.covariance, expected.covariance, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_errors_follow_the_units(size):
    plain = curve_fit(line, X, Y, np.zeros(2))
    fit = curve_fit(line, X * size, Y / size, np.zeros(2))
    units = np.array([1 / size, 1 / size**2])
    np.testing.assert_allclose(fit.stderr, plain.stderr * units, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, plain.covariance * np.outer(units, units), rtol=1e-9)


def test_p_value_equals_scipy(dtype):
    chi2, dof = np.meshgrid([1e-3, 0.5, 3.0, 40.0, 300.0], [1, 2, 7, 100])
    found = chi2_p_value(jnp.asarray(chi2, dtype), jnp.asarray(dof))
    assert found.dtype == dtype
    expected = scipy.stats.chi2.sf(chi2, dof)
    rtol = 1e-4 if dtype == jnp.float32 else 1e-10
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-30)


def test_no_degrees_of_freedom_have_no_p_value():
    assert jnp.isnan(chi2_p_value(jnp.array(1.0), jnp.array(0)))
    fit = curve_fit(line, X[:2], Y[:2], np.zeros(2), np.ones(2))
    assert fit.dof == 0
    assert jnp.isnan(fit.p_value)
    assert jnp.isnan(fit.reduced_chi2)
    assert jnp.isinf(fit.stderr).all()
    known = curve_fit(line, X[:2], Y[:2], np.zeros(2), np.ones(2), absolute_sigma=True)
    np.testing.assert_allclose(known.stderr, [1, np.sqrt(2) / X[1]], rtol=1e-9)


def test_errors_cover_the_truth_as_often_as_they_should():
    rng = np.random.default_rng(11)
    y = 1 + 2 * X + 0.3 * rng.normal(size=(2000, 12))
    fit = curve_fit(
        line, X, y, np.zeros(2), np.full(12, 0.3), absolute_sigma=True, in_axes=(None, 0)
    )
    pulls = (np.asarray(fit.params) - [1, 2]) / fit.stderr
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(pulls.mean(axis=0), 0, atol=0.08)
    assert scipy.stats.kstest(fit.p_value, "uniform").pvalue > 1e-3


def parabola(x, b):
    return b[0] + b[1] * x**2


def test_a_param_that_comes_out_as_zero_and_a_perfect_fit_have_their_errors():
    """The noise is odd and the model is even, so that zero comes out to the last digits."""
    x, sigma = np.linspace(-1, 1, 20), np.full(20, 0.1)
    noise, design = 0.01 * x**3, np.stack([np.ones(20), x**2], axis=1)
    truth = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    y = np.concatenate([truth @ design.T + noise, truth @ design.T])
    # A solver that is asked for takes its steps, also where the model is linear.
    options = {"absolute_sigma": True, "solver": LevenbergMarquardt(), "in_axes": (None, 0)}
    for start in (np.zeros(2), np.ones(2)):
        fit = curve_fit(parabola, x, y, start, sigma, **options)
        assert (fit.status == Status.CONVERGED).all()
        np.testing.assert_allclose(fit.params, np.concatenate([truth, truth]), atol=1e-12)
        for covariance in fit.covariance:
            expected = 0.01 * np.linalg.inv(design.T @ design)
            np.testing.assert_allclose(covariance, expected, rtol=1e-9)


def test_a_start_on_a_bound_leaves_it_and_has_the_error_of_a_free_param():
    bounds = (np.array([-9.0, 0.0]), np.array([9.0, 9.0]))
    fit = curve_fit(line, X, Y, np.zeros(2), bounds=bounds)
    free = curve_fit(line, X, Y, np.zeros(2))
    assert fit.status == Status.CONVERGED
    np.testing.assert_allclose(fit.params, free.params, rtol=1e-8)
    np.testing.assert_allclose(fit.stderr, free.stderr, rtol=1e-8)
