"""The loop over lanes: with a solver whose number of steps is given, with Levenberg–Marquardt."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import LevenbergMarquardt, Status
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.drive import drive

pytestmark = pytest.mark.usefixtures("fully_optimized")

MANY = 37


class CountdownState(NamedTuple):
    params: jax.Array
    value: jax.Array
    optimality: jax.Array
    trial: jax.Array
    left: jax.Array


class Countdown(NamedTuple):
    """Needs `problem["steps"]` steps; what it returns depends on each and on their order."""

    def blank(self, params):
        zero = jnp.zeros((), params.dtype)
        return CountdownState(params, zero, zero, params, jnp.zeros((), jnp.int32))

    def init(self, problem, params, state):
        return CountdownState(
            params, jnp.zeros_like(state.value), state.value, params, problem["steps"]
        )

    def evaluate(self, problem, state):
        return jnp.sin(state.trial) + problem["shift"]

    def step(self, problem, state, evaluation):
        left = state.left - 1
        params = 0.7 * state.params + evaluation
        return CountdownState(params, params.sum(), params.max(), params, left)

    def status(self, problem, state):
        return jnp.where(state.left > 0, Status.RUNNING, Status.CONVERGED).astype(jnp.int32)


def countdown(steps, seed=0):
    rng = np.random.default_rng(seed)
    size = len(steps)
    data = {"steps": jnp.asarray(steps, jnp.int32), "shift": rng.normal(size=(size, 2))}
    return jnp.asarray(rng.normal(size=(size, 2))), data


@partial(jax.jit, static_argnames="lanes")
def count_down(starts, data, max_steps, lanes, count=None):
    options = {"max_steps": max_steps, "lanes": lanes, "count": count}
    return drive(Countdown(), lambda row: row, starts, data, **options)


def growth_of(row):
    return LeastSquaresProblem(lambda x: jnp.stack([jnp.exp(x[0]) - row["target"], 1e-3 * x[1]]))


@partial(jax.jit, static_argnames="lanes")
def solve_growth(starts, data, lanes):
    return drive(LevenbergMarquardt(), growth_of, starts, data, max_steps=500, lanes=lanes)


@pytest.fixture(scope="module")
def steps():
    return np.random.default_rng(3).integers(1, 40, MANY)


def assert_identical(found, expected, rows=slice(None)):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    leaves = jax.tree.leaves(found), jax.tree.leaves(expected)
    for name, one, other in zip(found._fields, *leaves, strict=False):
        np.testing.assert_array_equal(one[rows], other[rows], err_msg=name)


@pytest.mark.parametrize("lanes", [1, 5, MANY, 64])
def test_every_problem_is_solved_once_whatever_the_lanes(steps, lanes):
    starts, data = countdown(steps)
    outcome, iterations = count_down(starts, data, 100, lanes)
    np.testing.assert_array_equal(outcome.num_steps, steps)
    np.testing.assert_array_equal(outcome.status, Status.CONVERGED)
    for i in (0, 17, MANY - 1):
        x = np.asarray(starts[i])
        for _ in range(steps[i]):
            x = 0.7 * x + np.sin(x) + data["shift"][i]
        np.testing.assert_allclose(outcome.params[i], x, rtol=1e-10)
        np.testing.assert_allclose(outcome.value[i], x.sum(), rtol=1e-10, atol=1e-12)
    used = min(lanes, MANY)
    assert steps.max() <= iterations <= -(-steps.sum() // used) + steps.max()
    if lanes == 1:
        assert iterations == steps.sum()


@pytest.mark.parametrize("lanes", [5, MANY, 64])
def test_bit_for_bit_the_same_in_any_number_of_lanes(steps, lanes):
    starts, data = countdown(steps)
    found, _ = count_down(starts, data, 100, lanes)
    expected, _ = count_down(starts, data, 100, 16)
    assert_identical(found, expected)


def test_bit_for_bit_the_same_in_any_order(steps):
    starts, data = countdown(steps)
    expected, _ = count_down(starts, data, 100, 16)
    order = np.random.default_rng(4).permutation(MANY)
    found, _ = count_down(starts[order], jax.tree.map(lambda leaf: leaf[order], data), 100, 16)
    assert_identical(found, jax.tree.map(lambda leaf: leaf[order], expected))


@pytest.mark.parametrize("budget", [1, 7, 39])
def test_the_budget_of_steps_is_kept_exactly(steps, budget):
    starts, data = countdown(steps)
    outcome, _ = count_down(starts, data, budget, 5)
    np.testing.assert_array_equal(outcome.num_steps, np.minimum(steps, budget))
    expected = np.where(steps <= budget, Status.CONVERGED, Status.MAX_STEPS)
    np.testing.assert_array_equal(outcome.status, expected)
    assert jnp.isfinite(outcome.params).all()


@pytest.mark.parametrize("count", [0, 1, 16, 30])
def test_only_the_first_count_problems_are_solved(steps, count):
    starts, data = countdown(steps)
    whole, _ = count_down(starts, data, 100, 16)
    outcome, iterations = count_down(starts, data, 100, 16, count)
    assert_identical(outcome, whole, slice(count))
    np.testing.assert_array_equal(outcome.status[count:], Status.RUNNING)
    np.testing.assert_array_equal(outcome.num_steps[count:], 0)
    assert iterations <= -(-steps[:count].sum() // 16) + steps.max()


def heavy_tail(size, short, long):
    slow = np.random.default_rng(7).random(size) < 0.02
    return np.where(slow, long, short)


def test_a_heavy_tail_costs_little_more_than_the_steps_it_needs():
    steps = heavy_tail(20_000, 5, 100)
    outcome, iterations = count_down(*countdown(steps), 200, 128)
    np.testing.assert_array_equal(outcome.num_steps, steps)
    needed, lockstep = steps.sum(), steps.max() * len(steps)
    assert needed <= iterations * 128 <= 1.3 * needed
    assert lockstep >= 10 * needed


def test_a_heavy_tail_of_levenberg_marquardt():
    """From x = 100 the steps to the root of exp(x) = 2 are about one long."""
    far = heavy_tail(8000, 0, 1) == 1
    starts = jnp.stack([jnp.where(far, 100.0, 0.8), jnp.ones(8000)], axis=1)
    outcome, iterations = solve_growth(starts, {"target": jnp.full(8000, 2.0)}, 64)
    np.testing.assert_array_equal(outcome.status, Status.CONVERGED)
    np.testing.assert_allclose(outcome.params[:, 0], np.log(2), rtol=1e-9)
    steps = np.asarray(outcome.num_steps)
    assert np.median(steps[far]) >= 15 * np.median(steps[~far])
    assert iterations * 64 <= 1.3 * steps.sum()
    assert steps.max() * len(steps) >= 8 * steps.sum()


@pytest.fixture(scope="module")
def growth():
    rng = np.random.default_rng(9)
    starts = jnp.asarray(np.stack([rng.uniform(-3, 6, 40), rng.normal(size=40)], axis=1))
    return starts, {"target": jnp.asarray(rng.uniform(0.5, 4, 40))}


def test_nan_in_one_problem_leaves_the_others_bit_for_bit_as_they_are(growth):
    starts, data = growth
    bad = np.array([0, 7, 8, 39])
    good = np.setdiff1d(np.arange(40), bad)
    ruined = {
        "target": data["target"].at[bad].set(jnp.array([jnp.nan, jnp.inf, -jnp.inf, jnp.nan]))
    }
    expected, _ = solve_growth(starts, data, 8)
    found, _ = solve_growth(starts, ruined, 8)
    assert_identical(found, expected, good)
    np.testing.assert_array_equal(found.status[bad], Status.NONFINITE)
    np.testing.assert_array_equal(found.status[good], Status.CONVERGED)
    np.testing.assert_array_equal(found.params[bad], starts[bad])


def test_levenberg_marquardt_is_the_same_in_any_lanes_and_order(growth):
    starts, data = growth
    starts = starts.at[5, 0].set(jnp.nan).at[21, 1].set(jnp.inf)
    expected, _ = solve_growth(starts, data, 8)
    found, _ = solve_growth(starts, data, 40)
    assert_identical(found, expected)
    order = np.random.default_rng(1).permutation(40)
    found, _ = solve_growth(starts[order], jax.tree.map(lambda leaf: leaf[order], data), 8)
    assert_identical(found, jax.tree.map(lambda leaf: leaf[order], expected))


def test_no_problem_of_its_own_data_is_needed():
    def problem_of(row):
        return {"steps": jnp.int32(4), "shift": jnp.ones(2)}

    outcome, _ = drive(Countdown(), problem_of, jnp.zeros((3, 2)), (), max_steps=9, lanes=2)
    np.testing.assert_array_equal(outcome.num_steps, 4)
