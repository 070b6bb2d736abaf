"""65,536 Gaussian fits in float32: speed and accuracy of every method on the same data."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

import mvopt
from benchmarks.figures import accuracy_against_time
from benchmarks.problems.gauss1d import Data, chi2, make, polish
from benchmarks.report import Report, Table, cores
from benchmarks.timing import Measured, Method, interleave
from benchmarks.workloads import bare, sizes
from benchmarks.workloads.collect import from_peers

OURS = "mvopt"
CLOSE = 1e-4  # a fit counts as accurate within this of the best χ², relative
COLUMNS = ("method", "fits", "fits/s", "median", "compile s", "within 1e-4 of best χ²", "how")


def fit(data: Data) -> mvopt.Fit:
    """Ours, by the public entry point with nothing set; finished when it returns."""
    model = mvopt.models.gaussian_offset
    result = mvopt.curve_fit(model, data.x, data.y, data.p0, in_axes=(None, 0, 0))
    return jax.block_until_ready(result)


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """The whole comparison; `config` is described in configs/bench/gauss1d.toml."""
    report = Report("gauss1d", config)
    data = make(config["fits"], config["seed"])
    options = config.get("peers", {})
    ours = Method(OURS, lambda: np.asarray(fit(data).params), config["fits"], "one call")
    asked = from_peers(
        [name for name in only if name in options],
        lambda name, module: module.gauss1d_methods(data, options[name], cores()),
        report.outcomes,
    )
    methods = [ours, *(method for group in asked.values() for method in group)]
    measured = interleave(methods, config["repetitions"])
    for method in methods:
        failure = measured.failures.get(method.name)
        report.outcomes[method.name] = f"failed: {failure}" if failure else "measured"
    finished = [method for method in methods if method.name in measured.timings]
    add_methods(report, data, finished, measured)
    if OURS in measured.timings:
        add_ratios(report, finished, measured)
        add_overhead(report, data, measured.timings[OURS].best, config)
        add_sizes(report, config)
    return report


def reference(data: Data, finished: Sequence[Method], measured: Measured) -> np.ndarray:
    """The best χ² (N,) that any method found, polished in float64 from every method's params."""
    best = np.full(len(data.y), np.inf)
    for method in finished:
        part = slice(0, method.fits)
        subset = Data(data.x, data.y[part], data.p0[part])
        params = measured.results[method.name]
        best[part] = np.minimum(best[part], chi2(subset, params))
        best[part] = np.minimum(best[part], polish(subset, params))
    return best


def add_methods(report: Report, data: Data, finished: Sequence[Method], measured: Measured) -> None:
    best = reference(data, finished, measured)
    rows, reached = [], {}
    for method in finished:
        part = slice(0, method.fits)
        found = chi2(Data(data.x, data.y[part], data.p0[part]), measured.results[method.name])
        close = 100.0 * float(np.mean(np.isfinite(found) & (found <= best[part] * (1 + CLOSE))))
        timing = measured.timings[method.name]
        rates = method.fits / timing.best, method.fits / timing.median
        name, extrapolated = method.name, method.fits < len(data.y)
        note = f"{method.note}; rate from {method.fits} fits" if extrapolated else method.note
        report.add(f"{name}.rate", rates[0], "fits/s", "higher", note)
        report.add(f"{name}.rate_median", rates[1], "fits/s", "higher", note)
        report.add(f"{name}.compile", timing.compile, "s", "lower")
        report.add(f"{name}.accurate", close, "%", "higher", "χ² within 1e-4 of the best found")
        share, reached[name] = f"{close:.3f} %", (1e6 / rates[0], close)
        rows.append((name, method.fits, *rates, timing.compile, share, note))
    report.tables.append(Table("Speed and accuracy", COLUMNS, rows))
    report.figures.append(accuracy_against_time("µs for a fit", "% of fits within 1e-4", reached))


def add_ratios(report: Report, finished: Sequence[Method], measured: Measured) -> None:
    """Ours over each method, and over the fastest method of SciPy and of Optimistix."""
    rate = {method.name: method.fits / measured.timings[method.name].best for method in finished}
    for name in rate:
        if name != OURS:
            report.add(f"ratio.{name}", rate[OURS] / rate[name], "×", "higher", f"ours over {name}")
    for peer in ("scipy", "optimistix"):
        same = [value for name, value in rate.items() if name.split("-")[0] == peer]
        if same:
            note = f"ours over the fastest of {peer}'s methods"
            report.add(f"ratio.{peer}.best", rate[OURS] / max(same), "×", "higher", note)


def add_overhead(report: Report, data: Data, seconds: float, config: dict[str, Any]) -> None:
    """Total time over steps needed × time of one bare evaluation, both on all cores."""
    steps = float(np.sum(np.asarray(fit(data).num_steps), dtype=np.int64))
    report.add("mvopt.steps", steps / len(data.y), "steps/fit", "lower")
    for name, kept in (("kept", True), ("overwritten", False)):
        found = bare.measure(data, config["bare_chunks"], kept, cores(), config["repetitions"])
        one = found.seconds / len(data.y)
        report.add(f"bare.{name}", 1e9 * one, "ns/fit", "neither", found.how)
        ratio = seconds / (steps * one)
        note = f"time over steps × a bare evaluation, its output {name}"
        report.add(f"overhead.{name}", ratio, "ratio", "lower", note)


def add_sizes(report: Report, config: dict[str, Any]) -> None:
    if not config.get("sizes"):
        return
    rows = sizes.sweep(fit, config["sizes"], config["seed"], config["repetitions"])
    sizes.add(report, rows)
