"""The least that a solver must do: the time of one bare evaluation of functions and derivatives.

Nothing of a solver is in it: for fits, JAX's own `jacfwd` of the model, fused by XLA with the
residual and run over the whole batch on all cores. Two times are taken, each the best over chunk
sizes and layouts: `kept` writes every residual and Jacobian out to memory, as one call on the batch
does; `overwritten` writes each chunk over the last one, so that the output never leaves the cache.
The second is a bound that no solver can reach, because a solver also uses what it evaluates.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.problems.gauss1d import Data, gaussian
from benchmarks.timing import timed

LAYOUTS = {"fits first": 0, "fits last": -1}


class Bare(NamedTuple):
    """Seconds of one evaluation of the whole batch, and the chunk size and layout it took."""

    seconds: float
    how: str


def evaluate_kept(batched: Callable[..., Any], rows: tuple[jax.Array, ...]) -> Any:
    return lax.map(lambda piece: batched(*piece), rows)


def evaluate_overwritten(batched: Callable[..., Any], rows: tuple[jax.Array, ...]) -> Any:
    shapes = jax.eval_shape(batched, *(leaf[0] for leaf in rows))
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return lax.scan(lambda _, piece: (batched(*piece), None), nothing, rows)[0]


def call(
    one: Callable[..., Any],
    rows: Sequence[np.ndarray],
    chunk: int,
    axis: int,
    evaluate: Callable[..., Any],
    pool: Executor,
    cores: int,
) -> Callable[[], Any]:
    """A function that evaluates the batch once, each core its share; the batch must divide.

    one: the function of one member; rows: its arguments for all, (N, …) each.
    """
    batched = jax.vmap(one, in_axes=axis, out_axes=axis)
    compiled = jax.jit(lambda *rows: evaluate(batched, rows))

    def shares(leaf: Any) -> list[jax.Array]:
        pieces = leaf.reshape(-1, chunk, *leaf.shape[1:])
        pieces = np.moveaxis(pieces, 1, axis) if axis == -1 else pieces
        return [jnp.asarray(share) for share in np.array_split(pieces, cores)]

    work = list(zip(*(shares(leaf) for leaf in rows), strict=True))
    return lambda: list(pool.map(lambda share: jax.block_until_ready(compiled(*share)), work))


def fastest(
    one: Callable[..., Any],
    rows: Sequence[np.ndarray],
    chunks: Sequence[int],
    kept: bool,
    cores: int,
    repetitions: int,
) -> Bare:
    """The best of all chunk sizes (those that divide the batch evenly) and layouts."""
    evaluate = evaluate_kept if kept else evaluate_overwritten
    found = []
    fitting = [chunk for chunk in chunks if len(rows[0]) % (chunk * cores) == 0]
    with ThreadPoolExecutor(cores) as pool:
        for chunk, (layout, axis) in itertools.product(fitting, LAYOUTS.items()):
            run = call(one, rows, chunk, axis, evaluate, pool, cores)
            run()
            seconds = min(timed(run)[0] for _ in range(repetitions))
            found.append(Bare(seconds, f"chunks of {chunk}, {layout}, {cores} cores"))
    return min(found)


def measure(data: Data, chunks: Sequence[int], kept: bool, cores: int, repetitions: int) -> Bare:
    """Of residual and Jacobian of all fits."""
    x = jnp.asarray(data.x)

    def one(y: jax.Array, p: jax.Array) -> Any:
        residual = lambda p: gaussian(x, p) - y
        return residual(p), jax.jacfwd(residual)(p)

    return fastest(one, (data.y, data.p0), chunks, kept, cores, repetitions)
