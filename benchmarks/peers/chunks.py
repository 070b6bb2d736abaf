"""A batch cut into chunks: a vmapped loop runs to its slowest member, so small chunks wait less."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import Method, timed

TRIAL = 8192  # fits

Rows = Sequence[np.ndarray]  # arrays with one entry for each fit


def chunked(solve: Callable[..., Any], rows: Rows, chunk: int, threads: int) -> Callable[[], Any]:
    """A call that solves all of the `rows` by `solve(*rows)`, `chunk` of them at a time.

    The chunks lie ready as device arrays, so that cutting them costs the peer nothing; with
    several threads they are handed out to all of them.
    """
    starts = range(0, len(rows[0]), chunk)
    pieces = [tuple(jnp.asarray(leaf[i : i + chunk]) for leaf in rows) for i in starts]

    def one(piece: tuple[jax.Array, ...]) -> Any:
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
    name: str, solve: Callable[..., Any], rows: Rows, sizes: Sequence[int], threads: int
) -> Method:
    """The method with the chunk size that is fastest on a part of the batch, or all of it.

    The part is the larger of TRIAL and a chunk for each thread, so that a poor size does not cost
    minutes.
    """
    seconds, total = {}, len(rows[0])
    for size in sorted({min(size, total) for size in sizes}):
        count = min(max(size * threads, TRIAL), total)
        run = chunked(solve, [leaf[:count] for leaf in rows], size, threads)
        run()
        seconds[size] = min(timed(run)[0] for _ in range(2)) / count
    best = min(seconds, key=lambda size: seconds[size])
    where = f"{threads} threads" if threads > 1 else "one caller"
    run = chunked(solve, rows, best, threads)
    return Method(name, run, total, f"chunks of {best}, {where}")


def both_ways(
    name: str, solve: Callable[..., Any], rows: Rows, sizes: Sequence[int], cores: int
) -> list[Method]:
    """`name` called from one thread, and `name`-threads from one a core."""
    methods = [best_chunks(name, solve, rows, sizes, 1)]
    if cores > 1:
        methods.append(best_chunks(f"{name}-threads", solve, rows, sizes, cores))
    return methods
