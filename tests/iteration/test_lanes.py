from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mvopt.iteration.lanes import in_chunks, over_lanes

pytestmark = pytest.mark.usefixtures("fully_optimized")

LANES = [1, 5]
TABLE = jnp.array([2.0, -1.0, 0.5, 3.0])
MATRIX = jnp.arange(12.0).reshape(3, 4) / 7


def arithmetic(x, y, s):
    return 2 * x - s * y / (1 + y**2) + jnp.exp(-s) ** 0.5, x**3, -s


def comparisons(x, y, s):
    return x > y, (x <= s) & ~(y == 0), jnp.isfinite(x / 0), jnp.sign(x).astype(jnp.int32) % 3


def broadcasting(x, y, s):
    return x[:, None] * y[None, :] + s, jnp.ones((2, 4)) * x, jnp.broadcast_to(s, (3, 2))


def reductions(x, y, s):
    table = x[:, None] - y
    parts = table.sum(axis=0), table.max(axis=1), table.min(), table.prod(axis=-1)
    return *parts, jnp.argmax(table, axis=1), jnp.argmin(x), (table > s).any(axis=0), (x > s).all()


def cumulative(x, y, s):
    return jnp.cumsum(x), jnp.cumsum(x[::-1]), lax.cummax(x), lax.cumprod(y, reverse=True), s


def products(x, y, s):
    tall = jnp.outer(jnp.sin(jnp.arange(13.0)), x) + s
    return tall.T @ tall, tall @ y, x @ y, MATRIX @ x, x @ MATRIX.T, jnp.dot(s, x)


def einsums(x, y, s):
    cube = jnp.arange(30.0).reshape(5, 3, 2)[..., None] * x
    return (
        jnp.einsum("abcd,d->abc", cube, y),
        jnp.einsum("abcd,abcd->d", cube, cube + s),
        jnp.einsum("abcd,abce->ade", cube, cube),
        jnp.einsum("ij,kj->ki", x[:, None] * y, jnp.ones((7, 4))),
    )


def branches(x, y, s):
    return lax.cond(s > 0, lambda: (x + 1, y[0]), lambda: (x * y, s))


def branch_that_is_nan(x, y, s):
    root = lax.cond(s > 0, lambda: jnp.sqrt(s), lambda: 0 * s)
    other = lax.cond(s < 0, lambda: jnp.log(jnp.maximum(-s, 0)), lambda: s)
    return root, other, lax.cond(s > 0, lambda x: x / 0, lambda x: x, x)


def branches_within_branches(x, y, s):
    def inner():
        return lax.cond(x[0] > 0, lambda: x + s, lambda: lax.cond(y[0] > 0, lambda: y, lambda: -y))

    return lax.cond(s > 0, inner, lambda: jnp.full(4, jnp.nan))


def branches_of_all_lanes(x, y, s):
    return lax.cond(TABLE[0] > 0, lambda: x + s, lambda: y)


def switch(x, y, s):
    index = jnp.clip(jnp.round(s), -1, 1).astype(int) + 1
    return lax.switch(index, [lambda: x, lambda: y, lambda: x * s])


def loop_with_an_index(x, y, s):
    def body(k, carry):
        total, rows = carry
        return total + TABLE[k] * x[k] + k, rows.at[k].set(total * y[k])

    return lax.fori_loop(0, 4, body, (s, jnp.zeros(4)))


def loop_over_constants(x, y, s):
    return lax.fori_loop(0, 3, lambda k, c: (c[0] + 1, c[1] * 2), (0, TABLE)), x


def loop_of_unknown_length(x, y, s):
    return lax.while_loop(lambda c: c[0] < 50, lambda c: (c[0] * 2, c[1] + x), (jnp.abs(s) + 1, y))


def scan(x, y, s):
    def body(carry, item):
        count, total = carry
        a, b, c = item
        return (count + 1, total * 0.5 + a * s), (total, b + count, c)

    constants = jnp.arange(4.0)
    return (
        lax.scan(body, (0, s), (x, y, constants)),
        lax.scan(body, (0, s), (x, y, constants), reverse=True),
    )


def scan_that_becomes_mapped(x, y, s):
    return lax.scan(lambda c, a: ((c[1], c[2], a + s), c[0]), (0.0, 0.0, 0.0), jnp.arange(5.0))


def nested_scan(x, y, s):
    def row(carry, a):
        return lax.fori_loop(0, 3, lambda k, c: c * 0.9 + a * TABLE[k], carry), carry + a

    return lax.scan(row, y, x)


def gathers(x, y, s):
    index = jnp.argsort(y)
    one = jnp.argmax(x)
    return x[index], x[one], TABLE[index], MATRIX[1, one], x[jnp.array([3, 0])], x[-1]


def scatters(x, y, s):
    index = jnp.argsort(x)
    moved = jnp.zeros(4).at[index].set(y)
    return moved, x.at[2].add(s), jnp.zeros((4, 4)).at[index, 1].max(y), TABLE.at[index].add(x)


def sorts(x, y, s):
    return jnp.sort(x), jnp.argsort(x), lax.sort((x, y), num_keys=1), jnp.median(x)


def dynamic_slices(x, y, s):
    start = (s > 0).astype(int)
    return (
        lax.dynamic_slice(x, (1,), (2,)),
        lax.dynamic_slice(x, (start,), (3,)),
        lax.dynamic_slice(MATRIX, (start, 0), (2, 2)),
        lax.dynamic_update_slice(x, y[:2], (1,)),
        lax.dynamic_update_slice(x, y[:2], (start,)),
        lax.dynamic_update_slice(MATRIX, x[None], (1, 0)),
        lax.dynamic_update_slice(TABLE, y[:1], (2,)),
    )


def shapes(x, y, s):
    table = jnp.stack([x, y, x * s])
    return (
        table.T,
        table.reshape(2, 6),
        table[:, None, ::2],
        jnp.concatenate([x, TABLE, s[None]]),
        jnp.transpose(table[None], (2, 0, 1)),
        jnp.pad(x, (1, 2), constant_values=3.0),
        jnp.tile(x, 2),
        jnp.flip(table, 0),
        jnp.diag(x),
        jnp.diagonal(table[:, :3]),
        jnp.split(x, 2),
        jnp.roll(x, 1),
        jnp.squeeze(table[:1]),
    )


def selections(x, y, s):
    chosen = jnp.where(x > y, x, jnp.nan), jnp.where(s > 0, x, y), jnp.where(x > 0, 1.0, 0.0)
    return *chosen, jnp.clip(x, -(s**2), s**2), jnp.clip(x, 0, 1), jnp.nan_to_num(x / 0)


def nested_jit(x, y, s):
    inner = jax.jit(lambda a, b: jnp.tanh(a) + jax.jit(jnp.cos)(b))
    return inner(x, s), inner(TABLE, TABLE), jax.checkpoint(inner)(y, x)


def custom_derivatives(x, y, s):
    values = jax.nn.softplus(x), jax.nn.relu(y), jax.nn.logsumexp(x), jax.nn.silu(s)
    return *values, jax.nn.softmax(y), jax.numpy.logaddexp(x, y), jax.nn.gelu(x)


def special_functions(x, y, s):
    special = jax.scipy.special
    positive = jnp.abs(y) + 0.5
    return (
        special.gammaln(positive),
        special.gammaincc(positive, jnp.abs(x)),
        special.erf(x),
        special.ndtri(jax.nn.sigmoid(x)),
        special.xlogy(positive, positive),
        jnp.arctan2(x, y),
    )


def derivatives(x, y, s):
    def value(x):
        return jnp.sum(jax.nn.softplus(x * s) * jnp.sin(y)) + jax.nn.logsumexp(x)

    return (
        jax.grad(value)(x),
        jax.hessian(value)(x),
        jax.jvp(value, (x,), (y,)),
        jax.jacfwd(value)(x),
    )


def derivative_beside_nan(x, y, s):
    def value(s):
        return lax.cond(s > 0, lambda s: jnp.sqrt(s), lambda s: s, s)

    return jax.grad(value)(s), jax.jvp(value, (s,), (s,))


def integers(x, y, s):
    k = jnp.floor(x).astype(jnp.int32)
    return k // 2, k & 1, k << 2, jnp.abs(k), k.sum(), lax.population_count(k), (k > 0) ^ (x > 1)


def library_solves(x, y, s):
    matrix = jnp.eye(4) * 5 + jnp.outer(x, y)
    symmetric = jnp.eye(4) * 9 + jnp.outer(x, x)
    return (
        jnp.linalg.solve(matrix, x),
        jnp.linalg.cholesky(symmetric),
        jnp.linalg.qr(matrix)[1] ** 2,
    )


def constants_only(x, y, s):
    return TABLE, jnp.arange(3), 2.0


def nested_vmap(x, y, s):
    return jax.vmap(lambda a, b: a * y + b * s)(x, y), jax.vmap(jnp.dot, (0, None))(MATRIX, x)


FUNCTIONS = [
    arithmetic, comparisons, broadcasting, reductions, cumulative, products, einsums, branches,
    branch_that_is_nan, branches_within_branches, branches_of_all_lanes, switch,
    loop_with_an_index, loop_over_constants, loop_of_unknown_length, scan,
    scan_that_becomes_mapped, nested_scan, gathers, scatters, sorts, dynamic_slices, shapes,
    selections, nested_jit, custom_derivatives, special_functions, derivatives,
    derivative_beside_nan, integers, library_solves, constants_only, nested_vmap,
]  # fmt: skip


def inputs(lanes):
    rng = np.random.default_rng(lanes)
    return rng.normal(size=(4, lanes)), rng.normal(size=(4, lanes)), rng.normal(size=lanes)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_equals_vmap(function, lanes):
    args = inputs(lanes)
    found = jax.jit(over_lanes(function))(*args)
    expected = jax.jit(jax.vmap(function, in_axes=-1, out_axes=-1))(*args)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_float32_stays_float32():
    def function(x, y, s):
        total = lax.fori_loop(0, 3, lambda k, c: c + x[k] * y, jnp.zeros_like(y))
        return jnp.outer(x, y).T @ y + s, lax.cond(s > 0, lambda: x, lambda: 2 * x), total

    args = [np.asarray(arg, np.float32) for arg in inputs(16)]
    for leaf in jax.tree.leaves(jax.jit(over_lanes(function))(*args)):
        assert leaf.dtype == jnp.float32


def test_trees_in_and_out():
    def function(tree):
        return {"sum": tree["a"].sum() + tree["b"][0], "pair": tree["b"]}

    found = over_lanes(function)({"a": jnp.ones((3, 5)), "b": (jnp.arange(5.0), jnp.zeros((2, 5)))})
    np.testing.assert_array_equal(found["sum"], 3 + jnp.arange(5.0))
    assert found["pair"][1].shape == (2, 5)


def test_the_rare_branch_runs_only_when_a_lane_asks_for_it():
    ran = []

    def function(s):
        def rare():
            jax.debug.callback(lambda: ran.append(1))
            return 2 * s

        return lax.cond(s > 0, rare, lambda: s)

    mapped = jax.jit(over_lanes(function))
    jax.block_until_ready(mapped(-jnp.ones(6)))
    jax.effects_barrier()
    assert not ran
    found = mapped(jnp.array([-1.0, -1.0, 3.0, -1.0, -1.0, -1.0]))
    jax.effects_barrier()
    assert ran
    np.testing.assert_array_equal(found, [-1, -1, 6, -1, -1, -1])


def test_derivatives_through_the_lanes_use_the_custom_rules():
    """The derivative of relu at zero is zero by its rule, a half by the rule of its maximum."""
    x = jnp.array([-1.0, 0.0, 2.0])
    gradient = jax.grad(lambda x: over_lanes(jax.nn.relu)(x).sum())(x)
    np.testing.assert_array_equal(gradient, jax.vmap(jax.grad(jax.nn.relu))(x))


def test_jvp_and_vjp_through_the_lanes():
    args = inputs(5)

    def value(x, y, s, run):
        return sum(leaf.sum() for leaf in run(products)(x, y, s))

    def by_vmap(function):
        return jax.vmap(function, in_axes=-1, out_axes=-1)

    found, expected = (
        jax.jit(jax.grad(partial(value, run=run), (0, 1, 2)))(*args)
        for run in (over_lanes, by_vmap)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 4, 9])
def test_chunks_cover_every_row_once(size):
    rows = {"a": jnp.arange(2.0 * size).reshape(size, 2), "b": jnp.arange(size)}
    found = in_chunks(lambda row: (row["a"] * 2, row["b"] + 1), rows, 4)
    np.testing.assert_array_equal(found[0], 2 * rows["a"])
    np.testing.assert_array_equal(found[1], rows["b"] + 1)


def test_no_rows_means_one():
    found = in_chunks(lambda row: {"a": jnp.arange(3.0), "n": jnp.asarray(len(row))}, [], 4)
    assert found["a"].shape == (1, 3)
    np.testing.assert_array_equal(found["n"], [0])
