"""Running a batch on all cores of the host, in blocks whose sizes repeat.

A compiled function belongs to one shape. Batches are therefore padded to a size out of a short
list, so that another number of data sets finds the function compiled already; and where XLA
would use one core (a loop over lanes is too small to be split), threads run one block each.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree

# Below this many problems a second thread costs more than it brings.
_MIN_BLOCK = 1024
_MAX_BLOCK = 65536
# Working set that the lanes of one core may fill: a part of a usual second-level cache.
_CACHE_BYTES = 400 * 1024


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
        return min(1 << 17, bucket(size))
    return int(np.clip(_CACHE_BYTES // max(bytes_per_problem, 1) // 16 * 16, 16, 16384))


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_blocks(function: Callable[[Any, int], Any], batch: Any, size: int) -> Any:
    """Results of `function(block, count)` over all blocks, concatenated; leaves (size, ...).

    function: jitted; takes a pytree with a leading axis of which the first `count` rows are
    problems, and returns a pytree with the same leading axis. Inside a transformation of JAX
    the batch is one block of its own size.
    """
    if _traced(batch):
        return function(batch, size)
    on_host = jax.default_backend() == "cpu"
    workers = num_cores() if on_host else 1
    num_blocks = max(min(workers, size // _MIN_BLOCK), -(-size // _MAX_BLOCK), 1)
    length = bucket(-(-size // num_blocks))
    config: Any = jax.config  # whose attributes JAX does not declare
    settings = (config.jax_enable_x64, config.jax_default_device)
    # On a CPU NumPy sees the same memory, and cuts and joins without compiling anything.
    xp: Any = np if on_host else jnp
    batch = jax.tree.map(xp.asarray, batch)

    def run(start: int) -> Any:
        count = min(length, size - start)
        rows = jax.tree.map(lambda leaf: leaf[start : start + count], batch)
        rows = _tree.pad_rows(rows, length)
        # JAX keeps these settings by thread.
        with jax.enable_x64(settings[0]), jax.default_device(settings[1]):
            return jax.tree.map(lambda leaf: xp.asarray(leaf)[:count], function(rows, count))

    starts = range(0, size, length)
    if workers == 1 or len(starts) == 1:
        results = [run(start) for start in starts]
    else:
        with ThreadPoolExecutor(workers) as pool:
            results = list(pool.map(run, starts))
    return jax.tree.map(lambda *leaves: jnp.asarray(_joined(xp, leaves)), *results)


def _joined(xp: Any, leaves: tuple) -> Any:
    return leaves[0] if len(leaves) == 1 else xp.concatenate(leaves)


def _traced(tree: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))
