"""Bootstrap standard errors beside SciPy and a plain loop, within their Monte-Carlo errors."""

import jax
import numpy as np
import scipy.optimize
import scipy.stats

import mvopt
from benchmarks.workloads import inference_data as data
from benchmarks.workloads.inference_rows import Row

# Standard deviations of the difference of two estimates that a row may be off by.
_LIMIT = 4.0


def limit(*draws: int) -> float:
    """Of the relative difference of standard deviations from so many draws each."""
    return _LIMIT * float(np.sqrt(sum(1 / (2 * count) for count in draws)))


def rows(num: int, loop: int) -> list[Row]:
    """num: resamples of ours; loop: of the peer."""
    return [*residual(num, loop), *case(num, loop), *parametric(num)]


def residual(num: int, loop: int) -> list[Row]:
    """The same definition in a loop: residuals centred, and longer by √(n / (n − p))."""
    made = data.a_decay()
    regression = mvopt.Regression(made.curve, made.x, made.y, made.truth)
    fit = regression.fit()
    ours = regression.bootstrap(fit, jax.random.key(12), num).stderr()
    best = np.asarray(fit.params)
    clean = made.curve(made.x, best, np)
    left = made.y - clean
    left = (left - left.mean()) * np.sqrt(left.size / (left.size - best.size))
    rng = np.random.default_rng(13)
    found = []
    for _ in range(loop):
        y = clean + rng.choice(left, left.size)
        fitted = scipy.optimize.least_squares(lambda p, y=y: made.curve(made.x, p, np) - y, best)
        found.append(fitted.x)
    theirs = np.std(found, axis=0, ddof=1)
    return [Row("bootstrap stderr, residual", "scipy", ours, theirs, limit(num, loop))]


def case(num: int, loop: int) -> list[Row]:
    """Points drawn in pairs."""
    made = data.a_parabola()
    regression = mvopt.Regression(made.curve, made.x, made.y, made.truth)
    ours = regression.bootstrap(regression.fit(), jax.random.key(14), num, kind="case").stderr()
    peer = scipy.stats.bootstrap(
        (made.x, made.y),
        lambda x, y: np.polynomial.polynomial.polyfit(x, y, 2),
        n_resamples=loop,
        paired=True,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(15),
    )
    title = "bootstrap stderr, case"
    return [Row(title, "scipy", ours, peer.standard_error, limit(num, loop))]


def parametric(num: int) -> list[Row]:
    """Of a linear model: the standard errors of the fit are what it must come to."""
    made = data.a_parabola()
    regression = mvopt.Regression(made.curve, made.x, made.y, made.truth)
    fit = regression.fit()
    ours = regression.bootstrap(fit, jax.random.key(16), num, kind="parametric").stderr()
    design = np.vander(made.x, 3, increasing=True)
    solved, power, *_ = np.linalg.lstsq(design, made.y)
    variance = power[0] / (made.y.size - solved.size)
    theirs = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * variance)
    return [Row("bootstrap stderr, parametric", "formula", ours, theirs, limit(num))]
