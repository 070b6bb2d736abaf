"""Steps under linear equations agree with LAPACK's, whatever the rank."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.linalg.null_space import definite, equations, reduced


def matrices(seed, m, n, rank):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, rank)) @ rng.normal(size=(rank, n))


def basis_of(along):
    """Q (n, n)."""
    return np.asarray(jax.vmap(along.vector)(jnp.eye(len(along.normals))), float).T


@pytest.mark.parametrize(
    ("m", "n", "rank"), [(2, 5, 2), (3, 5, 2), (4, 3, 3), (1, 1, 1), (12, 20, 9)]
)
def test_rank_null_space_and_particular_solution(m, n, rank, dtype):
    matrix = matrices(0, m, n, rank) * np.logspace(0, 3, m)[:, None]
    along = jax.jit(equations)(jnp.asarray(matrix, dtype))
    eps = jnp.finfo(dtype).eps
    assert along.rank == rank
    rotation = basis_of(along)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(n), atol=20 * eps)
    null = rotation[:, rank:]
    np.testing.assert_allclose((matrix / along.lengths[:, None]) @ null, 0, atol=50 * eps)
    b = matrix @ np.arange(1.0, n + 1)
    x = rotation @ along.particular(jnp.asarray(b, dtype))
    np.testing.assert_allclose(x, np.linalg.pinv(matrix) @ b, atol=1e4 * eps, rtol=1e4 * eps)


def test_multipliers_are_those_of_least_squares():
    matrix = matrices(1, 3, 6, 3)
    along = equations(jnp.asarray(matrix))
    vector = np.random.default_rng(2).normal(size=6)
    found = along.multipliers(along.along(jnp.asarray(vector)))
    wanted = np.linalg.lstsq(matrix.T, vector, rcond=None)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("eigenvalues", [[1, 2, 3.0], [-1, 2, 3.0], [0, 0, 0.0], [-1e6, 1e-6, 1]])
def test_a_matrix_is_raised_until_it_is_definite_and_no_further(eigenvalues):
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    matrix = basis @ np.diag(eigenvalues) @ basis.T
    found = jax.jit(definite)(jnp.asarray(matrix), jnp.zeros(()))
    raised = matrix + np.diag(found.shift * np.asarray(found.scale) ** 2)
    assert np.linalg.eigvalsh(raised).min() > 0
    assert (found.shift == 0) == (min(eigenvalues) > 0)
    b = np.array([1.0, -2, 0.5])
    np.testing.assert_allclose(found.solve(jnp.asarray(b)), np.linalg.solve(raised, b), rtol=1e-6)


def test_the_quadratic_form_on_the_null_space():
    matrix = jnp.asarray(matrices(4, 1, 3, 1))
    form = jnp.asarray(matrices(5, 3, 3, 3))
    form = form + form.T
    along = equations(matrix)
    found = reduced(form, along)
    null = basis_of(along)[:, 1:]
    np.testing.assert_allclose(found[1:, 1:], null.T @ form @ null, atol=1e-13)
    np.testing.assert_array_equal(found[0], [1, 0, 0])
