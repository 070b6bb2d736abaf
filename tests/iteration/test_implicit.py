"""Derivatives of solutions against finite differences, and the transformations of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import Status, curve_fit, least_squares

X = np.linspace(0, 3, 9)
START = np.array([2.0, 1.0, 0.0])


def model(x, b):
    return b[0] * jnp.exp(-b[1] * x) + b[2]


def residual(b, x, y):
    return model(x, b) - y


def data(size, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform([1, 0.5, -1], [4, 1.5, 1], (size, 3))
    clean = truth[:, :1] * np.exp(-truth[:, 1:2] * X) + truth[:, 2:]
    return clean + 0.05 * rng.normal(size=clean.shape)


def params_of(x, y):
    return least_squares(residual, START, (x, y)).params


def batch_of(y):
    starts = jnp.broadcast_to(START, (len(y), 3))
    return least_squares(residual, starts, (X, y), in_axes=(0, None, 0)).params


@jax.jit
def many(y):
    return batch_of(y)


def by_differences(y, step=1e-5):
    """(3, 9): central differences of the params by the data, from one batch of fits."""
    moved = np.concatenate([y + step * np.eye(9), y - step * np.eye(9)])
    params = np.asarray(many(moved))
    return ((params[:9] - params[9:]) / (2 * step)).T


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("transform", [jax.jacfwd, jax.jacrev], ids=["forward", "reverse"])
def test_derivative_by_the_data_of_one_problem(transform):
    y = data(1)[0]
    assert_close(transform(params_of, argnums=1)(X, y), by_differences(y))


@pytest.mark.parametrize("transform", [jax.jacfwd, jax.jacrev], ids=["forward", "reverse"])
def test_derivative_by_the_data_of_a_batch(transform):
    y = data(3)
    found = np.asarray(transform(batch_of)(jnp.asarray(y)))
    for i in range(3):
        assert_close(found[i, :, i], by_differences(y[i]))
        others = np.delete(found[i], i, axis=1)
        np.testing.assert_array_equal(others, 0)


def test_gradient_by_what_the_residual_closes_over():
    y = jnp.asarray(data(1, 3)[0])

    def half_life(shift):
        found = least_squares(lambda b: model(X, b) - (y + shift * X), START)
        return jnp.log(2) / found.params[1]

    def by_argument(shift):
        return jnp.log(2) / params_of(X, y + shift * X)[1]

    step = 1e-5
    expected = (by_argument(step) - by_argument(-step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(half_life)(0.0), expected, rtol=1e-5)


def test_gradient_of_the_value_is_the_partial_derivative():
    """At a minimum the params' own change does not count, to first order (envelope theorem)."""
    y = data(1, 4)[0]

    def value(y):
        return least_squares(residual, START, (X, y)).value

    found = least_squares(residual, START, (X, y)).params
    np.testing.assert_allclose(jax.grad(value)(y), y - model(X, found), rtol=1e-6, atol=1e-9)


def test_a_param_that_rests_on_its_bound_does_not_move():
    y = jnp.asarray(data(1)[0])
    free = params_of(X, y)
    low = np.array([-9.0, float(free[1]) + 0.3, -9.0])

    def bounded(y):
        return least_squares(residual, START, (X, y), bounds=(low, np.full(3, 9.0))).params

    derivative = jax.jacfwd(bounded)(y)
    assert bounded(y)[1] == low[1]
    np.testing.assert_allclose(derivative[1], 0, atol=1e-14)
    design = np.stack([np.exp(-low[1] * X), np.ones_like(X)], axis=1)
    assert_close(derivative[jnp.array([0, 2])], np.linalg.pinv(design))


def test_a_bound_moves_the_param_that_rests_on_it():
    y = jnp.asarray(data(1)[0])
    free = params_of(X, y)

    def bounded(low):
        lower = jnp.array([-9.0, 0.0, -9.0]).at[1].set(low)
        return least_squares(residual, START, (X, y), bounds=(lower, np.full(3, 9.0))).params

    low, step = float(free[1]) + 0.3, 1e-5
    expected = (bounded(low + step) - bounded(low - step)) / (2 * step)
    np.testing.assert_allclose(expected[1], 1, rtol=1e-8)
    assert_close(jax.jacfwd(bounded)(low), expected)


def test_the_start_has_no_influence():
    y = data(1)[0]
    found = jax.jacfwd(lambda start: least_squares(residual, start, (X, y)).params)(START)
    np.testing.assert_array_equal(found, 0)


def test_gradients_of_a_curve_fit_and_of_its_standard_errors():
    y = data(1, 6)[0]

    def both(y):
        fit = curve_fit(model, X, y, START)
        return jnp.concatenate([fit.params, fit.stderr, fit.chi2[None]])

    def fitted(y):
        fit = curve_fit(model, X, y, START, in_axes=(None, 0))
        return np.concatenate([fit.params, fit.stderr, fit.chi2[:, None]], axis=1)

    step = 1e-4
    values = fitted(np.concatenate([y + step * np.eye(9), y - step * np.eye(9)]))
    expected = ((values[:9] - values[9:]) / (2 * step)).T
    for row, other in zip(jax.jacrev(both)(y), expected, strict=True):
        assert_close(row, other)


def of_tree(b, x, y):
    return model(x["a"], b) - y


@jax.jit
@jax.vmap
def by_vmap(x0, x, y):
    return least_squares(of_tree, x0, (x, y))


@pytest.mark.parametrize(
    ("in_axes", "x0", "x", "y"),
    [
        ((0, None, 0), (4, 3), (9,), (4, 9)),
        ((-1, None, 1), (3, 4), (9,), (9, 4)),
        ((None, {"a": 0}, None), (3,), (4, 9), (9,)),
    ],
    ids=["first", "last", "one leaf"],
)
def test_in_axes_means_what_it_means_in_vmap(in_axes, x0, x, y):
    rng = np.random.default_rng(8)
    spread = np.sort(rng.uniform(0, 3, x))
    args = (
        np.broadcast_to(START.reshape(3, *[1] * (x0[0] == 3 and len(x0) - 1)), x0),
        {"a": spread},
    )
    target = data(4)
    args = (*args, target if y == (4, 9) else target.T if y == (9, 4) else target[0])

    # As `vmap` would with these axes: with an axis in front of everything.
    axes = (in_axes[0], None if in_axes[1] is None else 0, in_axes[2])
    expected = by_vmap(
        *(
            jax.tree.map(
                lambda leaf, axis=axis: (
                    np.stack([leaf] * 4) if axis is None else np.moveaxis(leaf, axis, 0)
                ),
                arg,
            )
            for arg, axis in zip(args, axes, strict=True)
        )
    )
    found = least_squares(of_tree, args[0], args[1:], in_axes=in_axes)
    assert found.params.shape == (4, 3)
    for name in ("params", "value"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-7)
    np.testing.assert_array_equal(found.status, expected.status)
    np.testing.assert_array_equal(found.status, Status.CONVERGED)


def test_under_jit_the_result_is_the_same():
    y = data(18)
    found, expected = many(y), batch_of(y)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    solution = jax.jit(lambda y: least_squares(residual, START, (X, y)))(y[0])
    assert solution.multipliers is None
    np.testing.assert_allclose(solution.params, expected[0], rtol=1e-9)
