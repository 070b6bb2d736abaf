"""Named models fitted from their own guesses: how many of many random problems reach the best fit.

The best is the lowest sum of squares of three fits: from the guess, from the true parameters, and,
for a sample of the problems, SciPy's from the true parameters.
"""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.problems import recovery
from benchmarks.problems.model_draws import DRAWS
from benchmarks.report import Report, Table
from benchmarks.timing import timed
from benchmarks.workloads.precision import precision
from mvopt.regression.models import NAMED, Model

COLUMNS = ("model", "reached, %", "from the truth, %", "converged, %", "steps", "µs/fit", "guess")


class Found(NamedTuple):
    """Fits from the guess: which reached the best, those from the truth likewise, and costs."""

    reached: np.ndarray
    reached_from_truth: np.ndarray
    converged: np.ndarray
    steps: np.ndarray
    seconds: float
    guess_seconds: float
    worst: list[dict[str, Any]]


def fit(model: Model, batch: recovery.Batch, starts: np.ndarray) -> mvopt.Fit:
    """All problems in one call."""
    in_axes = (0, 0, 0, None, 0)
    found = mvopt.curve_fit(model, batch.x, batch.y, starts, mask=batch.mask, in_axes=in_axes)
    return jax.block_until_ready(found)


def sums_of_squares(model: Model, batch: recovery.Batch, params: Any) -> np.ndarray:
    """Sums (N,) over the points in use."""

    def one(x: jax.Array, y: jax.Array, mask: jax.Array, params: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(mask, model(x, params) - y, 0) ** 2)

    return np.asarray(jax.jit(jax.vmap(one))(batch.x, batch.y, batch.mask, params))


def measure(model: Model, config: dict[str, Any]) -> Found:
    """`config` is described in configs/bench/recovery.toml."""
    rng = np.random.default_rng([config["seed"], zlib.crc32(model.name.encode())])
    problems = [recovery.make(model, rng, config["noise"]) for _ in range(config["problems"])]
    batch = recovery.padded(problems)
    guess = jax.jit(jax.vmap(model.guess))
    # Made apart, for the same program then fits from the guess and from the truth.
    guesses = np.asarray(guess(batch.x, batch.y, batch.mask))
    from_truth = fit(model, batch, batch.truth)
    seconds, ours = timed(lambda: fit(model, batch, guesses))

    own = sums_of_squares(model, batch, ours.params)
    true = sums_of_squares(model, batch, from_truth.params)
    own, true = np.where(np.isfinite(own), own, np.inf), np.where(np.isfinite(true), true, np.inf)
    best = np.minimum(own, true)
    for index in range(min(config["judged"], len(problems))):
        _, cost = recovery.fit_by_scipy(model, problems[index], problems[index].truth)
        best[index] = min(best[index], cost)

    # A fit without any noise ends at the rounding errors of its data.
    rounding = np.nansum((1e-13 * batch.y) ** 2, axis=1)
    limit = (1 + config["tolerance"]) * best + rounding
    missed = np.flatnonzero(~(own <= limit))
    worst = [
        {
            "model": model.name,
            "problem": int(index),
            "excess": float(own[index] / best[index] - 1),
            "status": mvopt.Status(int(ours.status[index])).name,
            "truth": batch.truth[index].tolist(),
            "guess": guesses[index].tolist(),
        }
        for index in missed
    ]
    return Found(
        own <= limit,
        true <= limit,
        np.asarray(ours.status) == mvopt.Status.CONVERGED,
        np.asarray(ours.num_steps),
        seconds,
        timed(lambda: jax.block_until_ready(guess(batch.x, batch.y, batch.mask)))[0],
        worst,
    )


def chosen(names: Sequence[str] | None) -> list[Model]:
    """The models of these names, or all; ValueError where one is unknown."""
    unknown = [name for name in names or () if name not in NAMED]
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}")
    return [NAMED[name] for name in names or NAMED if name in DRAWS]


def run(config: dict[str, Any], only: Sequence[str]) -> Report:  # noqa: ARG001 (no peers here)
    """Every model with draws, in float64."""
    report, rows, failures = Report("recovery", config), [], []
    with precision("float64"):
        for model in chosen(config.get("models")):
            found = measure(model, config)
            jax.clear_caches()  # a hundred models' programs need too many memory maps
            count = len(found.reached)
            reached = 100 * float(np.mean(found.reached))
            report.add(f"{model.name}.reached", reached, "%", "higher", f"of {count} problems")
            rows.append(
                (
                    model.name,
                    reached,
                    100 * float(np.mean(found.reached_from_truth)),
                    100 * float(np.mean(found.converged)),
                    float(np.median(found.steps)),
                    1e6 * found.seconds / count,
                    1e6 * found.guess_seconds / count,
                )
            )
            failures += found.worst
    report.tables.append(Table("Fits from the guess", COLUMNS, rows))
    report.add("lowest", min(row[1] for row in rows), "%", "higher", "reached, of all models")
    report.add("all", float(np.mean([row[1] for row in rows])), "%", "higher", "mean of the models")
    report.details["failures"] = failures
    report.outcomes["mvopt"] = "measured"
    return report
