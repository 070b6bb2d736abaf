"""`fit_table`: fits of the groups of a data frame.

Frames go through narwhals: pandas, Polars, Arrow and others look alike to what follows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvopt._errors import listed
from mvopt._types import Array, Status
from mvopt.least_squares import DEFAULT_MAX_STEPS
from mvopt.regression.fit import Fit
from mvopt.regression.regression import Regression
from mvopt.regression.report import columns, labels

_TIDY = ("parameter", "estimate", "stderr", "lower", "upper")
_FIGURES = (
    "chi2",
    "reduced_chi2",
    "p_value",
    "dof",
    "aic",
    "aicc",
    "bic",
    "r_squared",
    "num_points",
    "num_steps",
)
_SUMMARY = ("status", "message", *_FIGURES)


@dataclass(frozen=True)
class TableFit:
    """The fits of the groups of a frame, in the order in which the groups first appear.

    fit: a batch, one a group. ids: a frame of the group columns with a row a group; None without
    groups, when all rows are one data set and the batch has one fit. regression: the batch that was
    fitted, for bands, profiles and plots.
    """

    fit: Fit
    ids: Any
    regression: Regression
    _kind: Any  # of frame, as narwhals names it

    def tidy(self, level: float = 0.95) -> Any:
        """A row a group and parameter: its estimate, standard error and interval of this level."""
        fit = self.fit
        names = labels(fit)
        low, high = fit.intervals(level)
        numbers = (columns(fit, each).ravel() for each in (fit.params, fit.stderr, low, high))
        repeats = np.repeat(np.arange(self._size), len(names))
        values = (list(names) * self._size, *numbers)
        return self._frame(repeats, dict(zip(_TIDY, values, strict=True)))

    def summary(self) -> Any:
        """A row a group: how its fit ended, what to do about it, and how good it is."""
        status = [Status(int(code)) for code in np.asarray(self.fit.status)]
        words = {
            "status": [each.name for each in status],
            "message": [each.sentence for each in status],
        }
        figures = {name: np.asarray(getattr(self.fit, name)) for name in _FIGURES}
        return self._frame(np.arange(self._size), words | figures)

    @property
    def _size(self) -> int:
        return self.fit.status.shape[0]

    def _frame(self, groups: np.ndarray, values: dict[str, Any]) -> Any:
        """A frame of the kind that came in: the group columns of these groups, and the values."""
        narwhals = _narwhals()
        frame = narwhals.from_dict(values, backend=self._kind)
        if self.ids is not None:
            ids = narwhals.from_native(self.ids, eager_only=True)
            repeated = narwhals.maybe_reset_index(ids[groups])
            frame = narwhals.concat([repeated, frame], how="horizontal")
        return frame.to_native()


def fit_table(
    frame: Any,
    model: Callable[[Any, Any], Array],
    *,
    x: str | Sequence[str],
    y: str,
    by: str | Sequence[str] | None = None,
    sigma: str | None = None,
    solver: Any = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    **options: Any,
) -> TableFit:
    """Fit `model` to each group of rows of a data frame, all groups in one call.

    frame: of pandas, Polars, PyArrow or whatever else narwhals reads, in memory.
    x, y, sigma: names of columns of numbers; with a list for x the model gets an array (k, m), a
    row a column. by: the columns that tell the groups apart; without it the rows are one group.
    options: those of `curve_fit`; p0 and the rest are the same for all groups.

    A row in which x or y is missing or NaN is left out, and stays without effect. A sigma that is
    missing in another row ends in BAD_INPUT. Groups of different lengths are padded to the longest
    and masked. Raises ValueError for columns that are not there, or hold no numbers.
    """
    narwhals = _narwhals()
    table = _table(narwhals, frame)
    xs = [x] if isinstance(x, str) else list(x)
    groups = [] if by is None else [by] if isinstance(by, str) else list(by)
    numbers = [*xs, y, *([] if sigma is None else [sigma])]
    _check(table, numbers, groups, options)
    first, code = _codes(narwhals, table, groups)
    padded = _Padding(code, len(first))
    values = _numbers(narwhals, table, numbers)
    used = np.all([~np.isnan(values[name]) for name in (*xs, y)], axis=0)
    data = {name: padded(column, 1.0) for name, column in values.items()}
    whole = bool(used.all()) and padded.full
    regression = Regression(
        model,
        data[x] if isinstance(x, str) else np.stack([data[name] for name in xs], axis=1),
        data[y],
        sigma=None if sigma is None else data[sigma],
        mask=None if whole else padded(used, False),
        in_axes=(0, 0, None, 0, 0),
        **options,
    )
    fit = regression.fit(solver=solver, max_steps=max_steps)
    ids = None
    if groups:
        ids = narwhals.maybe_reset_index(table.select(groups)[first]).to_native()
    return TableFit(fit, ids, regression, table.implementation)


class _Padding:
    """Rows of a column as one row a group: `padding(column, fill)` has shape (groups, longest)."""

    def __init__(self, code: np.ndarray, num_groups: int):
        counts = np.bincount(code, minlength=num_groups)
        starts = np.cumsum(counts) - counts
        order = np.argsort(code, kind="stable")
        self._place = np.empty_like(order)
        self._place[order] = np.arange(len(code)) - np.repeat(starts, counts)
        self._code, self._shape = code, (num_groups, int(counts.max()))
        self.full = bool((counts == counts.max()).all())

    def __call__(self, column: np.ndarray, fill: Any) -> np.ndarray:
        whole = np.full(self._shape, fill, column.dtype)
        whole[self._code, self._place] = column
        return whole


def _codes(narwhals: Any, table: Any, groups: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """First row of each group, in order, and the number of the group of each row."""
    if not groups:
        return np.zeros(1, int), np.zeros(len(table), int)
    row, leader = (narwhals.generate_temporary_column_name(8, groups) for _ in range(2))
    numbered = table.select(groups).with_row_index(row)
    led = numbered.with_columns(narwhals.col(row).min().over(*groups).alias(leader))
    return np.unique(led[leader].to_numpy(), return_inverse=True)


def _numbers(narwhals: Any, table: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Columns by name, NaN where a number is missing."""

    def column(name: str) -> np.ndarray:
        series = table[name].cast(narwhals.Float64)
        return np.where(series.is_null().to_numpy(), np.nan, series.to_numpy())

    return {name: column(name) for name in dict.fromkeys(names)}


def _check(table: Any, numbers: list[str], groups: list[str], options: dict[str, Any]) -> None:
    """ValueError unless these columns can be fitted."""
    for option in ("mask", "in_axes"):
        if option in options:
            raise ValueError(f"{option} is not for tables: filter the rows, and name groups in by")
    for name in (*numbers, *groups):
        if name not in table.columns:
            raise ValueError(f"there is no column {name!r}: the frame has {listed(table.columns)}")
    for name in numbers:
        if not table.schema[name].is_numeric():
            raise ValueError(
                f"the column {name!r} holds {table.schema[name]}: cast it to numbers; numbers are "
                f"in {listed(each for each, kind in table.schema.items() if kind.is_numeric())}"
            )
    for name in groups:
        if name in (*_TIDY, *_SUMMARY):
            raise ValueError(f"the results have a column {name!r} of their own: rename the group's")
    if not len(table):
        raise ValueError("the frame has no rows: there is nothing to fit")


def _table(narwhals: Any, frame: Any) -> Any:
    try:
        return narwhals.from_native(frame, eager_only=True)
    except TypeError:
        raise ValueError(
            f"{type(frame).__name__} is no frame in memory: give a DataFrame of pandas or Polars "
            "(collect() a lazy one) or an Arrow table"
        ) from None


def _narwhals() -> Any:
    try:
        import narwhals  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("tables need narwhals: pip install 'mvopt[tables]'") from error
    return narwhals
