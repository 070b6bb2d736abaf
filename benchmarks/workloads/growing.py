"""One Rosenbrock function in more and more variables: what a step costs beside a gradient.

A few hundred steps show it; they do not lead to the minimum in many variables. The unit is one
value and gradient in a jitted loop. Beside it stands the same as a jitted call of
its own, which at few variables is nearly all overhead of the call.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import peers
from benchmarks.judging import Prepare
from benchmarks.problems.classic_objectives import chained_rosenbrock
from benchmarks.report import Report, Table
from benchmarks.timing import timed
from benchmarks.workloads import solvers
from benchmarks.workloads.collect import from_peers
from benchmarks.workloads.precision import precision

COLUMNS = (
    *("variables", "method", "value reached", "evaluations", "ms", "µs an evaluation"),
    *("× gradient in a loop", "× gradient as a call"),
)
INNER = 1000  # evaluations in the timed loop


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """All sizes in float64; `config` is described in configs/bench/minimize.toml."""
    options, of_peers = config["growing"], config.get("peers", {})
    budget = options["max_steps"]
    asked = from_peers(
        [name for name in only if name in of_peers],
        lambda name, module: module.minimize_methods(
            of_peers[name] | {"max_iterations": budget}, "float64", budget
        ),
        report.outcomes,
    )
    ours = solvers.chosen(solvers.MINIMISERS, options["solvers"])
    ways = {name: solvers.minimiser(solver, budget) for name, solver in ours.items()}
    ways |= {
        name: way
        for group in asked.values()
        for name, way in group.items()
        if name not in options["without"]
    }
    rows = []
    with precision("float64"):
        for size in options["sizes"]:
            jax.clear_caches()
            rows += add_size(report, size, ways, options["repetitions"])
    report.tables.append(Table("Chained Rosenbrock: the cost of an evaluation", COLUMNS, rows))


def gradient_seconds(start: np.ndarray, repetitions: int) -> tuple[float, float]:
    """Of one value and gradient: within a jitted loop, and as a call of its own."""
    both = jax.value_and_grad(chained_rosenbrock)

    @jax.jit
    def loop(x):
        # Each point depends on the value before, so that no evaluation can be left out.
        body = lambda _, x: (lambda v, g: x - 1e-9 * g - 1e-30 * v)(*both(x))
        return lax.fori_loop(0, INNER, body, x)

    one, x = jax.jit(both), jnp.asarray(start)
    calls = lambda: [jax.block_until_ready(one(x)) for _ in range(INNER)]
    return tuple(
        least(run, repetitions) / INNER for run in (lambda: jax.block_until_ready(loop(x)), calls)
    )


def least(run: Callable[[], Any], repetitions: int) -> float:
    """Seconds of the fastest call after one that compiles."""
    run()
    return min(timed(run)[0] for _ in range(repetitions))


def add_size(report: Report, size: int, ways: dict[str, Prepare], repetitions: int) -> list[tuple]:
    start = np.tile([-1.2, 1.0], size // 2)
    looped, called = gradient_seconds(start, repetitions)
    report.add(f"growing.gradient.{size}", 1e6 * looped, "µs", "neither", "in a jitted loop")
    report.add(f"growing.gradient_call.{size}", 1e6 * called, "µs", "neither", "a jitted call")
    rows = []
    for name, way in ways.items():
        solve = way(chained_rosenbrock)
        try:
            found = solve(start)
            seconds = min(timed(lambda solve=solve: solve(start))[0] for _ in range(repetitions))
        except peers.ERRORS as error:
            report.outcomes[f"growing.{name}.{size}"] = f"failed: {peers.first_line(error)}"
            continue
        each = seconds / max(found.evaluations, 1)
        value = float(chained_rosenbrock(jnp.asarray(found.x)))
        ratios = each / looped, each / called
        rows.append((size, name, f"{value:.1e}", found.evaluations, 1e3 * seconds, 1e6 * each))
        rows[-1] += ratios
        note = f"an evaluation over a gradient in a loop; {found.evaluations} to {value:.1e}"
        report.add(f"growing.{name}.{size}", ratios[0], "× gradient", "lower", note)
    return rows
