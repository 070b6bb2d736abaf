import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.iteration.lanes import over_lanes
from mvopt.linalg.qr import numerical_rank, pivoted_qr
from mvopt.linalg.triangular import solve_upper

SHAPES = [(1, 1), (6, 3), (25, 4), (30, 9), (3, 3)]


def system(m, n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n)) * 10.0 ** np.arange(n), rng.normal(size=m)


def solution(matrix, b):
    qr = pivoted_qr(matrix, b)
    return jnp.zeros(matrix.shape[1]).at[qr.order].set(solve_upper(qr.triangle, qr.rotated))


@pytest.mark.parametrize("shape", SHAPES)
def test_reproduces_the_matrix_and_the_projections(shape, dtype):
    matrix, b = system(*shape)
    scale = np.linalg.norm(matrix, axis=0).max()
    reduced = pivoted_qr(jnp.asarray(matrix, dtype), jnp.asarray(b, dtype))
    triangle, rotated, order = reduced.triangle, reduced.rotated, reduced.order
    assert triangle.dtype == rotated.dtype == dtype
    tolerance = 100 * float(jnp.finfo(dtype).eps)
    assert sorted(np.asarray(order)) == list(range(shape[1]))
    np.testing.assert_array_equal(np.tril(triangle, -1), 0)
    permuted, triangle = matrix[:, order], np.asarray(triangle, float)
    np.testing.assert_allclose(
        triangle.T @ triangle / scale**2, permuted.T @ permuted / scale**2, atol=tolerance
    )
    basis = np.linalg.qr(permuted)[0]
    signs = np.sign(np.diag(basis.T @ permuted))
    np.testing.assert_allclose(rotated, signs * (basis.T @ b), atol=10 * tolerance)


def test_the_longest_column_left_comes_first():
    matrix = jnp.array([[1.0, 0.0, 5.0], [0.0, 3.0, 0.0], [2.0, 0.0, 0.0]])
    reduced = pivoted_qr(matrix, jnp.ones(3))
    np.testing.assert_array_equal(reduced.order, [2, 1, 0])
    np.testing.assert_allclose(jnp.diagonal(reduced.triangle), [5, 3, 2])


@pytest.mark.parametrize("seed", range(5))
def test_the_diagonal_does_not_increase(seed):
    matrix = np.random.default_rng(seed).normal(size=(12, 6))
    diagonal = np.asarray(jnp.diagonal(pivoted_qr(jnp.asarray(matrix), jnp.zeros(12)).triangle))
    assert np.all(np.diff(diagonal) <= 1e-14)
    assert np.all(diagonal > 0)


def test_solves_what_normal_equations_cannot():
    """Läuchli's matrix: AᵀA is singular in float64 although A is of full rank."""
    small = 1e-9
    matrix = np.vstack([np.ones(3), small * np.eye(3)])
    b = matrix @ np.array([1.0, 2.0, 3.0])
    assert np.linalg.matrix_rank(matrix.T @ matrix) == 1
    qr = pivoted_qr(jnp.asarray(matrix), jnp.asarray(b))
    assert numerical_rank(qr.triangle, 4) == 3
    np.testing.assert_allclose(solution(jnp.asarray(matrix), b), [1, 2, 3], rtol=1e-6)


def test_as_accurate_as_lapack_on_a_badly_conditioned_polynomial():
    x = np.linspace(0, 1, 21)
    matrix = np.vander(x, 8, increasing=True)
    truth = np.arange(1.0, 9.0)
    found = solution(jnp.asarray(matrix), matrix @ truth)
    np.testing.assert_allclose(found, truth, rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_rank(rank, scale):
    rng = np.random.default_rng(rank)
    matrix = scale * rng.normal(size=(20, rank)) @ rng.normal(size=(rank, 5))
    assert numerical_rank(pivoted_qr(jnp.asarray(matrix), jnp.ones(20)).triangle, 20) == rank


def test_rank_of_two_equal_columns(dtype):
    x = jnp.linspace(0, 1, 30, dtype=dtype)
    matrix = jnp.stack([x, jnp.ones_like(x), x], axis=1)
    reduced = pivoted_qr(matrix, x)
    assert numerical_rank(reduced.triangle, 30) == 2
    assert int(reduced.order[2]) in (0, 2)


def test_lanes_equal_single_systems():
    systems = [system(9, 4, seed) for seed in range(5)]
    matrices = np.stack([matrix for matrix, _ in systems], axis=-1)
    rights = np.stack([b for _, b in systems], axis=-1)
    batch = jax.jit(over_lanes(pivoted_qr))(matrices, rights)
    one = jax.jit(pivoted_qr)
    for lane, (matrix, b) in enumerate(systems):
        single = one(matrix, b)
        np.testing.assert_array_equal(batch.order[:, lane], single.order)
        np.testing.assert_allclose(batch.factor[..., lane], single.factor, rtol=1e-12, atol=1e-10)
        np.testing.assert_allclose(batch.rotated[:, lane], single.rotated, rtol=1e-10, atol=1e-13)
