"""From what became of every constrained problem to shares, tables and targets."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks import judging
from benchmarks.profiles import Price, profiles
from benchmarks.report import Report, Table
from benchmarks.workloads.scores import share

KNOWN = (judging.SOLVED, judging.LOCAL)
OURS = "mvopt"  # the default, whose problems are listed


class Record(NamedTuple):
    """One method on one problem."""

    method: str
    problem: str
    dtype: str
    value: float
    best: float
    violation: float
    residual: float
    certified: bool
    close: bool  # the same with a wider limit
    verdict: str
    status: str
    evaluations: int
    variables: int


def add_scores(report: Report, records: Sequence[Record], options: dict[str, Any]) -> None:
    """Tables and metrics over all methods and dtypes, and every failure by name."""
    report.details["failures"] = [
        {name: _spelled(each) for name, each in record._asdict().items()}
        for record in records
        if not _perfect(record)
    ]
    tolerance = options["value"]["float64"]
    lower = [
        f"{r.method} on {r.problem} ({r.value:.10g}, not {r.best:.10g})"
        for r in records
        if r.dtype == "float64"
        and r.verdict == judging.SOLVED
        and r.value < r.best - tolerance * max(1.0, abs(r.best))
    ]
    if lower:
        report.notes.append(f"below the best known value (violation allowed): {', '.join(lower)}")
    for dtype in dict.fromkeys(record.dtype for record in records):
        same = [record for record in records if record.dtype == dtype]
        add_dtype(report, dtype, same, options)
        add_list(report, dtype, [r for r in same if r.method == OURS and not _perfect(r)])


def _perfect(record: Record) -> bool:
    return record.verdict == judging.SOLVED and (record.certified or record.dtype != "float64")


def _spelled(value: Any) -> Any:
    """JSON has no infinity."""
    return f"{value:.10g}" if isinstance(value, float) else value


def add_dtype(
    report: Report, dtype: str, records: Sequence[Record], options: dict[str, Any]
) -> None:
    """A row and metrics for each method; only in float64 can a residual be a certificate."""
    wide, rows = dtype == "float64", []
    for name in dict.fromkeys(record.method for record in records):
        mine = [record for record in records if record.method == name]
        verdicts = [record.verdict for record in mine]
        false = verdicts.count(judging.FALSE)
        broken = verdicts.count(judging.CRASHED) + verdicts.count(judging.NONFINITE)
        spent = [record.evaluations for record in mine if record.verdict in KNOWN]
        median = float(np.median(spent)) if spent else 0.0
        shares = {
            "certified": share(((r.certified for r in mine)), (True,)),
            "close": share((r.close for r in mine), (True,)),
            "best": share(verdicts, (judging.SOLVED,)),
            "known": share(verdicts, KNOWN),
        }
        if not wide:
            shares = {"accurate": shares["best"], "known": shares["known"]}
        cells = *(f"{each:.1f} %" for each in shares.values()), false, broken, median
        rows.append((name, len(mine), *cells))
        what, unit = f"published.{name}.{dtype}", f"of {len(mine)}"
        for key, each in shares.items():
            report.add(f"{what}.{key}", each, "%", "higher", NOTES[key])
        report.add(f"{what}.false", false, unit, "lower", "false success")
        report.add(f"{what}.broken", broken, unit, "lower", "crashed or not finite")
        note = "median of those at a known minimum"
        report.add(f"{what}.evaluations", median, "evaluations", "lower", note)
    limits = options["certified"]["float64"], options["close"]
    shown = [f"certified to {limit:g}" for limit in limits] if wide else []
    shown += ["at the best", "at a known minimum", "false success", "broken", "median evaluations"]
    columns = ("method", "problems", *shown)
    title = f"Hock and Schittkowski, {dtype}"
    report.tables.append(Table(title, columns, rows))
    report.figures += profiles(map(price, records), dtype, title)


def price(record: Record) -> Price:
    """Evaluations to a known minimum."""
    cost = record.evaluations if record.verdict in KNOWN else np.inf
    return record.method, record.problem, cost, record.variables


NOTES = {
    "certified": "residual of the conditions and violation",
    "close": "the same, a wider limit",
    "best": "at the best known minimum",
    "accurate": "at the best known minimum",
    "known": "at a known local minimum",
}


def add_list(report: Report, dtype: str, records: Sequence[Record]) -> None:
    """Everything of our default that is not at the best, or not certified."""
    columns = ("problem", "value", "best", "violation", "residual", "verdict", "status")
    rows = [
        (r.problem, f"{r.value:.8g}", f"{r.best:.8g}", f"{r.violation:.1e}", f"{r.residual:.1e}")
        + (r.verdict if r.certified or dtype != "float64" else f"{r.verdict}, not certified",)
        + (r.status,)
        for r in records
    ]
    which = "not certified or not at the best" if dtype == "float64" else "not at the best"
    report.tables.append(Table(f"Ours: {which}, {dtype}", columns, rows))
