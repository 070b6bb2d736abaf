"""Batches on a GPU: a thread for each problem beside the loop over lanes, and both against size."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.problems import decays, gauss1d
from benchmarks.report import Report, Table
from benchmarks.timing import Method, Timing, interleave, timed
from benchmarks.workloads.precision import precision
from mvopt.iteration import blocks, work

RATES = ("problem", "dtype", "fits", "how", "fits/s", "ms", "compile s", "converged, %", "steps")
APART = ("problem", "dtype", "same status, %", "half below", "99 % below", "largest")
SIZES = ("fits", "kernel, fits/s", "lanes, fits/s")
WIDTHS = ("threads of a block", "fits/s")
LANES = ("lanes", "fits/s")


class Problem(NamedTuple):
    """Data of N problems, and the call that solves them.

    Each has a function of its own: JAX would run what it has compiled for the same one.
    """

    arrays: tuple[Any, ...]
    solve: Callable[..., Any]


def peaks(size: int, seed: int, dtype: str) -> Problem:
    """Gaussians with an offset, 25 points each."""
    data = gauss1d.make(size, seed)
    arrays = tuple(np.asarray(array, dtype) for array in (data.x, data.y, data.p0))
    model = lambda x, p: mvopt.models.gaussian_offset(x, p)
    return Problem(arrays, lambda *a: mvopt.curve_fit(model, *a, in_axes=(None, 0, 0)))


def two_decays(size: int, seed: int, dtype: str) -> Problem:
    """Sums of two decays, 40 points each, from one start: many are badly conditioned."""
    rng, x = np.random.default_rng(seed), np.linspace(0, 5, 40)
    true = rng.uniform([1, 0.3, 1, 1], [3, 0.6, 3, 3], (size, 4))
    y = true[:, :1] * np.exp(-true[:, 1:2] * x) + true[:, 2:3] * np.exp(-true[:, 3:] * x)
    y += 0.01 * rng.standard_normal(y.shape)
    start = np.tile([1.0, 0.3, 1.0, 2.0], (size, 1))
    arrays = tuple(array.astype(dtype) for array in (x, y, start))
    model = lambda x, p: p[0] * jnp.exp(-p[1] * x) + p[2] * jnp.exp(-p[3] * x)
    return Problem(arrays, lambda *a: mvopt.curve_fit(model, *a, in_axes=(None, 0, 0)))


def counts(size: int, seed: int, dtype: str) -> Problem:
    """Likelihoods of 20 counts each, minimised by BFGS."""
    data = decays.make(size, seed, dtype)
    objective = lambda params, counts: decays.objective(params, counts)

    def solve(starts: Any, counts: Any) -> Any:
        return mvopt.minimize(objective, starts, args=(counts,), in_axes=0, solver=mvopt.BFGS())

    return Problem((data.starts, data.counts), solve)


PROBLEMS = {"peaks": peaks, "two decays": two_decays, "counts": counts}


@contextmanager
def kernels(used: bool) -> Iterator[list[Any]]:
    """With or without kernels; the plans that were made."""
    from mvopt.iteration.registers import kernel

    before, plan_of, plans = work.kernels, kernel.plan_of, []

    def recorded(*args: Any) -> Any:
        plans.append(plan_of(*args))
        return plans[-1]

    kernel.plan_of = recorded
    work.kernels = before if used else lambda: None
    try:
        yield plans
    finally:
        kernel.plan_of, work.kernels = plan_of, before


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """`config` is described in configs/bench/accelerator.toml."""
    del only
    report = Report("accelerator", config)
    if work.kernels() is None:
        report.outcomes["mvopt"] = "failed: there is no GPU, or this JAX has no kernels for it"
        return report
    rates = Table("Fits per second", RATES, [])
    apart = Table("The kernel beside the lanes, in standard errors, or in 1 + |value|", APART, [])
    report.tables += [rates, apart]
    for name in config["problems"]:
        for dtype in config["dtypes"]:
            with precision(dtype):
                add_problem(report, rates, apart, name, dtype, config)
    with precision("float32"):
        add_sizes(report, config)
        add_widths(report, config)
    report.outcomes["mvopt"] = "measured"
    return report


def called(problem: Problem, arrays: Any, used: bool, host: bool) -> Any:
    with kernels(used):
        result = jax.block_until_ready(problem.solve(*arrays))
    return jax.tree.map(np.asarray, result) if host else result


def add_problem(
    report: Report, rates: Table, apart: Table, name: str, dtype: str, config: dict[str, Any]
) -> None:
    size = config["fits"]
    problems = [PROBLEMS[name](size, config["seed"], dtype) for _ in range(2)]
    resident = tuple(jnp.asarray(array) for array in problems[0].arrays)
    ways = {
        "kernel": (problems[0], resident, True, False),
        "lanes": (problems[1], resident, False, False),
        "kernel, from host to host": (problems[0], problems[0].arrays, True, True),
    }
    methods = [Method(way, partial(called, *how), size) for way, how in ways.items()]
    measured = interleave(methods, config["repetitions"])
    report.outcomes.update(
        {f"{name} {dtype} {way}": f"failed: {why}" for way, why in measured.failures.items()}
    )
    key = f"{name.replace(' ', '_')}.{dtype}"
    for way, timing in measured.timings.items():
        found = measured.results[way]
        status, steps = np.asarray(found.status), np.asarray(found.num_steps)
        converged = 100 * float(np.mean(status == mvopt.Status.CONVERGED))
        row = (name, dtype, size, way, size / timing.best, 1e3 * timing.best)
        rates.rows.append((*row, timing.compile, converged, float(np.mean(steps))))
        label = way.split(",")[0] + (".host" if "host" in way else "")
        report.add(f"{key}.{label}.rate", size / timing.best, "fits/s", "higher")
        report.add(f"{key}.{label}.compile", timing.compile, "s", "lower")
        report.add(f"{key}.{label}.converged", converged, "%", "higher")
    if {"kernel", "lanes"} <= measured.timings.keys():
        fast, slow = measured.timings["kernel"], measured.timings["lanes"]
        report.add(f"{key}.ratio", slow.best / fast.best, "×", "higher", "kernel over lanes")
        add_distance(report, apart, key, measured.results, (name, dtype))
        add_share(report, key, problems[0], resident, fast, config)


def add_distance(report: Report, apart: Table, key: str, results: Any, labels: Any) -> None:
    """How far the two are apart where both converged."""
    a, b = results["kernel"], results["lanes"]
    same = np.asarray(a.status) == np.asarray(b.status)
    params = [np.asarray(each.params, float) for each in (a, b)]
    errors = np.asarray(a.stderr, float) if hasattr(a, "stderr") else 1 + np.abs(params[1])
    well = same & (np.asarray(a.status) == mvopt.Status.CONVERGED)
    distance = (np.abs(params[0] - params[1]) / errors)[well].max(axis=1)
    half, most = np.quantile(distance, [0.5, 0.99])
    apart.rows.append((*labels, 100 * float(same.mean()), half, most, float(distance.max())))
    report.add(f"{key}.same", 100 * float(same.mean()), "%", "higher", "the status of the lanes")
    report.add(f"{key}.apart", float(most), "", "lower", "99 % of the fits are less apart")


def add_share(
    report: Report, key: str, problem: Problem, arrays: Any, fast: Timing, config: dict[str, Any]
) -> None:
    """Operations on single numbers that the steps took, in a second and as a share of the peak."""
    jax.clear_caches()
    with kernels(True) as plans:
        found = problem.solve(*arrays)
    (plan,) = plans
    if plan is None:
        return
    steps = float(np.sum(np.asarray(found.num_steps), dtype=np.int64))
    rate = steps * operations(plan) / fast.best
    report.add(f"{key}.operations", operations(plan), "a step", "neither", "rare branches apart")
    report.add(f"{key}.operations.rate", rate / 1e12, "10¹²/s", "higher", "in the whole call")
    peak = config["peak"][str(arrays[0].dtype)]
    report.add(f"{key}.operations.share", 100 * rate / (1e12 * peak), "%", "higher", "of the peak")


def operations(plan: Any) -> int:
    """Operations of a round of one problem, those in loops as often as they are done."""
    from mvopt.iteration.registers.emit import reachable

    nodes = reachable(plan.round, rare=False)
    return sum(
        prod(counter.payload[0] for counter in node.scopes)
        for node in nodes
        if node.kind in ("operation", "sum")
    )


def rate(size: int, seed: int, used: bool, repetitions: int) -> float:
    problem = peaks(size, seed, "float32")
    arrays = tuple(jnp.asarray(array) for array in problem.arrays)
    jax.clear_caches()
    call = partial(called, problem, arrays, used, False)
    call()
    return size / min(timed(call)[0] for _ in range(repetitions))


def add_sizes(report: Report, config: dict[str, Any]) -> None:
    rows = []
    for size in config["sizes"]:
        both = [rate(size, config["seed"], used, config["repetitions"]) for used in (True, False)]
        rows.append((size, *both))
        for how, each in zip(("kernel", "lanes"), both, strict=True):
            report.add(f"size.{size}.{how}", each, "fits/s", "higher", "peaks, float32")
    report.tables.append(Table("Against the number of fits: peaks, float32", SIZES, rows))


def add_widths(report: Report, config: dict[str, Any]) -> None:
    """The rate against the threads of a block of the kernel, and against the number of lanes."""
    from mvopt.iteration.registers import kernel

    def swept(module: Any, name: str, values: Sequence[int], used: bool) -> list[tuple[int, float]]:
        before, rows = getattr(module, name), []
        for value in values:
            setattr(module, name, value)
            rows.append((value, rate(config["fits"], config["seed"], used, config["repetitions"])))
        setattr(module, name, before)
        return rows

    for title, columns, how in (
        ("Against the threads of a block", WIDTHS, (kernel, "_LANES", config["threads"], True)),
        ("Against the lanes", LANES, (blocks, "_LANES_ON_DEVICE", config["lanes"], False)),
    ):
        rows = swept(*how)
        report.tables.append(Table(title, columns, rows))
        for value, each in rows:
            report.add(f"{columns[0].split()[0]}.{value}", each, "fits/s", "higher")
