"""Running a batch on all cores of the host, in blocks whose sizes repeat.

A compiled function belongs to one shape. Batches are therefore padded to a size out of a short
list, so that another number of data sets finds the function compiled already; and where XLA
would use one core (a loop over lanes is too small to be split), threads run one block each. Several
accelerators get blocks of their own in the same way: problems have nothing to tell each other, and
a device that has the easier ones need not wait for another at every round.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import get_opaque_trace_state

from mvopt import _tree
from mvopt._types import Array
from mvopt.iteration.remedies import explained

# Below this many problems a second thread costs more than it brings.
_MIN_BLOCK = 1024
_MAX_BLOCK = 65536
# An accelerator takes more at once, for its lanes to be refilled; bounded by the bytes of the rows.
_MAX_BLOCK_ON_DEVICE = 1 << 20
_BLOCK_BYTES_ON_DEVICE = 1 << 30
# So many lanes fill an accelerator. On an H200 a million Gaussian fits took 133 ms with them,
# 201 ms with four times as many, and 595 ms when all of them had a lane.
_LANES_ON_DEVICE = 1 << 16
# Working set that the lanes of one core may fill: a part of a usual second-level cache.
_CACHE_BYTES = 400 * 1024
_ALIGNMENT = 64  # bytes


def bucket(size: int) -> int:
    """The next size up out of 1, 2, 4, 8, 16, 20, 24, 28, 32, 40, …: four to an octave."""
    if size <= 16:
        return 1 << (size - 1).bit_length()
    step = 1 << ((size - 1).bit_length() - 3)
    return -(-size // step) * step


def lanes_for(bytes_per_problem: int, size: int | None) -> int:
    """Number of lanes for `size` problems (None: a single one, not a batch).

    On a CPU what fits the cache, however few the problems: the same program then serves them all,
    and a result does not depend, to the last bit, on how many others there are. Elsewhere enough
    to fill an accelerator.
    """
    if size is None:
        return 1
    if jax.default_backend() != "cpu":
        return min(_LANES_ON_DEVICE, bucket(size))
    return int(np.clip(_CACHE_BYTES // max(bytes_per_problem, 1) // 32 * 32, 32, 16384))


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_blocks(function: Callable[[Any, int], Any], batch: Any, size: int, room: int = 0) -> Any:
    """Results of `function(block, count)` over all blocks, concatenated; leaves (size, ...).

    function: jitted; takes a pytree with a leading axis of which the first `count` rows are
    problems, and returns a pytree with the same leading axis. room: a batch of this size is to
    find the same program compiled, if it is larger. Inside a transformation of JAX the batch is one
    block of its own size.
    """
    if _within_a_transformation():
        with explained():
            return function(batch, size)
    on_host = jax.default_backend() == "cpu"
    config: Any = jax.config  # whose attributes JAX does not declare
    chosen = config.jax_default_device
    devices = [chosen] if on_host or chosen is not None else jax.local_devices()
    workers = num_cores() if on_host else len(devices)
    largest = _MAX_BLOCK if on_host else _largest_on_device(batch, size)
    room = max(size, room)
    num_blocks = max(min(workers, room // _MIN_BLOCK), -(-room // largest), 1)
    length, share = bucket(-(-room // num_blocks)), -(-size // num_blocks)
    share = length if room == size else share
    x64 = config.jax_enable_x64
    # On a CPU NumPy sees the same memory, and cuts and joins without compiling anything.
    as_array = _on_host if on_host else jnp.asarray
    batch = jax.tree.map(as_array, batch)

    def run(start: int) -> Any:
        count = min(share, size - start)
        rows = jax.tree.map(lambda leaf: leaf[start : start + count], batch)
        rows = _tree.pad_rows(rows, length)
        # JAX keeps these settings by thread.
        with jax.enable_x64(x64), jax.default_device(devices[start // share % len(devices)]):
            return jax.tree.map(lambda leaf: as_array(leaf)[:count], function(rows, count))

    starts = range(0, size, share)
    if len(starts) == 1:
        return jax.tree.map(jnp.asarray, run(0))
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(run, starts))
        if on_host:
            return jax.tree.map(lambda *leaves: _joined(pool, leaves), *results)
    return jax.tree.map(
        lambda *leaves: jnp.concatenate(jax.device_put(leaves, leaves[0].device)), *results
    )


def _largest_on_device(batch: Any, size: int) -> int:
    """Rows in a block on an accelerator."""
    bytes_each = sum(leaf.nbytes for leaf in jax.tree.leaves(batch)) // size
    return int(np.clip(_BLOCK_BYTES_ON_DEVICE // max(bytes_each, 1), 1, _MAX_BLOCK_ON_DEVICE))


def _joined(pool: ThreadPoolExecutor, leaves: tuple) -> Array:
    """The concatenation of NumPy arrays, written by all threads: the pages are new to each."""
    if not all(isinstance(leaf, np.ndarray) for leaf in leaves):
        return jnp.concatenate(leaves)
    ends = np.cumsum([len(leaf) for leaf in leaves])
    whole = _aligned((int(ends[-1]), *leaves[0].shape[1:]), leaves[0].dtype)

    def write(leaf: Any, end: int) -> None:
        whole[end - len(leaf) : end] = leaf

    list(pool.map(write, leaves, ends))
    return jnp.asarray(whole)


def _aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """An empty NumPy array at an address that JAX needs no further copy for."""
    size = prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _on_host(leaf: Any) -> Any:
    """An array of NumPy, but for what NumPy does not know, such as random keys."""
    return leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.extended) else np.asarray(leaf)


def _within_a_transformation() -> bool:
    """Whether JAX traces what is computed here.

    The arrays of a batch do not tell: what is traced may be shared by all problems, in a closure or
    in the solver.
    """
    return get_opaque_trace_state() != _outside()


@cache
def _outside() -> Any:
    """The state of a thread that traces nothing, as a new one does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(get_opaque_trace_state).result()
