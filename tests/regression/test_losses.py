"""Robust losses and likelihoods against SciPy's minimisers and published formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from mvopt import BFGS, Status, curve_fit, hessian, least_squares, losses, minimize

X = np.linspace(0, 5, 30)
RNG = np.random.default_rng(3)
COUNTS = RNG.poisson(20 * np.exp(-X / 2) + 1).astype(float)
SUCCESSES = RNG.binomial(12, 1 / (1 + np.exp(1 - X))).astype(float)
OUTLIERS = 3 * np.exp(-X / 1.5) + 0.05 * RNG.normal(size=30) + 2.0 * (np.arange(30) % 7 == 0)
ROBUST = {
    "huber": losses.Huber,
    "soft_l1": losses.SoftL1,
    "cauchy": losses.Cauchy,
    "tukey": losses.Tukey,
}


def decay(x, p):
    return p[0] * jnp.exp(-x / p[1])


def by_numpy(p):
    return p[0] * np.exp(-X / p[1])


def decay_offset(x, p):
    return p[0] * jnp.exp(-x / p[1]) + p[2]


def logistic(x, p):
    return jax.nn.sigmoid(p[0] + p[1] * x)


def test_values_and_slopes_agree():
    z = jnp.array([-30.0, -2.0, -0.3, 1e-9, 0.7, 1.2, 50.0])
    for kind in ROBUST.values():
        loss = kind(1.3, 0.8)
        terms = loss.terms(z)
        slope = jax.vmap(jax.grad(lambda each, loss=loss: loss.terms(each).value))(z)
        np.testing.assert_allclose(terms.slope, slope, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(terms.weight * z, terms.slope, rtol=1e-12)
        # Near zero each is half the square.
        np.testing.assert_allclose(loss.terms(1e-5 * z).value, 0.5e-10 * z**2, rtol=1e-6)


@pytest.mark.parametrize("name", ["huber", "soft_l1", "cauchy"])
def test_least_squares_means_by_a_name_what_scipy_means(name):
    def residual(p):
        return decay(X, p) - OUTLIERS

    found = least_squares(residual, [2.0, 1.0], loss=name)
    expected = scipy.optimize.least_squares(
        lambda p: np.asarray(residual(jnp.asarray(p))),
        [2.0, 1.0],
        loss=name,
        xtol=1e-12,
        ftol=1e-12,
    )
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, expected.cost, rtol=1e-9)
    np.testing.assert_allclose(found.params, expected.x, rtol=1e-5)


@pytest.mark.parametrize("name", ["huber", "tukey"])
def test_scale_and_params_solve_each_others_equations(name):
    fit = curve_fit(decay, X, OUTLIERS, [2.0, 1.0], loss=name)
    residual = np.asarray(decay(X, fit.params)) - OUTLIERS
    scale = np.median(np.abs(residual)) / 0.6744897501960817
    loss = ROBUST[name](ROBUST[name].efficient, scale)
    again = curve_fit(decay, X, OUTLIERS, fit.params, loss=loss)
    np.testing.assert_allclose(again.params, fit.params, rtol=1e-6)
    # Outliers of one side pull Huber's estimate a little, and least squares by half.
    np.testing.assert_allclose(fit.params, [3, 1.5], rtol=0.05)
    assert np.isnan(fit.p_value)
    assert np.isnan(fit.log_likelihood)


def test_covariance_is_hubers():
    loss = losses.Huber(1.345, 0.05)
    fit = curve_fit(decay, X, OUTLIERS, [2.0, 1.0], loss=loss)
    p = np.asarray(fit.params)
    design = np.asarray(jax.jacfwd(decay, 1)(X, fit.params))
    z = (np.asarray(decay(X, p)) - OUTLIERS) / 0.05
    psi, rate = np.clip(z, -1.345, 1.345), (np.abs(z) < 1.345).astype(float)
    larger = 1 + 2 / 30 * rate.var() / rate.mean() ** 2
    factor = larger**2 * np.sum((0.05 * psi) ** 2) / 28 / rate.mean() ** 2
    np.testing.assert_allclose(fit.covariance, factor * np.linalg.inv(design.T @ design), rtol=1e-8)


def test_a_fifth_of_the_points_being_far_away_does_not_matter():
    y = np.where(np.arange(30) % 5 == 2, 40.0, 3 * np.exp(-X / 1.5)) + 0.01 * np.sin(7 * X)
    fit = curve_fit(decay, X, y, [3.0, 1.0], loss="tukey")
    np.testing.assert_allclose(fit.params, [3, 1.5], rtol=0.02)


@pytest.mark.parametrize("kind", ["poisson", "binomial"])
def test_likelihoods_against_scipy(kind):
    if kind == "poisson":
        model, y, start, loss = decay_offset, COUNTS, [15.0, 1.5, 2.0], "poisson"
        distribution = lambda p: scipy.stats.poisson(np.asarray(decay_offset(X, p)))
        weight = lambda value: 1 / value
        saturated = scipy.stats.poisson.logpmf(y, y)
    else:
        model, y, start, loss = logistic, SUCCESSES, [0.0, 0.5], losses.Binomial(12)
        distribution = lambda p: scipy.stats.binom(12, np.asarray(logistic(X, p)))
        weight = lambda value: 12 / (value * (1 - value))
        saturated = scipy.stats.binom.logpmf(y, 12, y / 12)
    fit = curve_fit(model, X, y, start, loss=loss)
    expected = scipy.optimize.minimize(
        lambda p: -distribution(p).logpmf(y).sum(), fit.params * 1.05, method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000},
    )  # fmt: skip
    assert fit.status == Status.CONVERGED
    np.testing.assert_allclose(fit.params, expected.x, rtol=1e-6)
    np.testing.assert_allclose(fit.log_likelihood, -expected.fun, rtol=1e-12)
    np.testing.assert_allclose(fit.chi2, 2 * (saturated.sum() + expected.fun), rtol=1e-9)
    design = np.asarray(jax.jacfwd(model, 1)(X, fit.params))
    information = design.T @ (weight(np.asarray(model(X, fit.params)))[:, None] * design)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-9)
    p_value = scipy.stats.chi2.sf(float(fit.chi2), 30 - len(start))
    np.testing.assert_allclose(fit.p_value, p_value, rtol=1e-8)


def test_deviance_has_no_cancellation():
    for y in (0.0, 1.0, 7.0, 1e6):
        mean = np.array([1e-8, 0.5, 1 - 1e-9, 1 + 1e-9, 1.3, 50]) * max(y, 1.0)
        precise, gap = mean.astype(np.longdouble), (mean - y) / max(y, 1.0)
        log = np.log(y / precise) if y > 0 else 0 * precise
        near = (np.abs(gap) < 1e-6) & (y > 0)
        exact = np.where(near, y * gap**2 / 2, y * log - y + precise)
        found = losses.Poisson().terms(jnp.asarray(mean), jnp.full(6, y)).value
        np.testing.assert_allclose(found, exact.astype(float), rtol=1e-8)
    assert losses.Poisson().terms(jnp.array(-1.0), jnp.array(2.0)).value == np.inf


def test_bad_counts_and_masked_ones():
    y = np.stack([COUNTS, COUNTS])
    y[0, 3], y[1, 5] = -1.0, np.nan
    mask = np.ones((2, 30), bool)
    mask[1, 5] = False
    fit = curve_fit(
        decay_offset,
        X,
        y,
        [15.0, 1.5, 2.0],
        mask=mask,
        loss="poisson",
        in_axes=(None, 0, None, None, 0),
    )
    assert list(fit.status) == [Status.BAD_INPUT, Status.CONVERGED]
    kept = curve_fit(
        decay_offset, np.delete(X, 5), np.delete(COUNTS, 5), [15.0, 1.5, 2.0], loss="poisson"
    )
    np.testing.assert_allclose(fit.params[1], kept.params, rtol=1e-8)
    np.testing.assert_allclose(fit.log_likelihood[1], kept.log_likelihood, rtol=1e-10)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="leave sigma out"):
        curve_fit(decay, X, COUNTS, [1.0, 1.0], np.ones(30), loss="poisson")
    with pytest.raises(ValueError, match="use curve_fit"):
        least_squares(lambda p: p, [1.0], loss="poisson")


def test_the_inverse_hessian_at_a_minimum_is_the_covariance():
    """For a likelihood of one's own: of a logit the observed information is the expected one."""

    def unlikelihood(p):
        z = p[0] + p[1] * X
        return jnp.sum(12 * jax.nn.softplus(z) - SUCCESSES * z)

    found = minimize(unlikelihood, [0.0, 0.5], solver=BFGS())
    fit = curve_fit(logistic, X, SUCCESSES, [0.0, 0.5], loss=losses.Binomial(12))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, fit.params, rtol=1e-7)
    covariance = np.linalg.inv(hessian(unlikelihood)(found.params))
    np.testing.assert_allclose(covariance, fit.covariance, rtol=1e-6)
