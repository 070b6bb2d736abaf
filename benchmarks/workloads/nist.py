"""NIST StRD, 27 sets from two starts each: correct digits of every method at default settings."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

import mvopt
from benchmarks import peers
from benchmarks.figures import accuracy_against_time
from benchmarks.problems import nist
from benchmarks.report import Report, Table
from benchmarks.timing import timed
from benchmarks.workloads.collect import from_peers


class Score(NamedTuple):
    """Correct digits of one method, each (27, 2): of the worst parameter and standard error."""

    params: np.ndarray
    stderr: np.ndarray
    estimates: list[np.ndarray]  # (2, n) for each set
    statuses: np.ndarray  # (27, 2); peers leave it at -1
    raised: int
    seconds: float


Solve = Callable[[nist.Problem], tuple[np.ndarray, np.ndarray, np.ndarray, int]]


def ours(batched: bool, dtype: Any) -> Solve:
    """Ours, both starts in one call or one after the other; every array in `dtype`."""

    def solve(problem: nist.Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        x, y, starts = (np.asarray(a, dtype) for a in (problem.x, problem.y, problem.starts))
        if batched:
            fit = mvopt.curve_fit(problem.model, x, y, starts, in_axes=(None, None, 0))
            return np.asarray(fit.params), np.asarray(fit.stderr), np.asarray(fit.status), 0
        fits = [mvopt.curve_fit(problem.model, x, y, start) for start in starts]
        params, stderr, status = (
            np.stack([np.asarray(getattr(fit, name)) for fit in fits])
            for name in ("params", "stderr", "status")
        )
        return params, stderr, status, 0

    return solve


def peer(fit: Callable[[nist.Problem, np.ndarray], Any]) -> Solve:
    """A peer's `(problem, start) -> (params, stderr)`; where it raises, no digit is right."""

    def solve(problem: nist.Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        shape = problem.starts.shape
        params, stderr, raised = np.full(shape, np.nan), np.full(shape, np.nan), 0
        for index, start in enumerate(problem.starts):
            try:
                params[index], stderr[index] = fit(problem, start)
            except peers.ERRORS:
                raised += 1
        return params, stderr, np.full(2, -1), raised

    return solve


def score(solve: Solve) -> Score:
    """Run all 27 sets; the seconds hold every compilation."""
    seconds, solved = timed(lambda: [(name, *solve(nist.load(name))) for name in nist.NAMES])
    digits: dict[str, list[list[float]]] = {"certified": [], "stderr": []}
    for name, params, stderr, _, _ in solved:
        problem = nist.load(name)
        for field, estimates in (("certified", params), ("stderr", stderr)):
            certified = getattr(problem, field)
            digits[field].append([nist.worst_lre(estimate, certified) for estimate in estimates])
    return Score(
        params=np.array(digits["certified"]),
        stderr=np.array(digits["stderr"]),
        estimates=[params for _, params, _, _, _ in solved],
        statuses=np.stack([status for _, _, _, status, _ in solved]),
        raised=sum(raised for *_, raised in solved),
        seconds=seconds,
    )


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """All methods in 64 bits, and ours in 32 bits beside them."""
    jax.config.update("jax_enable_x64", True)
    report = Report("nist", config)
    asked = from_peers(
        [name for name in only if name in config["peers"]],
        lambda _, module: module.nist_methods(),
        report.outcomes,
    )
    solvers: dict[str, Solve] = {
        "mvopt": ours(False, np.float64),
        "mvopt-batch": ours(True, np.float64),
        "mvopt-float32": ours(False, np.float32),
    }
    for methods in asked.values():
        solvers |= {name: peer(fit) for name, fit in methods.items()}
    scores = {}
    for name, solve in solvers.items():
        try:
            scores[name] = score(solve)
        except peers.ERRORS as error:
            report.outcomes[name] = f"failed: {peers.first_line(error)}"
            continue
        everything = scores[name].raised == 2 * len(nist.NAMES)
        report.outcomes[name] = "failed: raised on every fit" if everything else "measured"
        add_metrics(report, name, scores[name])
    add_tables(report, scores)
    label = "correct digits of the worst parameter, mean"
    points = {name: (one.seconds, float(np.mean(one.params))) for name, one in scores.items()}
    report.figures.append(accuracy_against_time("s for all 54 fits, compiled", label, points))
    add_own_checks(report, scores)
    return report


def add_metrics(report: Report, name: str, found: Score) -> None:
    report.add(
        f"{name}.average_lre", float(np.mean(found.params)), "digits", "higher", "worst parameter"
    )
    for least in (4, 6):
        count = int(np.sum(found.params >= least))
        report.add(f"{name}.params_{least}", count, "of 54 fits", "higher", f"≥ {least} digits")
    for least in (4, 5):
        count = int(np.sum(found.stderr >= least))
        note = f"≥ {least} digits in every standard error"
        report.add(f"{name}.stderr_{least}", count, "of 54 fits", "higher", note)
    report.add(f"{name}.raised", found.raised, "of 54 fits", "lower", "ended in an exception")
    report.add(f"{name}.seconds", found.seconds, "s", "lower", "all 54 fits, compilation included")


def add_tables(report: Report, scores: dict[str, Score]) -> None:
    """A row for each set, a column for each method, a cell for both starts."""
    columns = ("set", "difficulty", *scores)
    for title, field in (("parameter", "params"), ("standard error", "stderr")):
        rows = []
        for index, name in enumerate(nist.NAMES):
            digits = [getattr(found, field)[index] for found in scores.values()]
            cells = [f"{first:.1f} / {second:.1f}" for first, second in digits]
            rows.append((name, nist.load(name).difficulty, *cells))
        title = f"Correct digits of the worst {title}, start 1 / start 2"
        report.tables.append(Table(title, columns, rows))


def add_own_checks(report: Report, scores: dict[str, Score]) -> None:
    """Batched equals single; no float32 fit calls itself converged on a wrong point."""
    if "mvopt" in scores and "mvopt-batch" in scores:
        pairs = zip(scores["mvopt"].estimates, scores["mvopt-batch"].estimates, strict=True)
        apart = [np.max(np.abs(one - both) / np.abs(one)) for one, both in pairs]
        note = f"largest difference of a parameter, in {nist.NAMES[int(np.argmax(apart))]}"
        report.add("batch_against_single", np.max(apart), "relative", "lower", note)
    if "mvopt-float32" in scores:
        wrong = falsely_converged(scores["mvopt-float32"])
        note = ", ".join(wrong) or "none"
        report.add("mvopt-float32.falsely_converged", len(wrong), "of 54 fits", "lower", note)


def falsely_converged(found: Score) -> list[str]:
    """Fits that say CONVERGED at a cost 1 % above that of the certified parameters.

    Costs are in float64 on the data rounded to float32. To the best cost is added what rounding
    alone makes of an exact fit, m · (ε · max|y|)²: Lanczos1 to 3 lie below it in float32.
    """
    wrong = []
    for name, estimates, statuses in zip(nist.NAMES, found.estimates, found.statuses, strict=True):
        problem = nist.load(name)
        x, y = (a.astype(np.float32).astype(np.float64) for a in (problem.x, problem.y))

        def cost(params: np.ndarray, problem=problem, x=x, y=y) -> float:
            model = problem.model(x, np.asarray(params, np.float64))
            return float(np.sum((np.asarray(model) - y) ** 2))

        rounding = y.size * (np.finfo(np.float32).eps * np.max(np.abs(y))) ** 2
        limit = 1.01 * (cost(problem.certified) + rounding)
        for start, (estimate, status) in enumerate(zip(estimates, statuses, strict=True), 1):
            if status == mvopt.Status.CONVERGED and not cost(estimate) <= limit:
                wrong.append(f"{name} start {start}")
    return wrong
