"""Profile intervals and contours against profiles by SciPy, and quantiles against SciPy's."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from mvopt import Regression, Status
from mvopt.regression.quantiles import fisher_quantile, scheffe_quantile, student_quantile

X = np.linspace(0, 3, 12)
Y = 3 * np.exp(-X / 1.5) + 0.5 + 0.15 * np.random.default_rng(0).normal(size=12)
BATCH = Y + 0.05 * np.random.default_rng(2).normal(size=(4, 12))


def decay(x, p):
    return p[0] * jnp.exp(-x / p[1]) + p[2]


def by_numpy(p):
    return p[0] * np.exp(-X / p[1]) + p[2]


def profile(y, best, index, value):
    """Least χ² with one parameter held."""
    others = [i for i in range(3) if i != index]

    def residual(rest):
        p = np.array(best)
        p[index], p[others] = value, rest
        return by_numpy(p) - y

    found = scipy.optimize.least_squares(residual, best[others], xtol=1e-14, ftol=1e-14)
    return 2 * found.cost


def test_ends_are_where_scipys_profile_has_risen():
    regression = Regression(decay, X, BATCH, [2.0, 1.0, 0.0], in_axes=(None, 0))
    fit = regression.fit()
    found = regression.intervals(fit, 0.9)
    rise = scipy.stats.t.ppf(0.95, 9) ** 2
    assert np.all(found.status == Status.CONVERGED)
    assert not found.lower_minimum.any()
    for i in range(2):
        best = np.asarray(fit.params[i])
        for index in range(3):
            for end in (found.lower, found.upper):
                value = float(end[i, index])
                risen = (profile(BATCH[i], best, index, value) - fit.chi2[i]) / fit.reduced_chi2[i]
                np.testing.assert_allclose(risen, rise, rtol=1e-5)
    assert np.all(found.lower < fit.params)
    assert np.all(fit.params < found.upper)


def test_an_interval_ends_at_a_bound():
    y = np.stack([Y, 2 - 0.3 * X])
    regression = Regression(
        decay, X, y, [2.0, 1.0, 0.0], np.full(12, 0.15), bounds=([0, 0.1, 0], [4, 9e4, 4.0]),
        absolute_sigma=True, in_axes=(None, 0),
    )  # fmt: skip
    fit = regression.fit()
    found = regression.intervals(fit)
    assert np.all(found.lower >= jnp.array([0, 0.1, 0]))
    assert np.all(found.upper <= jnp.array([4, 9e4, 4.0]))
    assert found.lower[1, 2] == 0
    np.testing.assert_allclose(found.lower[0, 2], 0, atol=1e-12)


def test_a_contour_has_one_height_and_of_a_linear_model_is_the_ellipse():
    regression = Regression(decay, X, Y, [2.0, 1.0, 0.0])
    fit = regression.fit()
    points, status = regression.contour(fit, (0, 1), 0.8, num=6)
    assert np.all(status == Status.CONVERGED)
    rise = 2 * scipy.stats.f.ppf(0.8, 2, 9) * fit.reduced_chi2
    for a, b in np.asarray(points):
        residual = lambda c, a=a, b=b: by_numpy([a, b, c[0]]) - Y
        lowest = 2 * scipy.optimize.least_squares(residual, [0.5], xtol=1e-14).cost
        np.testing.assert_allclose(lowest - fit.chi2, rise, rtol=1e-5)
    line = Regression(lambda x, p: p[0] + p[1] * x, X, Y, [0.0, 0.0])
    straight = line.fit()
    around, _ = line.contour(straight, (0, 1), num=6)
    apart = np.asarray(around - straight.params)
    height = np.einsum("ki,ij,kj->k", apart, np.linalg.inv(straight.covariance), apart)
    np.testing.assert_allclose(height, 2 * scipy.stats.f.ppf(0.95, 2, 10), rtol=1e-6)
    with pytest.raises(ValueError, match="pair"):
        line.contour(straight, (0, 0))


def test_quantiles():
    dof = np.array([1, 2, 3, 5, 9, 30, 200, 5000])
    for level in (0.1, 0.6827, 0.95, 0.9999):
        student = scipy.stats.t.ppf(0.5 + level / 2, dof)
        np.testing.assert_allclose(student_quantile(level, dof), student, rtol=1e-7)
        fisher = scipy.stats.f.ppf(level, 2, dof)
        np.testing.assert_allclose(fisher_quantile(level, dof), 2 * fisher, rtol=1e-9)
        scheffe = 4 * scipy.stats.f.ppf(level, 4, dof)
        np.testing.assert_allclose(scheffe_quantile(level, 4, dof), scheffe, rtol=1e-7)
        chi2 = scipy.stats.chi2.ppf(level, [2, 4])
        np.testing.assert_allclose(fisher_quantile(level, np.inf), chi2[0], rtol=1e-9)
        np.testing.assert_allclose(scheffe_quantile(level, 4, np.inf), chi2[1], rtol=1e-7)


def test_errors_say_what_to_do():
    robust = Regression(decay, X, Y, [2.0, 1.0, 0.0], loss="huber")
    with pytest.raises(ValueError, match="bootstrap"):
        robust.intervals(robust.fit())
    with pytest.raises(ValueError, match="between 0 and 1"):
        robust.fit().intervals(95)
