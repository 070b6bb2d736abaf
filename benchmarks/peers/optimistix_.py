"""Optimistix: its Levenberg–Marquardt under vmap and jit."""

from typing import Any

import jax
import jax.numpy as jnp
import optimistix

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

    return both_ways("optimistix", solve, data, options["chunks"], cores)
