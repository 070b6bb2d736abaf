"""Who works a batch off: lanes, or on a GPU, where it can be done, a thread for each problem."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array
from mvopt.iteration.drive import Options, drive
from mvopt.iteration.method import Method, Outcome
from mvopt.iteration.registers import kernel


def work_off(
    method: Method,
    starts: Array,
    data: Any,
    *,
    lanes: int,
    count: Array | int,
    states: Any = None,
    options: Options = Options(),  # noqa: B008 (immutable)
) -> Outcome:
    """The outcomes of the first `count` of N problems; see `drive`."""
    plain = states is None and options == Options()
    if plain and has_kernels() and starts.shape[0] >= kernel.FEW:
        found = kernel.run(method, starts, data, count)
        if found is not None:
            outcome, left = found
            return (
                outcome if left is None else _with_rest(method, starts, data, lanes, outcome, left)
            )
    return _drive(method, starts, data, lanes=lanes, count=count, states=states, options=options)


def has_kernels() -> bool:
    """Whether the default device runs what `registers` makes."""
    return jax.default_backend() == "gpu"


def _with_rest(
    method: Method, starts: Array, data: Any, lanes: int, outcome: Outcome, left: Array
) -> Outcome:
    """The outcomes, those of the problems that are left by the loop over lanes."""
    number = jnp.sum(left, dtype=jnp.int32)

    def both() -> Outcome:
        order = jnp.argsort(~left, stable=True)
        rows = _tree.take((starts, data), order)
        rest = _drive(method, *rows, lanes=lanes, count=number)
        place = jnp.cumsum(left, dtype=jnp.int32) - 1

        def merged(new: Array, old: Array) -> Array:
            chosen = left.reshape(-1, *(1,) * (old.ndim - 1))
            return jnp.where(chosen, new[place], old)

        return jax.tree.map(merged, rest, outcome)

    return lax.cond(number > 0, both, lambda: outcome)


def _drive(method: Method, starts: Array, data: Any, **how: Any) -> Outcome:
    solver, problem_of, max_steps = method
    return drive(solver, problem_of, starts, data, max_steps=max_steps, **how)[0]
