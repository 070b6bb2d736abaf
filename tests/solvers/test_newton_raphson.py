"""NewtonRaphson on the collection of systems, on what has no root, and without a matrix."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import mgh, roots
from benchmarks.problems.problem import constants, standard_move
from mvopt import NewtonRaphson, Status, root

# griewank_osborne: J is singular at the root, and Newton's steps do not even point toward it.
# trigonometric: from one minimum of the residual to the next; the last bits decide how many.
SLOW = {"griewank_osborne", "trigonometric"}
SYSTEMS = [system for system in roots.SYSTEMS if system.name not in SLOW]
NAMES = [system.name for system in SYSTEMS]


def is_root(system, found):
    """The point is the known root, or f is rounding beside its value nearby."""
    point = np.asarray(found.params, np.float64)
    eps = float(np.finfo(found.params.dtype).eps)
    if system.roots:
        near = [np.max(np.abs(point - r) / (1 + np.abs(r))) for r in system.roots]
        if min(near) < 64 * eps:
            return True
    return np.max(np.abs(found.value)) < 1000 * eps


def moved(system):
    """The system in other variables and other equations: shifted, scaled, each by its own."""
    n = len(system.start)
    shift, scale = standard_move(n)
    rows = 10.0 ** (np.arange(n) % 7 - 3)

    def residual(x):
        inside = (x - constants(shift, x)) / constants(scale, x)
        return constants(rows, x) * system.residual(inside)

    return residual, scale * np.asarray(system.start) + shift


def each_its_own(functions):
    """One function for a batch of problems of which each has its own: compiled once."""
    return lambda x, which: jax.lax.select_n(which, *(function(x) for function in functions))


# In float32 every third, for each is a compilation.
TESTED = {np.float64: SYSTEMS, np.float32: SYSTEMS[2::3]}


def of_size(n, dtype):
    return [system for system in TESTED[dtype] if len(system.start) == n]


@cache
def solved_of_size(n, dtype):
    systems = of_size(n, dtype)
    starts, which = np.array([system.start for system in systems], dtype), np.arange(len(systems))
    functions = [system.residual for system in systems]
    return root(each_its_own(functions), starts, (which,), in_axes=(0, 0))


def solved(system, dtype):
    n = len(system.start)
    if len(of_size(n, dtype)) == 1:
        return root(system.residual, np.asarray(system.start, dtype))
    place = of_size(n, dtype).index(system)
    return jax.tree.map(lambda leaf: leaf[place], solved_of_size(n, dtype))


@pytest.mark.parametrize("system", SYSTEMS, ids=NAMES)
def test_systems(system):
    found = solved(system, np.float64)
    assert found.status == Status.CONVERGED
    assert is_root(system, found)


@pytest.mark.parametrize("system", TESTED[np.float32], ids=NAMES[2::3])
def test_systems_in_float32(system):
    found = solved(system, np.float32)
    assert found.status == Status.CONVERGED
    assert found.params.dtype == np.float32
    assert is_root(system, found)


SCALED = [
    *("himmelblau brown_conte rosenbrock".split(), ["burden_faires"], ["powell_singular"]),
    ["bratu"],
]


@pytest.mark.parametrize("names", SCALED, ids=" ".join)
def test_shifted_and_scaled_copies(names):
    copies = [moved(next(s for s in SYSTEMS if s.name == name)) for name in names]
    if len(names) == 1:
        found = root(*copies[0])
    else:
        functions, starts = zip(*copies, strict=True)
        which = np.arange(len(names))
        found = root(each_its_own(functions), np.array(starts), (which,), in_axes=(0, 0))
    assert np.all(found.status == Status.CONVERGED)
    assert np.max(np.abs(found.value)) < 1e-9


@pytest.mark.parametrize("factor", [1e-15, 1e15])
def test_units_of_one_unknown_and_one_equation(factor):
    units = np.array([1.0, factor])

    def residual(x):
        return roots.himmelblau(x / units) * units[::-1]

    found = root(residual, np.ones(2) * units)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params / units, [3, 2], rtol=1e-14)


ROOTLESS = {
    "parabola": lambda x: x**2 + 1,
    "exponential": jnp.exp,
    "bell": lambda x: jnp.exp(-(x**2)),
    "hyperbola": lambda x: 1 / (x - 1),
    "tiny parabola": lambda x: 1e-20 * (x**2 + 1),
    "far parabola": lambda x: (x - 1e8) ** 2 + 1,
}


def test_no_root_is_not_found(dtype):
    starts, which = np.meshgrid(
        np.array([-3, -1e-3, 0.5, 0.9999, 6], dtype), np.arange(len(ROOTLESS))
    )
    function = each_its_own(list(ROOTLESS.values()))
    found = root(function, starts.ravel(), (which.ravel(),), in_axes=(0, 0))
    ended = dict(zip(ROOTLESS, np.reshape(found.status, starts.shape).tolist(), strict=True))
    for name, status in ended.items():
        assert not {Status.CONVERGED, Status.RUNNING} & set(status), name


def test_no_root_of_a_system_is_not_found():
    def residual(x, c):
        return jnp.stack([x[0] + x[1], x[0] + x[1] + c, x[2] ** 2 - 2])

    c = np.array([1.0, 1e-6, 0.0])
    found = root(residual, np.ones((3, 3)), args=(c,), in_axes=(0, 0))
    assert (found.status[:2] != Status.CONVERGED).all()
    assert found.status[2] == Status.CONVERGED  # singular, but there is a root


@pytest.mark.parametrize("power", [2, 3, 5])
def test_a_multiple_root(power):
    found = root(lambda x: (x - 3) ** power, 7.0)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 3, rtol=1e-12)
    at_zero = root(lambda x: x**power, 1.0)
    assert at_zero.status == Status.CONVERGED
    assert abs(at_zero.params) < 1e-12


def test_backs_away_from_where_f_is_not_defined():
    found = root(lambda x: jnp.log(x) + 3, np.array([1.0, 20.0, 1e-9]), in_axes=0)
    assert (found.status == Status.CONVERGED).all()
    np.testing.assert_allclose(found.params, np.exp(-3), rtol=1e-14)
    pair = root(lambda x: jnp.stack([jnp.log(x[0]) + x[1], jnp.log(x[1]) + 1]), [5.0, 9.0])
    assert pair.status == Status.CONVERGED
    np.testing.assert_allclose(pair.params[1], np.exp(-1), rtol=1e-14)


def test_a_pole_is_no_root():
    found = root(jnp.tan, np.pi / 2)
    assert found.status == Status.CONVERGED
    assert abs(found.value) < 1e-12


def test_rounding_of_f_is_no_failure():
    found = root(lambda x: jnp.exp(x) - 1, -20.0)
    assert found.status == Status.CONVERGED
    assert abs(found.params) < 1e-15


def test_batch_equals_one_at_a_time():
    system = next(s for s in SYSTEMS if s.name == "himmelblau")
    starts = np.random.default_rng(0).uniform(-6, 6, (5, 2))
    batch = root(system.residual, starts, in_axes=0)
    assert (batch.status == Status.CONVERGED).all()
    for k, start in enumerate(starts):
        one = root(system.residual, start)
        # The program for one lane may round otherwise than that for many.
        assert abs(one.num_steps - batch.num_steps[k]) <= 1
        np.testing.assert_allclose(one.params, batch.params[k], rtol=1e-14)


@pytest.mark.parametrize("method", ["gmres", "cg"])
def test_without_a_matrix(method):
    n = 30_000

    def residual(x):
        padded = jnp.pad(x, 1)
        return 4 * x + x**3 - padded[:-2] - padded[2:] - 1

    solver = NewtonRaphson(linear_solver=method)
    found = root(residual, np.zeros(n), solver=solver)
    assert found.status == Status.CONVERGED
    assert found.optimality < 1e-14
    text = jax.jit(lambda x: root(residual, x, solver=solver)).lower(np.zeros(n)).as_text()
    assert f"{n}x{n}" not in text


def test_many_unknowns_have_no_matrix_by_default():
    problem = mgh.BY_NAME["broyden_tridiagonal"]
    found = root(problem.residual, -np.ones(3000))
    assert found.status == Status.CONVERGED
    assert found.optimality < 1e-14


@pytest.mark.parametrize("start", [0.0, 0.9, 1.0])
def test_linear_systems_take_three_evaluations(start):
    """Of 1,000 triangular systems of which, from ones, five of six equations hold at the start."""
    rng = np.random.default_rng(0)
    lower = np.tril(rng.normal(size=(1000, 6, 6)), -1)
    diagonal = rng.uniform(0.5, 1.5, (1000, 6)) * rng.choice([-1, 1], (1000, 6))
    lower += diagonal[:, :, None] * np.eye(6)
    third = np.eye(6)[2]
    found = root(lambda x, a: a @ (x - 1) - third, np.full(6, start), (lower,), in_axes=(None, 0))
    assert (found.status == Status.CONVERGED).all()
    assert np.max(found.num_steps) <= 3
    expected = 1 + np.linalg.solve(lower, np.broadcast_to(third, (1000, 6))[..., None])[..., 0]
    np.testing.assert_allclose(found.params, expected, rtol=1e-9, atol=1e-11)
