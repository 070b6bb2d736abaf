"""quadratic_program against SciPy's solvers, and what it says of problems without a solution."""

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


def test_shapes_that_do_not_fit(program):
    P, q, A, b, _, _ = program.values()
    with pytest.raises(ValueError, match="belong together"):
        quadratic_program(P, q, A)
    with pytest.raises(ValueError, match="does not fit q"):
        quadratic_program(P[:3, :3], q)
    with pytest.raises(ValueError, match="one entry for each row"):
        quadratic_program(P, q, A, b[:1])
