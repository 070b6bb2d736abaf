import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.iteration.lanes import over_lanes
from mvopt.linalg.cholesky import COLUMNS_LIMIT, UNROLL_LIMIT, cholesky

ORDERS = [1, 2, 5, UNROLL_LIMIT, UNROLL_LIMIT + 1, COLUMNS_LIMIT, COLUMNS_LIMIT + 1]


def correlation(n, seed=0):
    """A well-conditioned matrix with a diagonal of ones, (n, n)."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(3 * n, n))
    columns /= np.linalg.norm(columns, axis=0)
    return columns.T @ columns


@pytest.mark.parametrize("n", ORDERS)
def test_equals_lapack(n, dtype):
    matrix = jnp.asarray(correlation(n), dtype)
    factor, pivot = jax.jit(cholesky)(matrix)
    assert factor.dtype == pivot.dtype == dtype
    expected = np.linalg.cholesky(np.asarray(matrix, float))
    rtol = 50 * jnp.finfo(dtype).eps
    np.testing.assert_allclose(factor, expected, rtol=0, atol=rtol)
    np.testing.assert_array_equal(np.triu(factor, 1), 0)
    np.testing.assert_allclose(pivot, (np.diag(expected) ** 2).min(), rtol=10 * rtol)


@pytest.mark.parametrize("n", [2, 5, UNROLL_LIMIT + 1, COLUMNS_LIMIT + 1])
def test_pivot_tells_that_a_matrix_is_not_definite(n):
    eigenvectors = np.linalg.qr(np.random.default_rng(1).normal(size=(n, n)))[0]
    eigenvalues = np.linspace(-0.5, 1.5, n)
    factor, pivot = cholesky(jnp.asarray(eigenvectors * eigenvalues @ eigenvectors.T))
    assert pivot <= 0
    assert jnp.isfinite(factor).all()


@pytest.mark.parametrize("angle", [1e-1, 1e-3, 1e-5])
def test_pivot_is_the_squared_sine_of_the_angle_between_two_columns(angle):
    matrix = jnp.array([[1.0, np.cos(angle)], [np.cos(angle), 1.0]])
    np.testing.assert_allclose(cholesky(matrix).pivot, np.sin(angle) ** 2, rtol=1e-5)


@pytest.mark.parametrize("n", [3, UNROLL_LIMIT + 1, COLUMNS_LIMIT + 1])
def test_nan_never_passes_for_a_good_pivot(n):
    matrix = jnp.asarray(correlation(n)).at[1, 0].set(jnp.nan).at[0, 1].set(jnp.nan)
    assert not cholesky(matrix).pivot > 0


@pytest.mark.parametrize("n", [4, UNROLL_LIMIT + 1])
def test_lanes_do_not_disturb_each_other(n):
    good = np.stack([correlation(n, seed) for seed in range(6)], axis=-1)
    bad = good.copy()
    bad[..., 2] = np.nan
    bad[..., 4] = -1
    kept = [0, 1, 3, 5]
    run = jax.jit(over_lanes(cholesky))
    expected, found = run(good), run(bad)
    np.testing.assert_array_equal(found.factor[..., kept], expected.factor[..., kept])
    for lane in kept:
        np.testing.assert_allclose(
            expected.factor[..., lane], np.linalg.cholesky(good[..., lane]), atol=1e-14
        )
