"""The simplex of Nelder and Mead: its moves, its ends, its bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mvopt
from benchmarks.problems import mgh
from mvopt import NelderMead, Status
from mvopt.families.objective import ObjectiveProblem

ROSENBROCK = mgh.BY_NAME["rosenbrock"]


def textbook(function, start):
    """Yields the points that the method evaluates, by Lagarias and others (1998), section 2."""
    n = len(start)
    rho, chi, gamma, sigma = 1, 1 + 2 / n, 0.75 - 1 / (2 * n), 1 - 1 / n
    points = [np.array(start)]
    for i in range(n):
        points.append(np.array(start))
        points[-1][i] += 0.05 * abs(start[i])
    values = []
    for point in points:
        yield point
        values.append(function(point))
    while True:
        order = np.argsort(values, kind="stable")
        points, values = [points[i] for i in order], [values[i] for i in order]
        centroid = sum(points[:-1]) / n
        away = centroid - points[-1]
        reflection = centroid + rho * away
        yield reflection
        height = function(reflection)
        new = reflection, height
        if height < values[0]:
            expansion = centroid + chi * away
            yield expansion
            new = min((new, (expansion, function(expansion))), key=lambda pair: pair[1])
        elif height >= values[-2]:
            outside = height < values[-1]
            contraction = centroid + (gamma if outside else -gamma) * away
            yield contraction
            new = contraction, function(contraction)
            if new[1] > height if outside else new[1] >= values[-1]:
                new = None
                for i in range(1, n + 1):
                    points[i] = points[0] + sigma * (points[i] - points[0])
                    yield points[i]
                    values[i] = function(points[i])
        if new:
            points[-1], values[-1] = new


@pytest.mark.parametrize("name", ["rosenbrock", "helical_valley", "wood"])
def test_evaluates_the_points_of_the_textbook(name):
    test = mgh.BY_NAME[name]
    function = jax.jit(test.objective)
    start = [x or 0.1 for x in test.start]
    problem, solver = ObjectiveProblem(test.objective), NelderMead()
    state = solver.init(problem, jnp.array(start), None)
    step = jax.jit(lambda s: solver.step(problem, s, solver.evaluate(problem, s)))
    points = textbook(lambda x: float(function(x)), start)
    for _ in range(60):
        np.testing.assert_allclose(state.trial, next(points), rtol=1e-9)
        state = step(state)
    assert jnp.isfinite(state.value)


def test_rosenbrock_from_many_starts_as_from_each(dtype):
    starts = jnp.array([[-1.2, 1], [0, 0], [3, -2], [-12, 10]], dtype)
    many = mvopt.minimize(ROSENBROCK.objective, starts, solver=NelderMead(), in_axes=0)
    assert (many.status == Status.CONVERGED).all()
    tolerance = 100 * float(jnp.finfo(dtype).eps) ** 0.5
    np.testing.assert_allclose(many.params, jnp.ones((4, 2)), atol=tolerance)
    assert many.params.dtype == dtype
    one = mvopt.minimize(ROSENBROCK.objective, starts[0], solver=NelderMead())
    assert one.num_steps == many.num_steps[0]


def test_a_kink_is_a_minimum_too():
    solution = mvopt.minimize(
        lambda x: jnp.abs(x[0] - 1) + 2 * jnp.abs(x[1] + 3) + 1, jnp.zeros(2), solver=NelderMead()
    )
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, [1, -3], atol=1e-6)
    assert jnp.isnan(solution.optimality)


def test_not_a_number_is_the_worst():
    def barrier(x):
        return jnp.sum(x - jnp.log(x))

    solution = mvopt.minimize(barrier, jnp.array([1e-2, 4.0]), solver=NelderMead())
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, 1, atol=1e-6)
    nowhere = mvopt.minimize(barrier, jnp.array([-1.0, 4.0]), solver=NelderMead())
    assert nowhere.status == Status.NONFINITE


def test_stays_within_bounds():
    lower, upper = jnp.array([-1.5, -1.0]), jnp.array([0.5, 2.0])
    solution = mvopt.minimize(
        ROSENBROCK.objective, jnp.array([-1.2, 1]), solver=NelderMead(), bounds=(lower, upper)
    )
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, [0.5, 0.25], atol=1e-6)


@pytest.mark.parametrize("reach", [1.0, 1.5], ids=["minima inside", "some outside"])
def test_a_simplex_is_not_flattened_onto_a_bound(reach):
    """Clipped entry by entry, 3 % of these quadratics ended as CONVERGED at a wrong point."""
    rng = np.random.default_rng(0)
    starts, goals = rng.uniform(0, 1, (200, 3)), 0.5 + reach * rng.uniform(-0.5, 0.5, (200, 3))
    found = mvopt.minimize(
        lambda x, goal: jnp.sum(jnp.arange(1, 4) * (x - goal) ** 2),
        starts,
        (goals,),
        solver=NelderMead(),
        bounds=(0.0, 1.0),
        in_axes=0,
    )
    assert (found.status == Status.CONVERGED).mean() > 0.95
    away = np.abs(found.params - np.clip(goals, 0, 1)).max(axis=1)
    assert away[found.status == Status.CONVERGED].max() < 1e-5


def test_a_box_narrower_than_the_first_simplex():
    found = mvopt.minimize(
        lambda x: (x - 99.3) ** 2, 100.5, solver=NelderMead(), bounds=(99.0, 101.0)
    )
    assert found.status == Status.CONVERGED
    assert found.params == pytest.approx(99.3, rel=1e-7)


def test_one_parameter():
    solution = mvopt.minimize(lambda x: jnp.cosh(x - 2), 0.3, solver=NelderMead())
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, 2, atol=1e-6)


def test_a_collapsed_simplex_is_set_up_again():
    """McKinnon (1998): the simplex (1, 1), (a, b), (0, 0) collapses to the origin."""

    def fn(x):
        steep = jnp.where(x[0] <= 0, 360.0, 6.0)
        return steep * x[0] ** 2 + x[1] + x[1] ** 2

    root = np.sqrt(33)
    corner = jnp.array([(1 + root) / 8, (1 - root) / 8])
    problem, solver = ObjectiveProblem(fn), NelderMead()
    state = solver.init(problem, jnp.zeros(2), None)
    vertices = jnp.stack([jnp.zeros(2), corner, jnp.ones(2)])
    values = jax.vmap(fn)(vertices)
    known = {"vertices": vertices, "values": values, "vertex": jnp.int32(2)}
    state = state._replace(**known, trial=vertices[2])
    step = lambda s: solver.step(problem, s, solver.evaluate(problem, s))
    last = jax.lax.while_loop(lambda s: s.status == Status.RUNNING, step, state)
    np.testing.assert_allclose(last.params, [0, -0.5], atol=1e-6)


def test_no_minimum_is_said_so():
    solution = mvopt.minimize(lambda x: -jnp.sum(x**4), jnp.ones(2), solver=NelderMead())
    assert solution.status == Status.UNBOUNDED


def test_a_simplex_that_the_function_does_not_see_is_no_minimum():
    """Edges are shares of the params, and those of 1e-16 change nothing in (x − 1)²."""
    starts = np.array([[1e-16, 1e-16], [np.sin(np.pi), np.sin(np.pi)], [1e-17, 5.0], [1e-300, 0.0]])
    found = mvopt.minimize(lambda x: jnp.sum((x - 1) ** 2), starts, solver=NelderMead(), in_axes=0)
    assert (found.status == Status.CONVERGED).all()
    np.testing.assert_allclose(found.params, 1, atol=1e-7)
    small = mvopt.minimize(
        lambda x: jnp.sum((x / 1e-16 - 1) ** 2), np.array([3e-16, 2e-16]), solver=NelderMead()
    )
    assert small.status == Status.CONVERGED
    np.testing.assert_allclose(small.params, 1e-16, rtol=1e-6)


def test_where_only_rounding_is_left_the_hessian_is_asked():
    """Rosenbrock's valley at 1e30: the spacing of floats alone is worth 1e30."""
    valley = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
    starts = np.array([[1e30, 1e30], [1e30, -1e30], [1e-30, 1e30], [-1.2, 1.0]])
    found = mvopt.minimize(valley, starts, solver=NelderMead(), in_axes=0)
    at_one = np.abs(np.asarray(found.params) - 1).max(axis=1) < 1e-6
    np.testing.assert_array_equal(found.status == Status.CONVERGED, at_one)
    assert at_one[2:].all()
