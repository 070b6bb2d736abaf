"""The figures of the page as Plotly's JSON: traces and layout. The page's script draws them.

A colour that begins with two dashes is one of the page's, which differ between light and dark. A
text that the user's files hold is escaped, for Plotly takes some tags in texts for markup.
"""

import base64
from html import escape
from itertools import combinations
from typing import Any

import numpy as np

from mvopt._types import Status
from mvopt.batch.report.curves import Drawn
from mvopt.batch.report.images import NOTHING, STEPS, Axis, Images
from mvopt.batch.report.ranges import shown_range, spans_decades

_BINS = 40
_P_BINS = 20
_PAIRED = 6  # parameters
_PAIRED_POINTS = 400  # in each of up to 15 panels, for each point is an element of the page

Figure = dict[str, Any]


def packed(values: np.ndarray) -> dict[str, str]:
    """Return numbers as Plotly reads them in the least of text: their bytes in base64."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    kind = f"{values.dtype.kind}{values.dtype.itemsize}"
    return {"dtype": kind, "bdata": base64.b64encode(little.tobytes()).decode()}


def histogram(values: np.ndarray, line: float | None = None) -> tuple[Figure, str] | None:
    """Return a histogram of the finite values with a line at one place, and what it leaves out.

    None where there are no two different values.
    """
    known = values[np.isfinite(values)]
    if not known.size or known.min() == known.max():
        return None
    log = spans_decades(known)
    low, high = shown_range(known, log)
    edges = np.geomspace(low, high, _BINS + 1) if log else np.linspace(low, high, _BINS + 1)
    inside = known[(known >= low) & (known <= high)]
    # The ends by rounding lie within: each value that is inside is counted.
    counts, _ = np.histogram(inside, np.concatenate([[low], edges[1:-1], [high]]))
    shapes = []
    if line is not None and low <= line <= high:
        shapes = [_line(x0=line, x1=line, yref="y domain", y0=0, y1=1)]
    outside = known.size - inside.size
    note = f"{outside:,} further out are not shown." if outside else ""
    layout = {"xaxis": {"type": "log" if log else "linear"}, "shapes": shapes}
    return {"data": [_steps(edges, counts)], "layout": layout}, note


def p_values(values: np.ndarray) -> Figure | None:
    """Return a histogram of p-values with the number that is expected in a bin, or None."""
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    counts, edges = np.histogram(known, _P_BINS, (0.0, 1.0))
    uniform = _line(xref="x domain", x0=0, x1=1, y0=known.size / _P_BINS, y1=known.size / _P_BINS)
    layout = {"xaxis": {"range": [0, 1]}, "shapes": [uniform]}
    return {"data": [_steps(edges, counts)], "layout": layout}


def pairs(names: list[str], values: np.ndarray) -> tuple[Figure, str] | None:
    """Return some parameters over each other and what is shown; None where fewer than two vary."""
    varying = [i for i, column in enumerate(values.T) if _varies(column)]
    shown = varying[:_PAIRED]
    if len(shown) < 2:
        return None
    points = values[:: -(-len(values) // _PAIRED_POINTS), shown]
    columns = [values[:, i] for i in shown]
    titles = [escape(names[i], quote=False) for i in shown]
    count = len(shown) - 1
    layout = {}
    for place in range(count):
        across, down = _between(place, count), _between(count - 1 - place, count)
        layout[_axis("xaxis", place)] = {
            "domain": across,
            "anchor": _axis("y", count - 1),
            "title": {"text": titles[place]},
            **_robust_axis(columns[place]),
        }
        layout[_axis("yaxis", place)] = {
            "domain": down,
            "anchor": "x",
            "title": {"text": titles[place + 1]},
            **_robust_axis(columns[place + 1]),
        }
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": packed(points[:, first]),
            "y": packed(points[:, second]),
            "xaxis": _axis("x", first),
            "yaxis": _axis("y", second - 1),
            "marker": {"size": 4, "opacity": 0.5, "color": "--accent"},
            "hovertemplate": "%{x:.4g}, %{y:.4g}<extra></extra>",
        }
        for first, second in combinations(range(len(shown)), 2)
    ]
    few = (
        f"the first {_PAIRED} of {len(varying)} parameters"
        if len(varying) > _PAIRED
        else "all parameters"
    )
    about = f"{few} that vary, of {len(points):,} fits that converged"
    return {"data": traces, "layout": layout}, about


def maps(images: Images, names: list[str]) -> dict[str, Any]:
    """Return the maps of an image in bytes, with what turns them into values and colours."""
    shown: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        coded = images.coded(index)
        if coded is not None:
            scale = {"low": coded.low, "high": coded.high, "log": coded.log}
            shown.append({"name": name, **scale, **_slices(coded.codes)})
    present = [Status(int(code)) for code in np.unique(images.status) if code != NOTHING]
    place = np.full(256, NOTHING, np.uint8)
    place[[int(code) for code in present]] = np.arange(len(present))
    labels = [code.name for code in present]
    # Byte n stands for n.
    coding = {"low": 0, "high": STEPS, "labels": labels}
    shown.append({"name": "status", **coding, **_slices(place[images.status])})
    slices, vertical, horizontal = (_axis_of(axis) for axis in images.grid.axes)
    return {"maps": shown, "slices": slices, "vertical": vertical, "horizontal": horizontal}


def fit_figure(drawn: Drawn) -> dict[str, Any]:
    """Return what the page's script needs to draw a fit: data, curve and residuals."""
    used, left_out = drawn.used, ~drawn.used

    def some(values: np.ndarray | None, where: np.ndarray) -> dict[str, str] | None:
        return None if values is None else packed(values[where].astype(float))

    return {
        "x": some(drawn.x, used),
        "y": some(drawn.y, used),
        "error": some(drawn.error, used),
        "errorX": some(drawn.error_x, used),
        "residual": some(drawn.residual, used),
        "fitted": some(drawn.fitted, used),
        "leftX": some(drawn.x, left_out),
        "leftY": some(drawn.y, left_out),
        "anyLeft": bool(left_out.any()),
        "grid": packed(drawn.grid),
        "curve": packed(drawn.curve.astype(float)),
        "overGrid": bool(drawn.grid.size),
        "log": drawn.log,
    }


def _varies(column: np.ndarray) -> bool:
    known = column[np.isfinite(column)]
    return bool(known.size and known.min() < known.max())


def _robust_axis(column: np.ndarray) -> dict[str, Any]:
    known = column[np.isfinite(column)]
    log = spans_decades(known)
    ends = shown_range(known, log)
    low, high = np.log10(ends) if log else ends
    margin = 0.05 * (high - low)
    return {"type": "log" if log else "linear", "range": [low - margin, high + margin]}


def _steps(edges: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    # A line of steps: the width of a bar on a logarithmic axis is not that of its bin.
    return {
        "type": "scatter",
        "mode": "lines",
        "x": packed(edges),
        "y": packed(np.append(counts, counts[-1]).astype(np.int32)),
        "line": {"shape": "hv", "color": "--accent", "width": 1},
        "fill": "tozeroy",
        "fillcolor": "--shade",
        "hovertemplate": "from %{x:.4g}: %{y:,} fits<extra></extra>",
    }


def _line(**ends: Any) -> dict[str, Any]:
    return {"type": "line", **ends, "line": {"color": "--mark", "width": 2}}


def _between(place: int, count: int) -> list[float]:
    """Where an axis begins and ends among several in a row, with room for what is written at it."""
    return [(place + 0.08) / count, (place + 0.96) / count]


def _axis(name: str, index: int) -> str:
    return name if index == 0 else f"{name}{index + 1}"


def _axis_of(axis: Axis) -> dict[str, Any]:
    return {"name": axis.name, "first": axis.first, "step": axis.step, "count": axis.count}


def _slices(codes: np.ndarray) -> dict[str, list[str]]:
    return {"slices": [base64.b64encode(each.tobytes()).decode() for each in codes]}
