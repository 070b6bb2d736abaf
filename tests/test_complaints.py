"""What users of other libraries complain of and no other test looks for: results, programs, words.

Whole results under transformations of JAX, programs that are found again, small batched matrices
without a library call for each, and likelihoods of series that other quasi-Newton methods give up.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from mvopt import (
    BFGS,
    LBFGS,
    Chandrupatla,
    LevenbergMarquardt,
    Status,
    curve_fit,
    least_squares,
    minimize,
    root,
)

X = np.linspace(0, 3, 9)
DECAYS = np.array([[2.0], [3.0], [4.0]]) * np.exp(-X) + 0.05 * np.cos(7 * X)


def decay(x, p):
    return p[0] * jnp.exp(-p[1] * x)


def misfit(p, y):
    return decay(X, p) - y


def cost(p, y):
    return jnp.sum(misfit(p, y) ** 2)


def cube(x, y):
    return x**3 - jnp.sum(y)


START = np.array([1.0, 0.5])
MORE = {"keep_state": True, "trace": 2}
WHOLE = {
    "curve_fit": lambda y: curve_fit(decay, X, y, START),
    "minimize": lambda y: minimize(cost, START, (y,), solver=BFGS(), **MORE),
    "root": lambda y: root(cube, 1.0, (y,), **MORE),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_result_leaves_and_enters_transformations(name):
    many = jax.jit(jax.vmap(WHOLE[name]))(DECAYS)
    assert (many.status == Status.CONVERGED).all()
    assert all(leaf.shape[0] == len(DECAYS) for leaf in jax.tree.leaves(many))
    last = jax.jit(lambda result: jax.tree.map(lambda leaf: leaf[-1], result))(many)
    assert type(last) is type(many)
    assert last._fields == many._fields if name != "curve_fit" else last.names == many.names
    assert jax.tree.structure(last) == jax.tree.structure(many)
    np.testing.assert_array_equal(last.params, many.params[-1])


def test_a_solver_may_be_an_argument_of_a_compiled_function(compiled):
    def params(solver, y):
        return least_squares(misfit, START, (y,), solver=solver).params

    run = jax.jit(params)
    exact = run(LevenbergMarquardt(gtol=1e-12), DECAYS[0])
    compiled.clear()
    loose = run(LevenbergMarquardt(gtol=1e-1), DECAYS[0])
    assert not compiled
    assert 0 < np.abs(exact - loose).max() < 0.1


@jax.custom_vjp
def backwards_only(x):
    return jnp.sin(x)


backwards_only.defvjp(lambda x: (jnp.sin(x), x), lambda x, bar: (bar * jnp.cos(x),))


def forwards_only(x):
    return jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x))[1]


def wave_backwards(x, p):
    return backwards_only(p[0] * x)


def misfit_backwards(p, y):
    return wave_backwards(X, p) - y


BACKWARDS = {
    "least_squares": lambda: least_squares(misfit_backwards, START, (DECAYS,), in_axes=(None, 0)),
    "curve_fit": lambda: curve_fit(wave_backwards, X, DECAYS, START, in_axes=(None, 0)),
    "root": lambda: root(lambda x: backwards_only(x) - 0.1, 0.5),
}


@pytest.mark.parametrize("name", BACKWARDS)
def test_a_function_that_is_differentiated_backwards_only_is_told_what_to_do(name):
    with pytest.raises(TypeError, match="jvp") as caught:
        BACKWARDS[name]()
    assert sum("jax.custom_jvp instead" in note for note in caught.value.__notes__) == 1


def test_a_function_that_is_differentiated_forwards_only_is_told_what_to_do():
    with pytest.raises(ValueError, match="Reverse-mode") as caught:
        minimize(lambda x: forwards_only(x) ** 2, 0.5)
    assert sum("NelderMead()" in note for note in caught.value.__notes__) == 1
    fit = least_squares(lambda x: forwards_only(x) - 16.0, 1.5)
    np.testing.assert_allclose(fit.params, 2.0, rtol=1e-9)


def by_minimize(shift, low, budget):
    bounds = (np.full(2, low), np.full(2, 9.0))
    options = {"solver": BFGS(), "bounds": bounds, "max_steps": budget, "in_axes": (None, 0)}
    return minimize(cost, START * shift, (DECAYS * shift,), **options)


def by_root(shift, low, budget):
    bounds = (low, 9.0)
    options = {"bounds": bounds, "max_steps": budget, "in_axes": (None, 0)}
    return root(cube, shift, (DECAYS * shift,), **options)


@pytest.mark.parametrize("solve", [by_minimize, by_root])
def test_other_data_starts_bounds_and_budgets_are_not_compiled_again(solve, compiled):
    first = solve(1.0, -5.0, 100)
    assert compiled
    compiled.clear()
    for changed in ((1.1, -5.0, 100), (1.0, 0.6, 100), (1.0, -5.0, 3)):
        assert solve(*changed).params.shape == first.params.shape
    assert (solve(1.0, -5.0, 3).status == Status.MAX_STEPS).all()
    assert not compiled


def test_going_on_again_and_again_is_compiled_once(compiled):
    def further(state, budget):
        options = {"solver": BFGS(), "max_steps": budget, "keep_state": True}
        return minimize(cost, START, (DECAYS[0],), state=state, **options)

    state = further(further(None, 2).state, 2).state
    compiled.clear()
    for _ in range(3):
        state = further(state, 2).state
    assert not compiled
    assert further(state, 100).status == Status.CONVERGED


def thermistor(x, p):
    return p[0] * jnp.exp(p[1] / (x + p[2]))


@pytest.mark.parametrize(("dtype", "noise"), [("float64", 1e-4), ("float32", 1e-2)])
def test_residuals_that_are_rounded_more_than_their_squares_fail_nothing(dtype, noise):
    """Each is a small difference of large numbers, and so is the decrease that a step gains."""
    x, truth = np.linspace(50, 125, 16), np.array([0.006, 6000.0, 340.0])
    errors = np.random.default_rng(0).normal(size=(100, 16))
    y = np.asarray(thermistor(x, truth)) * (1 + noise * errors)
    start = np.array([0.02, 4000.0, 250.0])
    fit = curve_fit(thermistor, x, y, start, in_axes=(None, 0), precision=dtype)
    np.testing.assert_array_equal(fit.status, Status.CONVERGED)
    for params, each in zip(fit.params[::25], y[::25], strict=True):
        params = np.asarray(params, float)

        def scaled(q, params=params, each=each):
            return (np.asarray(thermistor(x, q * params)) / each - 1) / noise * each / each.max()

        best = scipy.optimize.least_squares(scaled, np.ones(3), xtol=1e-15, ftol=1e-15)
        tolerance = 1e-9 if dtype == "float64" else 1e-3
        assert 2 * best.cost > (1 - tolerance) * np.sum(scaled(np.ones(3)) ** 2)


def two_points(p, y):
    return misfit(p, y)[jnp.array([1, 5])]


BRACKET = {"solver": Chandrupatla(), "bounds": (0.0, 9.0)}
CALLS = {
    "curve_fit": lambda y: curve_fit(decay, X, y, START, in_axes=(None, 0)),
    "root": lambda y: root(two_points, START, (y,), in_axes=(None, 0)),
    "bracket": lambda y: root(cube, 1.0, (y,), in_axes=(None, 0), **BRACKET),
}


@pytest.mark.parametrize("name", CALLS)
def test_small_matrices_of_a_batch_are_no_calls_of_a_library(name):
    """LAPACK takes one small matrix after the other, at microseconds each."""
    text = jax.jit(CALLS[name]).lower(DECAYS).as_text()
    assert "lapack" not in text
    control = jax.jit(jax.vmap(jnp.linalg.cholesky)).lower(np.ones((3, 2, 2))).as_text()
    assert "lapack" in control or jax.default_backend() != "cpu"


LENGTH, SERIES = 120, 6
WALLS = np.array([1e-4, 0.0, -2.0]), np.array([10.0, 0.99, 2.0])


def leaning_series():
    """Returns whose variance follows the last return, more after a fall: QARCH(1), (6, 120)."""
    rng = np.random.default_rng(8)
    omega, alpha, lean = rng.uniform([0.02, 0.2, 0.0], [0.5, 0.6, 0.3], (SERIES, 3)).T
    returns = np.zeros((LENGTH, SERIES))
    for t in range(1, LENGTH):
        variance = omega + alpha * (returns[t - 1] - lean) ** 2
        returns[t] = np.sqrt(variance) * rng.normal(size=SERIES)
    return returns.T


def unlikelihood(p, returns):
    """Minus the log-likelihood of a series, over its length."""
    variance = p[0] + p[1] * (returns[:-1] - p[2]) ** 2
    return 0.5 * jnp.mean(jnp.log(variance) + returns[1:] ** 2 / variance)


def test_likelihoods_of_series_all_end_where_scipys_do():
    series = leaning_series()
    start = np.array([1.0, 0.1, 0.0])
    options = {"solver": LBFGS(), "bounds": WALLS, "in_axes": (None, 0)}
    found = minimize(unlikelihood, start, (series,), **options)
    value_and_slope = jax.jit(jax.value_and_grad(unlikelihood))
    assert (found.status == Status.CONVERGED).all()
    for returns, value in zip(series, found.value, strict=True):
        expected = scipy.optimize.minimize(
            lambda p, returns=returns: [np.asarray(each) for each in value_and_slope(p, returns)],
            start, jac=True, method="L-BFGS-B", bounds=np.transpose(WALLS),
        )  # fmt: skip
        assert value <= expected.fun + 1e-12
