"""Newton's method from a million starts: the root that each reaches, and the price of it.

The unit is one bare pass: the function and its derivative at every start, in one jitted call.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.report import Report, Table
from benchmarks.timing import timed
from benchmarks.workloads.precision import precision

COEFFICIENTS = (1 / 6, 0, -3, -2 / 3, 27 / 2, 18, -30)  # of x⁶, x⁵, …, 1
COLUMNS = ("dtype", "passes", "seconds", "a pass, ms", "classified", "steps, mean", "roots")


def polynomial(x: jax.Array) -> jax.Array:
    """x⁶/6 − 3x⁴ − 2x³/3 + 27x²/2 + 18x − 30, by Horner's rule."""
    value = jnp.zeros_like(x)
    for coefficient in COEFFICIENTS:
        value = value * x + coefficient
    return value


def real_roots() -> np.ndarray:
    found = np.roots(COEFFICIENTS)
    return np.sort(found.real[np.abs(found.imag) < 1e-9])


def classify(x: np.ndarray, converged: np.ndarray, dtype: str) -> np.ndarray:
    """Index (N,) of the root that each start reached; −1 where it reached none."""
    distances = np.abs(x.astype(np.float64)[:, None] - real_roots())
    close = distances.min(axis=1) <= 1000 * np.finfo(dtype).eps * (1 + np.abs(x))
    return np.where(converged & close, distances.argmin(axis=1), -1)


def add(report: Report, config: dict[str, Any]) -> None:
    """Each dtype in turn; `config` is described in configs/bench/root.toml."""
    options, rows = config["basins"], []
    for dtype in options["dtypes"]:
        with precision(dtype):
            rows.append(add_dtype(report, dtype, options))
    report.tables.append(Table("Basins of Newton's method", COLUMNS, rows))
    report.outcomes["mvopt.basins"] = "measured"


def add_dtype(report: Report, dtype: str, options: dict[str, Any]) -> tuple:
    starts = jnp.linspace(-6, 6, options["starts"], dtype=dtype)
    both = jax.jit(jax.vmap(jax.value_and_grad(polynomial)))
    bare = lambda: jax.block_until_ready(both(starts))
    ours = lambda: jax.block_until_ready(mvopt.root(polynomial, starts, in_axes=0))
    bare(), ours()
    turns = [(timed(bare)[0], timed(ours)) for _ in range(options["repetitions"])]
    one = min(seconds for seconds, _ in turns)
    seconds, found = min((turn for _, turn in turns), key=lambda turn: turn[0])
    converged = np.asarray(found.status) == mvopt.Status.CONVERGED
    reached = classify(np.asarray(found.params), converged, dtype)
    share = 100.0 * float(np.mean(reached >= 0))
    false = int(np.sum(converged & (reached < 0)))
    roots = ", ".join(
        f"{root:.6f}: {100 * np.mean(reached == index):.2f} %"
        for index, root in enumerate(real_roots())
    )
    steps = float(np.mean(np.asarray(found.num_steps)))
    what, unit = f"basins.{dtype}", f"of {len(starts)}"
    report.add(f"{what}.passes", seconds / one, "bare passes", "lower", "one call, all starts")
    report.add(f"{what}.classified", share, "%", "higher", "converged at a root")
    report.add(f"{what}.false", false, unit, "lower", "converged, but at no root")
    report.add(f"{what}.steps", steps, "steps/start", "lower")
    return dtype, seconds / one, seconds, 1e3 * one, f"{share:.4f} %", steps, roots
