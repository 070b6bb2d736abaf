"""Nonlinear conjugate gradients."""

import jax.numpy as jnp
import numpy as np
import pytest

import mvopt
from benchmarks.problems import mgh
from mvopt import NonlinearCG, Status

PROBLEMS = [
    *("rosenbrock", "helical_valley", "wood", "beale", "brown_dennis"),
    "extended_rosenbrock",
]


@pytest.mark.parametrize("name", PROBLEMS)
def test_published_problems_from_three_starts(name):
    problem = mgh.BY_NAME[name]
    starts = jnp.array([problem.start_times(factor) for factor in (1, 10, 100)])
    solution = mvopt.minimize(problem.objective, starts, solver=NonlinearCG(), in_axes=0)
    assert (solution.status == Status.CONVERGED).all()
    nearest = np.abs(np.asarray(solution.value)[:, None] - problem.minima).min(axis=1)
    assert (nearest <= 1e-8 * np.abs(solution.value) + 1e-12).all()


def test_a_quadratic_of_four_eigenvalues_takes_few_steps_whatever_its_size():
    scales = jnp.repeat(jnp.array([1.0, 10.0, 100.0, 1000.0]), 250)
    solution = mvopt.minimize(
        lambda x: jnp.sum(scales * (x - 1) ** 2) + 1, jnp.zeros(1000), solver=NonlinearCG()
    )
    assert solution.status == Status.CONVERGED
    assert solution.num_steps < 80
    np.testing.assert_allclose(solution.params, 1, atol=1e-6)


def test_float32():
    start = jnp.array([-1.2, 1], jnp.float32)
    solution = mvopt.minimize(mgh.BY_NAME["rosenbrock"].objective, start, solver=NonlinearCG())
    assert solution.params.dtype == jnp.float32
    assert solution.status in (Status.CONVERGED, Status.STALLED)
    np.testing.assert_allclose(solution.params, 1, atol=1e-2)


def test_bounds_and_a_region_without_values():
    def barrier(x):
        return jnp.sum(x - jnp.log(x))

    solution = mvopt.minimize(
        barrier, jnp.array([1e-2, 4.0]), solver=NonlinearCG(), bounds=(-1.0, jnp.array([9.0, 0.5]))
    )
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, [1, 0.5], atol=1e-6)


def test_a_batch_is_as_one_at_a_time():
    objective = mgh.BY_NAME["rosenbrock"].objective
    starts = jnp.asarray(np.random.default_rng(2).normal(size=(20, 2)))
    together = mvopt.minimize(objective, starts, solver=NonlinearCG(), in_axes=0)
    chosen = np.array([0, 7, 19])  # as many as above: compiled already
    few = mvopt.minimize(objective, starts[chosen], solver=NonlinearCG(), in_axes=0)
    np.testing.assert_allclose(together.params[chosen], few.params, rtol=1e-7)
    for k in (0, 19):
        single = mvopt.minimize(objective, starts[k], solver=NonlinearCG())
        np.testing.assert_allclose(single.params, 1, atol=1e-7)
