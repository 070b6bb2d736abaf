"""What is not a number in the data: one rule for all of them, and points that are left out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import Regression, Status, curve_fit, linear_fit

M = 12
X = np.linspace(0.5, 3.0, M)
RNG = np.random.default_rng(11)
Y = 2.0 - 0.7 * X + 0.05 * RNG.normal(size=M)
SIGMA = RNG.uniform(0.03, 0.08, M)
BAD = np.arange(M) == 4


def constant(x, p):
    return jnp.broadcast_to(p[0], x.shape)


def line(x, p):
    return p[0] + p[1] * x


def decay(x, p):
    return p[0] * jnp.exp(-p[1] * x)


def assert_no_fit(fit, status):
    assert fit.status == status
    for name in ("params", "chi2", "reduced_chi2", "p_value", "log_likelihood", "r_squared", "aic"):
        assert np.isnan(getattr(fit, name)).all(), name
    assert np.isinf(fit.stderr).all()


# The first is the same for any x.
@pytest.mark.parametrize("model", [constant, line, decay])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_no_fit_whatever_the_model_makes_of_it(model, value):
    start = [1.0] if model is constant else [1.0, 1.0]
    x, y = np.tile(X, (3, 1)), np.tile(Y, (3, 1))
    x[0, 4], y[1, 4] = value, value
    fits = curve_fit(model, x, y, start, in_axes=(0, 0))
    for k in range(2):
        assert_no_fit(jax.tree.map(lambda leaf, k=k: leaf[k], fits), Status.NONFINITE)
    assert fits.status[2] == Status.CONVERGED


@pytest.mark.parametrize("value", [np.nan, -0.1, 0.0])
def test_standard_deviations_that_are_none(value):
    sigma = np.where(BAD, value, SIGMA)
    assert_no_fit(curve_fit(line, X, Y, [1.0, 1.0], sigma), Status.BAD_INPUT)
    assert_no_fit(curve_fit(decay, X, Y, [1.0, 1.0], sigma), Status.BAD_INPUT)
    assert_no_fit(linear_fit(np.stack([X**0, X], 1), Y, sigma), Status.BAD_INPUT)


@pytest.mark.parametrize("value", [np.nan, -0.1, np.inf])
def test_standard_deviations_of_x_that_are_none(value):
    errors = np.where(BAD, value, SIGMA)
    fit = curve_fit(line, X, Y, [1.0, 1.0], SIGMA, sigma_x=errors)
    assert_no_fit(fit, Status.BAD_INPUT)
    kept = curve_fit(line, X, Y, [1.0, 1.0], SIGMA, sigma_x=errors, mask=~BAD)
    assert kept.status == Status.CONVERGED


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_design_with_what_is_no_number(value):
    design = np.stack([X**0, np.where(BAD, value, X)], axis=1)
    assert_no_fit(linear_fit(design, Y, SIGMA), Status.NONFINITE)
    assert_no_fit(linear_fit(np.stack([X**0, X], 1), np.where(BAD, value, Y)), Status.NONFINITE)
    kept = linear_fit(design, Y, SIGMA, mask=~BAD)
    np.testing.assert_allclose(
        kept.params, np.polyfit(X[~BAD], Y[~BAD], 1, w=1 / SIGMA[~BAD])[::-1]
    )


def test_a_mask_of_nan_and_counts_that_are_none():
    mask = np.where(BAD, np.nan, 1.0)
    assert_no_fit(curve_fit(line, X, Y, [1.0, 1.0], SIGMA, mask=mask), Status.BAD_INPUT)
    counts = np.where(BAD, np.nan, np.arange(M, 0, -1.0))
    fit = curve_fit(decay, X, counts, [10.0, 1.0], loss="poisson")
    assert fit.status == Status.NONFINITE
    assert np.isnan(fit.params).all()


PLACES = {"x": 2, "y": 5, "sigma": 8}


def test_points_with_a_nan_are_left_out_if_so_wanted():
    """As SciPy's nan_policy="omit" does; here those with a NaN in sigma as well."""
    parts = {name: np.tile(value, (2, 1)) for name, value in [("x", X), ("y", Y), ("sigma", SIGMA)]}
    for name, place in PLACES.items():
        parts[name][0, place] = np.nan
    fits = curve_fit(
        decay,
        parts["x"],
        parts["y"],
        [1.0, 1.0],
        parts["sigma"],
        nan_policy="omit",
        in_axes=(0, 0, None, 0),
    )
    left = np.delete(np.arange(M), list(PLACES.values()))
    expected = [curve_fit(decay, X[k], Y[k], [1.0, 1.0], SIGMA[k]) for k in (left, np.arange(M))]
    for name in ("params", "stderr", "chi2", "dof", "num_points", "aic"):
        wanted = np.stack([getattr(each, name) for each in expected])
        np.testing.assert_allclose(getattr(fits, name), wanted, rtol=1e-7, err_msg=name)
    design = np.stack([X**0, parts["x"][0]], axis=1)
    found = linear_fit(design, parts["y"][0], parts["sigma"][0], nan_policy="omit")
    wanted = np.polyfit(X[left], Y[left], 1, w=1 / SIGMA[left])[::-1]
    np.testing.assert_allclose(found.params, wanted, rtol=1e-10)


def test_a_nan_of_either_part_leaves_a_complex_point_out():
    y = Y * np.exp(1j * X)
    model = lambda x, p: (p[0] + p[1] * x) * jnp.exp(1j * x)
    y.imag[BAD] = np.nan
    found = curve_fit(
        model, np.where(np.arange(M) == 7, np.nan, X), y, [1.0, 1.0], nan_policy="omit"
    )
    # The real part of the one is known.
    assert found.num_points == 2 * M - 3
    assert found.status == Status.CONVERGED


def test_resamples_leave_the_same_points_out():
    left = np.delete(np.arange(M), [4, 7])
    expected = curve_fit(line, X[left], Y[left], [1.0, 1.0]).params
    x, y = np.where(BAD, np.nan, X), np.where(np.arange(M) == 7, np.nan, Y)
    regression = Regression(line, x, y, [1.0, 1.0], nan_policy="omit")
    found = regression.bootstrap(regression.fit(), jax.random.key(0), 100)
    assert (np.asarray(found.status) == Status.CONVERGED).all()
    np.testing.assert_allclose(found.params.mean(axis=0), expected, atol=0.01)
    sigma = np.where(np.isin(np.arange(M), left), 0.05, np.inf)
    regression = Regression(line, X, np.where(BAD, 1e6, Y), [1.0, 1.0], sigma)
    found = regression.bootstrap(regression.fit(), jax.random.key(0), 100, kind="parametric")
    np.testing.assert_allclose(found.params.mean(axis=0), expected, atol=0.01)


def test_an_unknown_policy():
    with pytest.raises(ValueError, match="nan_policy='raise' is not known: use 'omit'"):
        linear_fit(X[:, None], Y, nan_policy="raise")
    with pytest.raises(ValueError, match="nan_policy='raise' is not known: use 'omit'"):
        curve_fit(line, X, Y, [1.0, 1.0], nan_policy="raise")
