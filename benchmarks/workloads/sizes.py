"""Cost against the number of fits: time per fit and compile time, as a table and a figure."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

from benchmarks.figures import Figure
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
    curves = {
        "mvopt, warm": [(row[0], row[2]) for row in rows],
        "mvopt, compilation": [(row[0], row[3]) for row in rows],
    }
    title = "Time against the number of fits"
    report.figures.append(Figure("sizes", title, "fits", "s", curves, log_x=True, log_y=True))
    for size, each, _, compiling in rows:
        report.add(f"mvopt.time_per_fit.{size}", each, "µs", "lower")
        report.add(f"mvopt.compile.{size}", compiling, "s", "lower")
    if len(rows) > 1:
        per_fit = [row[1] for row in rows]
        spread = max(per_fit) / min(per_fit)
        report.add("time_per_fit.spread", spread, "ratio", "lower", "dearest size over cheapest")
        growth = rows[-1][3] / max(rows[0][3], 1e-9)
        report.add("compile.growth", growth, "ratio", "lower", "largest size over smallest")
