import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mvopt.regression.models import NAMED, exponential_gaussian, lognormal, maxwell

# Parameters of peaks whose amplitude is the height, at places where that is not obvious.
HEIGHTS = {
    "pearson4": [2.0, 0.3, 0.5, 1.2, -1.7],
    "pearson7": [2.0, 0.3, 0.5, 0.8],
    "lognormal": [2.0, 0.3, 0.5],
    "doniach": [2.0, 0.3, 0.5, 0.4],
    "voigt": [2.0, 0.3, 0.5, 0.4],
    "pseudo_voigt": [2.0, 0.3, 0.5, 0.4],
}
AREAS = {
    "skewed_gaussian": [2.0, 0.3, 0.5, -2.0],
    "skewed_voigt": [2.0, 0.3, 0.5, 1e-3, 1.5],
    "exponential_gaussian": [2.0, 0.3, 0.5, 1.5],
}


@pytest.mark.parametrize("name", HEIGHTS)
def test_the_amplitude_is_the_height(name):
    x = np.linspace(-5, 5, 200_001)
    values = jax.jit(NAMED[name])(x, jnp.array(HEIGHTS[name]))
    np.testing.assert_allclose(jnp.max(values), 2, rtol=1e-7)


@pytest.mark.parametrize("name", AREAS)
def test_the_amplitude_is_the_area(name):
    x = np.linspace(-40, 40, 400_001)
    values = jax.jit(NAMED[name])(x, jnp.array(AREAS[name]))
    np.testing.assert_allclose(jnp.sum(values) * (x[1] - x[0]), 2, rtol=1e-4)


def test_an_exponential_tail_of_any_length():
    """From a Gaussian whose tail does not show to an exponential with a sharp edge."""
    x = np.linspace(-3, 12, 61)
    rates = np.array([1e-6, 0.01, 0.7, 3, 50, 1e5, 1e12])
    params = np.stack([np.full(7, 2.0), np.full(7, 0.5), np.full(7, 0.8), rates], axis=1)
    both = jax.jit(jax.vmap(jax.value_and_grad(lambda p, x: exponential_gaussian(x, p)), (None, 0)))
    values, slopes = jax.jit(jax.vmap(both, (0, None)))(params, x)
    # In terms of scipy.stats.exponnorm, K = 1/(sigma*rate); without a tail it is a Gaussian.
    for row, rate in zip(values[:5], rates, strict=False):
        expected = 2 * stats.exponnorm.pdf(x, 1 / (0.8 * rate), 0.5, 0.8)
        np.testing.assert_allclose(row, expected, rtol=1e-10)
    gaussian = 2 * stats.norm.pdf(x, 0.5, 0.8)
    np.testing.assert_allclose(values[-1], gaussian, rtol=1e-9)
    np.testing.assert_allclose(values[-2], gaussian, rtol=1e-3, atol=1e-12)
    assert np.all(np.isfinite(slopes))
    narrow = both(jnp.array([2.0, 0.5, 1e-5, 0.7]), x[x != 0.5])[0]
    after = x[x != 0.5] - 0.5
    np.testing.assert_allclose(
        narrow, np.where(after > 0, 1.4 * np.exp(-0.7 * after), 0), rtol=1e-9
    )


def test_a_lognormal_is_zero_at_and_below_zero():
    x, params = np.array([-1.0, 0.0, 2.0]), jnp.array([3.0, 0.5, 0.4])
    values, slopes = lognormal(x, params), jax.jacfwd(lognormal, 1)(x, params)
    density = stats.lognorm.pdf(x, 0.4, scale=np.exp(0.5))
    top = stats.lognorm.pdf(np.exp(0.5 - 0.16), 0.4, scale=np.exp(0.5))
    np.testing.assert_allclose(values, 3 * density / top, rtol=1e-12)
    np.testing.assert_array_equal(slopes[:2], 0)
    assert np.all(np.isfinite(slopes))


def test_the_guess_of_maxwell_starts_at_the_lowest_energy():
    x = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    amplitude, center, kt = maxwell.guess(x, 7 * np.exp(-(x - 1) / 2))
    assert center == 1
    np.testing.assert_allclose([amplitude, kt], [7, 2], rtol=0.05)
