import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.linalg.cholesky import COLUMNS_LIMIT, UNROLL_LIMIT
from mvopt.linalg.triangular import solve_lower, solve_upper


def lower_triangle(n):
    rng = np.random.default_rng(n)
    return np.tril(rng.normal(size=(n, n)), -1) + np.diag(rng.uniform(1, 2, n))


@pytest.mark.parametrize("columns", [(), (1,), (3,)])
@pytest.mark.parametrize("n", [1, 3, UNROLL_LIMIT, UNROLL_LIMIT + 1, COLUMNS_LIMIT + 1])
def test_equals_a_general_solve(n, columns, dtype):
    matrix = lower_triangle(n)
    b = np.random.default_rng(0).normal(size=(n, *columns))
    tolerance = 1e4 * float(jnp.finfo(dtype).eps)
    for solve, triangle in ((solve_lower, matrix), (solve_upper, matrix.T)):
        x = solve(jnp.asarray(triangle, dtype), jnp.asarray(b, dtype))
        assert x.shape == b.shape
        assert x.dtype == dtype
        expected = np.linalg.solve(triangle, b)
        np.testing.assert_allclose(x, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("n", [3, UNROLL_LIMIT + 1, COLUMNS_LIMIT + 1])
def test_the_other_triangle_is_never_read(n):
    matrix = lower_triangle(n)
    b = np.ones(n)
    ruined = matrix + np.triu(np.full((n, n), np.nan), 1)
    np.testing.assert_array_equal(
        solve_lower(jnp.asarray(ruined), b), solve_lower(jnp.asarray(matrix), b)
    )
    np.testing.assert_array_equal(
        solve_upper(jnp.asarray(ruined.T), b), solve_upper(jnp.asarray(matrix.T), b)
    )
