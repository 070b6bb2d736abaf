"""Bands, sandwich covariance and runs of a straight line, against the textbook's formulas."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from mvopt import Regression

X = np.array([3.0, 0.1, 1.0, 2.2, 4.0, 5.1, 6.0, 7.3, 8.0, 9.4])
Y = 1 + 0.5 * X + np.array([0.3, 0.2, -0.1, -0.4, 0.1, 0.2, -0.3, 0.3, -0.2, 0.1])
DESIGN = np.stack([np.ones(10), X], axis=1)
INVERSE = np.linalg.inv(DESIGN.T @ DESIGN)


def line(x, p):
    return p[0] + p[1] * x


@pytest.fixture(scope="module")
def regression():
    return Regression(line, X, Y, [0.0, 0.0])


@pytest.fixture(scope="module")
def fit(regression):
    return regression.fit()


def test_bands(regression, fit):
    new = np.array([-1.0, 4.0, 20.0])
    rows = np.stack([np.ones(3), new], axis=1)
    spread = np.einsum("ki,ij,kj->k", rows, INVERSE, rows)
    s, t = np.sqrt(float(fit.reduced_chi2)), scipy.stats.t.ppf(0.975, 8)
    values = rows @ np.asarray(fit.params)
    scheffe = np.sqrt(2 * scipy.stats.f.ppf(0.95, 2, 8))
    for kind, half in {
        "confidence": t * s * np.sqrt(spread),
        "prediction": t * s * np.sqrt(1 + spread),
        "simultaneous": scheffe * s * np.sqrt(spread),
    }.items():
        band = regression.band(fit, new, kind=kind)
        np.testing.assert_allclose(band.values, values, rtol=1e-12)
        np.testing.assert_allclose(band.upper - band.values, half, rtol=1e-6)
        np.testing.assert_allclose(band.values - band.lower, half, rtol=1e-6)


def test_sandwiches(regression, fit):
    residual = Y - DESIGN @ np.asarray(fit.params)
    left = 1 - np.einsum("ki,ij,kj->k", DESIGN, INVERSE, DESIGN)
    for kind, weight in {"HC0": 1, "HC1": 10 / 8, "HC2": 1 / left, "HC3": 1 / left**2}.items():
        meat = DESIGN.T @ ((weight * residual**2)[:, None] * DESIGN)
        expected = INVERSE @ meat @ INVERSE
        np.testing.assert_allclose(regression.sandwich(fit, kind), expected, rtol=1e-9)


def test_residuals_and_runs(regression, fit):
    residual = Y - DESIGN @ np.asarray(fit.params)
    np.testing.assert_allclose(regression.residuals(fit), residual, atol=1e-12)
    signs = (residual > 0)[np.argsort(X)]
    number, p_value = regression.runs_test(fit)
    assert number == 1 + np.sum(signs[1:] != signs[:-1])
    above, below = signs.sum(), (~signs).sum()
    mean = 2 * above * below / 10 + 1
    variance = (mean - 1) * (mean - 2) / 9
    expected = 2 * scipy.stats.norm.sf(abs(number - mean) / np.sqrt(variance))
    np.testing.assert_allclose(p_value, expected, rtol=1e-9)


def test_goodness(fit):
    residual = Y - DESIGN @ np.asarray(fit.params)
    square = residual @ residual
    likelihood = -5 * (np.log(2 * np.pi * square / 10) + 1)
    np.testing.assert_allclose(fit.log_likelihood, likelihood, rtol=1e-12)
    np.testing.assert_allclose(fit.r_squared, 1 - square / np.sum((Y - Y.mean()) ** 2), rtol=1e-12)
    # The scale counts as a parameter, as in R's AIC.
    np.testing.assert_allclose(fit.aic, 6 - 2 * likelihood, rtol=1e-12)
    np.testing.assert_allclose(fit.aicc, 6 - 2 * likelihood + 24 / 6, rtol=1e-12)
    np.testing.assert_allclose(fit.bic, 3 * np.log(10) - 2 * likelihood, rtol=1e-12)


def test_batches_with_masks_and_their_own_x(fit):
    mask = np.ones((2, 10), bool)
    mask[1, [2, 7]] = False
    y = np.where(mask, Y, np.nan)
    batch = Regression(line, X, y, [0.0, 0.0], mask=mask, in_axes=(None, 0, None, None, 0))
    fits = batch.fit()
    alone = Regression(line, X[mask[1]], Y[mask[1]], [0.0, 0.0])
    other = alone.fit()
    np.testing.assert_allclose(batch.runs_test(fits)[1][1], alone.runs_test(other)[1], rtol=1e-9)
    np.testing.assert_allclose(batch.sandwich(fits)[1], alone.sandwich(other), rtol=1e-8)
    new = np.array([[1.0, 2.0], [3.0, 4.0]])
    bands = batch.band(fits, new, in_axes=0)
    np.testing.assert_allclose(bands.upper[1], alone.band(other, new[1]).upper, rtol=1e-8)
    np.testing.assert_allclose(bands.values[0], line(new[0], fit.params), rtol=1e-9)


@pytest.mark.parametrize("batched", [False, True], ids=["one", "batch"])
def test_a_band_at_other_points_of_a_model_that_makes_arrays_of_the_shape_of_x(batched):
    x, new = np.linspace(0, 1, 10), np.linspace(0, 1, 7)
    y = 2 * x + 1 + 0.1 * np.sin(9 * x)
    given = {"y": np.stack([y, y + 1]), "in_axes": (None, 0)} if batched else {"y": y}
    asked = Regression(lambda x, p: p[0] * jnp.ones_like(x) + p[1] * x, x, p0=np.ones(2), **given)
    fit = asked.fit()
    expected = np.asarray(fit.params)[..., :1] + np.asarray(fit.params)[..., 1:] * new
    np.testing.assert_allclose(asked.band(fit, new).values, expected, rtol=1e-12)


def test_what_is_not_known_has_an_infinite_band():
    wide = Regression(lambda x, p: p[0] + p[1] * x + p[2] * x, X, Y, [0.0, 0.0, 0.0])
    band = wide.band(wide.fit(), np.array([0.0, 1.0]))
    assert jnp.isinf(band.upper).tolist() == [False, True]


def test_errors_say_what_to_do(regression, fit):
    with pytest.raises(ValueError, match="HC3"):
        regression.sandwich(fit, "HC9")
    with pytest.raises(ValueError, match="if, and only if"):
        regression.band(fit, X, kind="prediction", sigma=1.0)
