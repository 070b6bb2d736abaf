"""A batch cut into chunks: a vmapped loop runs to its slowest member, so small chunks wait less."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems.gauss1d import Data
from benchmarks.timing import Method, timed

TRIAL = 8192  # fits


def chunked(solve: Callable[..., Any], data: Data, chunk: int, threads: int) -> Callable[[], Any]:
    """A call that solves all of `data` by `solve(y, p0)`, `chunk` fits at a time.

    The chunks lie ready as device arrays, so that cutting them costs the peer nothing; with
    several threads they are handed out to all of them.
    """
    starts = range(0, len(data.y), chunk)
    pieces = [
        (jnp.asarray(data.y[i : i + chunk]), jnp.asarray(data.p0[i : i + chunk])) for i in starts
    ]

    def one(piece: tuple[jax.Array, jax.Array]) -> Any:
        return jax.block_until_ready(solve(*piece))

    def run() -> Any:
        if threads == 1:
            results = [solve(*piece) for piece in pieces]  # dispatch all, then wait
        else:
            with ThreadPoolExecutor(threads) as pool:
                results = list(pool.map(one, pieces))
        return np.concatenate([np.asarray(result) for result in results])

    return run


def best_chunks(
    name: str, solve: Callable[..., Any], data: Data, sizes: Sequence[int], threads: int
) -> Method:
    """The method with the chunk size that is fastest on a part of the batch, or all of it.

    The part is the largest of TRIAL and the chunk, so that a poor size does not cost minutes.
    """
    seconds = {}
    for size in sorted({min(size, len(data.y)) for size in sizes}):
        rows = min(max(size * threads, TRIAL), len(data.y))
        run = chunked(solve, Data(data.x, data.y[:rows], data.p0[:rows]), size, threads)
        run()
        seconds[size] = min(timed(run)[0] for _ in range(2)) / rows
    best = min(seconds, key=lambda size: seconds[size])
    where = f"{threads} threads" if threads > 1 else "one caller"
    run = chunked(solve, data, best, threads)
    return Method(name, run, len(data.y), f"chunks of {best}, {where}")


def both_ways(
    name: str, solve: Callable[..., Any], data: Data, sizes: Sequence[int], cores: int
) -> list[Method]:
    """`name` called from one thread, and `name`-threads from one a core."""
    methods = [best_chunks(name, solve, data, sizes, 1)]
    if cores > 1:
        methods.append(best_chunks(f"{name}-threads", solve, data, sizes, cores))
    return methods
