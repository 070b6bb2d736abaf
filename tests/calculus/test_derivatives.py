"""Derivatives on pytrees: beside JAX's own, labelled, and with clear errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.calculus.derivatives import (
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_gradient,
    value_and_jacobian,
    vjp,
)

X = {"a": jnp.asarray(0.7), "b": jnp.asarray([[1.0, -2.0], [0.5, 3.0]])}
V = jax.tree.map(lambda leaf: jnp.cos(leaf), X)


def energy(x, scale=1.0):
    return scale * jnp.sum(jnp.sin(x["b"]) * x["a"] ** 2) + jnp.exp(x["a"])


def outputs(x):
    return {"sum": jnp.sum(x["b"]) * x["a"], "rows": x["b"] @ jnp.array([1.0, x["a"]])}


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_gradient_and_hessian():
    value, slope = value_and_gradient(energy)(X, 2.0)
    assert value == energy(X, 2.0)
    assert_same(slope, jax.grad(energy)(X, 2.0))
    assert_same(hessian(energy)(X, 2.0), jax.hessian(energy)(X, 2.0))


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobian(mode):
    value, found = value_and_jacobian(outputs, mode=mode)(X)
    assert_same(value, outputs(X))
    assert_same(found, jax.jacfwd(outputs)(X))
    assert_same(jacobian(lambda x: 2 * x, mode=mode)(1.5), jnp.asarray(2.0))


def test_products():
    matrix = np.asarray(jacobian(outputs, labelled=True)(X))
    flat = jax.flatten_util.ravel_pytree
    value, image = jvp(outputs)(X, V)
    np.testing.assert_allclose(flat(image)[0], matrix @ flat(V)[0], rtol=1e-12)
    weights = {"sum": jnp.asarray(2.0), "rows": jnp.array([1.0, -3.0])}
    _, image = vjp(outputs)(X, weights)
    np.testing.assert_allclose(flat(image)[0], flat(weights)[0] @ matrix, rtol=1e-12)
    curved = np.asarray(hessian(energy, labelled=True)(X))
    np.testing.assert_allclose(flat(hvp(energy)(X, V))[0], curved @ flat(V)[0], rtol=1e-12)
    assert_same(value, outputs(X))


def test_transformations():
    rows = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), X)
    found = jax.jit(jax.vmap(gradient(energy)))(rows)
    assert_same(
        jax.tree.map(lambda leaf: leaf[1], found),
        gradient(energy)(jax.tree.map(lambda a: 2 * a, X)),
    )
    labelled = jax.jit(jacobian(outputs, labelled=True))(X)
    assert_same(labelled["sum", "a"], jnp.sum(X["b"]))


def test_a_labelled_view():
    found = jacobian(outputs, labelled=True)(X)
    assert found.rows == ("rows", "sum")
    assert found.columns == ("a", "b")
    assert found["rows", "b"].shape == (2, 2, 2)
    assert found.matrix.shape == (3, 5)
    np.testing.assert_array_equal(found.matrix[2, 1:], found["sum", "b"].ravel())
    lines = str(found).splitlines()
    assert lines[0].split() == ["a", "b[0,", "0]", "b[0,", "1]", "b[1,", "0]", "b[1,", "1]"]
    assert lines[3].split()[:2] == ["sum", "2.5"]
    with pytest.raises(KeyError, match="is not one of rows, sum"):
        found["total", "a"]
    wide = gradient(lambda x: jnp.sum(x**2), labelled=True)(jnp.arange(30.0))
    assert "in part" in str(wide)
    assert np.asarray(wide).shape == (1, 30)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient(jnp.sin)(3), "write 3.0 instead of 3"),
        (lambda: gradient(jnp.sin)(1j), "complex"),
        (lambda: gradient(lambda x: x)(jnp.ones(2)), "must return one number"),
        (lambda: jacobian(lambda x: x * 1j)(1.0), "what fn returns is complex"),
        (lambda: jacobian(lambda x: jnp.round(x).astype(int))(1.0), "what fn returns is int"),
        (lambda: gradient(energy)({"a": 1.0, "b": jnp.arange(3)}), r"x\['b'\] is int"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_directions_and_modes_that_do_not_fit():
    with pytest.raises(ValueError, match="v must be like x"):
        hvp(energy)(X, {"a": 1.0, "b": jnp.ones(3)})
    with pytest.raises(ValueError, match="mode='sideways'"):
        jacobian(outputs, mode="sideways")
