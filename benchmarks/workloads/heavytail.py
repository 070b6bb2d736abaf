"""A batch in which few fits need many steps: what waiting for the slowest costs.

Counted in lane-steps, not seconds: loop iterations × lanes, whether a lane had work or not. The
least possible is the sum of the steps that the fits need.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.problems import nist
from benchmarks.report import Report, Table
from benchmarks.timing import timed
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.iteration.drive import drive

COLUMNS = ("loop", "lane-steps", "over the steps needed")


class Batch(NamedTuple):
    """Starts (N, n) in the order of the queue, and the steps (N,) that each needs by itself."""

    starts: np.ndarray
    steps: np.ndarray


def solve(problem: nist.Problem, starts: np.ndarray) -> mvopt.Fit:
    """One data set from many starts."""
    in_axes = (None, None, 0)
    fit = mvopt.curve_fit(problem.model, problem.x, problem.y, starts, in_axes=in_axes)
    return jax.block_until_ready(fit)


def refilled(problem: nist.Problem, starts: np.ndarray, lanes: int) -> int:
    """Lane-steps of the library's loop, idle lanes and all: its iterations times its lanes."""
    x, y = jnp.asarray(problem.x), jnp.asarray(problem.y)

    def problem_of(row: tuple[()]) -> LeastSquaresProblem:
        del row  # all fits have the same data
        return LeastSquaresProblem(lambda params: problem.model(x, params) - y)

    solver = mvopt.LevenbergMarquardt()
    count = jax.jit(lambda p: drive(solver, problem_of, p, (), max_steps=1000, lanes=lanes)[1])
    return int(count(jnp.asarray(starts))) * lanes


def candidates(problem: nist.Problem, count: int, rng: np.random.Generator) -> np.ndarray:
    """Starts (count, n) between the solution and NIST's far start, denser near the solution."""
    along = rng.uniform(0.0, 1.0, (count, 1)) ** 3
    return problem.certified + along * (problem.starts[0] - problem.certified)


def make(config: dict[str, Any]) -> Batch:
    """A batch of which `share` needs about `times` the steps of the rest, well mixed.

    Which starts those are depends on the solver, so they are picked by the steps that it takes:
    the rest from the easy ones, the tail from those within 20 % of `times` as many steps.
    """
    rng = np.random.default_rng(config["seed"])
    problem = nist.load(config["problem"])
    pool = candidates(problem, config["pool"], rng)
    fit = solve(problem, pool)
    steps = np.where(np.asarray(fit.status) == mvopt.Status.CONVERGED, np.asarray(fit.num_steps), 0)
    usual = np.quantile(steps[steps > 0], 0.1)
    easy = np.flatnonzero((steps > 0) & (np.abs(steps - usual) <= 0.2 * usual))
    ratio = steps / (config["times"] * usual)
    hard = np.flatnonzero((ratio >= 0.8) & (ratio <= 1.2))
    if not easy.size or not hard.size:
        raise ValueError(f"no start of {problem.name} needs {config['times']} times {usual} steps")
    num_hard = round(config["share"] * config["fits"])
    chosen = [rng.choice(easy, config["fits"] - num_hard), rng.choice(hard, num_hard)]
    order = rng.permutation(np.concatenate(chosen))
    return Batch(pool[order], steps[order])


def run(config: dict[str, Any], only: Sequence[str]) -> Report:  # noqa: ARG001 (no peers here)
    """The plain loop and the refilled one on the same batch."""
    jax.config.update("jax_enable_x64", True)
    report = Report("heavytail", config)
    batch = make(config)
    problem = nist.load(config["problem"])
    needed, lockstep = int(batch.steps.sum()), int(batch.steps.max()) * batch.steps.size
    counts = {"steps needed": needed, "plain vmapped loop": lockstep}
    spent = {lanes: refilled(problem, batch.starts, lanes) for lanes in config["lanes"]}
    counts |= {f"refilled, {lanes} lanes": count for lanes, count in spent.items()}
    rows = [(name, count, f"{count / needed:.3f}") for name, count in counts.items()]
    report.tables.append(Table("Lane-steps", COLUMNS, rows))
    median = np.median(batch.steps)
    report.add("steps.median", median, "steps", "neither")
    report.add("steps.largest", batch.steps.max() / median, "× median", "neither")
    report.add("lockstep", lockstep / needed, "ratio", "lower", "plain vmapped loop")
    worst = max(spent.values())
    report.add("refilled", worst / needed, "ratio", "lower", "the dearest of the lane counts")
    solve(problem, batch.starts)
    seconds, _ = timed(lambda: solve(problem, batch.starts))
    report.add("mvopt.seconds", seconds, "s", "lower", "the batch, warm")
    report.outcomes["mvopt"] = "measured"
    return report
