"""What a step of the interior-point method costs beside the evaluation that it needs.

The unit is one bare evaluation of all functions, their Jacobian and the Hessian of the Lagrangian.
A step's time is the difference of two runs that differ in their number of steps alone, so that the
call and the first step are not in it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import mvopt
from benchmarks.report import Report, Table, cores
from benchmarks.timing import timed
from benchmarks.workloads import bare
from benchmarks.workloads.precision import precision

SIZE = 20  # variables, and inequality constraints
INNER = 1000  # evaluations in the timed loop
COLUMNS = ("problems", "µs a step", "µs a bare evaluation", "steps over evaluations", "how")
_rng = np.random.default_rng(7)
SHAPES = _rng.uniform(0.1, 1.0, (SIZE, SIZE)) / SIZE


def objective(x: jax.Array, center: jax.Array) -> jax.Array:
    """A bowl with waves about `center` (SIZE,)."""
    off = x - center
    return jnp.sum(off**2) + jnp.sum(jnp.sin(off[1:] * off[:-1]))


def inequality(x: jax.Array, center: jax.Array) -> jax.Array:  # noqa: ARG001
    """(SIZE,): within as many ellipsoids, with a dense Jacobian."""
    return 1 - jnp.dot(jnp.asarray(SHAPES, x.dtype), x**2)


def evaluation(x: jax.Array, weights: jax.Array, center: jax.Array) -> Any:
    """Values (1 + SIZE,), Jacobian, and Hessian of the values times weights, in one pass."""

    def both(x: jax.Array) -> Any:
        everything = lambda x: jnp.append(inequality(x, center), objective(x, center))
        values, pull = jax.vjp(everything, x)
        return values, pull(weights)[0]

    def column(tangent: jax.Array) -> Any:
        (values, _), (slopes, bends) = jax.jvp(both, (x,), (tangent,))
        return values, slopes, bends

    return jax.vmap(column, out_axes=(None, -1, -1))(jnp.eye(x.size, dtype=x.dtype))


def members(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and centers (size, SIZE); the centers are outside, so that constraints are active."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.1, 0.1, (size, SIZE)), rng.uniform(1, 2, (size, SIZE))


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:  # noqa: ARG001
    """One problem and many lanes; `config` is described in configs/bench/constrained.toml."""
    options, rows = config["overhead"], []
    with precision("float64"):
        for lanes in options["lanes"]:
            starts, centers = members(lanes, options["seed"])
            step = step_seconds(starts, centers, options)
            one, how = evaluation_seconds(starts, centers, options)
            ratio = step / one
            rows.append((lanes, 1e6 * step, 1e6 * one, ratio, how))
            note = f"a step over a bare evaluation, {how}"
            report.add(f"overhead.{lanes}.step", 1e6 * step, "µs", "neither", "for each problem")
            report.add(f"overhead.{lanes}.ratio", ratio, "× evaluation", "lower", note)
    title = f"A step with {SIZE} variables and {SIZE} inequality constraints"
    report.tables.append(Table(title, COLUMNS, rows))


def step_seconds(starts: np.ndarray, centers: np.ndarray, options: dict[str, Any]) -> float:
    """Of one step of one problem; several problems are solved in lanes."""
    alone = len(starts) == 1
    x0, center = (a[0] if alone else a for a in (starts, centers))

    def run(max_steps: int) -> mvopt.Solution:
        solution = mvopt.minimize(
            objective,
            x0,
            (center,),
            inequality=inequality,
            solver=mvopt.InteriorPoint(),
            in_axes=None if alone else (0, 0),
            max_steps=max_steps,
        )
        return jax.block_until_ready(solution)

    few, many = options["steps"]
    done = [int(np.sum(np.asarray(run(steps).num_evaluations))) for steps in (few, many)]
    turns = [
        (timed(lambda: run(few))[0], timed(lambda: run(many))[0])
        for _ in range(options["repetitions"])
    ]
    short, long = np.min(turns, axis=0)
    return float(long - short) / (done[1] - done[0])


def evaluation_seconds(
    starts: np.ndarray, centers: np.ndarray, options: dict[str, Any]
) -> tuple[float, str]:
    """Of one evaluation of one problem, and how."""
    weights = np.full((len(starts), SIZE + 1), -1.0)
    weights[:, -1] = 1
    rows = starts, weights, centers
    if len(starts) > 1:
        chunks, repetitions = options["chunks"], options["repetitions"]
        found = bare.fastest(evaluation, rows, chunks, False, cores(), repetitions)
        return found.seconds / len(starts), found.how
    x, weights, center = (jnp.asarray(a[0]) for a in rows)
    run = looped(evaluation, x, weights, center)
    run()
    seconds = min(timed(run)[0] for _ in range(options["repetitions"]))
    return seconds / INNER, "in a jitted loop"


def looped(function: Callable[..., Any], x: jax.Array, *args: jax.Array) -> Callable[[], Any]:
    """INNER evaluations, each at a point that depends on all of the one before."""

    @jax.jit
    def loop(x: jax.Array) -> jax.Array:
        def body(_: Any, x: jax.Array) -> jax.Array:
            total = sum(jnp.sum(each) for each in jax.tree.leaves(function(x, *args)))
            return x + 1e-30 * total

        return lax.fori_loop(0, INNER, body, x)

    return lambda: jax.block_until_ready(loop(x))
