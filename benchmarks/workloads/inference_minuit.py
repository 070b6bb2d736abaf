"""Likelihoods, priors, profile intervals and contours beside MINUIT (James and Roos 1975)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import iminuit
import numpy as np
from iminuit.cost import LeastSquares, NormalConstraint
from scipy.interpolate import CubicSpline
from scipy.stats import chi2, norm

import mvopt
from benchmarks.workloads import inference_data as data
from benchmarks.workloads.inference_rows import Row

LEVEL = 0.6826894921370859  # one standard deviation, as MINOS has it
OF_STDERR = 1e-3
POISSON = (40.0, 1.5, 5.0)


class Case(NamedTuple):
    """A fit of ours, and the function that MINUIT minimises: χ², or twice −log of a likelihood."""

    name: str
    regression: mvopt.Regression
    fit: mvopt.Fit
    cost: Callable[..., float]
    limits: tuple[Any, ...]


def rows() -> list[Row]:
    return [*counts(), *priors(), *minos(), *contour()]


def minuit(cost: Callable[..., float], start: Any, limits: Any = None) -> iminuit.Minuit:
    """At the minimum, as exactly as its differences allow."""
    found = iminuit.Minuit(cost, *np.asarray(start, float))
    if not hasattr(cost, "errordef"):
        found.errordef = 1
    found.strategy = 2
    found.tol = 1e-4
    for index, limit in enumerate(limits or ()):
        found.limits[index] = limit
    for _ in range(3):
        found.migrad()
    return found


def poisson_data() -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(0, 5, 30)
    rng = np.random.default_rng(6)
    return x, rng.poisson(data.decay(x, POISSON, np)).astype(float)


def deviance(*params: float) -> float:
    """Of the counts with a decay as their mean."""
    x, y = poisson_data()
    mean = data.decay(x, params, np)
    logs = y * np.log(np.where(y > 0, y, 1) / mean)
    return float(2 * np.sum(mean - y + logs))


def counts() -> list[Row]:
    """The errors are those of the expected information, MINUIT's of the observed one."""
    x, y = poisson_data()
    ours = mvopt.curve_fit(data.decay, x, y, np.array(POISSON), loss="poisson")
    theirs = minuit(deviance, POISSON)
    params = np.asarray(ours.params)
    slopes, mean = data.jacobian(data.decay, x, params), data.decay(x, params, np)
    errors = np.sqrt(np.diag(np.linalg.inv(slopes.T @ (slopes / mean[:, None]))))
    return [
        Row("Poisson, nonlinear, params", "iminuit", params, theirs.values, 1e-6),
        Row("Poisson, nonlinear, deviance", "iminuit", ours.chi2, theirs.fval, 1e-9),
        Row("Poisson, nonlinear, stderr", "formula", ours.stderr, errors, 1e-7),
    ]


def priors() -> list[Row]:
    """Gaussian priors; on a linear model MINUIT's errors are ours."""
    found = []
    for name, made, means, deviations in (
        ("linear", data.a_parabola(), (1.2, 0.0, -0.2), (0.1, np.inf, 0.05)),
        ("nonlinear", data.a_decay(), (0.0, 1.3, 0.6), (np.inf, 0.1, 0.1)),
    ):
        ours = mvopt.curve_fit(
            made.curve,
            made.x,
            made.y,
            made.truth,
            made.sigma,
            prior=(np.array(means), np.array(deviations)),
            absolute_sigma=True,
        )

        cost = with_letters(made)
        for letter, mean, deviation in zip("abc", means, deviations, strict=True):
            if np.isfinite(deviation):
                cost = cost + NormalConstraint(letter, mean, deviation)
        theirs = minuit(cost, made.truth)
        found.append(Row(f"prior, {name}, params", "iminuit", ours.params, theirs.values, 1e-6))
        if name == "linear":
            found.append(Row("prior, linear, stderr", "iminuit", ours.stderr, theirs.errors, 1e-6))
    return found


def with_letters(made: data.Sample) -> Any:
    """χ² of three parameters that have names, as constraints need them."""
    return LeastSquares(made.x, made.y, made.sigma, lambda x, a, b, c: made.curve(x, (a, b, c), np))


def cases() -> list[Case]:
    """Five problems, one with a bound that is nearer than the end, one of counts."""
    decay = data.a_decay()
    peak = data.sample(data.peak, (2.0, 1.0, 0.8, 0.3), (-3, 4), 30, 0.2, 7)
    enzyme = data.sample(data.saturation, (2.0, 0.7), (0.1, 4), 12, 0.12, 8)
    growth = data.sample(data.logistic, (4.0, 2.0, 0.6), (0, 5), 15, 0.25, 9)
    offset = (np.array([-np.inf, -np.inf, 0.42]), np.full(3, np.inf))
    found = [
        case("decay", decay),
        case("peak", peak),
        case("saturation", enzyme),
        case("logistic", growth),
        case("decay, offset ≥ 0.42", decay, offset),
    ]
    x, y = poisson_data()
    regression = mvopt.Regression(data.decay, x, y, np.array(POISSON), loss="poisson")
    return [*found, Case("Poisson decay", regression, regression.fit(), deviance, ())]


def case(name: str, made: data.Sample, bounds: Any = None) -> Case:
    regression = mvopt.Regression(
        made.curve, made.x, made.y, made.truth, made.sigma, bounds=bounds, absolute_sigma=True
    )
    limits = () if bounds is None else tuple(zip(*bounds, strict=True))
    return Case(name, regression, regression.fit(), lambda *params: made.chi2(params), limits)


def minos() -> list[Row]:
    """Ends of one standard deviation and of 95 %."""
    found = []
    for each in cases():
        theirs = minuit(each.cost, each.fit.params, each.limits)
        for level in (LEVEL, 0.95):
            ours = each.regression.intervals(each.fit, level)
            # One number is the rise of χ² in standard deviations, whatever they are called.
            theirs.errordef = norm.ppf(0.5 + level / 2) ** 2
            theirs.minos()
            errors = theirs.merrors.values()
            ends = np.array([(e.lower, e.upper) for e in errors]).T + np.array(theirs.values)
            theirs.errordef = 1
            title = f"profile intervals {100 * level:.4g} %, {each.name}, in stderr"
            ours = np.stack([ours.lower, ours.upper])
            found.append(Row(title, "iminuit", ours, ends, OF_STDERR, each.fit.stderr))
    return found


def contour() -> list[Row]:
    """At MINUIT's angles, from our points by a periodic spline; as distances in the ellipse."""
    each = cases()[0]
    points, _ = each.regression.contour(each.fit, (0, 1), LEVEL, num=128)
    theirs = minuit(each.cost, each.fit.params)
    theirs = theirs.mncontour(0, 1, cl=LEVEL, size=32)[:-1]
    root = np.linalg.cholesky(np.asarray(each.fit.covariance)[:2, :2])
    best = np.asarray(each.fit.params)[:2]
    angles, distances = polar(np.asarray(points), best, root)
    angles, first = np.concatenate([angles, angles[:1] + 2 * np.pi]), distances[:1]
    curve = CubicSpline(angles, np.concatenate([distances, first]), bc_type="periodic")
    wanted, radii = polar(theirs, best, root)
    # One standard deviation of one parameter.
    unit = np.sqrt(chi2.ppf(LEVEL, 1))
    return [Row("contour 68.27 %, in stderr", "iminuit", curve(wanted), radii, OF_STDERR, unit)]


def polar(points: np.ndarray, best: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles, rising from the first point's, and distances where the ellipse is a circle."""
    round_ = np.linalg.solve(root, (points - best).T)
    angles = np.arctan2(round_[1], round_[0])
    return np.mod(angles + 1e-12, 2 * np.pi), np.hypot(*round_)
