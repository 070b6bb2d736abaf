"""`root` as users call it: batches, transformations, derivatives, bounds, statuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import (
    Bisection,
    Broyden,
    Chandrupatla,
    FixedPoint,
    NewtonRaphson,
    Status,
    root,
)


def cube(y, c):
    return y**3 - c


def pair(x, c):
    return {"sum": x["a"] + x["b"] - c, "product": x["a"] * x["b"] - 1}


def polynomial(x):
    return x**6 / 6 - 3 * x**4 - 2 * x**3 / 3 + 27 * x**2 / 2 + 18 * x - 30


def test_cube_root_in_either_precision(dtype):
    found = root(cube, dtype.type(1), args=(dtype.type(1e4),))
    assert found.status == Status.CONVERGED
    assert found.params.dtype == dtype
    np.testing.assert_allclose(found.params, 1e4 ** (1 / 3), rtol=4 * jnp.finfo(dtype).eps)


def test_a_tree_of_unknowns():
    found = root(pair, {"a": 3.0, "b": 0.1}, args=(2.5,))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose([found.params["a"], found.params["b"]], [2, 0.5], rtol=1e-14)
    assert set(found.value) == {"sum", "product"}


def test_batch_equals_one_at_a_time():
    c = np.geomspace(1e-3, 1e5, 7)
    batch = root(cube, np.ones(7), args=(c,), in_axes=0)
    assert (batch.status == Status.CONVERGED).all()
    np.testing.assert_allclose(batch.params, np.cbrt(c), rtol=1e-15)
    for k in range(7):
        one = root(cube, 1.0, args=(c[k],))
        assert one.num_steps == batch.num_steps[k]
        np.testing.assert_allclose(one.params, batch.params[k], rtol=1e-15)


def test_a_lane_of_nan_stays_alone():
    c = np.array([8.0, np.nan, 27.0])
    found = root(cube, np.ones(3), args=(c,), in_axes=0)
    np.testing.assert_array_equal(
        found.status, [Status.CONVERGED, Status.NONFINITE, Status.CONVERGED]
    )
    np.testing.assert_allclose(found.params[np.array([0, 2])], [2, 3], rtol=1e-15)


def test_transformations():
    def solution(c):
        return root(cube, 1.0, args=(c,)).params

    c = 5.0
    slope = c ** (-2 / 3) / 3
    np.testing.assert_allclose(jax.jit(solution)(c), np.cbrt(c), rtol=1e-15)
    np.testing.assert_allclose(jax.grad(solution)(c), slope, rtol=1e-13)
    np.testing.assert_allclose(jax.jvp(solution, (c,), (1.0,))[1], slope, rtol=1e-13)
    many = jnp.array([1.0, 8.0, 27.0])
    np.testing.assert_allclose(jax.vmap(solution)(many), [1, 2, 3], rtol=1e-14)


def test_derivatives_of_a_system():
    def solution(c):
        found = root(lambda x: jnp.stack([x[0] + x[1] - c, x[0] * x[1] - 1]), [3.0, 0.1])
        return found.params

    expected = np.array([2, -0.5]) / 1.5
    np.testing.assert_allclose(jax.jacfwd(solution)(2.5), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jacrev(solution)(2.5), expected, rtol=1e-12)


def test_every_start_of_the_polynomial_reaches_a_root():
    found = root(polynomial, np.linspace(-6, 6, 3001), in_axes=0)
    assert (found.status == Status.CONVERGED).all()
    known = np.roots([1 / 6, 0, -3, -2 / 3, 27 / 2, 18, -30])
    known = known[np.isreal(known)].real
    assert len(known) == 2
    assert np.abs(found.params[:, None] - known).min(axis=1).max() < 1e-12


@pytest.mark.parametrize("solver", [None, Broyden(), Chandrupatla(), Bisection()])
def test_a_bracket(solver):
    found = root(lambda x: jnp.arctan(x - 1), 30.0, bounds=(-40.0, 50.0), solver=solver)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 1, rtol=1e-14)


def test_bounds_are_kept():
    found = root(
        lambda x: jnp.stack([x[0] ** 2 - 4, x[1] - x[0] - 1]),
        [0.5, 0.5],
        bounds=(0.0, np.inf),
    )
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, [2, 3], rtol=1e-14)
    beyond = root(lambda x: x - 3, 0.5, bounds=(0.0, 1.0))
    assert beyond.status == Status.STALLED
    assert 0 <= beyond.params <= 1


def test_aux_trace_and_state():
    found = root(lambda x: (x**2 - 2, x + 1), 1.0, has_aux=True, trace=4, keep_state=True)
    np.testing.assert_allclose(found.aux, np.sqrt(2) + 1, rtol=1e-15)
    assert found.trace.shape == (4, 2)
    short = root(lambda x: x**2 - 2, 1.0, max_steps=2, keep_state=True)
    assert short.status == Status.MAX_STEPS
    further = root(lambda x: x**2 - 2, 1.0, state=short.state)
    np.testing.assert_allclose(further.params, np.sqrt(2), rtol=1e-15)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="least_squares"):
        root(lambda x: jnp.stack([x[0], x[1], x[0]]), [1.0, 2.0])
    with pytest.raises(ValueError, match="bounds"):
        root(lambda x: x, 1.0, solver=Bisection())
    with pytest.raises(ValueError, match="one unknown"):
        root(lambda x: x, [1.0, 2.0], solver=Chandrupatla(), bounds=(-1.0, 1.0))
    with pytest.raises(ValueError, match="linear_solver"):
        NewtonRaphson(linear_solver="lu")
    with pytest.raises(ValueError, match="memory"):
        FixedPoint(memory=-1)


@pytest.mark.parametrize("solver", [None, Broyden()], ids=["default", "broyden"])
def test_a_large_diagonal_system_has_no_matrix(solver):
    """Neither for its solution nor for the derivative of that."""
    n = 100_000

    def solution(scale):
        c = scale * jnp.linspace(1, 8, n)
        return root(cube, jnp.full(n, 1.5), (c,), solver=solver).params

    both = jax.jit(lambda scale: jax.jvp(solution, (scale,), (1.0,)))
    assert f"{n}x{n}" not in both.lower(1.0).as_text()


def test_the_derivative_of_a_large_diagonal_system():
    c = np.linspace(1, 8, 3000)

    def solution(scale):
        return root(cube, np.cbrt(c), (scale * c,), solver=Broyden()).params

    found, slope = jax.jvp(solution, (1.0,), (1.0,))
    np.testing.assert_allclose(found, np.cbrt(c), rtol=1e-12)
    np.testing.assert_allclose(slope, np.cbrt(c) / 3, rtol=1e-6)


def test_second_derivatives():
    def solution(c):
        return root(cube, 1.0, args=(c,)).params

    found = jax.jvp(jax.grad(solution), (8.0,), (1.0,))
    np.testing.assert_allclose(found, [1 / 12, -1 / 144], rtol=1e-12)


def test_a_start_that_is_the_root_and_one_where_f_steepens():
    """Steps of Newton's method that grow before they shrink are no divergence."""
    start = root(lambda x: x**2 - 4, 2.0)
    assert start.status == Status.CONVERGED
    assert start.num_steps == 1
    found = root(jnp.tanh, 0.5)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, 0, atol=1e-15)


def test_no_root_is_found_where_the_slope_is_zero():
    """An infinite step is not a small one, however large the number that it is compared with."""
    a, c = np.random.default_rng(0).uniform(0.1, 5, (2, 1000))
    found = root(
        lambda x, a, c: x**3 - a * x + c + 2 * (a / 3) ** 1.5, np.sqrt(a / 3), (a, c), in_axes=0
    )
    converged = found.status == Status.CONVERGED
    assert converged.mean() > 0.99
    assert np.abs(found.value)[converged].max() < 1e-12
