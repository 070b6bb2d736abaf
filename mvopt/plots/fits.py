"""Pictures of one fit: the data with the curve and its bands, and what two parameters share."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Status
from mvopt.plots.figure import new_figure
from mvopt.regression.fit import Fit
from mvopt.regression.quantiles import fisher_quantile
from mvopt.regression.regression import Regression
from mvopt.regression.report import columns, labels, statistics

_POINTS = 300
_MARGIN = 0.03  # of the range of x, on either side of the data


def fit(regression: Regression, fit: Fit, index: int | None = None, level: float = 0.95) -> Any:
    """Data with error bars, the fitted curve with its bands of this level, and the residuals below.

    index: which data set of a batch. The inner band holds the curve at each x, the outer one a
    further measurement; for that the sigmas of the data are interpolated. It is drawn for the
    square loss alone, whose errors are normal. Points left out are crosses. Needs one independent
    variable; ValueError without. Returns the Matplotlib figure.
    """
    some, picked = pick(regression, fit, index)
    x, y, error, used = points(regression, index)
    figure = new_figure(figsize=(6.4, 5.6))
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[3, 1])
    grid = grid_over(x[used])
    band = some.band(picked, grid, level)
    _shade(upper, grid, band, 0.35, f"{level:.0%} of the curve")
    if fit.about.loss == "linear":
        new_error = None if error is None else _interpolated(grid, x[used], error[used])
        outer = some.band(picked, grid, level, kind="prediction", sigma=new_error)
        _shade(upper, grid, outer, 0.15, f"{level:.0%} of measurements")
    upper.plot(grid, np.ravel(band.values), color="tab:red", label="fit")
    draw_points(upper, x, y, error, used)
    upper.set_ylabel("y")
    upper.set_title(_title(picked, index), fontsize="medium")
    upper.legend()
    lower.axhline(0.0, color="tab:red")
    residuals = np.ravel(some.residuals(picked))[used]
    lower.plot(x[used], residuals, "o", color="black", ms=3)
    lower.set_ylabel("residual" if error is None else "normalised residual")
    lower.set_xlabel("x")
    figure.align_ylabels()
    return figure


def contour(
    regression: Regression,
    fit: Fit,
    pair: tuple[Any, Any],
    index: int | None = None,
    levels: Sequence[float] = (0.68, 0.95),
) -> Any:
    """Joint confidence regions of two parameters: of the likelihood, and of the linearised model.

    pair: names or indices of two free parameters. index: which data set of a batch. Where both
    outlines agree, the standard errors tell the whole story. Returns the Matplotlib figure.
    """
    some, picked = pick(regression, fit, index)
    names = labels(picked)
    first, second = (names.index(each) if isinstance(each, str) else int(each) for each in pair)
    places = [first, second]
    center = columns(picked, picked.params).reshape(-1)[places]
    figure = new_figure(figsize=(5.6, 5.0))
    ax = figure.add_subplot()
    for level, width in zip(levels, np.linspace(1.0, 2.0, len(levels)), strict=True):
        ends, status = some.contour(picked, (first, second), level)
        # Where the region has no end, its outline has a gap.
        known = np.ravel(status) != Status.UNBOUNDED
        outline = np.where(known[:, None], np.asarray(ends).reshape(-1, 2), np.nan)
        ax.plot(*_closed(outline), color="tab:blue", lw=width, label=f"{level:.0%}")
        ellipse = center + _ellipse(picked, places, level)
        ax.plot(*_closed(ellipse), "--", color="grey", lw=width)
    ax.plot([], [], "--", color="grey", label="linearised")
    ax.plot(*center, "+", color="black", ms=10, label="fit")
    ax.set_xlabel(names[first])
    ax.set_ylabel(names[second])
    ax.set_title(_title(picked, index), fontsize="medium")
    ax.legend()
    return figure


def pick(regression: Regression, fit: Fit, index: Any) -> tuple[Regression, Fit]:
    """Some data sets of a batch, by a number or several, or the one that there is."""
    batch = np.ndim(fit.status) > 0
    if batch != (index is not None):
        raise ValueError(
            "this is a batch: say with index which data set to draw"
            if batch
            else "this is one fit and no batch: leave index out"
        )
    if not batch:
        return regression, fit
    index = np.atleast_1d(index)
    return regression.take(index), _tree.take(fit, index)


def points(
    regression: Regression, index: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """x, y, standard deviations and whether a point counts, each (m,)."""
    given_x, given_y, given_sigma, mask = regression.data(index)
    y = np.asarray(given_y)
    if np.shape(given_x) != y.shape or y.ndim != 1:
        raise ValueError(
            "only data of one independent variable can be drawn, x and y of shape (m,): plot "
            "regression.residuals(fit) over one of the variables, or images with plots.maps"
        )
    x = np.asarray(given_x)
    used = np.broadcast_to(True if mask is None else np.asarray(mask, bool), y.shape)
    if given_sigma is None:
        return x, y, None, used
    sigma = np.asarray(given_sigma)
    matrix = sigma.ndim == 2
    error = np.sqrt(np.diagonal(sigma)) if matrix else np.broadcast_to(sigma, y.shape)
    return x, y, error, used & ~np.isposinf(error)


def draw_points(
    ax: Any, x: np.ndarray, y: np.ndarray, error: np.ndarray | None, used: np.ndarray
) -> None:
    """Data with their error bars; crosses for what was left out."""
    bars = None if error is None else error[used]
    ax.errorbar(x[used], y[used], bars, fmt="o", color="black", ms=3, lw=1, label="data", zorder=3)
    if not used.all():
        ax.plot(x[~used], y[~used], "x", color="grey", ms=5, label="left out")


def grid_over(x: np.ndarray) -> np.ndarray:
    """Where to draw the curve of a data set with these x, a little beyond them."""
    finite = x[np.isfinite(x)]
    if not finite.size:
        raise ValueError("no point of this data set counts: there is nothing to draw")
    low, high = float(finite.min()), float(finite.max())
    margin = _MARGIN * (high - low)
    # A model may be undefined where x changes its sign.
    low, high = (max(low - margin, 0.0) if low >= 0 else low - margin), high + margin
    return np.linspace(low, high, _POINTS, dtype=x.dtype if x.dtype.kind == "f" else float)


def _interpolated(grid: np.ndarray, x: np.ndarray, error: np.ndarray) -> np.ndarray:
    order = np.argsort(x, kind="stable")
    return np.interp(grid, x[order], error[order])


def _shade(ax: Any, grid: np.ndarray, band: Any, alpha: float, label: str) -> None:
    low, high = np.ravel(band.lower), np.ravel(band.upper)
    known = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(known, low, np.nan), np.where(known, high, np.nan)
    ax.fill_between(grid, low, high, color="tab:red", alpha=alpha, lw=0, label=label)


def _title(fit: Fit, index: int | None) -> str:
    """Of one fit, with or without a batch axis of one."""
    status = Status(int(np.ravel(fit.status)[0]))
    reduced, dof = np.ravel(fit.reduced_chi2)[0], int(np.ravel(fit.dof)[0])
    what = [fit.about.model] if fit.about.model else []
    what += [] if index is None else [f"data set {index}"]
    how = f"{statistics(fit)[1]} {reduced:.3g}, {dof} degrees of freedom, {status.name}"
    return "\n".join([", ".join(what), how])


def _ellipse(fit: Fit, places: list[int], level: float) -> np.ndarray:
    """Where the linearised model has the outline, (k, 2), about the fit; NaN without errors."""
    size = fit.covariance.shape[-1]
    block = np.asarray(fit.covariance).reshape(size, size)[np.ix_(places, places)]
    angles = np.linspace(0, 2 * np.pi, _POINTS)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if not (np.isfinite(block).all() and np.linalg.det(block) > 0):
        return np.full_like(circle, np.nan)
    dof = jnp.inf if fit.about.known_scale else np.ravel(fit.dof)[0]
    radius = np.sqrt(float(fisher_quantile(level, jnp.asarray(dof))))
    return radius * circle @ np.linalg.cholesky(block).T


def _closed(outline: np.ndarray) -> np.ndarray:
    return np.concatenate([outline, outline[:1]]).T
