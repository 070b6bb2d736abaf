import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.iteration.axes import split

X = jnp.arange(6.0).reshape(2, 3)
TREE = {"a": jnp.arange(12.0).reshape(4, 3), "b": jnp.arange(3.0), "c": jnp.ones(5)}
NAMES = ("x0", "args[0]")


def rows_of(args, in_axes):
    """The arguments of each problem, put together again."""
    layout, rows, shared, size = split(args, in_axes, NAMES)
    return [layout.join([leaf[i] for leaf in rows], shared) for i in range(size)]


@pytest.mark.parametrize(
    "in_axes",
    [
        (0, None),
        (1, None),
        (-1, None),
        (-2, None),
        (0,),
        [1, None],
        (1, {"a": 1, "b": 0, "c": None}),
        (-1, {"a": -1, "b": -1, "c": None}),
        (None, {"a": 1, "b": None, "c": None}),
    ],
    ids=str,
)
def test_means_what_it_means_in_vmap(in_axes):
    args = (X, TREE)
    padded = (*in_axes, *[None] * (2 - len(in_axes)))
    expected = jax.vmap(lambda *one: one, in_axes=padded)(*args)
    found = rows_of(args, in_axes)
    for i, one in enumerate(found):
        assert jax.tree.structure(one) == jax.tree.structure(args)
        for leaf, other in zip(jax.tree.leaves(one), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(leaf, other[i])
    assert len(found) == len(jax.tree.leaves(expected)[0])


def test_one_integer_is_for_all_and_none_stays_none():
    found = rows_of((X, None), 1)
    assert len(found) == 3
    np.testing.assert_array_equal(found[2][0], X[:, 2])
    assert found[2][1] is None


def test_nothing_mapped_has_no_size():
    layout, rows, shared, size = split((X, TREE), None, NAMES)
    assert size is None
    assert rows == []
    np.testing.assert_array_equal(layout.join([], shared)[1]["c"], TREE["c"])


def test_layouts_are_equal_where_the_axes_are():
    one = split((X, TREE), (0, None), NAMES)[0]
    same = split((X + 1, TREE), (1, None), NAMES)[0]
    other = split((X, TREE), (None, {"a": 0, "b": None, "c": None}), NAMES)[0]
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


@pytest.mark.parametrize(
    ("in_axes", "message"),
    [
        ((0, None, None), "in_axes has 3 entries, but there are 2 arguments"),
        ((2, None), r"in_axes of x0 is 2, but an array there has shape \(2, 3\)"),
        ((-3, None), "in_axes of x0 is -3"),
        ((None, {"a": 0, "b": 0, "c": None}), r"args\[0\] holds 3 problems .* before it 4"),
        ((None, {"a": 0, "wrong": 0}), r"in_axes of args\[0\] does not match its structure"),
    ],
)
def test_errors_name_the_argument(in_axes, message):
    with pytest.raises(ValueError, match=message):
        split((X, TREE), in_axes, NAMES)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"x0 holds no problem .* give at least one"):
        split((np.zeros((0, 2)),), 0, ("x0",))
