"""Published problems from their starts, multiples of these, and moved: who solves which.

Values are judged in float64 by `benchmarks/judging.py`. In float32 a value may lie above the best
one by what rounding the parameters of the minimiser costs beside the tolerance.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

import mvopt
from benchmarks import judging, peers
from benchmarks.judging import Judge, Prepare, Reached
from benchmarks.problems import classic, mgh
from benchmarks.problems.constrained import ConstrainedProblem
from benchmarks.problems.problem import Problem, constants, standard_move
from benchmarks.report import Report, cores
from benchmarks.workloads import solvers
from benchmarks.workloads.collect import from_peers
from benchmarks.workloads.precision import precision
from benchmarks.workloads.scores import Record, add_scores

PROBLEMS = (*mgh.PROBLEMS, *classic.PROBLEMS)
Named = TypeVar("Named", Problem, ConstrainedProblem)


class Case(NamedTuple):
    """A problem from one start; moved: in the variables scale·x + shift."""

    problem: Problem
    group: str  # the collection, and how the start is made
    start: np.ndarray  # (n,)
    move: tuple[np.ndarray, np.ndarray]  # shift and scale, each (n,)


def cases(problem: Problem, factors: Sequence[float], moved: bool) -> Iterator[Case]:
    """Moré, Garbow and Hillstrom's starts times each factor, the others' once, and moved copies."""
    standard = mgh.BY_NAME.get(problem.name) is problem
    collection = "mgh" if standard else "classic"
    n = problem.num_variables
    stay = np.zeros(n), np.ones(n)
    for factor in factors if standard else factors[:1]:
        start = np.array(problem.start_times(factor))
        yield Case(problem, f"{collection} ×{factor:g}", start, stay)
    if moved:
        shift, scale = standard_move(n)
        start = scale * np.array(problem.start) + shift
        yield Case(problem, f"{collection} moved", start, (shift, scale))


def movable(problem: Problem) -> Callable[..., Any]:
    """`objective(x, shift, scale)`: all copies of a problem are one function, compiled once."""

    def objective(x, shift, scale):
        return problem.objective((x - constants(shift, x)) / constants(scale, x))

    return objective


def chosen(problems: Sequence[Named], names: Sequence[str], every: int) -> list[Named]:
    """Those of the names, all where there are no names, each `every`-th."""
    unknown = sorted(set(names) - {problem.name for problem in problems})
    if unknown:
        raise ValueError(f"problems: unknown {', '.join(unknown)}")
    return [problem for problem in problems if not names or problem.name in names][::every]


def methods(
    report: Report, options: dict[str, Any], of_peers: dict[str, Any], only: Sequence[str]
) -> dict[str, dict[str, Prepare]]:
    """For each dtype the methods that take part, ours first."""
    ours = {
        name: solvers.minimiser(solver, options["simplex_steps"] if "mead" in name else None)
        for name, solver in solvers.chosen(solvers.MINIMISERS, options["solvers"]).items()
    }
    taking_part = [name for name in only if name in of_peers]
    found: dict[str, dict[str, Prepare]] = {}
    budget = options["peer_steps"]
    for dtype in options["dtypes"]:

        def ask(name: str, module: Any, dtype: str = dtype) -> dict[str, Prepare]:
            return module.minimize_methods(of_peers[name], dtype, budget)

        groups = from_peers(taking_part, ask, report.outcomes)
        without = options["float32_without"] if dtype == "float32" else ()
        mine = {name: way for name, way in ours.items() if name not in without}
        found[dtype] = mine | {
            name: way for group in groups.values() for name, way in group.items()
        }
    return found


@contextmanager
def quickly_compiled() -> Iterator[None]:
    """Without most optimisations: hundreds of programs are compiled, and none runs for long."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """All problems with all methods; `config` is described in configs/bench/minimize.toml."""
    options = config["published"]
    by_dtype = methods(report, options, config.get("peers", {}), only)
    records: list[Record] = []
    with quickly_compiled(), ThreadPoolExecutor(cores()) as pool:  # they compile side by side
        for problem in chosen(PROBLEMS, options.get("problems", ()), options.get("every", 1)):
            jax.clear_caches()  # a compiled program holds memory maps, whose number is limited
            records += run_problem(problem, by_dtype, options, pool)
    report.outcomes |= outcomes(by_dtype, records)
    add_scores(report, records)


def outcomes(by_dtype: dict[str, dict[str, Any]], records: Sequence[Any]) -> dict[str, str]:
    """How it went with each method; `records` have a method and a verdict."""
    found = {}
    for name in dict.fromkeys(name for group in by_dtype.values() for name in group):
        verdicts = {record.verdict for record in records if record.method == name}
        crashed = verdicts <= {judging.CRASHED}
        found[name] = "failed: crashed on every problem" if crashed else "measured"
    return found


def run_problem(
    problem: Problem,
    by_dtype: dict[str, dict[str, Prepare]],
    options: dict[str, Any],
    pool: Executor,
) -> list[Record]:
    """Every start, dtype and method of one problem; float64 first, if it takes part at all."""
    objective = movable(problem)
    with precision("float64"):
        judge = Judge(objective)
    records = []
    best: dict[str, tuple[float, np.ndarray]] = {}  # for each case: value and point, in float64
    for dtype in sorted(by_dtype, reverse=True):
        prepared = {
            name: way(objective)
            for name, way in by_dtype[dtype].items()
            if "mead" not in name or problem.num_variables <= solvers.SIMPLEX_VARIABLES
        }
        for case in cases(problem, options["factors"], options["moved"]):
            with precision(dtype):
                start = [a.astype(dtype) for a in (case.start, *case.move)]
                found = pool.map(partial(run_one, start=start), prepared.values())
                reached = dict(zip(prepared, found, strict=True))
            with precision("float64"):
                records += judged(judge, case, dtype, reached, best, options)
    return records


def run_one(solve: judging.Solve, start: Sequence[np.ndarray]) -> Reached:
    """What it reaches from what it is called with; no point at all where it crashes."""
    try:
        return solve(*start)
    except peers.ERRORS as error:
        return Reached(np.full(start[0].shape, np.nan), False, peers.first_line(error), 0)


def judged(
    judge: Judge,
    case: Case,
    dtype: str,
    reached: dict[str, Reached],
    best: dict[str, tuple[float, np.ndarray]],
    options: dict[str, Any],
) -> list[Record]:
    """A record for each method. The float32 copies of shift and scale are the problem's there."""
    move = tuple(a.astype(dtype).astype(np.float64) for a in case.move)
    values = {name: judge.value(found.x, move) for name, found in reached.items()}
    if dtype == "float64":
        lowest = min(values, key=lambda name: np.nan_to_num(values[name], nan=np.inf))
        best[case.group] = values[lowest], reached[lowest].x
        rounding = 0.0
    else:
        value, point = best.get(case.group, (np.inf, case.start))
        rounding = judge.rounding(point, move, dtype, value) if np.isfinite(value) else 0.0
    minima, tolerance = case.problem.minima, options["tolerance"][dtype]
    records = []
    for name, found in reached.items():
        gain = partial(judge.gain, found.x, move, dtype)
        improvable = lambda gain=gain: gain() > options["improvement"][dtype]
        value = values[name]
        became = judging.verdict(value, found.converged, minima, tolerance, improvable, rounding)
        raised = np.isnan(found.x).all() and found.evaluations == 0
        records.append(
            Record(
                method=name,
                problem=case.problem.name,
                group=case.group,
                dtype=dtype,
                value=value,
                best=minima[0],
                verdict=judging.CRASHED if raised else became,
                status=found.status,
                out_of_steps=found.status == mvopt.Status.MAX_STEPS.name,
                evaluations=found.evaluations,
                variables=case.problem.num_variables,
            )
        )
    return records
