"""A complex y is fitted in both of its parts: as SciPy fits them side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import curve_fit as scipy_curve_fit

from mvopt import Regression, Status, curve_fit, linear_fit

RNG = np.random.default_rng(0)
FREQUENCY = np.linspace(0.1, 10, 30)
START = np.array([1.0, 1.0, 0.0])


def impedance(w, p):
    """Of a resistance beside a capacity, with one in front."""
    return p[0] / (1 + 1j * w * p[1]) + p[2]


NOISE = 0.02 * (RNG.normal(size=30) + 1j * RNG.normal(size=30))
Y = np.asarray(impedance(FREQUENCY, [2.0, 0.7, 0.3])) + NOISE
ERRORS = np.linspace(0.01, 0.03, 30)
MASK = np.arange(30) != 3


def side_by_side(w, *p):
    values = np.asarray(impedance(w, p))
    return np.concatenate([values.real, values.imag])


@pytest.mark.parametrize(
    ("sigma", "mask", "absolute"),
    [
        (None, None, False),
        (ERRORS, None, True),
        (ERRORS * (1 + 2j), None, True),
        (None, MASK, False),
    ],
)
def test_equals_scipy(sigma, mask, absolute):
    fit = curve_fit(impedance, FREQUENCY, Y, START, sigma, mask=mask, absolute_sigma=absolute)
    used = slice(None) if mask is None else mask
    y = Y[used]
    whole = None
    if sigma is not None:
        whole = np.concatenate([sigma.real, sigma.imag if np.iscomplexobj(sigma) else sigma])
    wanted, covariance = scipy_curve_fit(
        side_by_side,
        FREQUENCY[used],
        np.concatenate([y.real, y.imag]),
        START,
        whole,
        absolute_sigma=absolute,
        ftol=1e-15,
        xtol=1e-15,
    )
    assert fit.status == Status.CONVERGED
    np.testing.assert_allclose(fit.params, wanted, rtol=1e-6)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-4)
    assert (fit.num_points, fit.dof) == (2 * y.size, 2 * y.size - 3)
    if sigma is None:
        left = np.sum(np.abs(y - impedance(FREQUENCY[used], fit.params)) ** 2)
        total = np.sum(np.abs(y - y.mean()) ** 2)
        np.testing.assert_allclose(fit.r_squared, 1 - left / total, rtol=1e-12)


def test_what_is_asked_after_the_fit():
    regression = Regression(impedance, FREQUENCY, Y, START)
    fit = regression.fit()
    band = regression.band(fit, FREQUENCY[:4])
    np.testing.assert_allclose(band.values, impedance(FREQUENCY[:4], fit.params), rtol=1e-12)
    middle = (band.lower + band.upper) / 2
    np.testing.assert_allclose(middle, band.values, rtol=1e-12)
    assert (jnp.real(band.upper) > jnp.real(band.lower)).all()
    assert (jnp.imag(band.upper) > jnp.imag(band.lower)).all()
    assert regression.residuals(fit).shape == (60,)
    assert regression.data()[1].dtype == complex
    with pytest.raises(ValueError, match="complex data"):
        regression.bootstrap(fit, jax.random.key(0), 10)


def test_complex_params_and_a_batch_with_a_nan():
    model = lambda w, p: p["z"] / (1 + 1j * w * p["t"])
    exact = np.asarray(model(FREQUENCY, {"z": 2 + 1j, "t": 0.7}))
    noisy = exact + NOISE
    lost = np.where(MASK, exact, np.nan)
    fit = curve_fit(
        model, FREQUENCY, np.stack([exact, noisy, lost]), {"z": 1 + 0j, "t": 1.0}, in_axes=(None, 0)
    )
    np.testing.assert_array_equal(
        fit.status, [Status.CONVERGED, Status.CONVERGED, Status.NONFINITE]
    )
    assert fit.names == ("t", "z.real", "z.imag")
    np.testing.assert_allclose(fit.params["z"][0], 2 + 1j, rtol=1e-12)
    flat = np.array([fit.stderr["t"][1], fit.stderr["z"][1].real, fit.stderr["z"][1].imag])
    np.testing.assert_allclose(flat**2, np.diagonal(fit.covariance[1]), rtol=1e-12)
    one = jax.tree.map(lambda leaf: leaf[1], fit)
    assert "z.imag" in str(one)


def test_what_goes_with_real_data_alone_is_refused():
    with pytest.raises(ValueError, match="model returns complex numbers, but y is real"):
        curve_fit(impedance, FREQUENCY, Y.real, START)
    with pytest.raises(ValueError, match="likelihood"):
        curve_fit(impedance, FREQUENCY, Y, START, loss="poisson")
    with pytest.raises(ValueError, match="errors in x"):
        curve_fit(impedance, FREQUENCY, Y, START, sigma_x=0.1)
    with pytest.raises(ValueError, match="sigma is complex"):
        curve_fit(impedance, FREQUENCY, Y.real, START, ERRORS * 1j)
    with pytest.raises(ValueError, match="real params"):
        curve_fit(impedance, FREQUENCY, Y, START + 0j, prior=(START, START + 1))
    with pytest.raises(TypeError, match="real and imaginary"):
        linear_fit(np.ones((30, 1)), Y)
