"""AugmentedLagrangian: many variables, any inner method, the same solutions as the others find."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems.hock_schittkowski import BY_NAME
from mvopt import AugmentedLagrangian, Status, TrustRegionNewton, check_kkt, minimize


@pytest.mark.parametrize("name", ["hs007", "hs043"])
@pytest.mark.parametrize("inner", [None, TrustRegionNewton()], ids=str)
def test_published_problems(name, inner):
    problem = BY_NAME[name]
    bounds = None if problem.lower is None else (np.array(problem.lower), np.inf)
    constraints = {
        "equality": problem.equality,
        "inequality": problem.inequality,
        "bounds": bounds,
    }
    start = np.array(problem.start)
    solver = AugmentedLagrangian(inner)
    found = minimize(problem.objective, start, solver=solver, **constraints)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, problem.best, rtol=1e-6)
    assert check_kkt(problem.objective, found, **constraints).residual <= 2e-5


def test_more_variables_than_a_matrix_can_be_built_for():
    """The default beyond a thousand: the Hessian would take 80 GB."""
    n = 100_000
    target = jnp.asarray(np.random.default_rng(0).normal(size=n))

    def distance(x, target):
        return 0.5 * jnp.sum((x - target) ** 2)

    def total(x, target):
        return (jnp.sum(x) - n) / n**0.5 + 0 * target[0]

    found = minimize(distance, jnp.zeros(n), (target,), equality=total)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, target + 1 - target.mean(), atol=1e-6)


def test_a_batch_with_an_infeasible_member():
    def square(x, a):
        return jnp.sum(x**2) + 0 * a

    def ring(x, a):
        return jnp.sum(x**2) - a

    values = np.array([1.0, -1.0, 4.0])
    start = np.array([1.0, 2.0])
    solver = AugmentedLagrangian()
    found = minimize(square, start, (values,), equality=ring, solver=solver, in_axes=(None, 0))
    status = [Status(int(s)).name for s in found.status]
    assert status == ["CONVERGED", "INFEASIBLE", "CONVERGED"]
    np.testing.assert_allclose(found.value[::2], [1, 4], rtol=1e-5)
