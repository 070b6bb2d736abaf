"""Broyden on the systems that it can solve, FixedPoint on contractions."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from benchmarks.problems import mgh, roots
from mvopt import Broyden, FixedPoint, Status, root

SOLVED = (
    "himmelblau boggs brown_conte cube_roots_of_one burden_faires deist_sefor chandrasekhar bratu"
    " trigexp rosenbrock powell_badly_scaled discrete_integral_equation broyden_tridiagonal"
).split()
BY_NAME = {system.name: system for system in roots.SYSTEMS}


def of_size(n):
    return [BY_NAME[name] for name in SOLVED if len(BY_NAME[name].start) == n]


@cache
def solved_of_size(n):
    """Systems of one size are a batch, in which each has its own: compiled once."""
    systems = of_size(n)
    starts, which = np.array([system.start for system in systems]), np.arange(len(systems))

    def residual(x, which):
        return lax.select_n(which, *(system.residual(x) for system in systems))

    return root(residual, starts, (which,), solver=Broyden(), in_axes=(0, 0))


@pytest.mark.parametrize("name", SOLVED)
def test_broyden(name):
    system = BY_NAME[name]
    n = len(system.start)
    if len(of_size(n)) == 1:
        found = root(system.residual, np.asarray(system.start), solver=Broyden())
    else:
        place = of_size(n).index(system)
        found = jax.tree.map(lambda leaf: leaf[place], solved_of_size(n))
    assert found.status == Status.CONVERGED
    assert np.max(np.abs(found.value)) < 1e-12


def test_broyden_of_many_unknowns():
    residual = mgh.BY_NAME["broyden_tridiagonal"].residual
    found = root(residual, -np.ones(30_000), solver=Broyden())
    assert found.status == Status.CONVERGED
    assert found.optimality < 1e-12


def rootless(x, which, _):
    """A parabola, an exponential, and a parabola that is tiny."""
    parabola = x**2 + 1
    return lax.select_n(which, parabola, jnp.exp(-x), 1e-17 * parabola)


@pytest.mark.parametrize("solver", [Broyden(), FixedPoint()], ids=["broyden", "fixed point"])
def test_no_root_is_not_found(solver, dtype):
    starts, which = np.meshgrid(np.array([-2, 0.5, 3], dtype), np.arange(3))
    # As many lanes run as fit the cache: with so much data of their own, a few.
    args = which.ravel(), np.zeros((9, 1500))
    found = root(rootless, starts.ravel(), args, solver=solver, in_axes=(0, 0, 0))
    assert (found.status != Status.CONVERGED).all()


def cosine(x, c):
    return c * jnp.cos(x) - x


@pytest.mark.parametrize("memory", [0, 1, 5])
def test_fixed_point(memory, dtype):
    c = np.array([0.5, 0.8, np.nan, 0.9], dtype)
    solver = FixedPoint(memory=memory)
    found = root(cosine, np.ones(4, dtype), args=(c,), solver=solver, in_axes=0)
    expected = root(cosine, np.ones(4, dtype), args=(c,), in_axes=0)
    good = np.array([0, 1, 3])
    assert (found.status[good] == Status.CONVERGED).all()
    assert found.status[2] == Status.NONFINITE
    rtol = 64 * jnp.finfo(dtype).eps
    np.testing.assert_allclose(found.params[good], expected.params[good], rtol=rtol)


def test_acceleration_saves_steps():
    matrix = np.random.default_rng(0).normal(size=(20, 20))
    matrix = 0.9 * matrix / np.abs(np.linalg.eigvals(matrix)).max()
    plain, mixed = (
        root(
            lambda x: jnp.asarray(matrix) @ x + 1 - x,
            np.zeros(20),
            solver=FixedPoint(memory=memory),
            max_steps=1000,
        )
        for memory in (0, 5)
    )
    exact = np.linalg.solve(np.eye(20) - matrix, np.ones(20))
    for found in (plain, mixed):
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.params, exact, rtol=1e-11)
    assert mixed.num_steps < 0.6 * plain.num_steps


def test_derivative():
    slope = jax.grad(lambda c: root(cosine, 1.0, args=(c,), solver=FixedPoint()).params)(0.8)
    x = root(cosine, 1.0, args=(0.8,)).params
    np.testing.assert_allclose(slope, np.cos(x) / (1 + 0.8 * np.sin(x)), rtol=1e-12)


def test_a_domain_is_not_left():
    found = root(lambda x: -jnp.log(x) - 0.1, 0.01, solver=FixedPoint())
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, np.exp(-0.1), rtol=1e-13)
