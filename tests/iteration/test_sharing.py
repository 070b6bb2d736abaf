"""What is stored of a replayed function, and what each reader computes again."""

import jax
import jax.numpy as jnp
import pytest

from mvopt.iteration.lanes import over_lanes
from mvopt.iteration.sharing import count_readers

on_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="only a CPU fuses that way")


def barriers(function, *args):
    return str(jax.make_jaxpr(over_lanes(function))(*args)).count("optimization_barrier")


def costly(x):
    for _ in range(5):
        x = 1.5 * x + 1
    return x


@on_cpu
def test_a_costly_value_with_several_readers_is_stored():
    x = jnp.ones(8)
    assert barriers(lambda x: (costly(x) * 2, costly(x) * 3), x) == 0  # two values, a reader each
    assert barriers(lambda x: (lambda y: (y * 2, y * 3))(costly(x)), x) == 1
    assert barriers(lambda x: (lambda y: (y * 2, y * 3))(x + 1), x) == 0  # cheap
    assert barriers(lambda x: costly(x) * 2, x) == 0  # one reader


@on_cpu
def test_a_broadcast_counts_as_many_readers():
    x = jnp.ones(8)
    assert barriers(lambda x: costly(x) * jnp.arange(4.0), x) == 1


def test_readers_are_counted_through_inner_functions_and_parts():
    @jax.jit
    def inner(y):
        return y * y + y

    closed = jax.make_jaxpr(lambda x: (inner(x), x[:2], x))(jnp.ones(4))
    counts = count_readers(closed.jaxpr, {"jit": "jaxpr", "pjit": "jaxpr"})
    assert counts[closed.jaxpr.invars[0]] == 3 + 0.5 + 1
