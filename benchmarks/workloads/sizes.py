"""Cost against the number of fits: time per fit and compile time, as a table and a plot."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from benchmarks.problems.gauss1d import Data, make
from benchmarks.report import Report, Table
from benchmarks.timing import timed

COLUMNS = ("fits", "µs a fit", "seconds", "compile seconds")


def sweep(
    fit: Callable[[Data], Any], sizes: Sequence[int], seed: int, repetitions: int
) -> list[tuple[int, float, float, float]]:
    """A row for each size; JAX's memory of compiled functions is emptied before each."""
    rows = []
    for size in sizes:
        data = make(size, seed)
        jax.clear_caches()
        run = partial(fit, data)
        first, _ = timed(run)
        best = min(timed(run)[0] for _ in range(repetitions))
        rows.append((size, 1e6 * best / size, best, max(first - best, 0.0)))
    return rows


def add(report: Report, rows: list[tuple[int, float, float, float]]) -> None:
    """The table, and how far from linear: the dearest fit beside the cheapest."""
    report.tables.append(Table("Cost against the number of fits", COLUMNS, list(rows)))
    for size, each, _, compiling in rows:
        report.add(f"mvopt.time_per_fit.{size}", each, "µs", "lower")
        report.add(f"mvopt.compile.{size}", compiling, "s", "lower")
    if len(rows) > 1:
        per_fit = [row[1] for row in rows]
        spread = max(per_fit) / min(per_fit)
        report.add("time_per_fit.spread", spread, "ratio", "lower", "dearest size over cheapest")
        growth = rows[-1][3] / max(rows[0][3], 1e-9)
        report.add("compile.growth", growth, "ratio", "lower", "largest size over smallest")


def plot(rows: list[tuple[int, float, float, float]], path: Path) -> bool:
    """Draw the table where matplotlib is installed; whether it was."""
    if not rows or find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 3.5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="fits", ylabel="seconds")
    axes.plot([row[0] for row in rows], [row[2] for row in rows], "o-", label="run, warm")
    axes.plot([row[0] for row in rows], [row[3] for row in rows], "s--", label="compile")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return True
