"""The Gaussian workload's data and its judge of accuracy."""

import jax
import numpy as np
from scipy.optimize import curve_fit

from benchmarks.problems import gauss1d

DATA = gauss1d.make(64, seed=7)


def scipy_params():
    x = DATA.x.astype(float)
    pairs = zip(DATA.y, DATA.p0, strict=True)
    fits = [curve_fit(gauss1d.gaussian_numpy, x, y, p0)[0] for y, p0 in pairs]
    return np.stack(fits)


def test_data_have_the_stated_shapes_and_repeat_for_a_seed():
    assert [a.shape for a in DATA] == [(25,), (64, 25), (64, 4)]
    assert all(a.dtype == np.float32 for a in DATA)
    np.testing.assert_array_equal(gauss1d.make(64, seed=7).y, DATA.y)
    assert not np.array_equal(gauss1d.make(64, seed=8).y, DATA.y)


def test_both_models_agree_and_the_jacobian_is_their_derivative():
    x, p = DATA.x, DATA.p0[0]
    np.testing.assert_allclose(
        gauss1d.gaussian(x, p), gauss1d.gaussian_numpy(x, *p), rtol=1e-5, atol=1e-6
    )
    derivative = jax.jacfwd(gauss1d.gaussian, 1)(x, p)
    np.testing.assert_allclose(gauss1d.jacobian_numpy(x, *p), derivative, rtol=1e-4, atol=1e-5)


def test_polish_ends_in_the_minimum_that_it_starts_beside():
    params = scipy_params()
    polished = gauss1d.polish(DATA, params * 1.02)
    np.testing.assert_allclose(polished, gauss1d.chi2(DATA, params), rtol=1e-6)


def test_a_fit_that_is_not_finite_has_infinite_chi2():
    params = DATA.p0.copy()
    params[3, 1] = np.nan
    assert np.isinf(gauss1d.chi2(DATA, params)[3])
    assert np.isinf(gauss1d.polish(DATA, params)[3])
    assert np.all(np.isfinite(np.delete(gauss1d.polish(DATA, params), 3)))
