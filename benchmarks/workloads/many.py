"""A batch of small minimisations: our BFGS with `in_axes`, the peers' BFGS under vmap."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.problems import decays
from benchmarks.report import Report, Table, cores
from benchmarks.timing import Measured, Method, interleave
from benchmarks.workloads.collect import from_peers
from benchmarks.workloads.precision import precision

OURS = "mvopt-bfgs"
COLUMNS = ("method", "a second", "seconds", "compile s", "within the limit", "median gap", "how")


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """Speed and accuracy in each dtype; `config` is described in configs/bench/minimize.toml."""
    options = config["many"]
    for dtype in options["dtypes"]:
        with precision(dtype):
            data = decays.make(options["problems"], options["seed"], dtype)
            measured, methods = measure(report, data, dtype, config, only)
        with precision("float64"):
            add_dtype(report, data, dtype, options["limit"][dtype], methods, measured)


def ours(data: decays.Decays) -> Method:
    def call() -> np.ndarray:
        bfgs, axes = mvopt.BFGS(), (0, 0)
        args = (data.counts,)
        found = mvopt.minimize(decays.objective, data.starts, args, solver=bfgs, in_axes=axes)
        return np.asarray(jax.block_until_ready(found).params)

    return Method(OURS, call, len(data.starts), "one call")


def measure(
    report: Report, data: decays.Decays, dtype: str, config: dict[str, Any], only: Sequence[str]
) -> tuple[Measured, list[Method]]:
    options, of_peers = config["many"], config["many"].get("peers", {})
    budget, jobs = options["peer_steps"], cores()
    asked = from_peers(
        [name for name in only if name in of_peers],
        lambda name, module: module.batch_methods(
            decays.objective, data, of_peers[name], dtype, budget, jobs
        ),
        report.outcomes,
    )
    methods = [ours(data), *(method for group in asked.values() for method in group)]
    measured = interleave(methods, options["repetitions"])
    for method in methods:
        failure = measured.failures.get(method.name)
        outcome = f"failed: {failure}" if failure else "measured"
        report.outcomes[f"many.{method.name}.{dtype}"] = outcome
    return measured, [method for method in methods if method.name in measured.timings]


@jax.jit
@jax.vmap
def value(params: jax.Array, counts: jax.Array) -> jax.Array:
    return decays.objective(params, counts)


@jax.jit
@jax.vmap
def newton(params: jax.Array, counts: jax.Array) -> jax.Array:
    hessian = jax.hessian(decays.objective)(params, counts)
    return params - jnp.linalg.solve(hessian, jax.grad(decays.objective)(params, counts))


def lowest(found: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """The least value (N,) at any of the points found, or after up to three steps of Newton's.

    A method that was run on the first problems alone counts for these.
    """
    best = np.full(len(counts), np.inf)
    for params in found:
        size = len(params)
        for _ in range(4):
            best[:size] = np.fmin(best[:size], np.asarray(value(params, counts[:size])))
            params = np.asarray(newton(params, counts[:size]))
    return best


def add_dtype(
    report: Report,
    data: decays.Decays,
    dtype: str,
    limit: float,
    methods: Sequence[Method],
    measured: Measured,
) -> None:
    """Accuracy: how far a value is above the least one, relative to it; all in float64."""
    counts = data.counts.astype(np.float64)
    points = {name: np.asarray(x, np.float64) for name, x in measured.results.items()}
    best = lowest(list(points.values()), counts)
    rate, rows = {}, []
    for method in methods:
        timing = measured.timings[method.name]
        rate[method.name] = method.fits / timing.best
        size = method.fits
        reached = np.asarray(value(points[method.name], counts[:size]))
        gap = (reached - best[:size]) / np.abs(best[:size])
        gap = np.where(np.isfinite(gap), gap, np.inf)
        close, middle = 100.0 * float(np.mean(gap <= limit)), float(np.median(gap))
        what, part = f"many.{method.name}.{dtype}", size < len(counts)
        note = f"{method.note}; rate from {size} problems" if part else method.note
        report.add(f"{what}.rate", rate[method.name], "problems/s", "higher", note)
        report.add(f"{what}.compile", timing.compile, "s", "lower")
        report.add(f"{what}.accurate", close, "%", "higher", f"within {limit:g} of the least value")
        cells = f"{close:.3f} %", f"{middle:.1e}"
        rows.append((method.name, rate[method.name], timing.best, timing.compile, *cells, note))
    title = f"{len(counts):,} maximum likelihood fits of 3 parameters, {dtype}, limit {limit:g}"
    report.tables.append(Table(title, COLUMNS, rows))
    for peer in ("optimistix", "jaxopt"):
        same = [speed for name, speed in rate.items() if name.split("-")[0] == peer]
        if same and OURS in rate:
            note = f"ours over the faster of {peer}'s ways"
            report.add(f"many.ratio.{peer}.{dtype}", rate[OURS] / max(same), "×", "higher", note)
