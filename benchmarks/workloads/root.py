"""Zeros of systems and of functions in brackets, by the residual, and a million Newton starts.

A point is a root when every |f_i| is within the tolerance of its unit, in float64; a method that
says that it converged anywhere else has a false success. The unit is 1 + Σ_j |J_ij x_j| at the
published start or, of a function in a bracket, at the root: at a point far away the terms could be
so large that any f were nothing beside them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks import judging, peers
from benchmarks.judging import Prepare, Reached
from benchmarks.problems import roots
from benchmarks.problems.problem import times
from benchmarks.profiles import Price, profiles
from benchmarks.report import Report, Table
from benchmarks.workloads import basins, solvers
from benchmarks.workloads.collect import from_peers
from benchmarks.workloads.precision import precision

COLUMNS = ("method", "problems", "roots found", "false success", "broken", "median evaluations")


class Record(NamedTuple):
    """One method on one problem from one start."""

    method: str
    problem: str
    start: str
    share: str  # what is left of f, as a share of its terms
    verdict: str
    status: str
    evaluations: int
    variables: int


class Case(NamedTuple):
    """What a method is called with: a start, or both ends of a bracket."""

    name: str
    start: str
    arguments: tuple[Any, ...]


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """The parts that `config` asks for; it is described in configs/bench/root.toml."""
    report = Report("root", config)
    for part in config["parts"]:
        if part == "basins":
            basins.add(report, config)
        else:
            with precision("float64"):
                PARTS[part](report, config[part], config.get("peers", {}), only)
    return report


def collect(
    kind: str, report: Report, steps: int, of_peers: dict[str, Any], only: Sequence[str]
) -> dict[str, Prepare]:
    """The peers' methods of a kind, where a peer has any."""

    def ask(name: str, module: Any) -> dict[str, Prepare]:
        found = getattr(module, kind, None)
        return found(of_peers[name], steps) if found else {}

    asked = from_peers([name for name in only if name in of_peers], ask, report.outcomes)
    return {name: way for group in asked.values() for name, way in group.items()}


def systems(
    report: Report, options: dict[str, Any], of_peers: dict[str, Any], only: Sequence[str]
) -> None:
    ours = solvers.chosen(solvers.ROOT_FINDERS, options["solvers"])
    ways = {name: solvers.root_finder(solver) for name, solver in ours.items()}
    ways |= collect("root_methods", report, options["peer_steps"], of_peers, only)
    records = []
    for system in roots.SYSTEMS[:: options["every"]]:
        jax.clear_caches()
        many = [
            Case(system.name, f"×{factor:g}", (np.array(times(system.start, factor)),))
            for factor in options["factors"]
        ]
        start = np.array(system.start)
        records += run_cases(system.residual, many, ways, options["tolerance"], start)
    add_scores(report, "systems", records)


def brackets(
    report: Report, options: dict[str, Any], of_peers: dict[str, Any], only: Sequence[str]
) -> None:
    ours = solvers.chosen(solvers.BRACKETERS, options["solvers"])
    ways = {name: solvers.bracketer(solver) for name, solver in ours.items()}
    ways |= collect("bracket_methods", report, options["peer_steps"], of_peers, only)
    records = []
    for function, cases in by_function(roots.CHANDRUPATLA[:: options["every"]]):
        jax.clear_caches()
        known = next(case.root for case in roots.CHANDRUPATLA if case.function is function)
        records += run_cases(function, cases, ways, options["tolerance"], np.array([known]))
    add_scores(report, "brackets", records)


def by_function(
    given: Sequence[roots.Bracketed],
) -> Iterator[tuple[Callable[..., Any], list[Case]]]:
    """Each function once with all of its brackets, so that it compiles once."""
    for function in dict.fromkeys(case.function for case in given):
        mine = [case for case in given if case.function is function]
        yield (
            function,
            [Case(c.name, f"[{c.lower:g}, {c.upper:g}]", (c.lower, c.upper)) for c in mine],
        )


PARTS = {"systems": systems, "brackets": brackets}


def run_cases(
    function: Callable[..., Any],
    cases: Sequence[Case],
    ways: dict[str, Prepare],
    tolerance: float,
    typical: np.ndarray,
) -> list[Record]:
    """typical: (n,), where the sizes of the equations are judged."""
    value = jax.jit(function)
    shaped = lambda x: x if np.ndim(cases[0].arguments[0]) else x[0]
    jacobian = np.asarray(jax.jacfwd(function)(shaped(typical))).reshape(typical.size, typical.size)

    def left(x: np.ndarray) -> float:
        return judging.residual_share(np.atleast_1d(value(shaped(x))), jacobian, typical)

    prepared = {name: way(function) for name, way in ways.items()}
    records = []
    for case in cases:
        for name, solve in prepared.items():
            found = run_one(solve, case)
            records.append(record(name, case, found, left(found.x), tolerance))
    return records


def run_one(solve: judging.Solve, case: Case) -> Reached:
    try:
        with np.errstate(all="ignore"):
            return solve(*case.arguments)
    except peers.ERRORS as error:
        shape = np.shape(np.atleast_1d(case.arguments[0]))
        return Reached(np.full(shape, np.nan), False, peers.first_line(error), 0)


def record(name: str, case: Case, found: Reached, share: float, tolerance: float) -> Record:
    """A root, a false success, or a failure that is owned up to."""
    if share <= tolerance:
        verdict = judging.SOLVED
    elif found.converged:
        verdict = judging.FALSE
    elif np.all(np.isfinite(found.x)):
        verdict = judging.FAILED
    else:
        verdict = judging.NONFINITE if found.evaluations else judging.CRASHED
    told = f"{share:.1e}"
    spent, variables = found.evaluations, np.size(case.arguments[0])
    return Record(name, case.name, case.start, told, verdict, found.status, spent, variables)


def price(record: Record) -> Price:
    """Evaluations to a root."""
    solved = record.verdict == judging.SOLVED
    problem = f"{record.problem} {record.start}"
    return record.method, problem, record.evaluations if solved else np.inf, record.variables


def add_scores(report: Report, part: str, records: Sequence[Record]) -> None:
    rows = []
    for name in dict.fromkeys(record.method for record in records):
        mine = [record for record in records if record.method == name]
        verdicts = [record.verdict for record in mine]
        count = partial(verdicts.count)
        broken = count(judging.CRASHED) + count(judging.NONFINITE)
        spent = [record.evaluations for record in mine if record.verdict == judging.SOLVED]
        median = float(np.median(spent)) if spent else 0.0
        solved, false = count(judging.SOLVED), count(judging.FALSE)
        rows.append((name, len(mine), solved, false, broken, median))
        what, unit = f"{part}.{name}", f"of {len(mine)}"
        report.add(f"{what}.solved", 100.0 * solved / len(mine), "%", "higher", "roots found")
        report.add(f"{what}.false", false, unit, "lower", "false success")
        report.add(f"{what}.evaluations", median, "evaluations", "lower", "median of the solved")
        crashed = count(judging.CRASHED) == len(mine)
        report.outcomes[name] = "failed: crashed on every problem" if crashed else "measured"
    report.tables.append(Table(part.capitalize(), COLUMNS, rows))
    report.figures += profiles(map(price, records), part, part)
    failures = [record for record in records if record.verdict != judging.SOLVED]
    report.details[f"{part} failures"] = [record._asdict() for record in failures]
    ours = [record[:7] for record in failures if record.method.startswith("mvopt")]
    columns = ("method", "problem", "start", "left of f", "verdict", "status", "evaluations")
    report.tables.append(Table(f"{part.capitalize()}: ours that found no root", columns, ours))
