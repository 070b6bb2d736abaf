"""Optimistix, under jit, and under vmap for a batch."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix

from benchmarks.judging import Prepare, Reached, Solve
from benchmarks.peers.chunks import both_ways
from benchmarks.problems.gauss1d import Data, gaussian
from benchmarks.timing import Method


def gauss1d_methods(data: Data, options: dict[str, Any], cores: int) -> list[Method]:
    """The best of several chunk sizes, called from one thread and from one a core."""
    tolerance = options.get("tolerance", 1e-4)
    solver: Any = optimistix.LevenbergMarquardt(rtol=tolerance, atol=tolerance)
    x = jnp.asarray(data.x)

    @jax.jit
    @jax.vmap
    def solve(y, p0):
        residual = lambda p, y: gaussian(x, p) - y
        return optimistix.least_squares(residual, solver, p0, args=y, throw=False).value

    return both_ways("optimistix", solve, (data.y, data.p0), options["chunks"], cores)


def minimize_methods(options: dict[str, Any], dtype: str, max_steps: int) -> dict[str, Prepare]:
    """BFGS and L-BFGS; a step is an evaluation."""
    tolerance = options["tolerance"][dtype]

    def method(solver: Any) -> Prepare:
        def prepare(objective: Callable[..., Any]) -> Solve:
            @jax.jit
            def run(x0, args):
                fn = lambda x, args: objective(x, *args)
                limits = {"max_steps": max_steps, "throw": False}
                found = optimistix.minimise(fn, solver, x0, args=args, **limits)
                return found.value, found.result, found.stats["num_steps"]

            return lambda x0, *args: reached(*run(x0, args))

        return prepare

    return {
        "optimistix-bfgs": method(optimistix.BFGS(rtol=tolerance, atol=tolerance)),
        "optimistix-lbfgs": method(optimistix.LBFGS(rtol=tolerance, atol=tolerance)),
    }


def reached(x: Any, result: Any, steps: Any) -> Reached:
    good = bool(result == optimistix.RESULTS.successful)
    said = "successful" if good else optimistix.RESULTS[result].strip().splitlines()[0]
    return Reached(np.asarray(x), good, said, int(steps))


def batch_methods(
    objective: Callable[..., Any],
    rows: Sequence[np.ndarray],
    options: dict[str, Any],
    dtype: str,
    max_steps: int,
    cores: int,
) -> list[Method]:
    """BFGS over `rows`, (starts, data), in the best of several chunk sizes."""
    tolerance = options["tolerance"][dtype]
    solver: Any = optimistix.BFGS(rtol=tolerance, atol=tolerance)

    @jax.jit
    @jax.vmap
    def solve(x0, data):
        limits = {"max_steps": max_steps, "throw": False}
        return optimistix.minimise(objective, solver, x0, args=data, **limits).value

    return both_ways("optimistix", solve, rows, options["chunks"], cores)


def root_methods(options: dict[str, Any], max_steps: int) -> dict[str, Prepare]:
    """Newton's method, which does not damp its steps."""
    tolerance = options["tolerance"]
    solver: Any = optimistix.Newton(rtol=tolerance, atol=tolerance)

    def prepare(residual: Callable[..., Any]) -> Solve:
        @jax.jit
        def run(x0):
            fn = lambda x, _: residual(x)
            found = optimistix.root_find(fn, solver, x0, max_steps=max_steps, throw=False)
            return found.value, found.result, found.stats["num_steps"]

        return lambda x0: reached(*run(x0))

    return {"optimistix-newton": prepare}


def bracket_methods(options: dict[str, Any], max_steps: int) -> dict[str, Prepare]:
    """Bisection."""
    tolerance = options["tolerance"]
    solver: Any = optimistix.Bisection(rtol=tolerance, atol=tolerance)

    def prepare(function: Callable[..., Any]) -> Solve:
        @jax.jit
        def run(lower, upper):
            fn, within = lambda x, _: function(x), {"lower": lower, "upper": upper}
            limits = {"max_steps": max_steps, "throw": False, "options": within}
            found = optimistix.root_find(fn, solver, (lower + upper) / 2, **limits)
            return found.value[None], found.result, found.stats["num_steps"]

        return lambda lower, upper: reached(*run(np.float64(lower), np.float64(upper)))

    return {"optimistix-bisection": prepare}
