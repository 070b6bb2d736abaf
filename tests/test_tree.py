import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import _tree, losses, solvers


def test_a_list_of_numbers_is_one_array():
    np.testing.assert_array_equal(_tree.inexact([1, 2.5]), [1.0, 2.5])
    assert _tree.inexact([[1, 2], [3, 4]]).shape == (2, 2)


def test_lists_of_arrays_and_dicts_stay_trees():
    tree = _tree.inexact({"a": [jnp.zeros(2), 1], "b": 3})
    assert jax.tree.map(jnp.shape, tree, is_leaf=lambda x: isinstance(x, jax.Array)) == {
        "a": [(2,), ()],
        "b": (),
    }


@pytest.mark.parametrize("value", [3, True, np.int8(3), np.arange(3)])
def test_integers_become_the_default_float(value):
    assert _tree.inexact(value).dtype == jnp.float64


def test_float32_stays_float32():
    assert _tree.inexact(np.float32(1)).dtype == jnp.float32


def test_complex_leaves_are_laid_out_in_their_parts_and_restored():
    tree = {"a": np.array([1 + 2j, 3 - 1j]), "b": 5.0}
    flat, unravel = _tree.ravel(_tree.inexact(tree))
    np.testing.assert_array_equal(flat, [1, 3, 2, -1, 5])
    restored = unravel(2 * flat)
    np.testing.assert_array_equal(restored["a"], 2 * tree["a"])
    assert restored["b"] == 10
    assert _tree.size(_tree.inexact(tree)) == 5


def test_ravel_round_trip():
    tree = {"a": jnp.arange(3.0), "b": jnp.array(7.0), "c": jnp.ones((2, 2))}
    flat, unravel = _tree.ravel(tree)
    assert flat.shape == (8,)
    for key, leaf in unravel(2 * flat).items():
        np.testing.assert_array_equal(leaf, 2 * tree[key])


def test_ravel_of_a_vector_is_the_vector():
    x = jnp.arange(3.0)
    flat, unravel = _tree.ravel(x)
    assert flat is x
    assert unravel(x) is x


def test_where_lets_no_nan_through():
    chosen = _tree.where(jnp.array([True, False]), {"a": jnp.array([1.0, jnp.nan])}, {"a": 2.0})
    np.testing.assert_array_equal(chosen["a"], [1.0, 2.0])


def test_rows_go_to_lanes_and_back():
    tree = {"a": jnp.arange(24.0).reshape(4, 3, 2), "b": jnp.arange(4)}
    index = jnp.array([2, 0])
    lanes = _tree.to_lanes(_tree.take(tree, index))
    assert lanes["a"].shape == (3, 2, 2)
    np.testing.assert_array_equal(lanes["a"][..., 0], tree["a"][2])
    np.testing.assert_array_equal(lanes["b"], [2, 0])
    blank = jax.tree.map(jnp.zeros_like, tree)
    written = _tree.put_lanes(blank, index, lanes)
    for key in tree:
        np.testing.assert_array_equal(written[key][index], tree[key][index])
        assert not written[key][jnp.array([1, 3])].any()


def test_rows_beyond_the_end_are_not_written():
    blank = jnp.zeros(3)
    np.testing.assert_array_equal(
        _tree.put_lanes(blank, jnp.array([3, 1]), jnp.array([5.0, 6.0])), [0, 6, 0]
    )


def test_padding_repeats_the_last_row():
    rows = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(_tree.pad_rows(rows, 4), [[1, 2], [3, 4], [3, 4], [3, 4]])
    assert _tree.pad_rows(rows, 2) is rows


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (solvers.LevenbergMarquardt(), solvers.Dogleg()),
        (solvers.BFGS(), solvers.NonlinearCG()),
        (losses.Huber(2.0), losses.Tukey(2.0)),
    ],
)
def test_what_is_compiled_for_one_class_is_not_run_for_another(one, other):
    name = jax.jit(lambda node: jnp.zeros(len(type(node).__name__)))
    assert len(name(one)) == len(type(one).__name__)
    assert len(name(other)) == len(type(other).__name__)


def test_a_node_comes_back_whole():
    solver = solvers.LBFGS(ftol=1e-9, memory=7)
    leaves, structure = jax.tree.flatten(solver)
    assert jax.tree.unflatten(structure, leaves) == solver
    assert structure == jax.tree.structure(solvers.LBFGS(memory=7))
    assert structure != jax.tree.structure(solvers.LBFGS(memory=8))
    ((path, _), *_), _ = jax.tree_util.tree_flatten_with_path(losses.Huber(2.0))
    assert jax.tree_util.keystr(path) == ".threshold"
