import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.regression.data import check_shape, points_of

X = jnp.linspace(0.0, 1.0, 5)
Y = jnp.arange(5.0)
INF, NAN = np.inf, np.nan


def usable(sigma=None, mask=None, num_free=2, y=Y):
    return bool(points_of(X, y, sigma, mask, num_free).usable)


def test_plain_data_pass_unchanged():
    points = points_of(X, Y, None, None, 2)
    assert points.used is None
    assert points.whiten is None
    assert points.num_used == 5
    np.testing.assert_array_equal(points.residual(2 * Y), Y)


def test_points_left_out_have_no_residual_and_the_x_of_a_used_one():
    mask = jnp.array([False, True, True, False, True])
    x, y = X.at[0].set(NAN), Y.at[3].set(INF)
    points = points_of(x, y, None, mask, 2)
    assert points.num_used == 3
    np.testing.assert_array_equal(points.x, jnp.array([0.25, 0.25, 0.5, 0.25, 1.0]))
    values = jnp.full(5, 7.0)
    np.testing.assert_array_equal(points.residual(values), [0, 6, 5, 0, 3])


def test_x_of_several_variables_and_trees_is_made_safe():
    mask = jnp.array([True, False, True, True, True])
    x = {"pair": jnp.stack([X, 2 * X]).at[:, 1].set(NAN), "other": jnp.arange(3.0)}
    points = points_of(x, Y, None, mask, 2)
    assert jnp.isfinite(points.x["pair"]).all()
    np.testing.assert_array_equal(points.x["pair"][:, 1], x["pair"][:, 0])
    np.testing.assert_array_equal(points.x["other"], x["other"])


def test_sigma_divides():
    points = points_of(X, Y, jnp.array([1.0, 2, 4, 5, 10]), None, 2)
    np.testing.assert_allclose(points.residual(Y + 20), [20, 10, 5, 4, 2])


def test_an_infinite_sigma_leaves_its_point_out():
    points = points_of(X, Y, jnp.array([1.0, INF, 1, 1, 1]), None, 2)
    assert points.num_used == 4
    np.testing.assert_array_equal(points.residual(Y + 1), [1, 0, 1, 1, 1])


def test_a_covariance_matrix_whitens():
    root = np.tril(np.random.default_rng(0).normal(size=(5, 5))) + 3 * np.eye(5)
    covariance = root @ root.T
    mask = np.array([True, True, False, True, True])
    difference = np.random.default_rng(1).normal(size=5)
    whole = points_of(X, Y, jnp.asarray(covariance), None, 2)
    chi2 = jnp.sum(whole.residual(Y + difference) ** 2)
    np.testing.assert_allclose(chi2, difference @ np.linalg.solve(covariance, difference))
    part = points_of(X, Y, jnp.asarray(covariance), jnp.asarray(mask), 2)
    chi2 = jnp.sum(part.residual(Y + difference) ** 2)
    kept = difference[mask]
    expected = kept @ np.linalg.solve(covariance[np.ix_(mask, mask)], kept)
    np.testing.assert_allclose(chi2, expected)


@pytest.mark.parametrize(
    "sigma",
    [
        jnp.array([1.0, 0, 1, 1, 1]),
        jnp.array([1.0, -2, 1, 1, 1]),
        jnp.array([1.0, NAN, 1, 1, 1]),
        jnp.full(5, INF),
        jnp.eye(5).at[1, 1].set(-1.0),
        jnp.ones((5, 5)),
        jnp.eye(5).at[2, 2].set(NAN),
    ],
    ids=["zero", "negative", "nan", "infinite", "indefinite", "singular", "nan in a matrix"],
)
def test_a_sigma_that_makes_no_sense_is_noticed(sigma):
    assert not usable(sigma)
    assert usable(jnp.ones(5))
    assert usable(jnp.eye(5))


def test_too_few_points_are_noticed():
    assert usable(num_free=5)
    assert not usable(num_free=6)
    mask = jnp.array([True, True, False, False, False])
    assert usable(mask=mask)
    assert not usable(mask=mask, num_free=3)
    assert not usable(mask=jnp.zeros(5, bool), num_free=1)
    assert not usable(sigma=jnp.array([1.0, INF, INF, INF, INF]))


def test_a_bad_sigma_where_the_mask_is_false_is_no_matter():
    mask = jnp.array([True, False, True, True, True])
    assert usable(jnp.array([1.0, NAN, 1, 1, 1]), mask)
    assert usable(jnp.eye(5).at[1].set(NAN).at[:, 1].set(NAN), mask)


@pytest.mark.parametrize("values", [jnp.ones(()), jnp.ones((5, 1)), jnp.ones(4)], ids=jnp.shape)
def test_a_model_of_another_shape_is_refused(values):
    with pytest.raises(ValueError, match=r"but y has shape \(5,\): return one value a point"):
        check_shape(lambda x, params: values, X, Y, jnp.ones(2))
