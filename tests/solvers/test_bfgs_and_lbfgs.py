"""BFGS and L-BFGS on published problems, and the honesty of their statuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import mgh
from mvopt import BFGS, LBFGS, Status, minimize
from mvopt.families.confirmation import is_minimum
from mvopt.families.objective import ObjectiveProblem

SOLVERS = {"BFGS": BFGS(), "LBFGS": LBFGS()}
every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)


@every_solver
@pytest.mark.parametrize(
    "name", ["powell_badly_scaled", "brown_badly_scaled", "helical_valley", "meyer", "wood"]
)
def test_published_problems_from_the_standard_start(name, solver):
    problem = mgh.BY_NAME[name]
    found = minimize(problem.objective, np.array(problem.start), solver=solver)
    best = problem.minima[0]
    assert found.value - best <= 1e-6 * max(1, best)
    assert found.status in (Status.CONVERGED, Status.STALLED)


@every_solver
def test_float32_stops_at_its_floor(solver):
    problem = mgh.BY_NAME["helical_valley"]
    found = minimize(problem.objective, np.array(problem.start, np.float32), solver=solver)
    assert found.status in (Status.CONVERGED, Status.STALLED)
    assert found.num_steps < 500
    assert problem.objective(jnp.asarray(found.params, float)) < 1e-4


@every_solver
def test_a_minimum_at_infinity_is_not_claimed_early(solver):
    """exp(−x) has no minimum: CONVERGED only where no float can be lower by a relevant amount."""
    found = minimize(lambda x: jnp.exp(-x[0]), np.array([0.0]), solver=solver)
    assert found.value < 1e-12


def test_the_second_opinion_knows_minima_from_saddles_and_slopes():
    def opinion(fn, x):
        return bool(is_minimum(ObjectiveProblem(fn), jnp.asarray(x, float)))

    bowl = lambda x: x[0] ** 2 + 1e-6 * x[1] ** 2
    assert opinion(bowl, [0.0, 0.0])
    assert not opinion(bowl, [0.0, 1.0])  # the gradient is only 2e-6
    assert not opinion(lambda x: x[0] ** 2 - x[1] ** 2, [0.0, 0.0])
    assert opinion(lambda x: 0 * x[0] + 1, [0.0, 0.0])  # no direction is better
    assert opinion(lambda x: x[0] ** 2 + (x[0] + 2 * x[1]) ** 2 * 0, [0.0, 0.0])  # a valley floor
    bounded = ObjectiveProblem(lambda x: jnp.sum((x - 2) ** 2), (jnp.zeros(2), jnp.ones(2)))
    assert is_minimum(bounded, jnp.ones(2))


def test_a_function_without_second_derivative_can_still_be_minimised():
    @jax.custom_vjp
    def square(x):
        return jnp.sum(x * x)

    square.defvjp(lambda x: (square(x), x), lambda x, bar: (2 * x * bar,))
    found = minimize(square, np.array([3.0, -1.0]), solver=LBFGS())
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 0, atol=1e-10)


def test_the_memory_of_lbfgs_is_a_choice():
    problem = mgh.BY_NAME["wood"]
    steps = [
        int(minimize(problem.objective, np.array(problem.start), solver=LBFGS(memory=m)).num_steps)
        for m in (1, 10)
    ]
    assert steps[1] < steps[0]
