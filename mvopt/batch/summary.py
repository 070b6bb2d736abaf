"""What the terminal shows at the end of a run."""

from collections import Counter

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from mvopt._types import Status

_QUANTILES = (5, 25, 50, 75, 95)
_WORST = 10
_FILE_WIDTH = 120


def terminal() -> Console:
    """Return the standard output; where that is a file, wide enough for many parameters."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def columns(ids: list[str], parameters: tuple[str, ...]) -> list[str]:
    """Return the columns of the results that the summary needs."""
    return [*ids, *parameters, "reduced_chi2", "status"]


def show(rows: pa.Table, ids: list[str], parameters: tuple[str, ...], console: Console) -> None:
    """Print counts by status, quantiles, and the worst fits by id."""
    status = np.array([Status[name] for name in rows["status"].to_pylist()])
    console.print(_counts(status))
    if (status == Status.CONVERGED).any():
        console.print(_quantiles(rows, status == Status.CONVERGED, parameters))
    console.print(_worst(rows, status, ids, parameters))


def counts(status: pa.ChunkedArray) -> dict[str, int]:
    """Return how many data sets ended with each status, in the order of `Status`."""
    found = Counter(status.to_pylist())
    return {code.name: found[code.name] for code in Status if code.name in found}


def _counts(status: np.ndarray) -> Table:
    table = Table(title="Data sets by status", title_justify="left")
    table.add_column("status")
    table.add_column("data sets", justify="right")
    table.add_column("what it means")
    for code in Status:
        count = int(np.count_nonzero(status == code))
        if count:
            table.add_row(code.name, f"{count:,}", code.sentence)
    return table


def _quantiles(rows: pa.Table, converged: np.ndarray, parameters: tuple[str, ...]) -> Table:
    table = Table(title="Quantiles over the converged data sets", title_justify="left")
    table.add_column("")
    for percent in _QUANTILES:
        table.add_column(f"{percent} %", justify="right")
    for name in ("reduced_chi2", *parameters):
        values = rows[name].to_numpy()[converged]
        values = values[np.isfinite(values)]
        if len(values):
            table.add_row(name, *(_figure(q) for q in np.percentile(values, _QUANTILES)))
    return table


def _worst(
    rows: pa.Table, status: np.ndarray, ids: list[str], parameters: tuple[str, ...]
) -> Table:
    """Return those that did not converge, then those with the largest reduced chi2."""
    chi2 = rows["reduced_chi2"].to_numpy()
    descending = -np.where(np.isnan(chi2), -np.inf, chi2)
    order = np.lexsort((descending, status == Status.CONVERGED))[:_WORST]
    table = Table(title="Worst fits", title_justify="left")
    for name in ids:
        table.add_column(name)
    table.add_column("status")
    for name in ("reduced_chi2", *parameters):
        table.add_column(name, justify="right")
    for row in rows.take(order).to_pylist():
        figures = (_figure(row[name]) for name in ("reduced_chi2", *parameters))
        table.add_row(*(str(row[name]) for name in ids), row["status"], *figures)
    return table


def _figure(value: float) -> str:
    return f"{value:.5g}"
