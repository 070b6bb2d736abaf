"""The fits to look at: their data, read from the source again, with curve and residuals."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from pydantic import ValidationError

from mvopt._errors import InputError
from mvopt.batch.choice import choose
from mvopt.batch.config import Config
from mvopt.batch.datasets import DataSets
from mvopt.batch.origin import origin
from mvopt.batch.report.gathering import Place
from mvopt.batch.sources.opening import open_source
from mvopt.batch.sources.source import Source

MOST_POINTS = 300  # of a data set, so that the page stays small
_GRID = 200
_MARGIN = 0.03  # of the range of x, on either side of the data
# Beyond this ratio of the largest to the smallest x their logarithm is the axis.
_LOG_RATIO = 1000.0


@dataclass(frozen=True)
class Drawn:
    """A data set with its fit; all arrays but those of the curve are (points,).

    `x` is the independent variable, or where there are several the number of the point. `error`
    is None where no standard deviation is known; then `residual` is in the units of y, and else
    in standard deviations. The curve is (grid,), or with several variables `fitted` at the points.
    """

    x: np.ndarray
    y: np.ndarray
    used: np.ndarray
    error: np.ndarray | None
    error_x: np.ndarray | None
    residual: np.ndarray
    grid: np.ndarray
    curve: np.ndarray
    fitted: np.ndarray
    num_points: int  # of which at most `MOST_POINTS` are shown
    log: bool


def draw_fits(record: dict[str, Any], rows: dict[Place, dict[str, Any]]) -> dict[Place, Drawn]:
    """Return what to draw of the rows of the table at these places.

    Raises `InputError` with the reason where the input is gone, has changed, or cannot be used.
    """
    config = _recorded(record)
    source = _opened(config, record)
    choice = choose(config, source.num_x)
    if any(name not in row for row in rows.values() for name in choice.names):
        raise InputError("the function of the model has other parameters now")
    data = dict(_loaded(source, rows))
    missing = len(rows.keys() - data.keys())
    if missing:
        raise InputError(f"the input holds {missing} of the data sets no more")
    points = {place: _Points(each, config.fit.loss) for place, each in data.items()}
    params = {place: [row[name] for name in choice.names] for place, row in rows.items()}
    curves = _curves(choice.model, points, params)
    return {place: points[place].drawn(*curves[place]) for place in rows}


def _recorded(record: dict[str, Any]) -> Config:
    try:
        # What was infinite became null in the record, and is the default.
        return Config.model_validate(_without_null(record["config"]))
    except (KeyError, ValidationError):
        raise InputError("the configuration was recorded by another version of mvopt") from None


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    return value


def _opened(config: Config, record: dict[str, Any]) -> Source:
    before = record.get("inputs", {})
    gone = [path for path in before if not Path(path).exists()]
    if gone:
        raise InputError(f"{gone[0]} is gone")
    source = open_source(config.data)
    now = origin(config, source.files)["inputs"]
    changed = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    if changed:
        raise InputError(f"{changed[0]} has changed since the fit")
    return source


def _loaded(source: Source, rows: dict[Place, dict[str, Any]]) -> Iterator[tuple[Place, DataSets]]:
    """Yield the data set of each place; only the blocks that hold one are loaded."""
    numbers = {number for number, _ in rows}
    for task in source.tasks(lambda number: number in numbers):
        block = task.load()
        for place in (place for place in rows if place[0] == task.number):
            if place[1] >= len(block):
                raise InputError("the blocks of the input are not those of the table")
            data = block.part(range(place[1], place[1] + 1))
            if any(rows[place][name] != data.ids[name][0].as_py() for name in source.id_names):
                raise InputError("the data sets of the input are not those of the table")
            yield place, data
        if task.number == max(numbers):
            return  # an input that is read from its beginning need not be read to its end


class _Points:
    """The points of one data set that are shown."""

    def __init__(self, data: DataSets, loss: str) -> None:
        self.loss, self.num_points = loss, len(data.y)
        shown = np.arange(len(data.y))
        if len(shown) > MOST_POINTS:
            shown = np.linspace(0, len(shown) - 1, MOST_POINTS).astype(int)
        mask = np.ones(len(data.y), bool) if data.mask is None else data.mask
        self.x = np.asarray(data.x, float)[:, shown]  # (k, points)
        self.y, self.used = np.asarray(data.y, float)[shown], mask[shown]
        self.extras = {key: np.asarray(each, float)[shown] for key, each in data.extras.items()}
        if loss == "binomial":  # the model is the probability of a success
            self.trials = self.extras.get("trials", np.ones(len(shown)))
            with np.errstate(invalid="ignore", divide="ignore"):
                self.y = self.y / self.trials
        self.grid, self.log = self._grid()

    def _grid(self) -> tuple[np.ndarray, bool]:
        """Where to draw the curve, a little beyond the data, and whether x is logarithmic."""
        known = self.x[0][self.used & np.isfinite(self.x[0])]
        if len(self.x) > 1 or not known.size:
            return np.empty(0), False
        low, high = known.min(), known.max()
        if low > 0 and high > _LOG_RATIO * low:
            beyond = (high / low) ** _MARGIN
            return np.geomspace(low / beyond, high * beyond, _GRID), True
        margin = _MARGIN * (high - low)
        # A model may be undefined where x changes its sign.
        start = max(low - margin, 0.0) if low >= 0 else low - margin
        return np.linspace(start, high + margin, _GRID), False

    def drawn(self, curve: np.ndarray, fitted: np.ndarray) -> Drawn:
        """Return it with its curve, and the model at the points."""
        several = len(self.x) > 1
        x = np.arange(len(self.y), dtype=float) if several else self.x[0]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            error = self._error(fitted)
            residual = self.y - fitted if error is None else (self.y - fitted) / error
        return Drawn(
            x=x,
            y=self.y,
            used=self.used,
            error=error,
            error_x=None if several else self.extras.get("sigma_x"),
            residual=residual,
            grid=self.grid,
            curve=curve,
            fitted=fitted,
            num_points=self.num_points,
            log=self.log,
        )

    def _error(self, fitted: np.ndarray) -> np.ndarray | None:
        """The standard deviations: those given, or for counts those of the model."""
        if self.loss == "poisson":
            return np.sqrt(fitted)
        if self.loss == "binomial":
            return np.sqrt(fitted * (1 - fitted) / self.trials)
        return self.extras.get("sigma")


def _curves(
    model: Any, points: dict[Place, _Points], params: dict[Place, list[float]]
) -> dict[Place, tuple[np.ndarray, np.ndarray]]:
    """Return for each the curve over its grid, and the model at its points."""
    grids = {place: each.grid for place, each in points.items()}
    length = max(len(grid) for grid in grids.values())
    longest = max(len(each.y) for each in points.values())
    several = any(len(each.x) > 1 for each in points.values())
    # All in one program: what a data set lacks is NaN, and not looked at.
    x = np.full((len(points), max(len(e.x) for e in points.values()), length + longest), np.nan)
    for row, (place, each) in zip(x, points.items(), strict=True):
        row[0, : len(grids[place])] = grids[place]
        row[:, length : length + len(each.y)] = each.x
    values = _evaluated(model, x if several else x[:, 0], np.array([*params.values()]))
    return {
        place: (row[: len(grids[place])], row[length : length + len(each.y)])
        for row, (place, each) in zip(values, points.items(), strict=True)
    }


def _evaluated(model: Any, x: np.ndarray, params: np.ndarray) -> np.ndarray:
    """Return the model, (fits, points), at x (fits, points) or (fits, k, points)."""
    with jax.enable_x64(True):
        return np.asarray(jax.jit(jax.vmap(model))(x, params.astype(float)))
