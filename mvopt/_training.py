"""Objectives that change from step to step: rows drawn by a key, or batches from outside.

The loop stays as it is. The problem hands the solver the objective of step k, and that is `fn` with
other arguments: `KeyedRows` and `StackedBatches` say which.

Rows are drawn as by shuffling all of them anew for each pass. No permutation is stored: where a row
goes is computed, position by position, by the swap-or-not shuffle (Hoang, Morris and Rogaway 2012),
so that the draw of any step depends on its number alone, and a run goes on where it was left.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding

from mvopt._types import Array, Solution, Status

# Enough to mix 10⁶ rows well; a round is a few integer operations for each row of a batch.
_SHUFFLE_ROUNDS = 40
# Batches that the loop works off in one call: its start costs as much as a few small steps.
STACKED = 32


class KeyedRows(NamedTuple):
    """Draws `batch_size` rows of every array of the arguments but their first, a seed; hashable."""

    batch_size: int
    shardings: tuple[Any, ...]  # of the arrays, None where there is none to keep

    def __call__(self, args: tuple, step: Any) -> tuple:
        """The arguments with the rows of this step; numbers stay as they are."""
        seed, *rest = args
        leaves, structure = jax.tree.flatten(tuple(rest))
        rows = batch_rows(seed, step, _num_rows(leaves, self.batch_size), self.batch_size)
        taken = [
            leaf if leaf.ndim == 0 else _placed(leaf[rows], sharding)
            for leaf, sharding in zip(leaves, self.shardings, strict=True)
        ]
        return jax.tree.unflatten(structure, taken)


class StackedBatches(NamedTuple):
    """Takes one after the other of batches stacked along a leading axis; hashable."""

    def __call__(self, args: tuple, step: Any) -> tuple:
        """The batch of this step; the first argument is the step of the first batch."""
        first, *stacks = args
        return jax.tree.map(
            lambda stack: lax.dynamic_index_in_dim(
                stack, jnp.asarray(step - first, jnp.int32), keepdims=False
            ),
            tuple(stacks),
        )


def check_training(
    solver: Any, args: tuple, in_axes: Any, has_aux: bool, batch_size: Any, batches: Any
) -> None:
    """ValueError where a run on samples cannot be what was asked for."""
    if not getattr(solver, "takes_samples", False):
        raise ValueError(
            f"{type(solver).__name__} needs the same objective at each step: with batches use "
            "GradientDescent with a step size or an optax transformation"
        )
    if has_aux:
        raise ValueError("has_aux does not go with batches: call fn at the result instead")
    if batches is None:
        return
    if batch_size is not None:
        raise ValueError("give batch_size to draw from args, or batches that are drawn already")
    if args:
        raise ValueError("give either args or batches: each batch is the args of one step")
    if in_axes is not None:
        raise ValueError("batches are of one problem: in_axes must be None")


def keyed_rows(
    args: tuple, in_axes: Any, batch_size: int, key: Any
) -> tuple[KeyedRows, tuple, Any]:
    """How to draw from `args`, what to draw from, a seed in front, and the axes of both.

    ValueError where that cannot be.
    """
    if key is None:
        raise ValueError(
            "batch_size needs a key to draw the rows by: add key=jax.random.key(0), or any other"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: draw at least one row")
    args = jax.tree.map(jnp.asarray, tuple(args))
    shardings = tuple(_sharding(leaf) for leaf in jax.tree.leaves(args))
    seed = jax.random.bits(key, (2,), jnp.uint32)
    if isinstance(in_axes, tuple | list):
        in_axes = (*in_axes[:1], None, *in_axes[1:])
    elif in_axes is not None:
        in_axes = (in_axes, None, *(in_axes for _ in args))
    return KeyedRows(batch_size, shardings), (seed, *args), in_axes


def batch_rows(seed: Array, step: Any, num_rows: int, batch_size: int) -> Array:
    """Numbers of the rows at this step, (batch_size,) int32.

    Each pass goes through all rows in an order of its own; the last of a pass that do not fill a
    batch are left out, other ones each time.
    """
    per_pass = num_rows // batch_size
    step = jnp.asarray(step, jnp.int32)
    key = jax.random.fold_in(jax.random.wrap_key_data(seed, impl="threefry2x32"), step // per_pass)
    random = jax.random.bits(key, (2, _SHUFFLE_ROUNDS), jnp.uint32)
    pivots, salts = random[0] % jnp.uint32(num_rows), random[1]
    first = (step % per_pass).astype(jnp.uint32) * jnp.uint32(batch_size)
    rows = first + jnp.arange(batch_size, dtype=jnp.uint32)

    # A scan: written out, the rounds take the compiler minutes.
    def exchange(rows: Array, drawn: tuple[Array, Array]) -> tuple[Array, None]:
        pivot, salt = drawn
        partner = pivot + jnp.where(rows > pivot, jnp.uint32(num_rows), 0) - rows
        swapped = _mixed(jnp.maximum(rows, partner) ^ salt) & 1
        return jnp.where(swapped == 1, partner, rows), None

    return lax.scan(exchange, rows, (pivots, salts))[0].astype(jnp.int32)


def _mixed(bits: Array) -> Array:
    """A well-mixed function of 32 bits (the finalizer of Appleby's MurmurHash3)."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)


def _num_rows(leaves: list[Array], batch_size: int) -> int:
    sizes = {leaf.shape[0] for leaf in leaves if leaf.ndim > 0}
    if len(sizes) != 1:
        shapes = ", ".join(str(leaf.shape) for leaf in leaves) or "none"
        raise ValueError(
            f"batch_size draws the same rows of every array of args, but their shapes are: {shapes}"
        )
    (size,) = sizes
    if size < batch_size:
        raise ValueError(f"batch_size={batch_size}, but args have only {size} rows")
    return size


def automatic(tree: Any) -> Any:
    """Arrays with the same shards whose sharding the compiler carries on by itself.

    On a mesh of explicit axes, JAX's default, each gather and reshape would have to say where its
    result lies.
    """

    def changed(leaf: Any) -> Any:
        sharding = None if isinstance(leaf, jax.core.Tracer) else getattr(leaf, "sharding", None)
        if not isinstance(sharding, NamedSharding) or not isinstance(sharding.mesh, Mesh):
            return leaf
        mesh = Mesh(sharding.mesh.devices, sharding.mesh.axis_names)
        return jax.device_put(leaf, NamedSharding(mesh, sharding.spec))

    return jax.tree.map(changed, tree)


def _sharding(leaf: Array) -> Any:
    """The sharding that rows of a concrete array keep; None where it lies on one device."""
    if isinstance(leaf, jax.core.Tracer) or not isinstance(leaf.sharding, NamedSharding):
        return None
    return leaf.sharding


def _placed(rows: Array, sharding: Any) -> Array:
    """A batch spread over devices as its array is: each then works on its share of the rows.

    Left to itself, the compiler would collect the rows on every device, and repeat the work there.
    """
    if sharding is None or not _divides(sharding, rows.shape):
        return rows
    return lax.with_sharding_constraint(rows, sharding)


def _divides(sharding: NamedSharding, shape: tuple[int, ...]) -> bool:
    try:
        sharding.shard_shape(shape)
    except ValueError:
        return False
    return True


def over_batches(
    solve: Callable[[tuple, Any, int], Solution],
    batches: Iterable[tuple],
    max_steps: int,
    state: Any,
) -> Solution:
    """Work off an iterator of batches, `STACKED` of them in one call.

    solve: `solve(args, state, max_steps)`, whose solution holds the state. The result counts the
    steps of all calls and joins their traces. Ends with the iterator, after `max_steps`, or where
    the solver gives up. Raises ValueError where there is no batch, or they differ in shape.
    """
    iterator = iter(batches)
    start = 0 if state is None else state.steps
    left, traces, solution = max_steps, [], None
    stack, count = _stacked(iterator, min(STACKED, left))
    while count:
        first = jnp.int32(0) if state is None else state.steps
        solution = solve((first, *stack), state, count)
        left, state = left - count, solution.state
        traces.append(solution.trace)
        # Stacked while the devices work: only the status waits for them.
        stack, count = _stacked(iterator, min(STACKED, left))
        if solution.status != Status.MAX_STEPS:
            break
    if solution is None:
        raise ValueError("batches holds no batch: give an iterator of tuples, the args of fn")
    num_steps = state.steps - start
    trace = None if traces[0] is None else jnp.concatenate(traces)[:num_steps]
    return solution._replace(num_steps=num_steps, num_evaluations=num_steps, trace=trace)


def _stacked(iterator: Iterator[tuple], count: int) -> tuple[tuple, int]:
    """Up to `count` batches, filled up to `STACKED` by the last one, and how many they are."""
    batches = [automatic(batch) for batch in islice(iterator, count)]
    if not batches:
        return (), 0
    filled = batches + [batches[-1]] * (STACKED - len(batches))
    try:
        stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(tuple, filled))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"batches must yield tuples of arrays, all of the same structure and shapes: {error}"
        ) from None
    return stack, len(batches)
