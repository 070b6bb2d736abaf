"""InteriorPoint and LagrangeNewton: published problems, hard cases and their statuses, batches."""

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems.hock_schittkowski import BY_NAME
from mvopt import BFGS, InteriorPoint, LagrangeNewton, Status, check_kkt, minimize

A = jnp.array


# Equations, inequalities and bounds, inequalities alone, all of them and a far start.
PUBLISHED = ["hs006", "hs024", "hs022", "hs074"]


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


class Case(NamedTuple):
    objective: object
    start: list
    constraints: dict
    best: object = None  # the least value, or the name of the status where there is none


def square(x):
    return x @ x


def hill(x):
    return jnp.exp(-(2 * x[0] ** 2 + x[1] ** 2 - x[0] * x[1]) / 2)


# Cases of one kind, by the shapes of their constraints, are a batch: a kind is compiled once.
ONE_EQUATION = {
    "no point on the curve": Case(
        square, [1.0, 1], {"equality": lambda x: x @ x + 1}, "INFEASIBLE"
    ),
    "falls along a line": Case(
        lambda x: -x[0] - x[1], [1.0, 1], {"equality": lambda x: x[0] - x[1]}, "UNBOUNDED"
    ),
    # Full steps raise both objective and violation (Maratos 1978).
    "Maratos's example": Case(
        lambda x: 2 * (x @ x - 1) - x[0], [0.54, 0.84], {"equality": lambda x: x @ x - 1}, -1.0
    ),
    "the course example": Case(
        hill, [-1.0, -1], {"equality": lambda x: x[0] ** 2 + 3 * (x[1] + 1) ** 2 - 1}
    ),
}
MORE_EQUATIONS_THAN_VARIABLES = {
    "parallel lines": Case(
        square, [1.0, 1], {"equality": lambda x: x[0] + x[1] - A([1.0, 2, 3])}, "INFEASIBLE"
    ),
    "more equations than variables": Case(
        square, [1.0, 2], {"equality": lambda x: A([x[0] - 1, x[1] - 1, x[0] * x[1] - 1])}, 2.0
    ),
}
ONE_INEQUALITY = {
    "falls along an inequality": Case(
        lambda x: -x[0] - x[1], [1.0, 1], {"inequality": lambda x: x[0] - x[1] + 3}, "UNBOUNDED"
    ),
    "undefined at the start": Case(
        lambda x: x[0] - jnp.log(x[1]), [1.0, -1], {"inequality": lambda x: 4 - x @ x}, "NONFINITE"
    ),
    "next to where a logarithm ends": Case(
        lambda x: x[0] - jnp.log(x[1]),
        [1.0, 1],
        {"inequality": lambda x: 4 - x @ x},
        -1.7843931659,
    ),
}
TWO_INEQUALITIES = {
    "opposite walls": Case(
        square, [1.0, 1], {"inequality": lambda x: A([x[0] - 1, -x[0] - 1])}, "INFEASIBLE"
    ),
    "an equation as two inequalities": Case(
        lambda x: (x[0] - 2) ** 2 + x[1] ** 2,
        [0.5, 0.7],
        {"inequality": lambda x: A([x[0] + x[1] - 1, 1 - x[0] - x[1]])},
        0.5,
    ),
    # No multipliers exist at the solution; those of points on the way to it grow without end.
    "a cusp": Case(
        lambda x: x[0] + x[1] ** 2,
        [1.0, 1],
        {"inequality": lambda x: A([x[0] ** 3 - x[1], x[1]])},
    ),
}
BOUNDED = {
    "out of the box": Case(
        square,
        [1.0, 1],
        {"inequality": lambda x: x[0] + x[1] - 3, "bounds": ([0.0, 0], [1.0, 1])},
        "INFEASIBLE",
    ),
    "complementary variables": Case(
        lambda x: (x[0] - 1) ** 2 + (x[1] - 1) ** 2,
        [0.5, 0.7],
        {"inequality": lambda x: -x[0] * x[1], "bounds": ([0.0, 0], [np.inf, np.inf])},
        1.0,
    ),
    "a start outside the bounds": Case(
        lambda x: (x[0] - 2) ** 2 + x[1] ** 2,
        [10.0, -30],
        {"inequality": lambda x: 1 - x @ x, "bounds": ([-1.0, -1], [3.0, 3])},
        1.0,
    ),
    "a fixed variable": Case(
        lambda x: (x[0] - 2) ** 2 + (x[1] - x[0]) ** 2,
        [0.5, 0.7],
        {"inequality": lambda x: 1 - x[0], "bounds": ([-5, 0.3], [5, 0.3])},
        1.49,
    ),
}
DEPENDENT = {
    "dependent equations": Case(
        square,
        [1.0, 3, 2],
        {
            "equality": lambda x: A(
                [x[0] + x[1] - 1, 2 * x[0] + 2 * x[1] - 2, x[2] ** 2 - x[0]],
            )
        },
        0.875,
    ),
}
WITHOUT_RESTORATION = {
    # Line searches that know no restoration end at a point that is none (Wächter and Biegler 2000).
    "Wächter and Biegler's example": Case(
        lambda x: x[0],
        [-2.0, 3, 1],
        {
            "equality": lambda x: A([x[0] ** 2 - x[1] - 1, x[0] - x[2] - 0.5]),
            "bounds": (A([-jnp.inf, 0, 0]), jnp.inf),
        },
        1.0,
    ),
}
KINDS = [
    *(ONE_EQUATION, MORE_EQUATIONS_THAN_VARIABLES, ONE_INEQUALITY, TWO_INEQUALITIES, BOUNDED),
    *(DEPENDENT, WITHOUT_RESTORATION),
]
CASES = {name: case for kind in KINDS for name, case in kind.items()}


def chosen(functions, x, which):
    """The value of one of the functions, for a batch of problems of which each has its own."""
    return jax.lax.select_n(which, *(jnp.asarray(function(x)) for function in functions))


@cache
def solved_together(number):
    """The solutions of all cases of a kind, and their certificates by `check_kkt`."""
    kind = list(KINDS[number].values())
    if len(kind) == 1:
        objective, start, constraints, _ = kind[0]
        found = minimize(objective, start, **constraints)
        certificate = check_kkt(objective, found, **constraints)
        return jax.tree.map(lambda leaf: leaf[None], (found, certificate))
    objective = partial(chosen, tuple(case.objective for case in kind))
    constraints = {}
    for name in kind[0].constraints:
        each = [case.constraints[name] for case in kind]
        if name == "bounds":
            constraints[name] = tuple(np.array(side, float) for side in zip(*each, strict=True))
        else:
            constraints[name] = partial(chosen, tuple(each))
    start, which = np.array([case.start for case in kind]), np.arange(len(kind))
    found = minimize(objective, start, (which,), in_axes=(0, 0), **constraints)
    return found, check_kkt(objective, found, (which,), in_axes=(0, 0), **constraints)


def solved_case(name):
    number = next(i for i, kind in enumerate(KINDS) if name in kind)
    place = list(KINDS[number]).index(name)
    return jax.tree.map(lambda leaf: leaf[place], solved_together(number))


def test_the_course_example():
    """The least value of a hill on an ellipse, with the multiplier of ∇f = λ ∇g."""
    found, _ = solved_case("the course example")
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, [-0.95896, -1.1637], rtol=5e-5)
    np.testing.assert_allclose(found.multipliers.equality, -0.24654, rtol=5e-5)


@pytest.mark.parametrize("name", [name for name in CASES if isinstance(CASES[name].best, str)])
def test_what_has_no_solution_says_so(name):
    assert solved_case(name)[0].status == Status[CASES[name].best]


def test_at_a_cusp_no_success_without_a_certificate():
    found, certificate = solved_case("a cusp")
    assert abs(found.value) < 1e-4
    assert found.status == Status.STALLED or certificate.residual <= 1e-8


@pytest.mark.parametrize("name", [name for name in CASES if isinstance(CASES[name].best, float)])
def test_hard_cases_are_certified(name):
    found, certificate = solved_case(name)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, CASES[name].best, rtol=1e-7)
    assert certificate.residual <= 1e-8


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


@cache
def alone(a):
    return minimize(walled, START, (a,), **WALLS)


MANY = 600  # more than the lanes, so that each takes several problems
BAD = {7: (-1.0, Status.NONFINITE), 11: (0.1, Status.INFEASIBLE)}  # a logarithm; an empty ball
GOOD = np.setdiff1d(np.arange(MANY), list(BAD))


@cache
def values_and_solutions():
    values = np.linspace(0.6, 3, MANY)
    for place, (value, _) in BAD.items():
        values[place] = value
    return values, batch(values)


def test_a_batch_is_as_one_at_a_time_and_a_bad_lane_harms_no_other():
    values, together = values_and_solutions()
    for place, (_, status) in BAD.items():
        assert together.status[place] == status
    assert (together.status[GOOD] == Status.CONVERGED).all()
    assert together.certificate.residual[GOOD].max() <= 1e-8
    one = alone(values[300])
    np.testing.assert_allclose(one.params, together.params[300], atol=1e-9)
    without = batch(values[GOOD])
    np.testing.assert_array_equal(without.params, together.params[GOOD])


def test_a_large_batch_of_small_problems_is_solved_as_a_small_one_is():
    values, found = values_and_solutions()
    assert found.num_steps[values >= 1].max() < 60


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


def test_a_solution_follows_a_variable_that_its_bounds_fix():
    def corner(fixed):
        sides = jnp.array([jnp.inf, 0.0]).at[1].set(fixed)
        bounds = -sides.at[1].multiply(-1), sides
        distance = lambda x: jnp.sum((x - 1) ** 2) + x[0] * x[1]
        inside = lambda x: 10 - x @ x
        return minimize(distance, jnp.zeros(2), inequality=inside, bounds=bounds).params

    np.testing.assert_allclose(jax.jacobian(corner)(0.3), [-0.5, 1], rtol=1e-8)


def test_a_warm_start_takes_fewer_steps_and_a_run_goes_on_where_it_stopped():
    cold = alone(1.7)
    warm = minimize(walled, cold.params, (1.7,), multipliers=cold.multipliers, **WALLS)
    assert warm.status == Status.CONVERGED
    assert warm.num_steps < cold.num_steps
    part = minimize(walled, START, (1.7,), max_steps=5, keep_state=True, trace=5, **WALLS)
    assert part.status == Status.MAX_STEPS
    assert part.trace.shape == (5, 4)
    rest = minimize(walled, START, (1.7,), state=part.state, **WALLS)
    assert rest.num_steps == cold.num_steps - 5
    np.testing.assert_allclose(rest.params, cold.params, rtol=1e-12, atol=1e-15)


def test_under_jit_and_vmap():
    def nearest(a):
        start = jnp.array([1.0, 0.5])
        return minimize(lambda x: (x[0] - a) ** 2, start, equality=lambda x: x @ x - 1).params

    found = jax.jit(jax.vmap(nearest))(jnp.array([-0.6, 0.8]))
    np.testing.assert_allclose(found[:, 0], [-0.6, 0.8], atol=1e-8)


def test_solvers_without_constraints_refuse_them():
    with pytest.raises(ValueError, match="BFGS takes no constraints"):
        minimize(square, [1.0, 1.0], equality=lambda x: x[0], solver=BFGS())
