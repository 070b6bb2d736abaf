"""`least_squares` as users call it: trees, bounds, statuses, what is compiled, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from mvopt import LevenbergMarquardt, Status, _entry, least_squares

X = np.linspace(0, 3, 15)
DESIGN = np.random.default_rng(1).normal(size=(20, 4))
TARGET = np.random.default_rng(2).normal(size=20)


def rosenbrock(x):
    return jnp.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def linear(x, target):
    return jnp.asarray(DESIGN) @ x - target


def decay(b, x, y):
    return b[0] * jnp.exp(-b[1] * x) + b[2] - y


def decay_of_tree(p, data):
    fitted = p["height"] * jnp.exp(-p["shape"][0] * data["x"]) + p["shape"][1]
    return {"points": fitted - data["y"], "prior": 0.1 * (p["height"] - 2)}


def decay_data(size=None, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform([1, 0.3, -1], [5, 2, 1], (size or 1, 3))
    y = truth[:, :1] * np.exp(-truth[:, 1:2] * X) + truth[:, 2:]
    y = y + 0.02 * rng.normal(size=y.shape)
    return y if size else y[0]


def by_scipy(residual, start, bounds, *args):
    margin = 1e-3 * np.minimum(bounds[1] - bounds[0], 1)
    inside = np.clip(start, bounds[0] + margin, bounds[1] - margin)
    tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "method": "trf"}
    return scipy.optimize.least_squares(
        lambda x: np.asarray(residual(x, *args)), inside, bounds=bounds, **tight
    )


INFINITE = np.full(2, np.inf)


@pytest.mark.parametrize(
    ("start", "bounds", "active"),
    [
        ([-1.2, 1.0], (np.array([-2.0, -2.0]), np.array([0.5, 2.0])), [0]),
        ([-1.2, 1.0], (np.array([-2.0, 1.5]), np.array([2.0, 3.0])), [1]),
        ([-1.2, 1.0], (np.array([-3.0, -3.0]), np.array([3.0, 3.0])), []),
        ([-1.2, 1.0], (np.array([1.5, -np.inf]), INFINITE), [0]),
        ([9.0, -9.0], (np.array([-2.0, -2.0]), np.array([0.5, 0.1])), [1]),
        ([0.5, 2.0], (np.array([-2.0, -2.0]), np.array([0.5, 2.0])), [0]),
    ],
    ids=["first", "second", "none", "half open", "start outside", "start in the corner"],
)
def test_bounds_as_scipy(start, bounds, active):
    found = least_squares(rosenbrock, start, bounds=bounds)
    expected = by_scipy(rosenbrock, start, bounds)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, expected.x, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.value, expected.cost, rtol=1e-8, atol=1e-12)
    edge = (found.params == bounds[0]) | (found.params == bounds[1])
    np.testing.assert_array_equal(np.flatnonzero(edge), active)
    assert found.optimality <= 1e-6
    assert found.num_steps <= 60


@pytest.mark.parametrize("high", [0.02, 0.05, 0.1])
def test_linear_problem_with_several_active_bounds(high):
    bounds = (np.zeros(4), np.full(4, high))
    found = least_squares(linear, np.full(4, 0.5 * high), (TARGET,), bounds=bounds)
    expected = scipy.optimize.lsq_linear(DESIGN, TARGET, bounds, tol=1e-14)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, expected.x, atol=1e-8)
    assert ((found.params == 0) | (found.params == high)).sum() >= 2
    assert found.num_steps <= 12


def test_equal_bounds_fix_a_param():
    bounds = (np.array([-9.0, 0.7, -9.0]), np.array([9.0, 0.7, 9.0]))
    y = decay_data()
    found = least_squares(decay, [1.0, 1.0, 0.0], (X, y), bounds=bounds)
    assert found.status == Status.CONVERGED
    assert found.params[1] == 0.7
    design = np.stack([np.exp(-0.7 * X), np.ones_like(X)], axis=1)
    expected = np.linalg.lstsq(design, y)[0]
    np.testing.assert_allclose(found.params[jnp.array([0, 2])], expected, rtol=1e-8)


def test_the_params_never_leave_the_box():
    seen = []

    def watched(x):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return rosenbrock(x)

    least_squares(watched, [-1.2, 1.0], bounds=([-1.5, -0.5], [0.8, 1.5]))
    jax.effects_barrier()
    seen = np.array(seen)
    assert len(seen) >= 3
    # The loop looks at the zero vector once, before the first problem is loaded.
    assert np.all(seen >= [-1.5, -0.5])
    assert np.all(seen <= [0.8, 1.5])


def test_bounds_of_one_number_and_of_a_tree():
    y = decay_data(seed=4) - 3
    start = {"height": 1.0, "shape": jnp.array([1.0, 0.0])}
    data = {"x": X, "y": y}
    for lower in (0.0, {"height": 0.0, "shape": jnp.zeros(2)}):
        found = least_squares(decay_of_tree, start, (data,), bounds=(lower, np.inf))
        assert found.status == Status.CONVERGED
        assert found.params["height"].shape == ()
        assert all((leaf >= 0).all() for leaf in jax.tree.leaves(found.params))
    free = least_squares(decay_of_tree, start, (data,))
    assert free.params["shape"][1] < 0


def test_a_tree_gives_what_the_flat_problem_gives():
    data = {"x": X, "y": decay_data()}
    found = least_squares(decay_of_tree, {"height": 1, "shape": [1.0, 0.0]}, (data,))

    def flat(b):
        return jnp.append(decay(b, X, data["y"]), 0.1 * (b[0] - 2))

    expected = least_squares(flat, [1.0, 1.0, 0.0])
    assert list(found.params) == ["height", "shape"]
    assert isinstance(found.params["shape"], list)
    np.testing.assert_allclose(jnp.stack(jax.tree.leaves(found.params)), expected.params, rtol=1e-8)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)


def test_bad_problems_of_a_batch_leave_the_others_bit_for_bit():
    y = decay_data(12)
    expected = least_squares(decay, np.ones((12, 3)), (X, y), in_axes=(0, None, 0))
    ruined, bad = y.copy(), [2, 5, 11]
    ruined[2], ruined[5, 3], ruined[11] = np.nan, np.inf, 1e300
    found = least_squares(decay, np.ones((12, 3)), (X, ruined), in_axes=(0, None, 0))
    good = np.setdiff1d(np.arange(12), bad)
    for name in ("params", "value", "status", "num_steps", "optimality"):
        np.testing.assert_array_equal(getattr(found, name)[good], getattr(expected, name)[good])
    np.testing.assert_array_equal(found.status[jnp.array(bad)], Status.NONFINITE)
    assert (expected.status == Status.CONVERGED).all()


def cache_size():
    # The function of that name hides the module.
    return _entry.solve_rows._cache_size()


def test_what_changes_in_value_is_not_compiled_again(compiled):
    def run(seed, low, gtol, budget):
        starts = np.random.default_rng(seed).uniform(0.5, 2, (9, 3))
        found = least_squares(
            decay,
            starts,
            (X, decay_data(9, seed)),
            bounds=(np.full(3, low), np.full(3, 9.0)),
            solver=LevenbergMarquardt(gtol=gtol),
            max_steps=budget,
            in_axes=(0, None, 0),
        )
        return int(found.num_steps.sum())

    run(0, -5.0, 1e-6, 100)
    assert compiled
    compiled.clear()
    changed = [run(1, -5.0, 1e-6, 100), run(0, -0.5, 1e-6, 100), run(0, -5.0, 1e-3, 100)]
    assert run(0, -5.0, 1e-6, 3) < min(changed)
    assert not compiled


def test_the_number_of_problems_within_a_bucket_is_not_compiled_again():
    def run(size):
        found = least_squares(
            decay, np.ones((size, 3)), (X, decay_data(size)), in_axes=(0, None, 0)
        )
        assert found.params.shape == (size, 3)
        assert (found.status == Status.CONVERGED).all()

    run(17)
    before = cache_size()
    for size in (18, 19, 20):
        run(size)
    assert cache_size() == before
    run(21)
    assert cache_size() == before + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hubber"}, "loss='hubber' is not known: use one of linear"),
        ({"bounds": ([0, 2], [1, 1])}, "a lower bound is above its upper bound"),
        ({"bounds": (np.nan, 1)}, "a lower bound is above its upper bound"),
        ({"bounds": (0, 1, 2)}, r"bounds must be a pair \(lower, upper\)"),
        ({"in_axes": (0, 0, 0)}, "in_axes has 3 entries, but there are 1 arguments"),
        ({"in_axes": 3}, "in_axes of x0 is 3"),
    ],
    ids=["loss", "crossing", "nan", "triple", "too many axes", "no such axis"],
)
def test_errors_say_what_to_do(options, message):
    with pytest.raises(ValueError, match=message):
        least_squares(rosenbrock, np.ones(2), **options)


def test_batches_that_do_not_agree_are_named():
    with pytest.raises(ValueError, match=r"args\[1\] holds 3 problems .* before it 4"):
        least_squares(decay, np.ones((4, 3)), (X, np.ones((3, 15))), in_axes=(0, None, 0))


def test_bounds_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="bounds"):
        least_squares(rosenbrock, np.ones(2), bounds=(np.zeros(3), np.ones(3)))
