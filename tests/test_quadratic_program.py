"""quadratic_program against SciPy's solvers, and what it says of problems without a solution."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from mvopt import Status, quadratic_program

N = 4


@pytest.fixture(scope="module")
def program():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(N, N))
    return {
        "P": root @ root.T,
        "q": rng.normal(size=N),
        "A": rng.normal(size=(2, N)),
        "b": rng.normal(size=2) / 5,
        "G": rng.normal(size=(3, N)),
        "h": rng.uniform(0.5, 1, 3),
    }


def test_a_quadratic_program_meets_its_conditions(program):
    P, q, A, b, G, h = program.values()
    found = quadratic_program(*program.values())
    assert found.status == Status.CONVERGED
    x, (y, z, _, _) = found.params, found.multipliers
    np.testing.assert_allclose(P @ x + q, A.T @ y - G.T @ z, atol=1e-8)
    np.testing.assert_allclose(A @ x, b, atol=1e-8)
    assert (h - G @ x).min() > -1e-8
    assert z.min() >= 0
    np.testing.assert_allclose(z * (h - G @ x), 0, atol=1e-8)


def test_linear_programs_agree_with_scipy(program):
    _, q, A, b, _, _ = program.values()
    found = quadratic_program(None, q, A, b, bounds=(-1.0, 1.0))
    wanted = linprog(q, A_eq=A, b_eq=b, bounds=(-1, 1))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, wanted.fun, rtol=1e-7)


def test_without_constraints_it_is_a_linear_system(program):
    P, q, *_ = program.values()
    np.testing.assert_allclose(quadratic_program(P, q).params, -np.linalg.solve(P, q), rtol=1e-9)


ONES = np.ones((1, N))
NOTHING_FITS = {
    "equations": {"A": np.vstack([ONES, 2 * ONES]), "b": np.array([1.0, 1.0])},
    "inequalities": {"G": np.vstack([ONES, -ONES]), "h": np.array([-1.0, -1.0])},
    "an equation and bounds": {"A": ONES, "b": np.array([10.0]), "bounds": (0.0, 1.0)},
}


@pytest.mark.parametrize("name", NOTHING_FITS)
def test_infeasible_programs(program, name):
    found = quadratic_program(program["P"], program["q"], **NOTHING_FITS[name])
    assert found.status == Status.INFEASIBLE


@pytest.mark.parametrize("curvature", [None, np.diag([1.0, 0, 0])])
def test_unbounded_programs(curvature):
    found = quadratic_program(curvature, np.array([0.0, -1, 0]), bounds=(A_WALL, np.inf))
    assert found.status == Status.UNBOUNDED
    assert found.params[1] > 1e5


A_WALL = np.array([-1.0, -1.0, -1.0])


def test_dependent_equations_and_a_fixed_variable(program):
    P, q, *_ = program.values()
    A, b = np.vstack([ONES, 2 * ONES]), np.array([1.0, 2.0])
    lower, upper = np.full(N, -np.inf), np.full(N, np.inf)
    lower[2] = upper[2] = 0.25
    found = quadratic_program(P, q, A, b, bounds=(lower, upper))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose([found.params[2], found.params.sum()], [0.25, 1], rtol=1e-9)


def test_a_batch_with_one_infeasible_member(program):
    P, q, *_ = program.values()
    returns = q + np.random.default_rng(1).normal(size=(9, N))
    totals = np.ones((9, 1))
    totals[4] = 10.0
    axes = (None, 0, None, 0)
    found = quadratic_program(P, returns, ONES, totals, bounds=(0.0, 1.0), in_axes=axes)
    status = np.asarray(found.status)
    assert status[4] == Status.INFEASIBLE
    assert (np.delete(status, 4) == Status.CONVERGED).all()
    alone = quadratic_program(P, returns[3], ONES, totals[3], bounds=(0.0, 1.0))
    np.testing.assert_allclose(alone.params, found.params[3], atol=1e-8)


def test_derivatives(program):
    P, q, A, b, G, h = (jnp.asarray(each) for each in program.values())

    def first(h):
        return quadratic_program(P, q, A, b, G, h).params[0]

    gradient = jax.grad(first)(h)
    step = 1e-5
    differences = [
        (first(h + step * e) - first(h - step * e)) / (2 * step) for e in jnp.eye(len(h))
    ]
    np.testing.assert_allclose(gradient, jnp.stack(differences), atol=1e-4)


CORNER = jnp.array([1.0, 2, 3]), jnp.array([[1.0, 1, 0], [0, 1, 1]])


def cornered(b, lower=0.0, dtype=jnp.float64):
    """Minimise x + 2 y + 3 z for x + y = b[0], y + z = b[1]."""
    costs, A = (each.astype(dtype) for each in CORNER)
    return quadratic_program(None, costs, A, b.astype(dtype), bounds=(lower, jnp.inf))


def test_the_scale_of_the_right_hand_side_does_not_matter(dtype):
    scales = 10.0 ** jnp.arange(-6, 10)
    found = jax.vmap(partial(cornered, dtype=dtype))(scales[:, None] * jnp.array([2.0, 1]))
    assert (found.status == Status.CONVERGED).all()
    rtol = 1e-8 if dtype == jnp.float64 else 1e-4
    np.testing.assert_allclose(found.params / scales[:, None], [[1, 1, 0]] * 16, atol=rtol)


def test_derivatives_far_from_size_one():
    b = jnp.array([2e6, 1e6])
    np.testing.assert_allclose(jax.jacobian(lambda b: cornered(b).params)(b),
                               [[1, -1], [0, 1], [0, 0]], atol=1e-9)  # fmt: skip
    np.testing.assert_allclose(jax.grad(lambda b: cornered(b).value)(b), [1, 1], rtol=1e-9)


def test_a_solution_follows_a_fixed_variable(program):
    P, q, *_ = program.values()

    def others(fixed):
        sides = jnp.full(N, jnp.inf).at[1].set(fixed)
        return quadratic_program(P, q, bounds=(-sides.at[1].set(-fixed), sides)).params

    rest = np.array([0, 2, 3])
    wanted = -np.linalg.solve(P[np.ix_(rest, rest)], P[rest, 1])
    np.testing.assert_allclose(jax.jacobian(others)(0.3)[rest], wanted, rtol=1e-8)
    np.testing.assert_allclose(jax.jacobian(others)(0.3)[1], 1)


ZERO = np.zeros((1, N))
INFINITE = np.full(1, np.inf)
NOTHING_SAID = {
    "an equation": {"A": ZERO, "b": np.zeros(1)},
    "an inequality": {"G": ZERO, "h": np.zeros(1)},
    "a side at infinity": {"G": ONES, "h": INFINITE},
    "bounds at infinity": {"bounds": (-np.inf, np.inf)},
}
IMPOSSIBLE = {
    "an equation": {"A": ZERO, "b": np.ones(1)},
    "an inequality": {"G": ZERO, "h": -np.ones(1)},
}


@pytest.mark.parametrize("name", NOTHING_SAID)
def test_rows_and_bounds_that_say_nothing(program, name):
    P, q, *_ = program.values()
    found = quadratic_program(P, q, **NOTHING_SAID[name])
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, -np.linalg.solve(P, q), rtol=1e-8)
    assert found.optimality < 1e-7


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_rows_of_zeros_that_cannot_be(program, name):
    found = quadratic_program(program["P"], program["q"], **IMPOSSIBLE[name])
    assert found.status == Status.INFEASIBLE
    multipliers = found.multipliers.equality if name == "an equation" else -found.multipliers[1]
    np.testing.assert_allclose(multipliers @ next(iter(IMPOSSIBLE[name].values())), 0, atol=1e-9)
    np.testing.assert_allclose(np.abs(multipliers), 1, rtol=1e-9)


def test_bounds_that_cross_under_jit_are_infeasible():
    found = jax.jit(cornered)(jnp.array([2.0, 1]), jnp.array([0.0, np.inf, 0.0]))
    assert found.status == Status.NONFINITE
    crossing = jax.jit(lambda lower: quadratic_program(None, CORNER[0], bounds=(lower, 1.0)))
    found = crossing(jnp.array([0.0, 3.0, 0.0]))
    assert found.status == Status.INFEASIBLE
    np.testing.assert_allclose(found.multipliers.lower, [0, 0.5, 0])


def test_a_cyclic_program_that_is_solvable_infeasible_and_unbounded():
    # SciPy's example of Enzo Michelangeli, of 50 unknowns; it has a ray in each of the three.
    angles = 2 * np.pi * np.arange(50) / 51
    A = np.stack([np.where(angles > 0, np.cos(angles) - 1, 0.0), np.sin(angles)])
    costs = np.array([1.0, -1, -1])[:, None] * np.ones(50)
    sides = np.array([[0.0, 0], [1, 1], [0, 0]])
    found = quadratic_program(
        None, costs, A, sides, bounds=(0.0, np.inf), in_axes=(None, 0, None, 0)
    )
    wanted = Status.CONVERGED, Status.INFEASIBLE, Status.UNBOUNDED
    np.testing.assert_array_equal(found.status, wanted)
    np.testing.assert_allclose(found.value[0], 0, atol=1e-8)
    y = found.multipliers.equality[1]
    np.testing.assert_array_less(A.T @ y, 1e-9)
    np.testing.assert_allclose(sides[1] @ y, 1, rtol=1e-9)


def test_what_is_not_a_number_stays_in_its_lane(program):
    P, q, *_ = program.values()
    found = quadratic_program(P, np.stack([q, q * np.nan, -q]), in_axes=(None, 0))
    np.testing.assert_array_equal(
        found.status, [Status.CONVERGED, Status.NONFINITE, Status.CONVERGED]
    )
    np.testing.assert_allclose(found.params[2], np.linalg.solve(P, q), rtol=1e-8)


def test_shapes_that_do_not_fit(program):
    P, q, A, b, _, _ = program.values()
    with pytest.raises(ValueError, match="belong together"):
        quadratic_program(P, q, A)
    with pytest.raises(ValueError, match="does not fit q"):
        quadratic_program(P[:3, :3], q)
    with pytest.raises(ValueError, match="one entry for each row"):
        quadratic_program(P, q, A, b[:1])
    with pytest.raises(ValueError, match="no number is within a lower bound of inf"):
        quadratic_program(P, q, A, b, bounds=(np.inf, np.inf))


def test_parts_that_share_no_row_may_differ_in_scale():
    A = np.zeros((3, 4))
    A[:2, :3], A[2, 3] = CORNER[1], 1
    costs, b = np.array([1, 2, 3, 1e-8]), np.array([2e-8, 1e-8, 1e6])
    found = quadratic_program(None, costs, A, b, bounds=(0.0, np.inf))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, 3e-8 + 1e-2, rtol=1e-8)


def test_a_direction_that_nothing_holds_is_a_ray():
    rows = {"A": np.array([[0.0, -1, 0]]), "b": np.ones(1), "G": -np.eye(3)[2:], "h": -np.ones(1)}
    found = quadratic_program(None, np.array([3.0, 5, -3]), **rows)
    assert found.status == Status.UNBOUNDED
    np.testing.assert_allclose(found.params[1], -1)


def test_equations_that_contradict_by_little_more_than_rounding():
    A, b = np.array([[0.1, 0.7], [0.3, 2.1]]), np.array([1e3, 3e3 + 1e-4])
    found = quadratic_program(None, np.zeros(2), A, b)
    assert found.status == Status.INFEASIBLE
    np.testing.assert_allclose(found.multipliers.equality, [-3e4, 1e4], rtol=1e-6)
