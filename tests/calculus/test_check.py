"""Right derivatives agree with finite differences, whatever their scale; wrong ones do not.

All functions here take four numbers and return four: one shape, one compilation.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.calculus.check import check_derivatives

X = jnp.array([0.3, -1.2, 0.7, 2.0])
A = np.arange(16.0).reshape(4, 4) - 5


def scaled(x):
    """Steep, flat and wavy functions, each of one number."""
    return jnp.stack([1e8 * jnp.sin(1e-3 * x[0]), jnp.log(x[1]), jnp.exp(-x[2]), 1e-8 * x[3] ** 3])


def linear(x, scale=1.0):
    return scale * (jnp.asarray(A, x.dtype) @ x)


def slope_of_linear(x, scale=1.0):
    return scale * A


def named(x):
    return {"product": x["a"] * x["b"], "sum": jnp.sum(jnp.tanh(x["b"])) / x["a"]}


@jax.custom_jvp
def planted(x):
    return jnp.sin(x)


planted.defjvp(lambda x, v: (jnp.sin(x[0]), 1.001 * jnp.cos(x[0]) * v[0]))


def test_badly_scaled_functions_agree(dtype):
    found = check_derivatives(scaled, jnp.array([2e3, 1e-6, 50.0, 1.0], dtype))
    assert found.agree
    slopes = [1e5 * np.cos(2.0), 1e6, -np.exp(-50.0), 3e-8]
    few = 2e3 * jnp.finfo(dtype).eps
    np.testing.assert_allclose(np.diag(found.differences), slopes, rtol=few)
    np.testing.assert_allclose(np.diag(found.derivative), slopes, rtol=few)
    assert (np.diag(found.known) >= -np.log10(few) - 1).all()
    assert str(found).startswith("agree: at least")


@pytest.mark.parametrize(
    ("x", "dtype"), [(1e6, "float64"), (1e3, "float64"), (1e8, "float64"), (1e6, "float32")]
)
def test_many_waves_from_the_origin_agree(x, dtype):
    assert check_derivatives(jnp.sin, jnp.full(4, x, dtype)).agree


def test_pytrees_agree():
    x = {"a": jnp.asarray(0.5), "b": jnp.array([0.1, -2.0, 30.0])}
    found = check_derivatives(named, x)
    assert found.agree
    assert found.derivative["product", "b"].shape == (3, 3)
    assert found.differences.shape == found.digits.shape == found.known.shape == (4, 4)


def test_a_derivative_by_hand_agrees_with_its_arguments():
    found = check_derivatives(linear, X, (3.0,), slope_of_linear)
    assert found.agree
    assert found.digits.min() > 13
    np.testing.assert_array_equal(found.derivative, 3 * A)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: 1.001 * A,
        lambda x: -A,
        lambda x: A.T,
        lambda x: A + 1e-3 * np.eye(4)[2],
        lambda x: np.nan * A,
    ],
    ids=["a part in a thousand", "sign", "transposed", "one column", "NaN"],
)
def test_a_wrong_derivative_by_hand_does_not_agree(wrong, dtype):
    found = check_derivatives(linear, X.astype(dtype), derivative=wrong)
    assert not found.agree
    assert str(found).startswith("DISAGREE")


def test_the_worst_entry_is_named():
    found = check_derivatives(linear, X, derivative=lambda x: np.where(A == 4, 4.5, A))
    assert (found.digits < 3).sum() == 1
    assert "worst: row 2, column 1: 4.5 against " in str(found)


def test_a_planted_error_and_a_stopped_gradient_are_found(dtype):
    x = X.astype(dtype)
    assert not check_derivatives(planted, x).agree
    stopped = check_derivatives(lambda x: jax.lax.stop_gradient(x) * x, x)
    assert not stopped.agree
    np.testing.assert_allclose(np.diag(stopped.differences), 2 * X, rtol=1e-5)


def test_a_function_without_a_slope_agrees():
    found = check_derivatives(lambda x: jnp.rint(x), X)
    assert found.agree
    assert not found.differences.any()


def test_where_differences_know_nothing_no_digits_are_claimed():
    found = check_derivatives(jnp.sqrt, 0.0)
    assert found.known == 0
    assert not found.agree
    assert str(found).startswith("not known")


def test_integers_have_no_derivatives():
    with pytest.raises(TypeError, match=r"write 3\.0"):
        check_derivatives(jnp.sin, 3)
