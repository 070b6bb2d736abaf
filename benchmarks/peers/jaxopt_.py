"""jaxopt: its Levenberg–Marquardt under vmap and jit."""

from typing import Any

import jax
import jax.numpy as jnp
import jaxopt

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

    return both_ways("jaxopt", solve, data, options["chunks"], cores)
