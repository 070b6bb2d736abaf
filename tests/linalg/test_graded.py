"""Constraints of very different stiffness, and equations that depend on each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.linalg.graded import graded


@pytest.mark.parametrize(("n", "m", "k"), [(6, 2, 4), (6, 0, 4), (40, 10, 50)])
def test_forces_keep_their_digits_beside_others_of_any_stiffness(n, m, k):
    rng = np.random.default_rng(n + m)
    H, A = np.zeros((n, n)), rng.normal(size=(m, n))
    W = np.concatenate([rng.normal(size=(k, n)), np.eye(n)])
    heavy = rng.permutation(k + n) < n - m
    w = np.where(heavy, 1e10, 1e-10) * 10 ** rng.uniform(-3, 3, k + n)
    # As near the end of an interior point method: the heavy rows hold x, and it moves by little.
    y, z = rng.normal(size=m), rng.normal(size=k + n) * np.where(heavy, 1, w)
    b, held = 1e-10 * rng.normal(size=m), rng.normal(size=n - m) / w[heavy]
    x = np.linalg.solve(np.concatenate([A, W[heavy]]), np.concatenate([b, held]))
    c = W @ x
    c[heavy] = held
    solve = jax.jit(lambda a, b, c, *given: graded(*given).solve(a, b, c))
    found = solve(-A.T @ y - W.T @ z, b, c + z / w, H, A, W, w)
    np.testing.assert_allclose(found[1], y, rtol=1e-8)
    np.testing.assert_allclose(w * found[2], z, rtol=1e-8)


@pytest.mark.parametrize("n", [6, 40])
def test_dependent_equations_are_told_from_independent_ones(n):
    rng = np.random.default_rng(2)
    A = rng.normal(size=(3, n))
    A[1] = 1e3 * A[0]
    rows, weights = np.eye(n), np.ones(n)
    factors = jax.jit(graded)(np.zeros((n, n)), A, rows, weights)
    assert factors.rank == 2
    independent = np.asarray(factors.independent())
    assert independent[2]
    assert independent[:2].sum() == 1
    turned = np.asarray(factors.turn)
    np.testing.assert_allclose(turned.T @ turned, np.eye(n), atol=1e-13)
    np.testing.assert_allclose(A @ turned, factors.equal, atol=1e-9)
    x, y, _ = factors.solve(jnp.zeros(n), jnp.asarray(A @ np.ones(n)), jnp.zeros(n))
    np.testing.assert_allclose(A @ x, A @ np.ones(n), rtol=1e-10)
    assert y[np.flatnonzero(~independent)[0]] == 0
