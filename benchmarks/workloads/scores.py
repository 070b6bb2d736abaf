"""From what became of every problem to shares, tables and targets."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks import judging
from benchmarks.profiles import Price, profiles
from benchmarks.report import Report, Table

GOOD = (judging.SOLVED,)


class Record(NamedTuple):
    """One method on one problem from one start."""

    method: str
    problem: str
    group: str
    dtype: str
    value: float
    best: float
    verdict: str
    status: str
    out_of_steps: bool
    evaluations: int
    variables: int


def add_scores(report: Report, records: Sequence[Record]) -> None:
    """Tables and metrics over all methods and dtypes, and every failure by name."""
    report.details["failures"] = [
        record._asdict() | {"value": f"{record.value:.10g}"}  # JSON has no infinity
        for record in records
        if record.verdict != judging.SOLVED
    ]
    late = [r for r in records if r.out_of_steps and r.verdict in (*GOOD, judging.LOCAL)]
    if late:
        names = ", ".join(f"{r.method} on {r.problem} {r.group} {r.dtype}" for r in late)
        report.notes.append(f"MAX_STEPS at a known minimum: {names}")
    for dtype in dict.fromkeys(record.dtype for record in records):
        add_dtype(report, dtype, [record for record in records if record.dtype == dtype])
    add_float32_share(report, records)
    add_against_scipy(report, records)
    columns = ("problem", "start", "dtype", "method", "value", "best", "verdict", "status")
    rows = [
        (*(r.problem, r.group, r.dtype, r.method), f"{r.value:.6g}", f"{r.best:.6g}", *r[6:8])
        for r in records
        if r.method.startswith("mvopt") and r.verdict != judging.SOLVED
    ]
    report.tables.append(Table("Ours: everything but solved", columns, rows))


def price(record: Record) -> Price:
    """Evaluations to a known minimum."""
    reached = record.verdict in (*GOOD, judging.LOCAL)
    start = f"{record.problem} {record.group}"
    return record.method, start, record.evaluations if reached else np.inf, record.variables


def share(verdicts: Iterable[str], counted: Sequence[str]) -> float:
    """Per cent of them that are among the counted."""
    found = [verdict in counted for verdict in verdicts]
    return 100.0 * sum(found) / max(len(found), 1)


def add_dtype(report: Report, dtype: str, records: Sequence[Record]) -> None:
    names = list(dict.fromkeys(record.method for record in records))
    groups = list(dict.fromkeys(record.group for record in records))
    rows, by_group = [], []
    for name in names:
        mine = [record for record in records if record.method == name]
        verdicts = [record.verdict for record in mine]
        solved, known = share(verdicts, GOOD), share(verdicts, (*GOOD, judging.LOCAL))
        false, broken = verdicts.count(judging.FALSE), verdicts.count(judging.CRASHED)
        broken += verdicts.count(judging.NONFINITE)
        spent = [record.evaluations for record in mine if record.verdict == judging.SOLVED]
        median = float(np.median(spent)) if spent else 0.0
        late = sum(r.out_of_steps and r.verdict in (*GOOD, judging.LOCAL) for r in mine)
        rows.append(
            (name, len(mine), *(f"{s:.1f} %" for s in (solved, known)), false, broken, median)
        )
        what, unit = f"{name}.{dtype}", f"of {len(mine)}"
        report.add(f"{what}.solved", solved, "%", "higher", "at the lowest known minimum")
        report.add(f"{what}.known", known, "%", "higher", "at a known local minimum")
        report.add(f"{what}.false", false, unit, "lower", "false success")
        report.add(f"{what}.broken", broken, unit, "lower", "crashed or not finite")
        report.add(f"{what}.evaluations", median, "evaluations", "lower", "median of the solved")
        if name.startswith("mvopt"):
            note = "MAX_STEPS at a known minimum"
            report.add(f"{what}.out_of_steps", late, unit, "lower", note)
        cells = [[r.verdict for r in mine if r.group == group] for group in groups]
        by_group.append((name, *(f"{v.count(judging.SOLVED)} / {len(v)}" for v in cells)))
    columns = ("method", "problems", "solved", "at a known minimum", "false success", "broken")
    columns = (*columns, "median evaluations")
    report.tables.append(Table(f"Published problems, {dtype}", columns, rows))
    report.figures += profiles(map(price, records), dtype, f"published problems, {dtype}")
    report.tables.append(Table(f"Solved by start, {dtype}", ("method", *groups), by_group))


def solved_keys(records: Iterable[Record], method: str, dtype: str) -> set[tuple[str, str]]:
    """Problem and start of all that the method solved."""
    return {
        (record.problem, record.group)
        for record in records
        if (record.method, record.dtype, record.verdict) == (method, dtype, judging.SOLVED)
    }


def add_float32_share(report: Report, records: Sequence[Record]) -> None:
    """How many of the problems solved in float64 are solved in float32 too."""
    for name in dict.fromkeys(record.method for record in records):
        wide, narrow = (solved_keys(records, name, dtype) for dtype in ("float64", "float32"))
        if wide and any((r.method, r.dtype) == (name, "float32") for r in records):
            part, note = 100.0 * len(wide & narrow) / len(wide), "of the successes in float64"
            report.add(f"{name}.float32.of_float64", part, "%", "higher", note)


def add_against_scipy(report: Report, records: Sequence[Record]) -> None:
    """Moré, Garbow and Hillstrom in float64: our default less the best of SciPy's methods."""
    standard = [r for r in records if r.group.startswith("mgh ×")]
    names = {r.method for r in standard if r.method.startswith("scipy")}
    counts: dict[str, Any] = {
        name: len(solved_keys(standard, name, "float64")) for name in ("mvopt", *sorted(names))
    }
    if names and any(r.method == "mvopt" for r in standard):
        best = max(names, key=lambda name: counts[name])
        gain = counts["mvopt"] - counts[best]
        report.add("mgh.over_scipy", gain, "problems", "higher", f"solved by mvopt less {best}")
