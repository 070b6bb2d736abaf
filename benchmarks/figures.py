"""The figures of a report: curves as data, and the files that Matplotlib draws of them."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

Points = list[tuple[float, float]]


class Figure(NamedTuple):
    """Curves over common axes. `name` is what its file is called after the report's."""

    name: str
    title: str
    x: str  # labels of the axes
    y: str
    curves: dict[str, Points]
    log_x: bool = False
    log_y: bool = False
    style: str = "line"  # "line", "stairs" (constant up to the next point) or "points"


def accuracy_against_time(x: str, y: str, found: dict[str, tuple[float, float]]) -> Figure:
    """A point for each method; `x` and `y` say in which units."""
    points = {name: [point] for name, point in found.items()}
    title = "Accuracy against time"
    return Figure("accuracy", title, x, y, points, log_x=True, style="points")


_MARKERS = "osD^vPX*<>"
_STYLES: dict[str, dict[str, Any]] = {
    "line": {"linestyle": "-"},
    "stairs": {"linestyle": "-", "drawstyle": "steps-post", "marker": ""},
    "points": {"linestyle": "", "markersize": 8},
}


def draw(figure: Figure, path: Path) -> bool:
    """Write the figure to a file; whether Matplotlib is there to do so."""
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(7, 4.2), layout="constrained")
    axes = canvas.add_subplot(title=figure.title, xlabel=figure.x, ylabel=figure.y)
    for marker, (name, points) in zip(_MARKERS * 9, figure.curves.items(), strict=False):
        style = {"marker": marker, "markersize": 5} | _STYLES[figure.style]
        ours = name.startswith("mvopt")
        axes.plot(*zip(*points, strict=True), label=name, linewidth=2.2 if ours else 1.2, **style)
    if figure.log_x:
        axes.set_xscale("log")
    if figure.log_y:
        axes.set_yscale("log")
    else:
        axes.ticklabel_format(axis="y", useOffset=False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    canvas.savefig(path, dpi=110)
    return True
