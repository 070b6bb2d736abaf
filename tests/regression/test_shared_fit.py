"""Global fits against one dense fit of all members."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from mvopt import Regression, Status

X = np.linspace(0, 5, 25)
RNG = np.random.default_rng(1)
OWN = RNG.uniform(0.5, 3, (7, 2))
Y = OWN[:, :1] * np.exp(-X / 1.3) + OWN[:, 1:] * np.exp(-(((X - 3) / 0.5) ** 2))
Y = Y + 0.05 * RNG.normal(size=Y.shape)
GROUPS = np.array(["b", "a", "b", "b", "a", "b", "b"])
START = np.array([1.0, 1.0, 1.0, 2.7])


def model(x, p):
    return p[0] * jnp.exp(-x / p[1]) + p[2] * jnp.exp(-(((x - p[3]) / 0.5) ** 2))


def dense(y):
    count = len(y)

    def residual(q):
        own = q[2:].reshape(count, 2)
        curves = own[:, :1] * np.exp(-X / q[0]) + own[:, 1:] * np.exp(-(((X - q[1]) / 0.5) ** 2))
        return (curves - y).ravel()

    start = np.concatenate([[1.0, 2.7], np.ones(2 * count)])
    found = scipy.optimize.least_squares(
        residual, start, jac="3-point", xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    covariance = np.linalg.inv(found.jac.T @ found.jac)
    return found.x, covariance * 2 * found.cost / (y.size - found.x.size), 2 * found.cost


@pytest.fixture(scope="module")
def fit():
    return Regression(model, X, Y, START, in_axes=(None, 0)).fit_shared([1, 3], GROUPS)


@pytest.mark.parametrize("label", ["a", "b"])
def test_equals_a_dense_fit(fit, label):
    rows = np.flatnonzero(label == GROUPS)
    params, covariance, chi2 = dense(Y[rows])
    found, errors = np.asarray(fit.params)[rows], np.asarray(fit.stderr)[rows]
    expected = np.sqrt(np.diag(covariance))
    assert np.all(fit.status[rows] == Status.CONVERGED)
    np.testing.assert_allclose(found[:, [1, 3]], np.tile(params[:2], (len(rows), 1)), rtol=1e-8)
    np.testing.assert_allclose(found[:, [0, 2]].ravel(), params[2:], rtol=1e-8)
    np.testing.assert_allclose(errors[:, [1, 3]], np.tile(expected[:2], (len(rows), 1)), rtol=1e-5)
    np.testing.assert_allclose(errors[:, [0, 2]].ravel(), expected[2:], rtol=1e-5)
    np.testing.assert_allclose(fit.covariance[rows[1], 0, 1], covariance[4, 0], rtol=1e-5)
    np.testing.assert_allclose(fit.chi2[rows], chi2, rtol=1e-9)
    assert np.all(fit.dof[rows] == 25 * len(rows) - 2 - 2 * len(rows))


def test_a_bad_member_spoils_its_group_alone():
    y = Y.copy()
    y[1, 3] = np.nan
    bad = Regression(model, X, y, START, in_axes=(None, 0)).fit_shared([1, 3], GROUPS)
    assert np.all(bad.status[GROUPS == "a"] == Status.NONFINITE)
    assert np.all(bad.status[GROUPS == "b"] == Status.CONVERGED)


def test_bounds_hold():
    bounds = (np.array([0, 0, 0, 3.05]), np.array([9.0, 9, 1, 9]))
    bounded = Regression(model, X, Y, START, bounds=bounds, in_axes=(None, 0)).fit_shared([1, 3])
    np.testing.assert_allclose(bounded.params[:, 3], 3.05)
    assert np.isinf(bounded.stderr[:, 3]).all()
    assert bounded.params[:, 2].max() == 1
    assert np.isfinite(bounded.stderr[:, 0]).all()


@pytest.mark.parametrize(
    ("shared", "options", "message"),
    [
        ([0, 1, 2, 3], {}, "not all of them"),
        (["tau"], {}, "give indices"),
        ([1], {"prior": (START, np.ones(4))}, "priors"),
    ],
)
def test_errors_say_what_to_do(shared, options, message):
    with pytest.raises(ValueError, match=message):
        Regression(model, X, Y, START, in_axes=(None, 0), **options).fit_shared(shared)


def decay(x, p):
    return p[0] * jnp.exp(-x / p[1])


def test_members_may_have_other_abscissas_and_lengths():
    rng = np.random.default_rng(5)
    lengths = np.array([25, 14, 8])
    mask = np.arange(25) < lengths[:, None]
    x = np.sort(rng.uniform(0, 5, (3, 25)), axis=1)
    heights = np.array([[3.0], [2.0], [1.0]])
    y = heights * np.exp(-x / 1.3) + 0.02 * rng.normal(size=x.shape)
    padded = [np.where(mask, part, np.nan) for part in (x, y)]
    axes = (0, 0, None, None, 0)
    members = Regression(decay, *padded, np.ones(2), mask=mask, in_axes=axes)
    fit = members.fit_shared([1])

    def residual(q):
        return (q[1:, None] * np.exp(-x / q[0]) - y)[mask]

    found = scipy.optimize.least_squares(residual, np.ones(4), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    covariance = np.linalg.inv(found.jac.T @ found.jac) * 2 * found.cost / (lengths.sum() - 4)
    expected = np.sqrt(np.diag(covariance))
    assert np.all(fit.status == Status.CONVERGED)
    assert np.all(fit.dof == lengths.sum() - 4)
    np.testing.assert_allclose(fit.params[:, 1], found.x[0], rtol=1e-7)
    np.testing.assert_allclose(fit.params[:, 0], found.x[1:], rtol=1e-7)
    np.testing.assert_allclose(fit.stderr[:, 1], expected[0], rtol=1e-5)
    np.testing.assert_allclose(fit.stderr[:, 0], expected[1:], rtol=1e-5)
