import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.iteration.blocks import bucket, in_blocks, lanes_for, num_cores

on_host = pytest.mark.skipif(jax.default_backend() != "cpu", reason="of CPUs alone")


def test_buckets_are_few_and_never_too_small():
    sizes = np.arange(1, 5000)
    buckets = np.array([bucket(int(size)) for size in sizes])
    assert np.all(buckets >= sizes)
    large = sizes > 16
    assert np.all(buckets[large] <= 1.25 * sizes[large])
    assert len(set(buckets)) <= 5 + 4 * (13 - 4)
    assert [bucket(size) for size in (1, 3, 16, 17, 33, 1000)] == [1, 4, 16, 20, 40, 1024]


def test_a_bucket_is_its_own_bucket():
    for size in range(1, 3000):
        assert bucket(bucket(size)) == bucket(size)


@on_host
def test_lanes_shrink_with_the_size_of_a_problem():
    assert lanes_for(100, 7) == lanes_for(100, 10**6) == 4096
    assert lanes_for(1, 7) == 16384
    assert lanes_for(10**9, 100) == 32
    assert lanes_for(100, None) == 1
    middle = lanes_for(4096, 100)
    assert 32 < middle < 4096
    assert middle % 32 == 0


@pytest.mark.parametrize("size", [1, 7, 3000, 70001])
def test_every_row_comes_back_in_its_place(size):
    calls = []

    def double(block, count):
        calls.append((block["a"].shape[0], count))
        return {"b": 2 * block["a"]}

    rows = jnp.arange(2.0 * size).reshape(size, 2)
    found = in_blocks(double, {"a": rows}, size)
    np.testing.assert_array_equal(found["b"], 2 * rows)
    assert sum(count for _, count in calls) == size
    assert len({length for length, _ in calls}) == 1
    assert all(length == bucket(length) for length, _ in calls)


@pytest.mark.parametrize("size", [1, 900, 5000, 66000, 70001])
def test_a_smaller_batch_finds_the_programs_of_a_larger_one(size):
    lengths = set()

    def double(block, count):
        lengths.add(block.shape[0])
        assert count <= block.shape[0]
        return 2 * block[:, 0]

    for rows in (size, 70001):
        array = jnp.arange(2.0 * rows).reshape(rows, 2)
        found = in_blocks(double, array, rows, room=70001)
        np.testing.assert_array_equal(found, 2 * array[:, 0])
    assert len(lengths) == 1


@on_host
def test_large_batches_use_every_core():
    calls = []
    size = 4096 * num_cores()
    in_blocks(lambda block, count: (calls.append(count), block)[1], jnp.zeros(size), size)
    assert len(calls) == num_cores()


@on_host
def test_settings_of_the_caller_hold_in_the_threads():
    seen = []

    def look(block, count):
        seen.append(jnp.asarray(1.0).dtype)
        return block

    with jax.enable_x64(False):
        in_blocks(look, jnp.zeros(4096 * num_cores()), 4096 * num_cores())
    assert seen == [jnp.float32] * num_cores()


def test_an_error_in_a_block_reaches_the_caller():
    def fail(block, count):
        raise ValueError("broken model")

    with pytest.raises(ValueError, match="broken model"):
        in_blocks(fail, jnp.zeros(4096), 4096)


def test_one_block_under_a_transformation():
    counts = []

    def double(block, count):
        counts.append(count)
        return 2 * block

    found = jax.jit(lambda rows: in_blocks(double, rows, 5000))(jnp.arange(5000.0))
    np.testing.assert_array_equal(found, 2 * jnp.arange(5000.0))
    assert counts == [5000]


SEVERAL = """
import jax
import jax.numpy as jnp
import numpy as np
from mvopt.iteration import blocks

jax.default_backend = lambda: "gpu"  # these devices of the CPU stand for accelerators
twice, used = jax.jit(lambda rows, shared: 2 * rows + shared), set()
shared = jnp.ones(())

def function(rows, count):
    result = twice(rows, shared)
    used.add(result.device)
    return result

size = 9000
found = blocks.in_blocks(function, jnp.arange(float(size)), size)
np.testing.assert_array_equal(found, 2.0 * np.arange(size) + 1)
assert used == set(jax.devices()) and len(used) == 8, used
with jax.default_device(jax.devices()[1]):
    used.clear()
    blocks.in_blocks(function, jnp.arange(float(size)), size)
assert used == {jax.devices()[1]}, used
"""


def test_every_accelerator_gets_blocks_unless_one_is_chosen():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    subprocess.run([sys.executable, "-c", SEVERAL], env=environment, check=True)
