import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from mvopt.regression import models
from mvopt.regression.models._faddeeva import erfcx, wofz_real


def quarter_plane(rng, num, largest):
    """Points of every order of magnitude, points around the nodes of the sum, and the axes."""
    wide = 10 ** rng.uniform(-12, largest, (2, num))
    near = rng.uniform(0, 12, (2, num))
    low = np.stack([rng.uniform(0, 26, num), 10 ** rng.uniform(-20, 0, num)])
    axes = np.array([[0, 0, 3.0, 1e-3], [0, 2.0, 0, 0]])
    return np.concatenate([wide, near, low, axes], axis=1)


def slopes(function):
    return jax.jit(jax.vmap(jax.value_and_grad(function, (0, 1))))


def test_values_and_derivatives_over_the_quarter_plane():
    x, y = quarter_plane(np.random.default_rng(1), 20_000, 6)
    value, (along, across) = slopes(wofz_real)(x, y)
    w = special.wofz(x + 1j * y)
    np.testing.assert_allclose(value, w.real, rtol=2e-13)
    z = x + 1j * y
    # w' = -2zw + 2i/√π; that difference loses |z|² digits, so the comparison stays near.
    near = np.abs(z) < 4
    exact = (-2 * z * w + 2j / np.sqrt(np.pi))[near]
    np.testing.assert_allclose(along[near], exact.real, rtol=0, atol=2e-14)
    np.testing.assert_allclose(across[near], -exact.imag, rtol=0, atol=2e-14)
    # Far out, Re w is y/(√π |z|²) to the relative order 1/|z|².
    above = (np.abs(z) > 1e4) & (y > 1e-3 * x)
    radius = np.abs(z[above]) ** 2
    expected = -2 * x[above] * y[above] / radius**2 / np.sqrt(np.pi)
    np.testing.assert_allclose(along[above] * radius, expected * radius, rtol=0, atol=1e-8)
    expected = (x[above] ** 2 - y[above] ** 2) / radius**2 / np.sqrt(np.pi)
    np.testing.assert_allclose(across[above] * radius, expected * radius, rtol=0, atol=1e-8)


def test_float32_is_as_accurate_as_it_can_be():
    x, y = quarter_plane(np.random.default_rng(2), 5_000, 5).astype(np.float32)
    value, derivatives = slopes(wofz_real)(x, y)
    exact = special.wofz(x.astype(float) + 1j * y).real
    assert value.dtype == np.float32
    seen = exact > 1e-30
    np.testing.assert_allclose(value[seen], exact[seen], rtol=3e-5)
    assert np.all(np.isfinite(derivatives))


def test_the_scaled_complementary_error_function():
    y = np.concatenate([[0], np.geomspace(1e-10, 1e8, 5_000)])
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(erfcx)))(y)
    np.testing.assert_allclose(value, special.erfcx(y), rtol=1e-14)
    near = y < 4
    exact = 2 * y * special.erfcx(y) - 2 / np.sqrt(np.pi)
    np.testing.assert_allclose(slope[near], exact[near], rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_voigt_profile_between_its_limits_and_beyond(dtype):
    """From sigma = 0, a Lorentzian, over gamma = 0, a Gaussian, to negative gamma."""
    x = np.linspace(-6, 6, 41).astype(dtype)
    widths = np.array([[0, 2], [1e-20, 2], [2, 0], [1, -0.5], [1, -1e5]])
    params = jnp.asarray(np.insert(widths, [0, 0], [1, 0], axis=1), dtype)
    values = jax.jit(jax.vmap(models.voigt, (None, 0)))(x, params)
    slopes = jax.jit(jax.vmap(jax.jacfwd(models.voigt, 1), (None, 0)))(x, params)
    assert values.dtype == dtype
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(slopes))
    continued = special.wofz((x + -0.5j) / np.sqrt(2)).real / special.wofz(-0.5j / np.sqrt(2)).real
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    lorentzian, gaussian = 1 / (1 + x**2 / 4), np.exp(-(x**2) / 8)
    for value, exact in zip(values, [lorentzian, lorentzian, gaussian, continued], strict=False):
        np.testing.assert_allclose(value, exact, rtol=0, atol=tolerance)
