"""Who works a batch off: lanes, or on a GPU, where it can be done, a thread for each problem."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array
from mvopt.iteration.drive import Options, drive
from mvopt.iteration.method import Method, Outcome
from mvopt.iteration.remedies import explained

# Fewer problems are not worth the time that a kernel takes to compile: twice that of the lanes.
FEW = 1 << 11


@explained()
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
    if plain and starts.shape[0] >= FEW and (kernel := kernels()) is not None:
        found = kernel.run(method, starts, data, count)
        if found is not None:
            return _with_rest(method, starts, data, lanes, *found)
    return _drive(method, starts, data, lanes=lanes, count=count, states=states, options=options)


def kernels() -> Any:
    """The module with the kernel, or None where the default device, or this JAX, has none."""
    if jax.default_backend() != "gpu":
        return None
    try:
        from mvopt.iteration.registers import kernel  # noqa: PLC0415 (Pallas: slow to import)
    except ImportError:
        return None
    return kernel


def _with_rest(
    method: Method, starts: Array, data: Any, lanes: int, outcome: Outcome, left: Array | None
) -> Outcome:
    """The outcomes, those of the problems that are left by the loop over lanes."""
    if left is None:
        return outcome
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
