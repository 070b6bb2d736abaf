"""Linear parameters: found, solved in closed form, projected out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import LevenbergMarquardt, Status, curve_fit
from mvopt.regression import models
from mvopt.regression.separable import linear_indices

X = np.linspace(0, 5, 30)
Y = 3 * np.exp(-X / 0.7) + 2 * np.exp(-X / 3) + 0.01 * np.random.default_rng(1).normal(size=30)


def two_decays(x, p):
    return p[0] * jnp.exp(-x / p[1]) + p[2] * jnp.exp(-x / p[3])


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        (two_decays, 4, (0, 2)),
        (lambda x, p: p[0] * p[1] * x + p[2], 3, (0, 2)),
        (lambda x, p: p[0] ** x, 1, ()),
    ],
)
def test_linear_parameters_are_found(model, size, expected):
    assert linear_indices(model, jnp.asarray(X), size) == expected


def test_a_linear_model_takes_one_step_and_equals_the_iteration():
    one = curve_fit(models.cubic, X, Y)
    several = curve_fit(models.cubic, X, Y, solver=LevenbergMarquardt())
    assert one.num_steps == 1
    np.testing.assert_allclose(one.params, several.params, rtol=1e-9)
    np.testing.assert_allclose(one.covariance, several.covariance, rtol=1e-8)
    np.testing.assert_allclose(one.params, np.polyfit(X, Y, 3), rtol=1e-10)


def test_variable_projection_reaches_the_same_optimum_without_linear_starts():
    start = np.array([np.nan, 0.5, np.nan, 5.0])
    found = curve_fit(two_decays, X, Y, start, separable=True)
    full = curve_fit(two_decays, X, Y, [1.0, 0.5, 1.0, 5.0])
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, full.params, rtol=1e-7)
    np.testing.assert_allclose(found.covariance, full.covariance, rtol=1e-6)


def test_derivative_of_a_projected_fit():
    x = jnp.linspace(0, 3, 8)

    def one_decay(x, p):
        return p[0] * jnp.exp(-x / p[1])

    def lifetime(y):
        return curve_fit(one_decay, x, y, [1.0, 1.0], separable=True).params[1]

    y, step = 2 * jnp.exp(-x) + 0.1 * jnp.cos(9 * x), 1e-5 * jnp.eye(8)[2]
    slope = (lifetime(y + step) - lifetime(y - step)) / 2e-5
    np.testing.assert_allclose(jax.grad(lifetime)(y)[2], slope, rtol=1e-5)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="some, but not all"):
        curve_fit(models.linear, X, Y, solver=LevenbergMarquardt(), separable=True)
    with pytest.raises(ValueError, match="without bounds"):
        curve_fit(two_decays, X, Y, np.ones(4), bounds=(0, 9), separable=True)
