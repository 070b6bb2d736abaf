"""Gradient descent: with a line search, with a step size, through optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mvopt
from mvopt import GradientDescent, Status

SCALES = jnp.array([1.0, 3.0, 10.0])


def bowl(x, centre):
    return jnp.sum(SCALES.astype(x.dtype) * (x - centre) ** 2) + 1


def solved(solver, dtype=jnp.float64, **more):
    start = jnp.zeros(3, dtype)
    return mvopt.minimize(bowl, start, (jnp.arange(3, dtype=dtype),), solver=solver, **more)


KINDS = {
    "line search": GradientDescent(),
    "step size": GradientDescent(0.04),
    "momentum": GradientDescent(0.02, momentum=0.5),
    "nesterov": GradientDescent(0.02, momentum=0.5, nesterov=True),
    "schedule": GradientDescent(optax.constant_schedule(0.04)),
}


# What float32 means for the step and for the end is one code for all but the line search.
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *((kind, jnp.float64) for kind in KINDS),
        *((kind, jnp.float32) for kind in ("line search", "nesterov")),
    ],
)
def test_finds_the_minimum_of_a_bowl_and_says_so(kind, dtype):
    solver = KINDS[kind]
    solution = solved(solver, dtype)
    assert solution.status == Status.CONVERGED
    assert solution.params.dtype == dtype
    tolerance = 20 * float(jnp.finfo(dtype).eps) ** 0.5
    np.testing.assert_allclose(solution.params, jnp.arange(3), atol=tolerance)


@pytest.mark.parametrize(
    "transformation",
    [
        optax.lbfgs(),
        optax.chain(optax.clip_by_global_norm(100.0), optax.sgd(0.04)),
        optax.polyak_sgd(max_learning_rate=1.0, f_min=1.0),
    ],
    ids=["lbfgs", "chain", "polyak"],
)
def test_takes_transformations_that_ask_for_the_value(transformation):
    solution = solved(GradientDescent(transformation))
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, jnp.arange(3), atol=1e-6)


def test_adam_comes_near_and_does_not_claim_more():
    schedule = optax.cosine_decay_schedule(0.1, 300)
    solution = solved(GradientDescent(optax.adam(schedule)), max_steps=300)
    assert solution.status == Status.MAX_STEPS
    np.testing.assert_allclose(solution.params, jnp.arange(3), atol=1e-2)


def test_the_transformation_sees_the_users_pytree():
    labels = {"slow": "slow", "still": "still"}
    parts = {"slow": optax.sgd(0.1), "still": optax.set_to_zero()}
    solver = GradientDescent(optax.multi_transform(parts, labels))
    start = {"slow": jnp.ones(2), "still": jnp.full((2, 2), 5.0)}

    def fn(x):
        return jnp.sum(x["slow"] ** 2) + jnp.sum(x["still"] ** 2)

    solution = mvopt.minimize(fn, start, solver=solver, max_steps=300)
    assert (solution.params["still"] == 5).all()
    assert jnp.abs(solution.params["slow"]).max() < 1e-6


def test_counts_are_those_of_the_iteration_by_hand():
    solution = solved(GradientDescent(0.04), max_steps=7, trace=7)
    x = np.zeros(3)
    for row in np.asarray(solution.trace):
        np.testing.assert_allclose(row[:3], x, rtol=1e-14)
        x = x - 0.04 * 2 * np.asarray(SCALES) * (x - np.arange(3))
    assert solution.num_steps == 7


@pytest.mark.parametrize(
    "solver", [GradientDescent(), GradientDescent(0.5)], ids=["search", "step"]
)
def test_goes_back_from_where_the_logarithm_is_not_defined(solver):
    """log(x) has no minimum: the way down leads to zero, and no further."""
    solution = mvopt.minimize(lambda x: jnp.log(x[0]), jnp.ones(1), solver=solver, max_steps=200)
    assert solution.params[0] > 0
    assert solution.value < -1
    assert solution.status in (Status.MAX_STEPS, Status.STALLED, Status.UNBOUNDED)


def test_finds_a_minimum_next_to_a_barrier():
    def barrier(x):
        return jnp.sum(x - jnp.log(x))

    solution = mvopt.minimize(barrier, jnp.array([1e-2, 4.0]), solver=GradientDescent(0.5))
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, 1, atol=1e-6)


def test_a_start_that_is_not_a_number_is_named():
    solver = GradientDescent(0.1)
    solution = mvopt.minimize(lambda x: jnp.log(x), -1.0, solver=solver)
    assert solution.status == Status.NONFINITE


@pytest.mark.parametrize(
    "solver", [GradientDescent(), GradientDescent(0.04)], ids=["search", "step"]
)
def test_stays_within_bounds(solver):
    solution = solved(solver, bounds=(0.5, 1.5))
    assert solution.status == Status.CONVERGED
    np.testing.assert_allclose(solution.params, [0.5, 1, 1.5], atol=1e-6)


@pytest.mark.parametrize(
    "solver", [GradientDescent(), GradientDescent(0.04)], ids=["search", "step"]
)
def test_a_batch_is_as_one_at_a_time(solver):
    centres = jnp.asarray(np.random.default_rng(1).normal(size=(20, 3)))
    together = mvopt.minimize(bowl, jnp.zeros(3), (centres,), solver=solver, in_axes=(None, 0))
    for k in (0, 19):
        alone = mvopt.minimize(bowl, jnp.zeros(3), (centres[k],), solver=solver)
        assert together.num_steps[k] == alone.num_steps
        np.testing.assert_allclose(together.params[k], alone.params, rtol=1e-9)


def test_another_step_size_compiles_nothing(compiled):
    solved(GradientDescent(0.03), max_steps=3)
    compiled.clear()
    solved(GradientDescent(0.04), max_steps=5)
    assert not compiled


def test_derivatives_of_the_solution_are_those_of_the_minimum():
    def at(centre):
        return mvopt.minimize(bowl, jnp.zeros(3), (centre,), solver=GradientDescent(0.04)).params

    np.testing.assert_allclose(jax.jacobian(at)(jnp.arange(3.0)), np.eye(3), atol=1e-9)


def test_refuses_what_means_nothing():
    with pytest.raises(ValueError, match="momentum needs a step size"):
        GradientDescent(momentum=0.9)
    with pytest.raises(ValueError, match="momentum needs a step size"):
        GradientDescent(optax.adam(0.1), momentum=0.9)
    with pytest.raises(ValueError, match="nesterov"):
        GradientDescent(0.1, nesterov=True)
    with pytest.raises(TypeError, match="optax"):
        GradientDescent([0.1, 0.2])
