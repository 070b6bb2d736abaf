"""Training: rows drawn by a key, batches from an iterator, runs spread over devices."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mvopt
from mvopt import GradientDescent, Status
from mvopt._training import batch_rows

SOLVER = GradientDescent(optax.adam(optax.cosine_decay_schedule(0.02, 400)))
TRAIN = {"solver": SOLVER, "batch_size": 16, "key": jax.random.key(0)}


def network(params, x):
    for weight, bias in params[:-1]:
        x = jax.nn.sigmoid(x @ weight + bias)
    return x @ params[-1][0] + params[-1][1]


def loss(params, x, y):
    return jnp.mean((network(params, x) - y) ** 2)


def start(sizes=(1, 6, 7, 2), dtype=jnp.float32):
    rng = np.random.default_rng(3)
    return [
        (jnp.asarray(rng.normal(size=(a, b)) * 2, dtype), jnp.asarray(rng.normal(size=b), dtype))
        for a, b in pairwise(sizes)
    ]


def curve(size=100, dtype=jnp.float32):
    """A closed curve in the plane with three lobes, and the angle along it."""
    t = np.linspace(-1, 1, size)[:, None]
    radius = 1 + 0.3 * np.cos(3 * np.pi * t)
    points = np.concatenate([radius * np.cos(np.pi * t), radius * np.sin(np.pi * t)], axis=1)
    return jnp.asarray(t, dtype), jnp.asarray(points, dtype)


@pytest.fixture(autouse=True, scope="module")
def full_precision():
    """Accelerators round what they multiply, and no two programs quite alike."""
    with jax.default_matmul_precision("float32"):
        yield


@pytest.fixture(scope="module")
def trained(full_precision):
    return mvopt.minimize(loss, start(), curve(), **TRAIN, max_steps=401, trace=401)


def rows_by_hand(steps):
    seed = jax.random.bits(TRAIN["key"], (2,), jnp.uint32)
    return np.asarray(jax.vmap(lambda k: batch_rows(seed, k, 100, 16))(jnp.arange(steps)))


def test_every_pass_takes_each_row_at_most_once_and_all_alike():
    rows = rows_by_hand(6 * 200).reshape(200, 6 * 16)
    assert all(len(set(each)) == 96 for each in rows.tolist())
    assert rows.min() == 0
    assert rows.max() == 99
    # χ² of the first place over 200 passes: 99 degrees of freedom
    counts = np.bincount(rows[:, 0], minlength=100)
    assert 50 < np.sum((counts - 2) ** 2 / 2) < 165
    # a row's place in one pass says nothing about its place in the next
    places = np.argsort(rows[:2], axis=1)
    assert abs(np.corrcoef(places)[0, 1]) < 0.3


def test_is_the_loop_written_by_hand(trained):
    x, y = curve()

    @jax.jit
    def step(params, state, rows):
        value, slope = jax.value_and_grad(loss)(params, x[rows], y[rows])
        updates, state = SOLVER.optimizer.update(slope, state, params)
        return optax.apply_updates(params, updates), state, value

    params, state, values = start(), SOLVER.optimizer.init(start()), []
    for rows in rows_by_hand(400):
        params, state, value = step(params, state, rows)
        values.append(value)
    assert trained.status == Status.MAX_STEPS
    assert trained.num_steps == 401
    np.testing.assert_allclose(trained.trace[:400, -1], values, rtol=1e-3)
    assert loss(trained.params, x, y) < 0.5 * loss(start(), x, y)


def test_goes_on_from_where_it_was_left(trained):
    part = mvopt.minimize(loss, start(), curve(), **TRAIN, max_steps=150, keep_state=True)
    rest = mvopt.minimize(loss, start(), curve(), **TRAIN, max_steps=251, state=part.state)
    np.testing.assert_allclose(rest.value, trained.value, rtol=1e-4)


def test_an_iterator_of_the_same_batches_gives_the_same_run(trained):
    x, y = map(np.asarray, curve())
    batches = ((x[rows], y[rows]) for rows in rows_by_hand(401))
    solution = mvopt.minimize(loss, start(), solver=SOLVER, batches=batches, trace=401)
    assert solution.num_steps == 401
    assert solution.status == Status.MAX_STEPS
    np.testing.assert_allclose(solution.trace[:, -1], trained.trace[:, -1], rtol=1e-3)


def test_max_steps_and_state_hold_for_an_iterator():
    x, y = map(np.asarray, curve())
    batches = iter([(x[rows], y[rows]) for rows in rows_by_hand(60)])
    one = mvopt.minimize(
        loss, start(), solver=SOLVER, batches=batches, max_steps=40, keep_state=True
    )
    assert one.num_steps == 40
    assert len(list(batches)) == 20


def test_a_batch_that_is_not_finite_is_passed_over():
    x, y = map(np.asarray, curve())
    batches = [(x[rows], y[rows]) for rows in rows_by_hand(40)]
    batches[20] = (batches[20][0], np.full_like(y[:16], np.nan))
    solution = mvopt.minimize(loss, start(), solver=SOLVER, batches=batches)
    assert solution.num_steps == 40
    assert jnp.isfinite(solution.value)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(solution.params))


def test_several_networks_train_beside_each_other():
    starts = jax.tree.map(lambda leaf: jnp.stack([leaf, 0.5 * leaf]), start())
    many = mvopt.minimize(loss, starts, curve(), **TRAIN, in_axes=(0, None, None), max_steps=30)
    one = mvopt.minimize(loss, start(), curve(), **TRAIN, max_steps=30)
    np.testing.assert_allclose(many.value[0], one.value, rtol=1e-4)
    assert many.value.shape == (2,)


def test_gauss_newton_from_products_trains_a_small_network():
    args, params = curve(dtype=jnp.float64), start(dtype=jnp.float64)
    solver = mvopt.TrustRegionNewton(hessian="products")
    solution = mvopt.minimize(loss, params, args, solver=solver, max_steps=300)
    assert solution.value < 5e-3


def test_refuses_what_cannot_be_drawn():
    x, y = curve()

    def run(**change):
        given = {"args": (x, y), **TRAIN, **change}
        return mvopt.minimize(loss, start(), **given)

    for change, message in [
        ({"key": None}, "needs a key"),
        ({"batch_size": 0}, "at least one row"),
        ({"batch_size": 101}, "only 100 rows"),
        ({"args": (x, y[:-1])}, "same rows of every array"),
        ({"args": ()}, "same rows of every array"),
        ({"solver": mvopt.BFGS()}, "BFGS needs the same objective"),
        ({"solver": GradientDescent()}, "step size or an optax"),
        ({"has_aux": True}, "has_aux"),
        ({"batches": [(x, y)]}, "give batch_size to draw"),
        ({"batch_size": None, "batches": [(x, y)]}, "either args or batches"),
        ({"batch_size": None, "args": (), "batches": []}, "holds no batch"),
        ({"batch_size": None, "args": (), "batches": [(x, y), (x, y[:3])]}, "same structure"),
    ]:
        with pytest.raises(ValueError, match=message):
            run(**change)


SHARDED = """
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from test_training import TRAIN, curve, loss, start
import mvopt
assert len(jax.devices()) == 8
mesh = jax.make_mesh((8,), ("data",))
sizes = (1, 64, 64, 2)
def run(args):
    return mvopt.minimize(loss, start(sizes), args, **TRAIN, max_steps=60, trace=60)
plain = run(curve(96))
spread = jax.device_put(curve(96), NamedSharding(mesh, PartitionSpec("data")))
sharded = run(spread)
assert len(sharded.value.sharding.device_set) == 8
np.testing.assert_allclose(sharded.trace[:, -1], plain.trace[:, -1], rtol=2e-3)
"""


def test_runs_sharded_with_the_same_losses():
    root = Path(__file__).parents[1]
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SHARDED],
        cwd=root,
        env={**os.environ, **flags, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_a_result_of_samples_has_no_derivative():
    def trained(y):
        args = (curve()[0], y)
        return mvopt.minimize(loss, start(), args, **TRAIN, max_steps=3).params[0][0].sum()

    with pytest.raises(ValueError, match="no derivative"):
        jax.grad(trained)(curve()[1])
