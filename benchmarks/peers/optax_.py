"""optax: its L-BFGS with its zoom line search, in a jitted loop as its manual has it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.judging import Prepare, Reached, Solve


def minimize_methods(options: dict[str, Any], dtype: str, max_steps: int) -> dict[str, Prepare]:
    """Stops where the gradient's norm is below the tolerance; a step may cost 21 evaluations."""
    tolerance = options["tolerance"][dtype]
    optimizer = optax.lbfgs()

    def prepare(objective: Callable[..., Any]) -> Solve:
        @jax.jit
        def run(x0, args):
            fn = lambda x: objective(x, *args)
            value_and_gradient = optax.value_and_grad_from_state(fn)

            def going(carry):
                _, state, steps, _ = carry
                gradient = optax.tree.get(state, "grad")
                far = optax.tree.norm(gradient) > tolerance
                return (steps == 0) | ((steps < max_steps) & far)

            def step(carry):
                x, state, steps, evaluations = carry
                value, gradient = value_and_gradient(x, state=state)
                more = {"value": value, "grad": gradient, "value_fn": fn}
                updates, state = optimizer.update(gradient, state, x, **more)
                spent = optax.tree.get(state, "num_linesearch_steps").astype(steps.dtype)
                return optax.apply_updates(x, updates), state, steps + 1, evaluations + spent

            count = jnp.zeros((), jnp.int32)
            x, state, _, spent = lax.while_loop(going, step, (x0, optimizer.init(x0), count, count))
            return x, optax.tree.norm(optax.tree.get(state, "grad")), spent + 1

        def solve(x0: Any, *args: Any) -> Reached:
            x, size, evaluations = run(jnp.asarray(x0), args)
            met = bool(size <= tolerance)
            said = "tolerance met" if met else f"gradient {float(size):.1e}"
            return Reached(np.asarray(x), met, said, int(evaluations))

        return solve

    return {"optax-lbfgs": prepare}
