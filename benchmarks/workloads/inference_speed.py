"""Profile intervals of many data sets beside lmfit's, and global fits of growing size."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

import mvopt
from benchmarks import peers
from benchmarks.report import Report, Table
from benchmarks.timing import timed
from benchmarks.workloads.inference_data import decay, decay_and_peak

TRUTH = np.array([3.0, 1.5, 0.5])


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """`profiles` and `shared` of the configuration, as far as it has them."""
    if "profiles" in config:
        profiles(report, config["profiles"], only)
    if "shared" in config:
        shared(report, config["shared"])


def warm(run: Any, repetitions: int) -> tuple[float, float, Any]:
    """Seconds of the first call and of the best later one, and what that returned."""
    first, found = timed(run)
    later = []
    for _ in range(repetitions):
        seconds, found = timed(run)
        later.append(seconds)
    return first, min(later), found


def profiles(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """95 % intervals of a decay with an unknown scale, the fits themselves not counted."""
    rng = np.random.default_rng(config["seed"])
    count, x = config["count"], np.linspace(0, 5, config["points"])
    y = decay(x, TRUTH, np) + rng.normal(0, 0.15, (count, x.size))
    asked = mvopt.Regression(decay, x, y, TRUTH, in_axes=(None, 0))
    fit = asked.fit()
    run = lambda: jax.block_until_ready(asked.intervals(fit, 0.95))
    first, seconds, ours = warm(run, config["repetitions"])
    each = seconds / count
    report.add("profiles.compile", first - seconds, "s", "lower", "the first call less a warm one")
    report.add("profiles.seconds", seconds, "s", "lower", f"{count:,} data sets, warm")
    good = np.asarray(ours.status) == mvopt.Status.CONVERGED
    report.add("profiles.converged", 100 * good.mean(), "% of ends", "higher")
    report.outcomes["speed.mvopt"] = "measured"
    if "lmfit" not in only or not peers.available("lmfit"):
        report.outcomes["speed.lmfit"] = "skipped: not asked for or not installed"
        return
    try:
        theirs_each, ends = by_lmfit(x, y[: config["sample"]], np.asarray(fit.params))
    except peers.ERRORS as error:
        report.outcomes["speed.lmfit"] = f"failed: {peers.first_line(error)}"
        return
    some = slice(len(ends))
    both = np.stack([ours.lower, ours.upper], axis=1)[some]
    apart = np.abs(both - ends) / np.asarray(fit.stderr)[some, None]
    report.add("profiles.gain", theirs_each / each, "ratio", "higher", "lmfit's time over ours")
    note = f"largest of {len(ends)} data sets beside lmfit's"
    report.add("profiles.apart", apart.max(), "stderr", "lower", note)
    rows = [("mvopt", count, 1e3 * each), ("lmfit", len(ends), 1e3 * theirs_each)]
    report.tables.append(Table("Profile intervals", ("method", "data sets", "ms each"), rows))
    report.outcomes["speed.lmfit"] = "measured"


def by_lmfit(x: np.ndarray, ys: np.ndarray, best: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds for each data set, and ends (N, 2, 3)."""
    import lmfit

    def residual(params: Any, y: np.ndarray) -> np.ndarray:
        return decay(x, [params[key].value for key in "abc"], np) - y

    asked = []
    for y, start in zip(ys, best, strict=False):
        params = lmfit.create_params(**dict(zip("abc", start, strict=True)))
        minimizer = lmfit.Minimizer(residual, params, fcn_args=(y,))
        asked.append((minimizer, minimizer.minimize()))
    run = lambda: [lmfit.conf_interval(*each, sigmas=[0.95]) for each in asked]
    seconds, found = timed(run)
    ends = [[[each[key][side][1] for key in "abc"] for side in (0, 2)] for each in found]
    return seconds / len(asked), np.array(ends)


def shared(report: Report, config: dict[str, Any]) -> None:
    """Two parameters in common, two for each data set."""
    rng, x = np.random.default_rng(config["seed"]), np.linspace(0, 5, 25)
    sizes, rows = config["sizes"], []
    own = rng.uniform((1.0, 0.5), (3.0, 2.0), (max(sizes), 2))
    clean = np.stack([decay_and_peak(x, (a, 1.3, c, 3.0), np) for a, c in own])
    y = clean + rng.normal(0, 0.05, clean.shape)
    start = np.array([1.0, 1.0, 1.0, 2.7])
    for size in sizes:
        asked = mvopt.Regression(decay_and_peak, x, y[:size], start, in_axes=(None, 0))
        run = lambda asked=asked: jax.block_until_ready(asked.fit_shared([1, 3]))
        first, seconds, fit = warm(run, config["repetitions"])
        offs = np.abs(np.asarray(fit.params[0])[[1, 3]] - (1.3, 3.0))
        off = offs / np.asarray(fit.stderr[0])[[1, 3]]
        status = mvopt.Status(int(fit.status[0])).name
        rows.append(
            (size, 1e3 * seconds, first - seconds, int(fit.num_steps[0]), off.max(), status)
        )
    columns = ("data sets", "ms warm", "compile s", "steps", "off the truth, stderr", "status")
    report.tables.append(Table("Global fits, two parameters shared of four", columns, rows))
    logs = np.log([row[:2] for row in rows])
    slope = np.polyfit(logs[:, 0], logs[:, 1], 1)[0]
    note = f"time ~ data sets^value, {sizes[0]} to {sizes[-1]}"
    report.add("shared.exponent", slope, "power", "lower", note)
    last = np.polyfit(logs[-2:, 0], logs[-2:, 1], 1)[0]
    report.add("shared.last_exponent", last, "power", "lower", "between the two largest")
