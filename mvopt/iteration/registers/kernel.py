"""The iteration of a solver as one kernel, a problem for each thread."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.iteration.method import Method, Outcome
from mvopt.iteration.registers.emit import as_before, as_number, emit
from mvopt.iteration.registers.plan import Input, Plan, plan_of

# Threads that go round until the last of them has ended: one warp.
_LANES = 32
# Longer data sets are fitted faster by all threads together, unless there are many of them.
_LONG, _MANY = 1024, 1 << 14


def run(
    method: Method, starts: Array, data: Any, count: Array | int
) -> tuple[Outcome, Array | None] | None:
    """The outcomes of the first `count` of N problems; None where a kernel cannot, or does not pay.

    starts: (N, n), data: leaves (N, ...). The second result is None, or (N,) bool: which problems
    came upon a costly branch that the kernel does not have, and are yet to be solved.
    """
    plan, size = plan_of(method, starts, data), starts.shape[0]
    if plan is None or (size < _MANY and plan.longest_sum() > _LONG):
        return None
    padded = -(-size // _LANES) * _LANES
    arrays = [_laid_out(each, padded) for each in plan.inputs]
    call = pl.pallas_call(
        partial(_kernel, plan),
        grid=(padded // _LANES,),
        in_specs=[
            *(
                _part(array.shape, each.own)
                for array, each in zip(arrays, plan.inputs, strict=True)
            ),
            _part((1,), False),
        ],
        out_specs=[_part((rows, padded), True) for rows in (len(plan.result), 3)],
        out_shape=[
            jax.ShapeDtypeStruct((len(plan.result), padded), starts.dtype),
            jax.ShapeDtypeStruct((3, padded), jnp.int32),
        ],
        compiler_params=triton.CompilerParams(num_warps=_LANES // 32),
        interpret=jax.default_backend() == "cpu",
    )
    reals, integers = call(*arrays, jnp.asarray(count, jnp.int32).reshape(1))
    reals, (status, num_steps, left) = reals[:, :size], integers[:, :size]
    outcome = Outcome(reals[:-2].T, reals[-2], reals[-1], status, num_steps)
    return outcome, None if plan.refused is None else left != 0


def _laid_out(given: Input, padded: int) -> Array:
    """An input as the kernel takes it: the problems last, truth values as integers."""
    array = given.array
    array = array.astype(jnp.int8) if array.dtype == np.bool_ else array
    if given.own:
        return jnp.moveaxis(_tree.pad_rows(array, padded), 0, -1)
    return array if array.ndim else array[None]


def _part(shape: tuple[int, ...], own: bool) -> pl.BlockSpec:
    """The part of an array that the threads of one block read or write."""
    zeros = (0,) * (len(shape) - 1)
    block = (*shape[:-1], _LANES) if own else shape
    return pl.BlockSpec(block, lambda i: (*zeros, i if own else 0))


def _kernel(plan: Plan, *refs: Any) -> None:
    """Start, rounds until no thread is running, results."""
    *inputs, count, reals, integers = refs
    read = partial(_read, plan, inputs)
    position = pl.program_id(0) * _LANES + jnp.arange(_LANES, dtype=jnp.int32)
    none = jnp.zeros((_LANES,), jnp.int32)
    settled = plan.settled()
    known = dict(zip(settled, emit(settled, read, _LANES), strict=True))
    start = [as_number(value) for value in emit(plan.start, read, _LANES)]

    def body(carry: Any) -> Any:
        running, status, num_steps, left, *state = carry
        alive = running != 0
        values = emit(plan.round, _of_state(plan, read, state, num_steps), _LANES, known)
        after = [as_number(value) for value in values]
        refused = [] if plan.refused is None else [after.pop()]
        now = [*after[-2:], *(refused or [left]), *after[:-2]]
        before = [status, num_steps, left, *state]
        new = [jnp.where(alive, a, b) for a, b in zip(now, before, strict=True)]
        running = alive & (new[0] == int(Status.RUNNING)) & (new[2] == 0)
        return running.astype(jnp.int32), *new

    running = (position < count[0]).astype(jnp.int32)
    carry = (running, none, none, none, *start)
    going = lambda carry: jnp.max(carry[0]) > 0
    _, status, num_steps, left, *state = lax.while_loop(going, body, carry)
    values = emit(plan.result, _of_state(plan, read, state, num_steps), _LANES)
    for k, value in enumerate(values):
        reals[k, :] = value
    for k, value in enumerate((status, num_steps, left)):
        integers[k, :] = value


def _read(plan: Plan, refs: list[Any], which: int, index: tuple[Any, ...]) -> Array:
    """An entry of an input, for each lane or for all."""
    own, dtype = plan.inputs[which].own, plan.inputs[which].array.dtype
    value = refs[which][(*index, slice(None)) if own else (index or (0,))]
    return value != 0 if dtype == np.bool_ else value


def _of_state(plan: Plan, read: Callable, state: list[Array], num_steps: Array) -> Callable:
    """The same, and the numbers of a state."""
    pairs = zip(plan.after, state, strict=True)
    held = dict(zip(plan.places, (as_before(v, entry.dtype) for entry, v in pairs), strict=True))

    def known(which: int, index: tuple[Any, ...]) -> Array:
        if which < len(plan.inputs):
            return read(which, index)
        return held.get((which - len(plan.inputs), index), num_steps)

    return known
