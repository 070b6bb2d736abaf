"""Fixed, tied and bounded parameters, and priors."""

import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import Status, curve_fit

X = np.linspace(0, 5, 30)
Y = 3 * np.exp(-X / 1.5) + 0.5 + 0.05 * np.random.default_rng(0).normal(size=30)
START = {"a": 1.0, "b": 1.0, "c": 0.1}


def decay(x, p):
    return p["a"] * jnp.exp(-x / p["b"]) + p["c"]


def of_array(x, p):
    return p[0] * jnp.exp(-x / p[1]) + p[2]


def test_tied_parameters_are_those_of_a_model_with_fewer():
    fit = curve_fit(decay, X, Y, START, tied={"c": "0.1*a + b/10", "b": lambda p: p["a"] / 2})
    one = curve_fit(lambda x, p: p[0] * jnp.exp(-2 * x / p[0]) + 0.15 * p[0], X, Y, np.array([1.0]))
    assert fit.status == Status.CONVERGED
    assert fit.dof == 29
    np.testing.assert_allclose(fit.params["a"], one.params[0], rtol=1e-9)
    np.testing.assert_allclose(fit.stderr["b"], one.stderr[0] / 2, rtol=1e-8)
    np.testing.assert_allclose(fit.stderr["c"], 0.15 * one.stderr[0], rtol=1e-8)
    np.testing.assert_allclose(fit.correlation, np.ones((3, 3)), rtol=1e-8)


def test_a_prior_is_one_more_measurement():
    sigma = np.full(30, 0.05)
    fit = curve_fit(decay, X, Y, START, sigma, prior={"b": (1.4, 0.02)}, absolute_sigma=True)

    def longer(x, p):
        return jnp.append(p[0] * jnp.exp(-x[:-1] / p[1]) + p[2], p[1])

    other = curve_fit(
        longer, np.append(X, 0), np.append(Y, 1.4), np.ones(3), np.append(sigma, 0.02),
        absolute_sigma=True,
    )  # fmt: skip
    assert fit.dof == other.dof == 28
    np.testing.assert_allclose([*fit.params.values()], other.params, rtol=1e-7)
    np.testing.assert_allclose(fit.covariance, other.covariance, rtol=1e-7)
    np.testing.assert_allclose(fit.chi2, other.chi2, rtol=1e-9)
    assert fit.num_points == 30


def test_each_data_set_has_its_own_bounds_and_prior():
    upper = np.array([[2.0, 9.0, 9.0], [9.0, 9.0, 9.0]])
    batch = curve_fit(
        of_array, X, np.stack([Y, Y]), np.ones(3), bounds=(0.0, upper), in_axes=(None, 0)
    )
    assert batch.params[0, 0] == 2
    assert np.isinf(batch.stderr[0, 0])
    free = curve_fit(of_array, X, Y, np.ones(3))
    np.testing.assert_allclose(batch.params[1], free.params, rtol=1e-8)
    prior = (np.array([[0, 1.0, 0], [0, 2.0, 0]]), np.array([np.inf, 1e-4, np.inf]))
    pulled = curve_fit(of_array, X, np.stack([Y, Y]), np.ones(3), prior=prior, in_axes=(None, 0))
    np.testing.assert_allclose(pulled.params[:, 1], [1.0, 2.0], atol=1e-3)


def test_each_data_set_has_its_own_bounds_and_prior_of_a_mapping():
    both, high = np.stack([Y, Y]), {"a": np.array([2.0, 9.0]), "b": 9.0, "c": 9.0}
    batch = curve_fit(decay, X, both, START, bounds=(0.0, high), in_axes=(None, 0))
    assert batch.params["a"][0] == 2
    free = curve_fit(decay, X, Y, START)
    np.testing.assert_allclose(batch.params["a"][1], free.params["a"], rtol=1e-8)
    prior = {"b": (np.array([1.0, 2.0]), 1e-4)}
    pulled = curve_fit(decay, X, both, START, prior=prior, in_axes=(None, 0))
    np.testing.assert_allclose(pulled.params["b"], [1.0, 2.0], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tied": {"z": "2*a"}}, "z"),
        ({"tied": {"a": "2*q"}}, "q"),
        ({"tied": {"a": "b", "b": "a"}}, "need each other"),
        ({"tied": {"a": "b"}, "fixed": {"a": True, "b": False, "c": False}}, "both fixed and tied"),
        ({"prior": {"z": (1, 1)}}, "z"),
        ({"prior": {"a": (1, 0)}}, "not positive"),
    ],
)
def test_errors_say_what_to_do(options, message):
    with pytest.raises(ValueError, match=message):
        curve_fit(decay, X, Y, START, **options)
