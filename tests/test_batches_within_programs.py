"""A batch inside the caller's program, where only what the problems share is traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import mvopt
from mvopt import BFGS, curve_fit, least_squares, linear_fit, minimize, quadratic_program, root

DATA = np.linspace(1.0, 2.0, 5)
TIME = np.linspace(0.0, 1.0, 6)
DECAYS = np.exp(-TIME * (1 + DATA[:, None])) + 0.01 * np.sin(9 * TIME)
STARTS = np.full((5, 2), 0.5)


def bowl(x, weight, data):
    return jnp.sum((x - data) ** 2) + weight * jnp.sum(x**2)


def decay(x, p):
    return p[0] * jnp.exp(-p[1] * x)


def lasso_free(weight):
    return minimize(bowl, STARTS, (weight, DATA), in_axes=(0, None, 0))


# The number is shared by all problems: among the arguments, in a closure, a bound, a start, …
SHARED = {
    "argument": lasso_free,
    "closure": lambda c: minimize(
        lambda x, data: bowl(x, 0.3, data) + c * jnp.sum(x), STARTS, (DATA,), in_axes=0,
        solver=BFGS(),
    ),
    "bounds": lambda c: minimize(
        bowl, STARTS, (0.3, DATA), in_axes=(0, None, 0), bounds=(-1.0, c * np.ones(2))
    ),
    "start": lambda c: minimize(bowl, c * np.ones(2), (0.3, DATA), in_axes=(None, None, 0)),
    "equality": lambda c: minimize(
        bowl, STARTS, (0.3, DATA), in_axes=(0, None, 0), equality=lambda x, *_: x[0] + x[1] - c
    ),
    "root": lambda c: root(
        lambda x, c, data: x**3 + c * x - data, STARTS, (c, DATA), in_axes=(0, None, 0)
    ),
    "residual": lambda c: least_squares(
        lambda x, data: jnp.concatenate([x - data, c * x * x - 0.2]), STARTS, (DATA,), in_axes=0
    ),
    "program": lambda c: quadratic_program(
        c * np.eye(2), -DATA[:, None] * np.ones(2), np.ones((1, 2)), np.array([0.3]),
        in_axes=(None, 0),
    ),
    "design": lambda c: linear_fit(
        jnp.stack([jnp.ones(6), c * TIME], 1), DECAYS, in_axes=(None, 0)
    ),
    "abscissas": lambda c: curve_fit(decay, c * TIME, DECAYS, STARTS, in_axes=(None, 0, 0)),
    "sigma": lambda c: curve_fit(
        decay, TIME, DECAYS, np.ones(2), 0.1 + c * TIME, in_axes=(None, 0, None, None)
    ),
    "named model": lambda c: curve_fit(
        mvopt.models.exponential_decay, c * TIME, DECAYS, in_axes=(None, 0)
    ),
    "prior": lambda c: curve_fit(
        decay, TIME, DECAYS, np.ones(2), prior=(np.ones(2), c * np.ones(2)), in_axes=(None, 0)
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SHARED)
def test_the_derivative_by_what_is_shared(what):
    """It is that of differences; the derivative by a start is zero."""
    total = lambda c: jnp.sum(SHARED[what](c).params)
    at, step = 0.7, 1e-4
    wanted = 0 if what == "start" else (total(at + step) - total(at - step)) / (2 * step)
    for found in (jax.grad(total)(at), jax.jvp(total, (at,), (1.0,))[1]):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


TRANSFORMED = {
    "jit": lambda total, at: jax.jit(total)(at),
    "vmap": lambda total, at: jax.vmap(total)(at * np.ones(2))[1],
    "scan": lambda total, at: jax.lax.scan(lambda c, x: (c, total(x)), 0, at * np.ones(2))[1][1],
    "remat": lambda total, at: jax.value_and_grad(jax.checkpoint(total))(at)[0],
}


@pytest.mark.parametrize("how", TRANSFORMED)
def test_the_result_in_a_transformation(how):
    total = lambda c: jnp.sum(lasso_free(c).params)
    np.testing.assert_allclose(TRANSFORMED[how](total, 0.7), total(0.7), rtol=1e-12)


def sharded(function, check_vma):
    mesh, spec = Mesh(np.array(jax.devices()[:1]), ("i",)), PartitionSpec("i")
    return jax.shard_map(function, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=check_vma)


@pytest.mark.parametrize("what", ["argument", "design"])
def test_over_a_mesh_and_what_its_check_wants(what):
    solve = lambda c: SHARED[what](c[0]).params
    number = np.array([0.7])
    np.testing.assert_allclose(sharded(solve, False)(number), SHARED[what](0.7).params, rtol=1e-12)
    with pytest.raises((TypeError, ValueError)) as raised:
        sharded(solve, True)(number)
    assert any("check_vma=False" in note for note in raised.value.__notes__)


def test_a_random_key_for_each_problem():
    keys = jax.random.split(jax.random.key(0), 5)
    found = minimize(
        lambda x, key: jnp.sum((x - jax.random.normal(key)) ** 2), 0.0, (keys,), in_axes=(None, 0)
    )
    np.testing.assert_allclose(found.params, jax.vmap(jax.random.normal)(keys), atol=1e-9)
