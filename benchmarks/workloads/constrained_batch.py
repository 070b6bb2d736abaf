"""Batches of small constrained problems: ours in one call, SLSQP one problem after the other."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.problems import constrained_batches
from benchmarks.problems.constrained_batches import Batch
from benchmarks.report import Report, Table
from benchmarks.timing import Measured, Method, interleave
from benchmarks.workloads.collect import from_peers
from benchmarks.workloads.precision import precision

OURS = "mvopt"
COLUMNS = (
    *("problem", "method", "a second", "seconds", "compile s"),
    *("certified", "largest violation", "gap to SLSQP", "how"),
)


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """All kinds of problems; `config` is described in configs/bench/constrained.toml."""
    options = config["batch"]
    rows: list[tuple] = []
    with precision("float64"):
        for name in options["kinds"]:
            batch = constrained_batches.MAKERS[name](options["problems"], options["seed"])
            measured, methods = measure(report, batch, options, only)
            rows += add_batch(report, batch, options, measured, methods)
        if options["infeasible"]:
            add_mixed(report, options)
    size = options["problems"]
    report.tables.append(Table(f"Batches of {size:,} small problems, float64", COLUMNS, rows))


def solve(batch: Batch) -> mvopt.Solution:
    """All members in one call."""
    if batch.quadratic:
        return mvopt.quadratic_program(*batch.args, bounds=batch.bounds, in_axes=batch.axes)
    return mvopt.minimize(
        batch.objective,
        batch.starts,
        batch.args,
        equality=batch.equality,
        inequality=batch.inequality,
        bounds=batch.bounds,
        in_axes=(0, *batch.axes),
    )


def on_host(solution: mvopt.Solution) -> mvopt.Solution:
    return jax.tree.map(np.asarray, jax.block_until_ready(solution))


def measure(
    report: Report, batch: Batch, options: dict[str, Any], only: Sequence[str]
) -> tuple[Measured, list[Method]]:
    of_peers, outcomes = options.get("peers", {}), {}
    names = [name for name in only if name in of_peers]
    asked = from_peers(
        names, lambda name, module: module.constrained_batch(batch, of_peers[name]), outcomes
    )
    # Nothing of the others: they may have a part in the published problems.
    report.outcomes |= {name: outcomes[name] for name in names if name in outcomes}
    ours = Method(OURS, lambda: on_host(solve(batch)), len(batch.starts), "one call")
    methods = [ours, *(method for group in asked.values() for method in group)]
    measured = interleave(methods, options["repetitions"])
    for method in methods:
        failure = measured.failures.get(method.name)
        outcome = f"failed: {failure}" if failure else "measured"
        report.outcomes[f"batch.{batch.name}.{method.name}"] = outcome
    return measured, [method for method in methods if method.name in measured.timings]


def values(batch: Batch, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Objective and largest violation, (N,) each, of the first N members."""
    lower, upper = batch.bounds or (-np.inf, np.inf)

    def one(x: jax.Array, *args: jax.Array) -> tuple[jax.Array, jax.Array]:
        short = [lower - x, x - upper]
        short += [jnp.abs(batch.equality(x, *args))] if batch.equality else []
        short += [-batch.inequality(x, *args)] if batch.inequality else []
        return batch.objective(x, *args), jnp.max(jnp.concatenate(short), initial=0.0)

    pairs = zip(batch.args, batch.axes, strict=True)
    args = [each if axis is None else each[: len(params)] for each, axis in pairs]
    found = jax.jit(jax.vmap(one, in_axes=(0, *batch.axes)))(params, *args)
    return np.asarray(found[0]), np.asarray(found[1])


def residuals(batch: Batch, solution: mvopt.Solution) -> np.ndarray:
    """(N,): by how much each member misses the conditions with the multipliers returned."""
    certificate = mvopt.check_kkt(
        batch.objective,
        solution,
        batch.args,
        equality=batch.equality,
        inequality=batch.inequality,
        bounds=batch.bounds,
        in_axes=(0, *batch.axes),
    )
    return np.asarray(certificate.residual)


def gap(ours: np.ndarray, theirs: np.ndarray, violation: np.ndarray, most: float) -> float:
    """Largest excess of our values, over max(1, |value|), where theirs are feasible."""
    usable = np.isfinite(theirs) & (violation <= most)
    excess = (ours[: len(theirs)] - theirs) / np.maximum(1, np.abs(theirs))
    excess = np.where(np.isfinite(excess), excess, np.inf)
    return float(np.max(excess, where=usable, initial=-np.inf))


def add_batch(
    report: Report,
    batch: Batch,
    options: dict[str, Any],
    measured: Measured,
    methods: Sequence[Method],
) -> list[tuple]:
    """Metrics, and a row for each method."""
    rows, rate, reached = [], {}, {}
    for method in methods:
        name, result = method.name, measured.results[method.name]
        params = result.params if name == OURS else result
        reached[name] = values(batch, params)
        rate[name] = method.fits / measured.timings[name].best
    for method in methods:
        name, timing = method.name, measured.timings[method.name]
        what, part = f"batch.{batch.name}.{name}", method.fits < len(batch.starts)
        note = f"{method.note}; rate from {method.fits} problems" if part else method.note
        violation = float(np.max(reached[name][1]))
        report.add(f"{what}.rate", rate[name], "problems/s", "higher", note)
        certified = above = ""
        if name == OURS:
            report.add(f"{what}.compile", timing.compile, "s", "lower")
            share = residuals(batch, measured.results[name]) <= options["certified"]
            certified = f"{100.0 * np.mean(share):.3f} %"
            report.add(f"{what}.certified", 100.0 * np.mean(share), "%", "higher")
        elif OURS in rate:
            above = gap(reached[OURS][0], *reached[name], options["violation"])
            note_of_gap = f"ours above {name} at most, relative, {method.fits} problems"
            report.add(f"batch.{batch.name}.gap.{name}", above, "", "lower", note_of_gap)
            ratio = rate[OURS] / rate[name]
            report.add(f"batch.{batch.name}.ratio.{name}", ratio, "×", "higher", "ours over it")
            above = f"{above:.1e}"
        cells = certified, f"{violation:.1e}", above, note
        rows.append((batch.name, name, rate[name], timing.best, timing.compile, *cells))
    return rows


def add_mixed(report: Report, options: dict[str, Any]) -> None:
    """Members without a feasible point: whether they say so, and whether the others notice."""
    size, seed, share = options["problems"], options["seed"], options["infeasible"]
    batch = constrained_batches.valleys(size, seed, share)
    lost = constrained_batches.impossible(batch)
    mixed = on_host(solve(batch))
    alone = on_host(solve(constrained_batches.members(batch, ~lost)))
    told = Counter(mvopt.Status(status).name for status in mixed.status[lost].tolist())
    named = 100.0 * told[mvopt.Status.INFEASIBLE.name] / max(int(lost.sum()), 1)
    apart = np.max(np.abs(mixed.params[~lost] - alone.params), axis=1)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    different, largest = int(np.count_nonzero(apart)), float(np.max(apart, initial=0.0))
    report.add("batch.mixed.named", named, "%", "higher", f"INFEASIBLE, of {lost.sum()} that are")
    unit = f"of {len(apart)}"
    report.add("batch.mixed.different", different, unit, "lower", "not the same bits without them")
    report.add("batch.mixed.apart", largest, "", "lower", "largest difference of a variable")
    said = ", ".join(f"{count} {name}" for name, count in told.most_common())
    columns = ("members", "infeasible", "these said", "others changed by them", "by at most")
    row = (len(lost), int(lost.sum()), said, different, f"{largest:.1e}")
    report.tables.append(Table("Members without a feasible point in the batch", columns, [row]))
