"""How often intervals hold the truth, of many simulated data sets.

A fit that did not converge counts as a miss. Beside each share stands its deviation from the
confidence level, in standard deviations that a share of so many data sets has by chance.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.stats

import mvopt
from benchmarks.report import Report, Table
from benchmarks.workloads.inference_data import decay

LEVELS = (0.6826894921370859, 0.95)
TRUTH = np.array([3.0, 1.5, 0.5])
NOISE = 0.1
NAMES = ("amplitude", "decay", "offset")
# Where bands are asked for: near the ends of the data, between them, and beyond.
PLACES = np.array([0.1, 2.0, 7.0])


class Held(NamedTuple):
    """Shares (k,) of `count` data sets whose intervals held the truth."""

    setting: str
    kind: str
    level: float
    shares: np.ndarray
    count: int

    @property
    def chance(self) -> float:
        """Standard deviation of a share if the level is right."""
        return float(np.sqrt(self.level * (1 - self.level) / self.count))

    @property
    def off(self) -> float:
        """The largest deviation from the level, in percentage points."""
        return 100 * float(np.max(np.abs(self.shares - self.level)))

    def cells(self) -> tuple[str, ...]:
        shares = [
            f"{100 * share:.2f} ({(share - self.level) / self.chance:+.1f})"
            for share in self.shares
        ]
        level, chance = f"{100 * self.level:.2f}", f"{100 * self.chance:.2f}"
        return self.setting, self.kind, level, *shares, chance


def held(
    setting: str, kind: str, level: float, ends: tuple[Any, Any], truth: Any, good: Any
) -> Held:
    """ends: lower and upper, each (N, k). truth: (k,) or (N, k). good: (N,) or (N, k) bool."""
    lower, upper = (np.asarray(end) for end in ends)
    good = np.asarray(good).reshape(len(lower), -1)
    inside = (lower <= truth) & (truth <= upper) & good
    return Held(setting, kind, level, inside.mean(axis=0), len(lower))


def converged(fit: mvopt.Fit) -> np.ndarray:
    return np.asarray(fit.status) == mvopt.Status.CONVERGED


def decays(rng: np.random.Generator, count: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """x (points,), and y (count, points) with normal errors."""
    x = np.linspace(0, 5, points)
    return x, decay(x, TRUTH, np) + rng.normal(0, NOISE, (count, points))


def regression(x: np.ndarray, y: np.ndarray, known: bool, **options: Any) -> mvopt.Regression:
    """Fits from the truth; the standard deviations are given where the scale is known."""
    sigma = np.full(x.size, NOISE) if known else None
    return mvopt.Regression(
        decay, x, y, TRUTH, sigma, absolute_sigma=known, in_axes=(None, 0), **options
    )


def of_params(setting: str, asked: mvopt.Regression, fit: mvopt.Fit, truth: Any) -> list[Held]:
    """t-intervals, and those of the profile."""
    good, found = converged(fit), []
    for level in LEVELS:
        found.append(held(setting, "t", level, fit.intervals(level), truth, good))
    for level in LEVELS:
        profile = asked.intervals(fit, level)
        ends = profile.lower, profile.upper
        found.append(held(setting, "profile", level, ends, truth, good))
    return found


def of_curve(
    setting: str, asked: mvopt.Regression, fit: mvopt.Fit, rng: np.random.Generator, known: bool
) -> list[Held]:
    """Confidence bands, and prediction bands with a further measurement at each place."""
    good, found = converged(fit), []
    clean = decay(PLACES, TRUTH, np)
    further = clean + rng.normal(0, NOISE, (len(good), PLACES.size))
    for kind, truth in (("confidence", clean), ("prediction", further)):
        sigma = NOISE if known and kind == "prediction" else None
        for level in LEVELS:
            band = asked.band(fit, PLACES, level, kind=kind, sigma=sigma)
            ends = band.lower, band.upper
            found.append(held(setting, kind, level, ends, truth, good))
    return found


def of_resamples(points: int, count: int, num: int, rng: np.random.Generator) -> list[Held]:
    """Percentiles, and Student's t with the standard error of the resamples."""
    x, y = decays(rng, count, points)
    asked = regression(x, y, known=False)
    fit = asked.fit()
    quantile = {level: scipy.stats.t.ppf(0.5 + level / 2, points - 3) for level in LEVELS}
    found = []
    for kind in ("residual", "parametric"):
        drawn = asked.bootstrap(fit, jax.random.key(21), num, kind=kind)
        for level in LEVELS:
            reach = quantile[level] * np.asarray(drawn.stderr())
            ends = np.asarray(fit.params) - reach, np.asarray(fit.params) + reach
            setting, good = f"n = {points}, B = {num}", converged(fit)
            found += [
                held(setting, f"{kind} percentile", level, drawn.intervals(level), TRUTH, good),
                held(setting, f"{kind} stderr", level, ends, TRUTH, good),
            ]
    return found


def of_counts(points: int, count: int, rng: np.random.Generator) -> list[Held]:
    """A Poisson likelihood with means from 60 to 6."""
    truth, x = np.array([55.0, 1.5, 5.0]), np.linspace(0, 5, points)
    counts = rng.poisson(decay(x, truth, np), (count, points)).astype(float)
    asked = mvopt.Regression(decay, x, counts, truth, loss="poisson", in_axes=(None, 0))
    return of_params(f"Poisson, n = {points}", asked, asked.fit(), truth)


def of_outliers(points: int, count: int, rng: np.random.Generator) -> list[Held]:
    """A tenth of the points with errors five times as large; least squares beside Huber's loss."""
    x, _ = decays(rng, 1, points)
    spread = np.where(rng.uniform(size=(count, points)) < 0.1, 5 * NOISE, NOISE)
    y = decay(x, TRUTH, np) + spread * rng.normal(size=spread.shape)
    found = []
    for loss in ("huber", "linear"):
        fit = regression(x, y, known=False, loss=loss).fit()
        setting = f"outliers, n = {points}, {loss}"
        for level in LEVELS:
            found.append(held(setting, "t", level, fit.intervals(level), TRUTH, converged(fit)))
    return found


def uniform(fit: mvopt.Fit) -> tuple[float, float, float]:
    """Kolmogorov's distance of the p-values from a uniform law, its p-value, and their mean."""
    values = np.asarray(fit.p_value)[converged(fit)]
    test = scipy.stats.kstest(values, "uniform")
    return float(test.statistic), float(test.pvalue), float(values.mean())


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:  # noqa: ARG001
    """`points` data points, `count` data sets each; the others as the configuration says."""
    rng = np.random.default_rng(config["seed"])
    params: list[Held] = []
    curves: list[Held] = []
    laws, failures = [], {}
    for points in config["points"]:
        x, y = decays(rng, config["count"], points)
        for known in (True, False):
            setting = f"n = {points}, scale {'known' if known else 'unknown'}"
            asked = regression(x, y, known)
            fit = asked.fit()
            failures[setting] = int(np.sum(~converged(fit)))
            params += of_params(setting, asked, fit, TRUTH)
            curves += of_curve(setting, asked, fit, rng, known)
            if known:
                laws.append((f"χ², n = {points}", *uniform(fit)))
    n = config["other_points"]
    params += of_counts(n, config["count"], rng)
    params += of_outliers(n, config["outlier_count"], rng)
    params += of_resamples(n, config["resampled"], config["resamples"], rng)
    laws.append((f"Poisson deviance, n = {n}", *uniform(many_counts(n, config["count"], rng))))
    show(report, params, curves, laws)
    report.details["coverage.not_converged"] = failures
    report.outcomes["coverage"] = "measured"


def many_counts(points: int, count: int, rng: np.random.Generator) -> mvopt.Fit:
    """Of means between 1,000 and 10,000, where the deviance has the law of χ²."""
    truth, x = np.array([9000.0, 1.5, 1000.0]), np.linspace(0, 5, points)
    counts = rng.poisson(decay(x, truth, np), (count, points)).astype(float)
    return mvopt.curve_fit(decay, x, counts, truth, loss="poisson", in_axes=(None, 0))


def show(
    report: Report, params: list[Held], curves: list[Held], laws: list[tuple[Any, ...]]
) -> None:
    """Tables of all, and as metrics the worst deviation of each kind."""
    head, last = ("data", "kind", "level, %"), "by chance, %"
    places = tuple(f"x = {place:g}" for place in PLACES)
    for title, names, rows in (
        ("Coverage of parameters, % (deviations by chance)", NAMES, params),
        ("Coverage of bands, % (deviations by chance)", places, curves),
    ):
        report.tables.append(Table(title, (*head, *names, last), [row.cells() for row in rows]))
        for row in rows:
            name = f"{row.setting}, {row.kind}, {100 * row.level:.0f} %"
            note = f"by chance {100 * row.chance:.2g}"
            report.add(f"coverage: {name}", row.off, "% points off", "lower", note)
    columns = ("p-values of the true model", "distance", "p-value of uniform", "mean")
    report.tables.append(Table("Kolmogorov and Smirnov", columns, laws))
    for name, _, chance, _ in laws:
        report.add(f"uniform: {name}", chance, "p-value", "higher")
