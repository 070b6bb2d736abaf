"""The chain rule beside the Jacobian of the composition, and what each part of a stage adds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.calculus.chain import total_derivative
from mvopt.calculus.derivatives import jacobian

X = {"x": jnp.asarray(2.0), "y": jnp.asarray(0.5)}


def inner(p):
    return {"u": p["x"] * p["y"], "v": jnp.sin(p["y"])}


def outer(q):
    return q["u"] ** 2 + q["v"]


def spread(z):
    return {"powers": jnp.stack([z, z**3]), "root": jnp.sqrt(z)}


THREE = total_derivative(inner, outer, spread)


def test_each_variable_between_adds_what_it_passes_on():
    """z = u² + v, u = x y, v = sin y: ∂z/∂x = 2 u y, ∂z/∂y = 2 u x + cos y."""
    found = total_derivative(inner, outer)(X)
    assert found.values[1] == {"u": 1.0, "v": np.sin(0.5)}
    np.testing.assert_allclose(found.total, [[1.0, 4 + np.cos(0.5)]], rtol=1e-15)
    parts = found.contributions(1)
    assert list(parts) == ["u", "v"]
    np.testing.assert_allclose(parts["u"], [[1.0, 4.0]], rtol=1e-15)
    np.testing.assert_allclose(parts["v"], [[0.0, np.cos(0.5)]], rtol=1e-15)
    assert parts["v"]["f", "y"] == np.cos(0.5)


def test_three_links_are_the_jacobian_of_the_composition():
    found = THREE(X)
    assert len(found.values) == 4
    assert [link.matrix.shape for link in found.links] == [(2, 2), (1, 2), (3, 1)]
    expected = jacobian(lambda p: spread(outer(inner(p))), labelled=True)(X)
    assert (found.total.rows, found.total.columns) == (expected.rows, expected.columns)
    np.testing.assert_allclose(found.total, expected, rtol=1e-14)
    assert found.total["powers", "x"].shape == (2,)
    for stage in (1, 2):
        parts = found.contributions(stage).values()
        np.testing.assert_allclose(sum(map(np.asarray, parts)), expected, rtol=1e-14)
    np.testing.assert_allclose(found.contributions(2)["f"], expected, rtol=1e-14)


def test_arrays_between_are_one_part_each():
    rotated = lambda x: [jnp.cumsum(x), x[0] * x]
    mixed = lambda parts: parts[0] @ parts[1].reshape(2, 1)
    found = total_derivative(rotated, mixed)(jnp.array([0.3, -2.0]))
    parts = found.contributions(1)
    assert list(parts) == ["0", "1"]
    np.testing.assert_allclose(parts["0"], [[0.09 - 0.6, -0.6]], rtol=1e-14)
    np.testing.assert_allclose(np.asarray(parts["0"]) + np.asarray(parts["1"]), found.total)


def test_chains_under_jit_and_vmap():
    rows = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), X)
    found = jax.jit(jax.vmap(lambda p: THREE(p).total.matrix))(rows)
    np.testing.assert_allclose(found[0], THREE(X).total, rtol=1e-14)
    assert np.isfinite(found[1]).all()


def test_a_chain_prints_its_links_and_the_total():
    lines = [line.split() for line in str(total_derivative(inner, outer)(X)).splitlines()]
    assert lines == [
        ["link", "1:"],
        ["x", "y"],
        ["u", "0.5", "2"],
        ["v", "0", "0.877583"],
        ["link", "2:"],
        ["u", "v"],
        ["f", "2", "1"],
        ["total:"],
        ["x", "y"],
        ["f", "1", "4.87758"],
    ]


@pytest.mark.parametrize("stage", [-1, 0, 3])
def test_a_stage_that_is_not_between(stage):
    with pytest.raises(ValueError, match=f"stage must be from 1 to 2, not {stage}"):
        THREE(X).contributions(stage)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: total_derivative(), ValueError, "one function at least"),
        (lambda: total_derivative(jnp.sin)(1), TypeError, "write 3.0 instead"),
        (lambda: total_derivative(lambda x: x * 1j, jnp.abs)(1.0), TypeError, "complex"),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()
