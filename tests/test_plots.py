"""Plots: what is drawn on the axes, and what is said without Matplotlib."""

import dataclasses
import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from mvopt import Regression, Status, plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")
collections = pytest.importorskip("matplotlib.collections")
contour = pytest.importorskip("matplotlib.contour")
containers = pytest.importorskip("matplotlib.container")
quiver = pytest.importorskip("matplotlib.quiver")

BOX = [-1.0, -1.0], [2.0, 2.0]
START = [-0.5, 1.5]


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    pyplot.close("all")


def square(x, scale=1.0):
    return scale * x**2


def valley(x):
    return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2


def drawn(ax, kind):
    return [each for each in ax.collections if isinstance(each, kind)]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_series_draws_the_function_its_polynomials_and_their_bands():
    ax = plots.series(square, 0.5, [0, 1], -1.0, 1.0, (2.0,))
    assert legend(ax) == ["function", "order 0", "order 1"]
    x = np.linspace(-1, 1, 400)
    expected = 2 * x**2, np.full(400, 0.5), 0.5 + 2 * (x - 0.5)
    *curves, point = ax.lines
    for curve, values in zip(curves, expected, strict=True):
        np.testing.assert_allclose(curve.get_ydata(), values, atol=1e-12)
    assert point.get_xdata() == [0.5, 0.5]
    bands = drawn(ax, collections.PolyCollection)
    assert len(bands) == 2
    # The function lies on the edge of each, and that of the tangent is left out where it is tall.
    assert [band.get_datalim(ax.transData).x0 for band in bands] == [-1, x[x > -0.48][0]]
    assert ax.get_xlabel() == "x"
    ax.figure.canvas.draw()


def test_contours_draws_levels_slopes_and_three_curves_through_a_point():
    ax = plots.contours(valley, *BOX, at=START)
    assert legend(ax) == ["function", "linear", "quadratic"]
    assert len(drawn(ax, contour.ContourSet)) == 4
    (arrows,) = drawn(ax, quiver.Quiver)
    np.testing.assert_allclose(np.hypot(arrows.U, arrows.V), 1, rtol=1e-12)
    assert ax.lines[-1].get_xydata().tolist() == [START]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x[0]", "x[1]")
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 2), (-1, 2))


def test_contours_alone_in_given_axes():
    given = pyplot.figure().add_subplot()
    ax = plots.contours(valley, *BOX, ax=given)
    assert ax is given
    assert len(drawn(ax, contour.ContourSet)) == 1
    assert not ax.lines
    assert ax.get_legend() is None


def test_path_draws_the_points_of_a_solver():
    ax = plots.path(valley, START, *BOX, steps=30)
    (line,) = ax.lines
    points = line.get_xydata()
    assert points[0].tolist() == START
    np.testing.assert_allclose(points[-1], [1, 1], atol=1e-6)
    assert 5 < len(points) <= 31
    assert len(drawn(ax, contour.ContourSet)) == 1
    (short,) = plots.path(valley, START, *BOX, steps=3).lines
    np.testing.assert_array_equal(short.get_xydata(), points[:4])


X = np.linspace(0, 4, 9)
SIGMA = np.linspace(0.1, 0.3, 9)
LEFT_OUT = 3
DESIGN = np.stack([np.ones(9), X], axis=1)


def straight(x, b):
    return b["base"] + b["slope"] * x


@functools.cache
def lines():
    """Return a regression of six lines, and its fit; a point is masked, the third line is NaN."""
    y = 1 + np.arange(6.0)[:, None] * X + SIGMA * np.random.default_rng(3).normal(size=(6, 9))
    y[4, 5] += 3
    y[2] = np.nan
    start = {"base": 0.0, "slope": 1.0}
    mask = np.arange(9) != LEFT_OUT
    regression = Regression(
        straight, X, y, start, SIGMA, mask=mask, absolute_sigma=True, in_axes=(None, 0)
    )
    return regression, regression.fit()


def by_numpy(index):
    """Return params and covariance of a line."""
    y = np.asarray(lines()[0].data(index)[1])
    weights = np.where(np.arange(9) == LEFT_OUT, 0, SIGMA**-2)
    covariance = np.linalg.inv(DESIGN.T * weights @ DESIGN)
    return covariance @ (DESIGN.T * weights @ y), covariance


def texts(figure):
    return [ax.get_title() for ax in figure.axes]


def edge(band, x):
    """Return lower and upper end of a filled band at one of its x."""
    vertices = band.get_paths()[0].vertices
    return np.unique(vertices[np.isclose(vertices[:, 0], x), 1])[[0, -1]]


def test_fit_draws_data_curve_bands_and_residuals():
    regression, fit = lines()
    figure = plots.fit(regression, fit, index=1, level=0.9)
    upper, lower = figure.axes
    params, covariance = by_numpy(1)
    assert legend(upper) == [
        "90% of the curve",
        "90% of measurements",
        "fit",
        "left out",
        "data",
    ]
    curve = upper.lines[0].get_xydata()
    np.testing.assert_allclose(curve[:, 1], params[0] + params[1] * curve[:, 0], rtol=1e-9)
    assert curve[0, 0] == 0  # the data are not negative
    assert curve[-1, 0] > 4
    x = curve[100, 0]
    row = np.array([1, x])
    variance = row @ covariance @ row
    z = scipy.stats.norm.ppf(0.95)
    of_curve, of_points = drawn(upper, collections.PolyCollection)
    used = np.arange(9) != LEFT_OUT
    spread = variance + np.interp(x, X[used], SIGMA[used]) ** 2
    for band, size in ((of_curve, variance), (of_points, spread)):
        expected = row @ params + z * np.sqrt(size) * np.array([-1, 1])
        np.testing.assert_allclose(edge(band, x), expected, rtol=1e-9)
    (bars,) = [each for each in upper.containers if isinstance(each, containers.ErrorbarContainer)]
    y = np.asarray(regression.data(1)[1])
    np.testing.assert_array_equal(bars[0].get_xydata(), np.stack([X, y], axis=1)[used])
    heights = [np.ptp(line[:, 1]) for line in bars[2][0].get_segments()]
    np.testing.assert_allclose(heights, 2 * SIGMA[used])
    residuals = lower.lines[1].get_xydata()
    np.testing.assert_allclose(residuals[:, 1], ((y - DESIGN @ params) / SIGMA)[used], rtol=1e-8)
    assert (lower.get_xlabel(), lower.get_ylabel()) == ("x", "normalised residual")
    assert upper.get_title().startswith("straight, data set 1\nreduced chi-square ")
    assert upper.get_title().endswith(", 6 degrees of freedom, CONVERGED")
    figure.canvas.draw()


def test_contour_of_a_line_is_its_ellipse():
    regression, fit = lines()
    figure = plots.contour(regression, fit, ("base", 1), index=1, levels=(0.5, 0.95))
    (ax,) = figure.axes
    assert legend(ax) == ["50%", "95%", "linearised", "fit"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("base", "slope")
    params, covariance = by_numpy(1)
    for level, lines_of_level in ((0.5, ax.lines[:2]), (0.95, ax.lines[2:4])):
        expected = scipy.stats.chi2.ppf(level, 2)
        for line in lines_of_level:
            distance = line.get_xydata() - params
            size = np.sum(distance @ np.linalg.inv(covariance) * distance, axis=1)
            # The profile ends where its root is right to √eps.
            np.testing.assert_allclose(size, expected, rtol=1e-6)
            np.testing.assert_array_equal(line.get_xydata()[0], line.get_xydata()[-1])
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), [params], rtol=1e-9)


def test_batch_draws_histograms_of_what_converged():
    fit = lines()[1]
    figure = plots.batch(fit)
    assert figure.get_suptitle() == "straight: 5 of 6 fits converged"
    names = ["reduced chi-square", "p-value", "base", "slope"]
    assert [ax.get_xlabel() for ax in figure.axes] == names
    assert all(ax.get_ylabel() == "fits" for ax in figure.axes)
    p_values = figure.axes[1]
    counts, edges = np.histogram(np.asarray(fit.p_value)[[0, 1, 3, 4, 5]], bins=20, range=(0, 1))
    bars = p_values.patches
    np.testing.assert_array_equal([bar.get_height() for bar in bars], counts)
    np.testing.assert_allclose([bar.get_x() for bar in bars], edges[:-1], atol=1e-12)
    np.testing.assert_allclose(p_values.lines[0].get_ydata(), 5 / 20)
    assert legend(p_values) == ["uniform"]
    # The outermost of five fits are beyond the quantiles.
    assert sum(bar.get_height() for bar in figure.axes[3].patches) == 3
    figure.canvas.draw()


def test_batch_without_sigma_has_no_p_values():
    fit = lines()[1]
    figure = plots.batch(dataclasses.replace(fit, p_value=jnp.full(6, jnp.nan)))
    assert [text.get_text() for text in figure.axes[1].texts] == ["none without sigma"]
    assert not figure.axes[1].patches
    assert not figure.axes[0].lines  # χ² has no scale, and is not to be one


def test_worst_are_those_with_the_largest_chi2():
    regression, fit = lines()
    figure = plots.worst(regression, fit, num=3)
    order = np.argsort(-np.nan_to_num(np.asarray(fit.reduced_chi2)))[:3]
    assert order[0] == 4
    assert texts(figure) == [f"{i}: {fit.reduced_chi2[i]:.3g}, CONVERGED" for i in order]
    for ax, index in zip(figure.axes, order, strict=True):
        curve = ax.lines[-1].get_xydata()
        params = by_numpy(index)[0]
        np.testing.assert_allclose(curve[:, 1], params[0] + params[1] * curve[:, 0], rtol=1e-9)
    assert figure.get_suptitle() == "Largest reduced chi-square"
    # The one without data is never drawn.
    assert len(plots.worst(regression, fit).axes) == 5


def test_maps_show_the_pixels_row_by_row():
    fit = lines()[1]
    figure = plots.maps(fit, (2, 3))
    panels = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in panels] == ["base", "slope", "reduced chi-square", "status"]
    shown = panels[1].images[0].get_array()
    expected = np.asarray(fit.params["slope"]).reshape(2, 3)
    good = np.array([[True, True, False], [True, True, True]])
    np.testing.assert_array_equal(~np.ma.getmaskarray(np.ma.masked_invalid(shown)), good)
    np.testing.assert_array_equal(np.asarray(shown)[good], expected[good])
    np.testing.assert_array_equal(panels[3].images[0].get_array(), 1 - good)
    ticks = [text.get_text() for ax in figure.axes for text in ax.get_yticklabels()]
    assert {Status.CONVERGED.name, Status.NONFINITE.name} <= set(ticks)
    figure.canvas.draw()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda regression, fit: plots.fit(regression, fit), "say with index which data set"),
        (lambda regression, fit: plots.maps(fit, (2, 4)), "does not hold 6 pixels"),
        (lambda regression, fit: plots.batch(first(fit)), "this is one fit"),
        (lambda regression, fit: plots.fit(regression, first(fit), 1), "leave index out"),
        (lambda regression, fit: plots.worst(regression, without_chi2(fit)), "no fit of this"),
        (lambda regression, fit: plots.fit(of_two_variables(), first(fit)), "one independent"),
    ],
    ids=["index", "shape", "one", "no index", "no chi2", "x"],
)
def test_what_cannot_be_drawn_is_said(draw, message):
    with pytest.raises(ValueError, match=message):
        draw(*lines())


def first(fit):
    return jax.tree.map(lambda leaf: leaf[0], fit)


def without_chi2(fit):
    return dataclasses.replace(fit, reduced_chi2=jnp.full(6, jnp.nan))


def of_two_variables():
    return Regression(lambda x, b: b[0] * x[0] + b[1] * x[1], np.ones((2, 9)), X, [1.0, 1.0])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.series(jnp.sin, 0.0, [1], -1.0, 1.0),
        lambda: plots.contours(valley, *BOX),
        lambda: plots.path(valley, START, *BOX),
        lambda: plots.batch(lines()[1]),
    ],
    ids=["series", "contours", "path", "batch"],
)
def test_without_matplotlib_the_extra_is_named(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'mvopt\[plot\]'"):
        draw()
