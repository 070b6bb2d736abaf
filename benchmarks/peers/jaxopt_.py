"""jaxopt, under jit, and under vmap for a batch."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np

from benchmarks.judging import Prepare, Reached, Solve
from benchmarks.peers.chunks import both_ways
from benchmarks.problems.gauss1d import Data, gaussian
from benchmarks.timing import Method


def gauss1d_methods(data: Data, options: dict[str, Any], cores: int) -> list[Method]:
    """The best of several chunk sizes, called from one thread and from one a core."""
    x = jnp.asarray(data.x)
    solver = jaxopt.LevenbergMarquardt(
        residual_fun=lambda p, y: gaussian(x, p) - y,
        tol=options.get("tolerance", 1e-3),
        solver="cholesky",
        materialize_jac=True,
        implicit_diff=False,
    )

    @jax.jit
    @jax.vmap
    def solve(y, p0):
        return solver.run(p0, y).params

    return both_ways("jaxopt", solve, (data.y, data.p0), options["chunks"], cores)


def prepared(make: Callable[..., Any], settings: dict[str, Any]) -> Prepare:
    """A solver by its class; it says by its `error` whether it met its tolerance."""

    def prepare(function: Callable[..., Any]) -> Solve:
        run = jax.jit(make(function, implicit_diff=False, **settings).run)

        def solve(x0: Any, *args: Any) -> Reached:
            x, state = run(x0, *args)
            met = bool(state.error <= settings["tol"])
            said = "tolerance met" if met else f"error {float(state.error):.1e}"
            return Reached(np.asarray(x), met, said, int(state.num_fun_eval))

        return solve

    return prepare


def minimize_methods(options: dict[str, Any], dtype: str, max_steps: int) -> dict[str, Prepare]:
    """BFGS and L-BFGS; a step may cost several evaluations."""
    settings = {"maxiter": max_steps, "tol": options["tolerance"][dtype]}
    return {
        "jaxopt-bfgs": prepared(jaxopt.BFGS, settings),
        "jaxopt-lbfgs": prepared(jaxopt.LBFGS, settings),
    }


def batch_methods(
    objective: Callable[..., Any],
    rows: Sequence[np.ndarray],
    options: dict[str, Any],
    dtype: str,
    max_steps: int,
    cores: int,
) -> list[Method]:
    """BFGS over the first `subset` of `rows`, (starts, data), in the best of several chunk sizes.

    Its line search is a loop within the loop, so that under vmap every step waits for the longest
    search of the chunk: the whole batch would take a quarter of an hour.
    """
    tolerance, rows = options["tolerance"][dtype], [leaf[: options["subset"]] for leaf in rows]
    solver = jaxopt.BFGS(objective, maxiter=max_steps, tol=tolerance, implicit_diff=False)

    @jax.jit
    @jax.vmap
    def solve(x0, data):
        return solver.run(x0, data).params

    return both_ways("jaxopt", solve, rows, options["chunks"], cores)


def root_methods(options: dict[str, Any], max_steps: int) -> dict[str, Prepare]:
    """Broyden's method."""
    settings = {"maxiter": max_steps, "tol": options["tolerance"]}
    return {"jaxopt-broyden": prepared(jaxopt.Broyden, settings)}
