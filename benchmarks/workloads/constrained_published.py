"""The problems of Hock and Schittkowski from their starts: who solves which.

Points are judged in float64 by `benchmarks/judging_constrained.py`.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.judging_constrained import ConstrainedJudge, Limits, Prepare, certified, verdict
from benchmarks.problems import hock_schittkowski
from benchmarks.problems.constrained import ConstrainedProblem
from benchmarks.report import Report, cores
from benchmarks.workloads import published, solvers
from benchmarks.workloads.collect import from_peers
from benchmarks.workloads.constrained_scores import Record, add_scores
from benchmarks.workloads.precision import precision


def methods(
    report: Report, options: dict[str, Any], of_peers: dict[str, Any], only: Sequence[str]
) -> dict[str, dict[str, Prepare]]:
    """For each dtype the methods that take part, ours first."""
    chosen = solvers.chosen(solvers.CONSTRAINED, options["solvers"])
    ours = {name: solvers.constrained(solver) for name, solver in chosen.items()}
    names = [name for name in only if name in of_peers]
    found = {}
    for dtype in options["dtypes"]:

        def ask(name: str, module: Any, dtype: str = dtype) -> dict[str, Prepare]:
            return module.constrained_methods(of_peers[name], dtype)

        groups = from_peers(names, ask, report.outcomes)
        found[dtype] = ours.copy()
        for group in groups.values():
            found[dtype] |= group
    return found


def limits(options: dict[str, Any], dtype: str) -> Limits:
    """What is asked of a point in that dtype; only in float64 the violation as it is."""
    asked = {name: options[name][dtype] for name in Limits._fields if name != "relative"}
    return Limits(relative=dtype != "float64", **asked)


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """All problems with all methods; `config` is described in configs/bench/constrained.toml."""
    options = config["published"]
    by_dtype = methods(report, options, config.get("peers", {}), only)
    names, every = options.get("problems", ()), options.get("every", 1)
    records: list[Record] = []
    with published.quickly_compiled(), ThreadPoolExecutor(cores()) as pool:
        for problem in published.chosen(hock_schittkowski.PROBLEMS, names, every):
            jax.clear_caches()  # a compiled program holds memory maps, whose number is limited
            records += run_problem(problem, by_dtype, options, pool)
    report.outcomes |= published.outcomes(by_dtype, records)
    add_scores(report, records, options)


def run_problem(
    problem: ConstrainedProblem,
    by_dtype: dict[str, dict[str, Prepare]],
    options: dict[str, Any],
    pool: Executor,
) -> list[Record]:
    """Every dtype and method of one problem."""
    judge = ConstrainedJudge(problem)
    records = []
    for dtype, ways in by_dtype.items():
        with precision(dtype):
            start = [np.array(problem.start, dtype)]
            prepared = [way(problem) for way in ways.values()]
            found = list(pool.map(partial(published.run_one, start=start), prepared))
        with precision("float64"):
            for name, reached in zip(ways, found, strict=True):
                asked, point = limits(options, dtype), judge.point(reached)
                records.append(
                    Record(
                        method=name,
                        problem=problem.name,
                        dtype=dtype,
                        value=point.value,
                        best=problem.best,
                        violation=point.missed(asked),
                        residual=point.residual,
                        certified=certified(point, asked.certified),
                        close=certified(point, options["close"]),
                        verdict=verdict(reached, point, problem, asked),
                        status=reached.status,
                        evaluations=reached.evaluations,
                        variables=problem.num_variables,
                    )
                )
    return records
