"""Plots: what is drawn on the axes, and what is said without Matplotlib."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest

from mvopt import plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")
collections = pytest.importorskip("matplotlib.collections")
contour = pytest.importorskip("matplotlib.contour")
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


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.series(jnp.sin, 0.0, [1], -1.0, 1.0),
        lambda: plots.contours(valley, *BOX),
        lambda: plots.path(valley, START, *BOX),
    ],
    ids=["series", "contours", "path"],
)
def test_without_matplotlib_the_extra_is_named(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'mvopt\[plot\]'"):
        draw()
