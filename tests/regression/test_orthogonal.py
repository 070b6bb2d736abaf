"""Errors in x against the same problem written out with every true x as a parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from mvopt import Status, curve_fit

RNG = np.random.default_rng(5)
TRUE = np.linspace(0, 5, 20)
X = TRUE + 0.1 * RNG.normal(size=20)
Y = 3 * np.exp(-TRUE / 1.5) + 0.5 + 0.05 * RNG.normal(size=20)
SIGMA, SIGMA_X = np.full(20, 0.05), np.linspace(0.05, 0.15, 20)
START = np.array([2.0, 1.0, 0.1])


def decay(x, p):
    return p[0] * jnp.exp(-x / p[1]) + p[2]


def fit(y, **options):
    return curve_fit(decay, X, y, START, SIGMA, sigma_x=SIGMA_X, absolute_sigma=True, **options)


def test_equals_the_written_out_problem():
    def residual(q):
        p, moved = q[:3], q[3:]
        values = p[0] * np.exp(-(X + moved) / p[1]) + p[2]
        return np.concatenate([(values - Y) / SIGMA, moved / SIGMA_X])

    found = fit(Y)
    expected = scipy.optimize.least_squares(
        residual, np.concatenate([START, np.zeros(20)]), jac="3-point",
        xtol=1e-15, ftol=1e-15, gtol=1e-15,
    )  # fmt: skip
    covariance = np.linalg.inv(expected.jac.T @ expected.jac)[:3, :3]
    assert found.status == Status.CONVERGED
    assert found.dof == 17
    np.testing.assert_allclose(found.chi2, 2 * expected.cost, rtol=1e-9)
    np.testing.assert_allclose(found.params, expected.x[:3], rtol=1e-6)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5)


def test_derivative_by_differences():
    def lifetime(y):
        return fit(y).params[1]

    y, step = jnp.asarray(Y), 1e-4 * jnp.eye(20)[3]
    slope = (lifetime(y + step) - lifetime(y - step)) / 2e-4
    np.testing.assert_allclose(jax.grad(lifetime)(y)[3], slope, rtol=1e-3)


def test_two_independent_variables_and_a_mask():
    x = np.stack([X, RNG.uniform(0, 1, 20)])
    y = 2 * x[0] - 3 * x[1] + 0.3
    y[4] = np.nan
    plane = curve_fit(
        lambda x, p: p[0] * x[0] + p[1] * x[1] + p[2], x, y, np.ones(3),
        sigma_x=0.1, mask=~np.isnan(y),
    )  # fmt: skip
    assert plane.status == Status.CONVERGED
    np.testing.assert_allclose(plane.params, [2, -3, 0.3], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"loss": "poisson", "sigma": None}, "leave it out"), ({"sigma": np.eye(20)}, "matrix")],
)
def test_errors_say_what_to_do(options, message):
    sigma = options.pop("sigma")
    with pytest.raises(ValueError, match=message):
        curve_fit(decay, X, Y, START, sigma, sigma_x=SIGMA_X, **options)
