"""Constrained minima in small and large units of the variables and of the objective.

Convex quadratic programs that are made around their solution and multipliers, so that both are
known: an objective of 1e-6 to 1e6, variables of 1e-3 to 1e3, half of the inequalities active.
"""

import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import AugmentedLagrangian, InteriorPoint, LagrangeNewton, Status, minimize

COUNT, N = 150, 4


def _programs(inequalities):
    """The data of `_objective` for `COUNT` programs, the units and the solutions in them."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(COUNT, N, N))
    hessians = factors @ factors.swapaxes(1, 2) + 0.1 * np.eye(N)
    solutions = rng.normal(size=(COUNT, N))
    a, g = rng.normal(size=(COUNT, 1, N)), rng.normal(size=(COUNT, 2, N))
    active = inequalities & (rng.random((COUNT, 2)) < 0.5)
    b = np.einsum("bij,bj->bi", a, solutions)
    h = np.einsum("bij,bj->bi", g, solutions) - np.where(active, 0, 1)
    y, z = rng.normal(size=(COUNT, 1)), np.where(active, rng.uniform(0.1, 2, (COUNT, 2)), 0)
    slopes = np.einsum("bij,bi->bj", a, y) + np.einsum("bij,bi->bj", g, z)
    units, scales = 10 ** rng.uniform(-3, 3, (COUNT, 1)), 10 ** rng.uniform(-6, 6, COUNT)
    return (units, scales, hessians, solutions, slopes, a, b, g, h), units, solutions


def _objective(x, unit, scale, hessian, solution, slope, *_):
    d = x / unit - solution
    return scale * (0.5 * d @ hessian @ d + slope @ d)


def _equality(x, unit, scale, hessian, solution, slope, a, b, *_):
    return a @ (x / unit) - b


def _inequality(x, unit, scale, hessian, solution, slope, a, b, g, h):
    return g @ (x / unit) - h


SOLVERS = [
    (InteriorPoint(), _inequality, 0.97),
    (LagrangeNewton(), None, 1.0),
    (AugmentedLagrangian(), _inequality, 0.8),
]


@pytest.mark.parametrize(("solver", "inequality", "least"), SOLVERS, ids=lambda s: str(s)[:10])
@pytest.mark.parametrize("far", [0.0, 1.0, 1e4])
def test_converged_is_at_the_solution_in_any_units(solver, inequality, least, far):
    data, units, solutions = _programs(inequality is not None)
    start = far * units * np.random.default_rng(1).normal(size=(COUNT, N))
    constraints = {"equality": _equality, "inequality": inequality}
    found = minimize(_objective, start, data, solver=solver, in_axes=0, **constraints)
    converged = found.status == Status.CONVERGED
    distance = np.abs(found.params / units - solutions).max(1)
    assert distance[converged].max() < 1e-4
    assert converged.mean() >= least


@pytest.mark.parametrize("solver", [InteriorPoint(), AugmentedLagrangian()], ids=str)
@pytest.mark.parametrize("power", [2, 4, 6])
@pytest.mark.parametrize("start", [[3.0, -1.0], [0.0, 0.0], [1e3, 1.0], [1.3, 2.0]], ids=str)
def test_a_minimum_without_curvature_is_found(solver, power, start):
    """There all terms of the objective tend to zero with its slopes."""

    def away(x):
        return 1e-3 * jnp.sum((x - 1.3) ** power)

    found = minimize(away, start, solver=solver, inequality=lambda x: 10 - x[0])
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, [1.3, 1.3], atol={2: 1e-5, 4: 0.02, 6: 0.15}[power])


def test_the_start_is_returned_where_the_search_has_left_it_for_worse():
    """Early multipliers that are too small lead away from the solution that it starts at."""
    data, units, solutions = _programs(True)
    found = minimize(
        _objective,
        units * solutions,
        data,
        solver=AugmentedLagrangian(),
        equality=_equality,
        inequality=_inequality,
        in_axes=0,
        max_steps=30,
    )
    unit = found.params / units
    values = [_objective(*row) for row in zip(unit, np.ones_like(units), *data[1:], strict=True)]
    a, b, g, h = data[5:]
    short = np.abs(np.einsum("bij,bj->bi", a, unit) - b).max(1)
    short = np.maximum(short, (h - np.einsum("bij,bj->bi", g, unit)).max(1))
    left = found.status != Status.CONVERGED
    assert left.sum() > 20
    assert not (left & (short > 1e-9) & (np.asarray(values) > 1e-9 * data[1])).any()
