"""Pictures of a batch of fits: how good they are, what they found, which are the worst."""

from typing import Any

import numpy as np

from mvopt._types import Status
from mvopt.plots.figure import new_figure
from mvopt.plots.fits import draw_points, grid_over, pick, points
from mvopt.regression.fit import Fit
from mvopt.regression.regression import Regression
from mvopt.regression.report import columns, labels, statistics

_BINS = 40
# Histograms and colours leave out so much at either end: one wild fit would flatten the rest.
_TAIL = 0.005


def batch(fit: Fit) -> Any:
    """Histograms over the fits that converged: reduced χ², p-value, and each parameter.

    If model and sigmas are right the p-values are uniform: the line is their expected number in a
    bin. A peak at zero are fits that the model does not describe; one at one, sigmas that are too
    large. The outermost 0.5 % on either side are left out. Returns the Matplotlib figure.
    """
    _check_batch(fit)
    status = np.ravel(fit.status)
    good = status == Status.CONVERGED
    names = labels(fit)
    values = columns(fit, fit.params).reshape(len(status), -1)[good]
    figure, (chi2, p_value, *rest) = _panels(2 + len(names), 3.2, 2.6)
    _histogram(chi2, np.ravel(fit.reduced_chi2)[good], statistics(fit)[1])
    p_values = np.ravel(fit.p_value)[good]
    if np.isfinite(p_values).any():
        chi2.axvline(1.0, color="tab:red")
    _p_values(p_value, p_values)
    for ax, name, column in zip(rest, names, values.T, strict=True):
        _histogram(ax, column, name)
    figure.suptitle(_heading(fit))
    return figure


def worst(regression: Regression, fit: Fit, num: int = 6) -> Any:
    """The fits with the largest reduced χ², each with its data. Returns the Matplotlib figure.

    Those that have no χ², for their data are NaN, are not among them.
    """
    _check_batch(fit)
    reduced = np.asarray(fit.reduced_chi2)
    order = np.argsort(-np.where(np.isfinite(reduced), reduced, -np.inf), kind="stable")[:num]
    order = order[np.isfinite(reduced[order])]
    if not order.size:
        raise ValueError("no fit of this batch has a reduced χ²: look at the counts of fit.status")
    data = [points(regression, int(index)) for index in order]
    some, picked = pick(regression, fit, order)
    # Each has its own range of x.
    grids = np.stack([grid_over(x[used]) for x, _, _, used in data])
    curves = np.asarray(some.band(picked, grids, in_axes=0).values)
    figure, panels = _panels(len(order), 3.2, 2.6)
    for ax, index, each, grid, curve in zip(panels, order, data, grids, curves, strict=True):
        draw_points(ax, *each)
        ax.plot(grid, curve, color="tab:red")
        name = Status(int(fit.status[index])).name
        ax.set_title(f"{index}: {reduced[index]:.3g}, {name}", fontsize="medium")
    figure.suptitle(f"Largest {statistics(fit)[1]}")
    figure.supxlabel("x")
    figure.supylabel("y")
    return figure


def maps(fit: Fit, shape: tuple[int, int]) -> Any:
    """Images of the parameters, of the reduced χ² and of the status, for a batch of pixels.

    shape: (rows, columns) of the image, whose pixels row by row are the data sets. A parameter is
    white where the fit did not converge. Returns the Matplotlib figure.
    """
    _check_batch(fit)
    status = np.ravel(fit.status)
    if len(shape) != 2 or np.prod(shape) != len(status):
        raise ValueError(f"shape={shape} does not hold {len(status)} pixels: give (rows, columns)")
    good = (status == Status.CONVERGED)[:, None]
    values = columns(fit, fit.params).reshape(len(status), -1)
    names = [*labels(fit), statistics(fit)[1]]
    values = np.concatenate([values, np.reshape(fit.reduced_chi2, (-1, 1))], axis=1)
    values = np.where(good, values, np.nan)
    height = 2.9 * np.clip(shape[0] / shape[1], 0.4, 2.0)
    figure, (*panels, last) = _panels(len(names) + 1, 3.4, height)
    for ax, name, column in zip(panels, names, values.T, strict=True):
        known = column[np.isfinite(column)]
        low, high = np.quantile(known, [_TAIL, 1 - _TAIL]) if known.size else (0.0, 1.0)
        image = ax.imshow(column.reshape(shape), vmin=low, vmax=high)
        figure.colorbar(image, ax=ax)
        ax.set_title(name)
    _statuses(figure, last, status.reshape(shape))
    figure.suptitle(_heading(fit))
    figure.supxlabel("column")
    figure.supylabel("row")
    return figure


def _statuses(figure: Any, ax: Any, status: np.ndarray) -> None:
    """An image whose colour bar has the names of those that occur."""
    codes, place = np.unique(status, return_inverse=True)
    image = ax.imshow(place.reshape(status.shape), vmin=-0.5, vmax=len(codes) - 0.5)
    image.set_cmap(image.get_cmap().resampled(len(codes)))
    bar = figure.colorbar(image, ax=ax, ticks=range(len(codes)))
    bar.ax.set_yticklabels([Status(int(code)).name for code in codes], fontsize="small")
    ax.set_title("status")


def _heading(fit: Fit) -> str:
    status = np.ravel(fit.status)
    model = f"{fit.about.model}: " if fit.about.model else ""
    return f"{model}{np.sum(status == Status.CONVERGED)} of {len(status)} fits converged"


def _check_batch(fit: Fit) -> None:
    if np.ndim(fit.status) != 1:
        raise ValueError("this is one fit, and no batch: draw it with plots.fit")


def _panels(num: int, width: float, height: float) -> tuple[Any, list[Any]]:
    """A figure and its axes, each of this size in inches: in rows of three, four in a square."""
    across = 2 if num == 4 else min(num, 3)
    down = -(-num // across)
    figure = new_figure(figsize=(width * across, height * down))
    return figure, [figure.add_subplot(down, across, i + 1) for i in range(num)]


def _histogram(ax: Any, values: np.ndarray, name: str) -> None:
    known = values[np.isfinite(values)]
    if known.size:
        low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
        ax.hist(known[(known >= low) & (known <= high)], bins=_BINS, color="tab:blue")
    ax.set_xlabel(name)
    ax.set_ylabel("fits")


def _p_values(ax: Any, values: np.ndarray) -> None:
    known = values[np.isfinite(values)]
    ax.set_xlabel("p-value")
    ax.set_ylabel("fits")
    if not known.size:
        ax.text(0.5, 0.5, "none without sigma", ha="center", transform=ax.transAxes)
        return
    counts, _, _ = ax.hist(known, bins=_BINS // 2, range=(0, 1), color="tab:blue")
    ax.axhline(known.size / (_BINS // 2), color="tab:red", label="uniform")
    ax.set_ylim(0, 1.25 * counts.max())  # with room for the legend
    ax.legend()
