"""Tangents and Hessians as operators: their products, matrices, colours and errors."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from mvopt.calculus.linearize import hessian_operator, linearize
from mvopt.calculus.sparse import Sparsity, _detected

X = {"a": jnp.asarray(0.7), "b": jnp.array([1.0, -2.0])}
V = jax.tree.map(jnp.cos, X)
W = {"sum": jnp.asarray(2.0), "table": jnp.array([[1.0, -3.0], [0.5, 4.0]])}
SIZE = 30
ALONG = np.arange(SIZE)


def outputs(x, scale=1.0):
    powers = jnp.stack([x["a"], jnp.sin(x["a"])])
    return {"sum": scale * jnp.sum(x["b"]) * x["a"], "table": jnp.outer(x["b"], powers)}


def energy(x, scale=1.0):
    return scale * jnp.sum(jnp.sin(x["b"]) * x["a"] ** 2) + jnp.exp(x["a"])


def cube(x):
    return x**3


def neighbours(x):
    return x**2 + jnp.pad(x[1:], (0, 1)) * x - jnp.pad(x[:-1], (1, 0))


def arrow(x):
    """Each output of one number, but for the last, of all of them."""
    return jnp.sin(x).at[-1].set(jnp.sum(x**2))


def valley(x):
    return jnp.sum((x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


TRIDIAGONAL = Sparsity(
    np.concatenate([ALONG, ALONG[1:], ALONG[:-1]]),
    np.concatenate([ALONG, ALONG[:-1], ALONG[1:]]),
    (SIZE, SIZE),
)
ARROW = Sparsity(
    np.concatenate([ALONG, np.full(SIZE, SIZE - 1)]),
    np.concatenate([ALONG, ALONG]),
    (SIZE, SIZE),
)


def flat(tree):
    return np.asarray(ravel_pytree(tree)[0])


def of_flat(fn, *args):
    """`fn` of X as one vector."""
    vector, unravel = ravel_pytree(X)
    return lambda v: ravel_pytree(fn(unravel(v), *args))[0], vector


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_the_tangent_has_the_value_and_the_jacobian():
    tangent = linearize(outputs, X, (2.0,))
    fn, at = of_flat(outputs, 2.0)
    matrix = jax.jit(jax.jacfwd(fn))(at)
    assert tangent.shape == matrix.shape == (5, 3)
    assert tangent.jacobian is tangent
    assert_close(flat(tangent.value), fn(at))
    assert_close(tangent.dense(), matrix)
    assert_close(flat(tangent.mv(V)), matrix @ flat(V))
    assert_close(flat(tangent.vm(W)), matrix.T @ flat(W))
    assert_close(flat(tangent(V)), fn(at) + matrix @ (flat(V) - at))
    assert jax.tree.map(jnp.shape, tangent(V)) == jax.tree.map(jnp.shape, W)
    assert jax.tree.map(jnp.shape, tangent.vm(W)) == jax.tree.map(jnp.shape, X)


def test_tangents_under_transformations():
    tangent = linearize(outputs, X)
    rows = jax.tree.map(lambda leaf: jnp.stack([2 * leaf, leaf]), X)
    along = jax.jit(jax.vmap(lambda x: linearize(outputs, x).mv(V)))(rows)
    assert_close(flat(jax.tree.map(lambda leaf: leaf[1], along)), flat(tangent.mv(V)))
    made_inside = jax.jit(lambda x: linearize(outputs, x))(X)
    assert_close(flat(made_inside.vm(W)), flat(tangent.vm(W)))
    slope = jax.jit(jax.grad(lambda x: tangent(x)["sum"]))(V)
    assert_close(flat(slope), tangent.dense()[0])
    # The derivative of J v with respect to the point: the Hessian times v.
    bent = jax.jit(jax.grad(lambda x: linearize(outputs, x).mv(V)["sum"]))(X)
    fn, at = of_flat(outputs)
    assert_close(flat(bent), jax.jit(jax.hessian(lambda v: fn(v)[0]))(at) @ flat(V))


def test_the_error_is_the_quadratic_term():
    fn, at = of_flat(outputs, 2.0)
    step = flat(V) - at
    expected = np.abs(step @ jax.jit(jax.hessian(fn))(at) @ step) / 2
    error = jax.jit(lambda tangent, x: tangent.error(x))
    assert_close(flat(error(linearize(outputs, X, (2.0,)), V)), expected)
    # (a + h)³ is off its tangent by 3 a h² + h³.
    assert_close(error(linearize(cube, 0.5), 0.4), 3 * 0.5 * 0.1**2)


def test_the_bound_of_each_kind():
    tangent = linearize(cube, 0.5)
    estimate, sampled, proved = (
        tangent.bound(0.3, 0.8, kind) for kind in ("last-term", "sampled", "enclosure")
    )
    true = 3 * 0.5 * 0.3**2 + 0.3**3
    assert_close(estimate, 3 * 0.5**2 * 0.3)
    assert_close(sampled, true)
    assert sampled <= proved <= 1.01 * true
    assert proved == tangent.bound(0.3, 0.8)
    with pytest.raises(ValueError, match="kind='largest'"):
        tangent.bound(0.3, 0.8, "largest")


def test_the_hessian_is_symmetric_and_that_of_jax():
    operator = hessian_operator(energy, X, (3.0,))
    fn, at = of_flat(energy, 3.0)
    number = lambda v: fn(v)[0]
    matrix = jax.jit(jax.hessian(number))(at)
    assert operator.shape == (3, 3)
    assert_close(flat(operator.value), jax.grad(number)(at))
    assert_close(operator.dense(), matrix)
    assert_close(operator.dense(), operator.dense().T)
    assert_close(flat(operator.mv(V)), matrix @ flat(V))
    assert_close(flat(operator.vm(V)), matrix @ flat(V))
    with pytest.raises(TypeError, match="must return one number"):
        hessian_operator(outputs, X)


@pytest.mark.parametrize(
    ("fn", "pattern", "products", "by_columns"),
    [(neighbours, TRIDIAGONAL, 3, True), (arrow, ARROW, 2, False)],
    ids=["tridiagonal", "arrow"],
)
def test_a_sparse_jacobian_takes_few_products(fn, pattern, products, by_columns, dtype):
    tangent = linearize(fn, jnp.linspace(0.1, 1, SIZE, dtype=dtype))
    found = tangent.sparse(pattern)
    assert found.dtype == dtype
    assert found.nse == len(pattern.rows)
    assert pattern.products == products
    assert pattern.coloring[0] == by_columns
    np.testing.assert_allclose(found.todense(), tangent.dense(), rtol=2 * jnp.finfo(dtype).eps)


def test_a_sparse_hessian_under_jit():
    x = jnp.linspace(-1, 1, SIZE)
    found = jax.jit(lambda x: hessian_operator(valley, x).sparse(TRIDIAGONAL))(x)
    assert_close(found.todense(), jax.jit(jax.hessian(valley))(x))


def test_entries_named_twice_count_once():
    pattern = Sparsity([1, 0, 1], [0, 1, 0], (2, 2))
    assert (pattern.rows.tolist(), pattern.columns.tolist()) == ([0, 1], [1, 0])
    assert pattern.products == 1


@pytest.mark.parametrize(
    ("rows", "columns"),
    [([0], [2]), ([2], [0]), ([-1], [0]), ([0.0], [0.0]), ([0], [0, 1]), (0, 0)],
)
def test_entries_that_are_in_no_matrix(rows, columns):
    with pytest.raises(ValueError, match=r"outside of a matrix|two lists|same shape"):
        Sparsity(rows, columns, (2, 2))


def test_a_pattern_of_another_shape():
    tangent = linearize(outputs, X)
    with pytest.raises(ValueError, match=r"matrix \(30, 30\), not \(5, 3\)"):
        tangent.sparse(TRIDIAGONAL)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linearize(jnp.sin, 3), TypeError, "write 3.0 instead of 3"),
        (lambda: linearize(jnp.sin, 3j), TypeError, "complex"),
        (lambda: linearize(outputs, X).mv({"a": 1.0, "b": jnp.ones(3)}), ValueError, "v must be"),
        (lambda: linearize(outputs, X).vm(V), ValueError, "w must be like value"),
        (lambda: linearize(outputs, X)({"a": 1.0}), ValueError, "x must be like at"),
    ],
)
def test_errors_say_what_does_not_fit(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_without_asdex_a_pattern_has_to_be_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "asdex", None)
    _detected.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'mvopt\[sparse\]'.*sparse\(mvopt.Sparsity"):
        linearize(jnp.sin, jnp.ones(3)).sparse()


def test_the_pattern_is_found_once_for_a_function_and_its_shapes(monkeypatch):
    asdex = pytest.importorskip("asdex", exc_type=ImportError)
    found, search = [], asdex.jacobian_sparsity
    monkeypatch.setattr(asdex, "jacobian_sparsity", lambda *a: found.append(a) or search(*a))
    _detected.cache_clear()
    for scale in (1.0, 2.0):
        tangent = linearize(neighbours, scale * jnp.linspace(0.1, 1, SIZE))
        np.testing.assert_array_equal(tangent.sparse().todense(), tangent.dense())
    # Neither where slopes are zero nor while something else is traced is it looked for anew.
    jax.jit(lambda x: linearize(neighbours, x).sparse().todense())(jnp.zeros(SIZE))
    assert len(found) == 1
    pattern = Sparsity.detect(neighbours, jnp.zeros(SIZE))
    np.testing.assert_array_equal(pattern.rows, TRIDIAGONAL.rows)
    np.testing.assert_array_equal(pattern.columns, TRIDIAGONAL.columns)
    Sparsity.detect(neighbours, jnp.zeros(4))
    assert len(found) == 2


def test_patterns_of_pytrees_and_of_hessians_are_found():
    pytest.importorskip("asdex", exc_type=ImportError)
    tangent = linearize(outputs, X, (2.0,))
    assert_close(tangent.sparse().todense(), tangent.dense())
    operator = hessian_operator(energy, X)
    assert_close(operator.sparse().todense(), operator.dense())
    # The two numbers of `b` do not meet.
    assert operator.sparse().nse == 7
