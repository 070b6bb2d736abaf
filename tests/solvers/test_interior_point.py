"""InteriorPoint and LagrangeNewton: published problems, hard cases and their statuses, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems.hock_schittkowski import BY_NAME
from mvopt import InteriorPoint, LagrangeNewton, Status, check_kkt, minimize

A = jnp.array


# Equations, inequalities and bounds, inequalities alone, all of them, a far start.
PUBLISHED = ["hs006", "hs024", "hs043", "hs071", "hs109"]


def solved(name, dtype=jnp.float64, **options):
    problem = BY_NAME[name]
    bounds = None
    if problem.lower is not None or problem.upper is not None:
        sides = (problem.lower, -np.inf), (problem.upper, np.inf)
        bounds = tuple(A([none] * problem.num_variables if s is None else s) for s, none in sides)
        bounds = tuple(side.astype(dtype) for side in bounds)
    constraints = {
        "equality": problem.equality,
        "inequality": problem.inequality,
        "bounds": bounds,
    }
    start = A(problem.start, dtype)
    solver = InteriorPoint()
    found = minimize(problem.objective, start, solver=solver, **constraints, **options)
    return problem, found, constraints


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_problems_are_certified(name):
    problem, found, constraints = solved(name)
    assert found.status == Status.CONVERGED
    assert abs(found.value - problem.best) <= 1e-7 * max(1, abs(problem.best))
    assert check_kkt(problem.objective, found, **constraints).residual <= 1e-8


def test_a_published_problem_in_float32():
    problem, found, _ = solved("hs071", jnp.float32)
    assert found.params.dtype == jnp.float32
    assert found.status == Status.CONVERGED
    assert abs(found.value - problem.best) <= 1e-4 * max(1, abs(problem.best))


def test_the_course_example():
    """The least value of a hill on an ellipse, with the multiplier of ∇f = λ ∇g."""

    def hill(x):
        return jnp.exp(-(2 * x[0] ** 2 + x[1] ** 2 - x[0] * x[1]) / 2)

    found = minimize(hill, [-1.0, -1.0], equality=lambda x: x[0] ** 2 + 3 * (x[1] + 1) ** 2 - 1)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, [-0.95896, -1.1637], rtol=5e-5)
    np.testing.assert_allclose(found.multipliers.equality, -0.24654, rtol=5e-5)


def square(x):
    return x @ x


CASES = {
    "no point on the curve": (square, [1.0, 1], {"equality": lambda x: x @ x + 1}, "INFEASIBLE"),
    "parallel lines": (
        square,
        [1.0, 1],
        {"equality": lambda x: x[0] + x[1] - A([1.0, 2.0])},
        "INFEASIBLE",
    ),
    "opposite walls": (
        square,
        [1.0, 1],
        {"inequality": lambda x: A([x[0] - 1, -x[0] - 1])},
        "INFEASIBLE",
    ),
    "out of the box": (
        square,
        [1.0, 1],
        {"inequality": lambda x: x[0] + x[1] - 3, "bounds": (0.0, 1.0)},
        "INFEASIBLE",
    ),
    "falls along an inequality": (
        lambda x: -x[0] - x[1],
        [1.0, 1],
        {"inequality": lambda x: x[0] - x[1] + 3},
        "UNBOUNDED",
    ),
    "falls along a line": (
        lambda x: -x[0] - x[1],
        [1.0, 1],
        {"equality": lambda x: x[0] - x[1]},
        "UNBOUNDED",
    ),
    "undefined at the start": (
        lambda x: x[0] - jnp.log(x[1]),
        [1.0, -1],
        {"inequality": lambda x: 4 - x @ x},
        "NONFINITE",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_has_no_solution_says_so(name):
    objective, start, constraints, status = CASES[name]
    assert minimize(objective, start, **constraints).status == Status[status]


def test_at_a_cusp_no_success_without_a_certificate():
    """No multipliers exist at the solution; those of points on the way to it grow without end."""
    objective = lambda x: x[0] + x[1] ** 2
    constraints = {"inequality": lambda x: A([x[0] ** 3 - x[1], x[1]])}
    found = minimize(objective, [1.0, 1], **constraints)
    assert abs(found.value) < 1e-4
    residual = check_kkt(objective, found, **constraints).residual
    assert found.status == Status.STALLED or residual <= 1e-8


SOLVABLE = {
    "dependent equations": (
        square,
        [1.0, 3, 2],
        {
            "equality": lambda x: A(
                [x[0] + x[1] - 1, 2 * x[0] + 2 * x[1] - 2, x[2] ** 2 - x[0]],
            )
        },
        0.875,
    ),
    "more equations than variables": (
        square,
        [1.0, 2],
        {"equality": lambda x: A([x[0] - 1, x[1] - 1, x[0] * x[1] - 1])},
        2.0,
    ),
    "an equation as two inequalities": (
        lambda x: (x[0] - 2) ** 2 + x[1] ** 2,
        [0.5, 0.7],
        {"inequality": lambda x: A([x[0] + x[1] - 1, 1 - x[0] - x[1]])},
        0.5,
    ),
    "complementary variables": (
        lambda x: (x[0] - 1) ** 2 + (x[1] - 1) ** 2,
        [0.5, 0.7],
        {"inequality": lambda x: -x[0] * x[1], "bounds": (0.0, np.inf)},
        1.0,
    ),
    "a start outside the bounds": (
        lambda x: (x[0] - 2) ** 2 + x[1] ** 2,
        [10.0, -30],
        {"inequality": lambda x: 1 - x @ x, "bounds": (-1.0, 3.0)},
        1.0,
    ),
    "a fixed variable": (
        lambda x: (x[0] - 2) ** 2 + (x[1] - x[0]) ** 2,
        [0.5, 0.7],
        {"inequality": lambda x: 1 - x[0], "bounds": (A([-5, 0.3]), A([5, 0.3]))},
        1.49,
    ),
    # Line searches that know no restoration end at a point that is none (Wächter and Biegler 2000).
    "Wächter and Biegler's example": (
        lambda x: x[0],
        [-2.0, 3, 1],
        {
            "equality": lambda x: A([x[0] ** 2 - x[1] - 1, x[0] - x[2] - 0.5]),
            "bounds": (A([-jnp.inf, 0, 0]), jnp.inf),
        },
        1.0,
    ),
    # Full steps raise both objective and violation (Maratos 1978).
    "Maratos's example": (
        lambda x: 2 * (x @ x - 1) - x[0],
        [0.54, 0.84],
        {"equality": lambda x: x @ x - 1},
        -1.0,
    ),
    "next to where a logarithm ends": (
        lambda x: x[0] - jnp.log(x[1]),
        [1.0, 1],
        {"inequality": lambda x: 4 - x @ x},
        -1.7843931659,
    ),
}


@pytest.mark.parametrize("name", SOLVABLE)
def test_hard_cases_are_certified(name):
    objective, start, constraints, best = SOLVABLE[name]
    found = minimize(objective, start, **constraints)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, best, rtol=1e-7)
    assert check_kkt(objective, found, **constraints).residual <= 1e-8


def test_lagrange_newton_takes_no_walls():
    for more in ({"bounds": (0.0, 1.0)}, {"inequality": lambda x: x[0]}):
        with pytest.raises(ValueError, match="use InteriorPoint"):
            minimize(square, [1.0, 1.0], solver=LagrangeNewton(), **more)


def walled(x, a):
    return (x[0] - a) ** 2 + jnp.sum(x**2)


def total(x, a):
    return {"sum": x[0] + x[1] - 1 + 0 * a}


def ball(x, a):
    return jnp.log(a) + 2 - x @ x


WALLS = {"equality": total, "inequality": ball, "bounds": (0.0, np.inf)}
START = np.array([0.5, 0.5, 0.5])


def batch(values):
    return minimize(walled, START, (values,), in_axes=(None, 0), **WALLS)


def test_a_batch_is_as_one_at_a_time_and_a_bad_lane_harms_no_other():
    values = np.linspace(0.6, 3, 40)
    values[7] = -1.0  # the logarithm is NaN
    values[11] = 0.1  # the ball is empty
    together = batch(values)
    status = np.asarray(together.status)
    assert status[7] == Status.NONFINITE
    assert status[11] == Status.INFEASIBLE
    good = np.setdiff1d(np.arange(40), [7, 11])
    assert (status[good] == Status.CONVERGED).all()
    assert together.certificate.residual[good].max() <= 1e-8
    alone = minimize(walled, START, (values[20],), **WALLS)
    np.testing.assert_allclose(alone.params, together.params[20], atol=1e-9)
    without = batch(values[good])
    np.testing.assert_array_equal(without.params, together.params[good])


def test_a_large_batch_of_small_problems_is_solved_as_a_small_one_is():
    values = np.linspace(1.0, 3, 600)
    found = batch(values)
    assert (found.status == Status.CONVERGED).all()
    assert found.num_steps.max() < 60
    assert found.certificate.residual.max() <= 1e-8


def solution(a):
    found = minimize(walled, START, (a,), **WALLS)
    multipliers = found.multipliers
    walls = [multipliers.equality["sum"], multipliers.inequality]
    return jnp.concatenate([found.params, jnp.stack(walls), multipliers.lower, found.value[None]])


@pytest.mark.parametrize("a", [0.3, 1.7])
def test_derivatives_of_solution_and_multipliers(a):
    """At 0.3 the ball holds the solution, at 1.7 it does not."""
    h = 1e-4
    by_differences = (solution(a + h) - solution(a - h)) / (2 * h)
    forward = jax.jacfwd(solution)(a)
    np.testing.assert_allclose(forward, by_differences, atol=2e-4, rtol=1e-3)
    np.testing.assert_allclose(jax.jacrev(solution)(a), forward, atol=1e-10)


def test_derivatives_of_a_batch():
    values = jnp.array([1.2, 1.7, 2.1])
    gradient = jax.grad(lambda values: batch(values).params[:, 0].sum())(values)
    # At 2.1 the second variable is on its bound.
    np.testing.assert_allclose(gradient, [1 / 3, 1 / 3, 0], atol=1e-6)


def test_a_warm_start_takes_fewer_steps_and_a_run_goes_on_where_it_stopped():
    _, cold, constraints = solved("hs071")
    objective = BY_NAME["hs071"].objective
    warm = minimize(objective, cold.params, multipliers=cold.multipliers, **constraints)
    assert warm.status == Status.CONVERGED
    assert warm.num_steps < cold.num_steps
    start = A(BY_NAME["hs071"].start)
    part = minimize(objective, start, max_steps=5, keep_state=True, trace=5, **constraints)
    assert part.status == Status.MAX_STEPS
    assert part.trace.shape == (5, 5)
    rest = minimize(objective, start, state=part.state, **constraints)
    assert rest.num_steps == cold.num_steps - 5
    np.testing.assert_allclose(rest.params, cold.params, rtol=1e-12)


def test_under_jit_and_vmap():
    def nearest(a):
        start = jnp.array([1.0, 0.5])
        return minimize(lambda x: (x[0] - a) ** 2, start, equality=lambda x: x @ x - 1).params

    found = jax.jit(jax.vmap(nearest))(jnp.array([-0.6, 0.8]))
    np.testing.assert_allclose(found[:, 0], [-0.6, 0.8], atol=1e-8)


def test_solvers_without_constraints_refuse_them():
    from mvopt import BFGS  # noqa: PLC0415

    with pytest.raises(ValueError, match="BFGS takes no constraints"):
        minimize(square, [1.0, 1.0], equality=lambda x: x[0], solver=BFGS())
