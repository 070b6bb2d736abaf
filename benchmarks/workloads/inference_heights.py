"""A first course's fits: a histogram of heights by steepest descent, and a straight line."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.stats

import mvopt
from benchmarks.report import Report, Table
from benchmarks.workloads.inference_data import parabola

START = np.array([155.0, 6.0])
NEARER = np.array([170.0, 6.0])


def histogram(config: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, float]:
    """Centres of the bins in cm, their counts, and their width."""
    rng = np.random.default_rng(config["seed"])
    heights = rng.normal(178.0, 7.0, config["people"])
    counts, edges = np.histogram(heights, bins=config["bins"], range=(150.0, 206.0))
    return (edges[1:] + edges[:-1]) / 2, counts.astype(float), float(edges[1] - edges[0])


def bell(people: int, width: float) -> Any:
    """The expected counts: the density at the centre of a bin, times its width."""

    def expected(x: Any, p: Any) -> Any:
        z = (x - p[0]) / p[1]
        return people * width * jnp.exp(-0.5 * z * z) / (p[1] * np.sqrt(2 * np.pi))

    return expected


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:  # noqa: ARG001
    """Both ways to the heights, and the line beside SciPy's."""
    heights(report, config)
    line(report, config)
    report.outcomes["heights"] = "measured"


def heights(report: Report, config: dict[str, Any]) -> None:
    """χ² with one error for all bins, by steepest descent and by one call.

    With √counts as errors the empty bins weigh most, and the start lies in a valley that leads to
    an ever wider bell: SciPy is asked as well where that ends.
    """
    x, counts, width = histogram(config)
    model = bell(config["people"], width)
    equal = np.full(x.size, np.sqrt(config["people"] / x.size))
    roots = np.sqrt(np.maximum(counts, 1.0))

    def chi2(params: Any) -> Any:
        return jnp.sum(((model(x, params) - counts) / equal) ** 2)

    def fitted(sigma: np.ndarray, start: np.ndarray) -> mvopt.Fit:
        return mvopt.curve_fit(model, x, counts, start, sigma, absolute_sigma=True)

    steps = config["steps"]
    searched = mvopt.minimize(chi2, START, solver=mvopt.GradientDescent(), max_steps=steps)
    walked = walk(mvopt.gradient(chi2), config["step_size"], steps)
    fit = fitted(equal, START)
    rows = [
        ("equal errors, GradientDescent()", *ends(searched.params), float(searched.value)),
        (f"equal errors, {steps:,} plain steps", *ends(walked), float(chi2(walked))),
        ("equal errors, curve_fit", *ends(fit.params, fit.stderr), float(fit.chi2)),
    ]
    for start in (START, NEARER):
        found = fitted(roots, start)
        title = f"√counts, curve_fit from {start[0]:g}, {start[1]:g}"
        rows.append((title, *ends(found.params, found.stderr), float(found.chi2)))
    theirs, _ = scipy.optimize.curve_fit(lambda x, *p: model(x, p), x, counts, START, roots)
    wide = float(np.sum(((np.asarray(model(x, theirs)) - counts) / roots) ** 2))
    rows.append(("√counts, scipy from 155, 6", *ends(theirs), wide))
    columns = ("method", "μ, cm", "σ, cm", "± μ", "± σ", "χ²")
    report.tables.append(Table(f"Heights of {config['people']:,} people", columns, rows))
    note = f"{mvopt.Status(int(searched.status)).name} after {int(searched.num_steps)} steps"
    for name, params, said in (("descent", searched.params, note), ("steps", walked, "")):
        apart = np.max(np.abs(np.asarray(params) / np.asarray(fit.params) - 1))
        report.add(f"heights.{name}.apart", apart, "relative", "lower", said)
    off = np.abs(np.asarray(fit.params) - (178.0, 7.0)) / np.asarray(fit.stderr)
    report.add("heights.off", off.max(), "stderr", "neither", "from the truth")


def walk(slope: Any, step_size: float, steps: int) -> Any:
    """Against the gradient, again and again."""
    step = jax.jit(lambda params: params - step_size * slope(params))
    params = jnp.asarray(START)
    for _ in range(steps):
        params = step(params)
    return params


def ends(params: Any, errors: Any = ("", "")) -> tuple[Any, ...]:
    """Cells of a row."""
    return *map(float, params), *(error if error == "" else float(error) for error in errors)


def line(report: Report, config: dict[str, Any]) -> None:
    """Slope, intercept and their errors beside `scipy.stats.linregress`."""
    rng = np.random.default_rng(config["seed"] + 1)
    x = np.linspace(0, 10, 50)
    y = parabola(x, (1.5, 0.7, 0.0), np) + rng.normal(0, 0.4, x.size)
    theirs = scipy.stats.linregress(x, y)
    wanted = [theirs.intercept, theirs.slope, theirs.intercept_stderr, theirs.stderr]
    rows = []
    for name, fit in (
        ("curve_fit", mvopt.curve_fit(lambda x, p: p[0] + p[1] * x, x, y, [0.0, 0.0])),
        ("linear_fit", mvopt.linear_fit(np.vander(x, 2, increasing=True), y)),
    ):
        found = np.concatenate([fit.params, fit.stderr])
        apart = float(np.max(np.abs(found / wanted - 1)))
        rows.append((name, *map(float, found), f"{apart:.1e}"))
        report.add(f"line.{name}.apart", apart, "relative", "lower", "beside linregress")
    rows.append(("linregress", *map(float, wanted), ""))
    columns = ("method", "intercept", "slope", "± intercept", "± slope", "apart")
    report.tables.append(Table("A straight line", columns, rows))
