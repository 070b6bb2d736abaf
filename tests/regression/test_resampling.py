"""Bootstrap, many starts and comparison of models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import Regression, Status, compare, models
from mvopt.regression.starts import latin_hypercube

X = np.linspace(0, 9, 20)
RNG = np.random.default_rng(4)
Y = 1 + 0.5 * X + 0.3 * RNG.normal(size=20)
DESIGN = np.stack([np.ones(20), X], axis=1)


def line(x, p):
    return p[0] + p[1] * x


def sine(x, p):
    return p[0] * jnp.sin(p[1] * x + p[2])


def test_bootstrap_of_a_straight_line_has_the_known_spread():
    """What resampling with replacement converges to is known in closed form for a linear model."""
    regression = Regression(line, X, Y, [0.0, 0.0])
    fit = regression.fit()
    residual = Y - DESIGN @ np.asarray(fit.params)
    inverse = np.linalg.inv(DESIGN.T @ DESIGN)
    variance = (residual**2).sum() / 18
    expected = np.sqrt(np.diag(inverse) * variance)
    sandwich = np.sqrt(np.diag(regression.sandwich(fit, "HC0")))
    for kind, spread, within in (
        ("residual", expected, 0.06),
        ("parametric", expected, 0.06),
        ("case", sandwich, 0.15),  # equal to HC0 in the limit of many points
    ):
        found = regression.bootstrap(fit, jax.random.key(0), 2000, kind=kind)
        assert found.params.shape == (2000, 2)
        np.testing.assert_allclose(found.stderr(), spread, rtol=within)
        np.testing.assert_allclose(np.sqrt(np.diag(found.covariance())), found.stderr(), rtol=1e-6)
        low, high = found.intervals(0.9)
        inside = np.mean((found.params > low) & (found.params < high), axis=0)
        np.testing.assert_allclose(inside, 0.9, atol=1e-3)


def test_bootstrap_of_a_batch_resamples_each_by_itself():
    y = np.stack([Y, 10 * Y])
    sigma = np.stack([np.full(20, 0.3), np.full(20, 3.0)])
    batch = Regression(line, X, y, [0.0, 0.0], sigma, in_axes=(None, 0, None, 0))
    fits = batch.fit()
    found = batch.bootstrap(fits, jax.random.key(1), 400)
    assert found.status.shape == (2, 400)
    np.testing.assert_allclose(found.stderr() / fits.stderr, 1, rtol=0.15)


def test_bootstrap_errors_say_what_to_do():
    counts = Regression(models.exponential_decay, X, np.round(9 * np.exp(-X / 3)), loss="poisson")
    with pytest.raises(ValueError, match="parametric"):
        counts.bootstrap(counts.fit(), jax.random.key(0))
    matrix = Regression(line, X, Y, [0.0, 0.0], np.eye(20))
    with pytest.raises(ValueError, match="matrix"):
        matrix.bootstrap(matrix.fit(), jax.random.key(0))


def test_many_starts_find_what_one_does_not():
    y = 2 * np.sin(3.3 * X + 0.4) + 0.1 * RNG.normal(size=(3, 20))
    regression = Regression(sine, X, y, [1.0, 1.0, 0.0], in_axes=(None, 0))
    assert np.all(regression.fit(max_steps=100).chi2 > 10)
    best = regression.multi_start([0, 0.1, -3], [4, 5, 3.0], 64, max_steps=100)
    assert np.all(best.status == Status.CONVERGED)
    assert np.all(best.chi2 < 0.6)
    np.testing.assert_allclose(best.params[:, 1], 3.3, atol=0.05)
    with pytest.raises(ValueError, match="finite ends"):
        regression.multi_start([0, 0, 0], [np.inf, 1, 1])


def test_a_latin_hypercube_has_one_point_in_every_slice():
    points = latin_hypercube(8, [0, -1], [8, 1], seed=0)
    np.testing.assert_array_equal(np.sort(np.floor(points[:, 0])), np.arange(8))
    np.testing.assert_array_equal(np.sort(np.floor(4 * (points[:, 1] + 1))), np.arange(8))


def test_the_true_model_wins_and_a_failed_fit_does_not():
    y = np.stack([1 + 0.5 * X, 1 + 0.5 * X - 0.1 * X**2]) + 0.1 * RNG.normal(size=(2, 20))
    y = np.concatenate([y, np.full((1, 20), np.nan)])
    found = compare(
        [models.linear, models.quadratic, models.cubic], X, y, criterion="bic", in_axes=(None, 0)
    )
    assert found.names == ("linear", "quadratic", "cubic")
    assert list(found.winner) == [0, 1, -1]
    np.testing.assert_allclose(found.weights.sum(axis=1), [1, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(found.scores[0, 0], found.fits["linear"].bic[0])
    with pytest.raises(ValueError, match="aicc"):
        compare([models.linear], X, y, criterion="best", in_axes=(None, 0))
