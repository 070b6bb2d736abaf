"""What the terminal shows at the end of a run, from the parts of its table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute
from rich.console import Console
from rich.table import Table

from mvopt._types import Status
from mvopt.batch.reservoir import Reservoir

_QUANTILES = (5, 25, 50, 75, 95)
_WORST = 10
_FILE_WIDTH = 120
# Quantiles of more rows are those of a sample.
_SAMPLE = 200_000


def terminal() -> Console:
    """Return the standard output; where that is a file, wide enough for many parameters."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def columns(ids: Sequence[str], parameters: Sequence[str]) -> list[str]:
    """Return the columns of the results that the summary needs."""
    return [*ids, *parameters, "reduced_chi2", "status"]


@dataclass(frozen=True)
class Summary:
    """Counts by status, figures of a sample of the converged rows by column, and the worst rows."""

    counts: dict[str, int]
    sample: dict[str, np.ndarray]
    worst: pa.Table

    @property
    def total(self) -> int:
        """The number of data sets."""
        return sum(self.counts.values())

    @property
    def converged(self) -> int:
        """The number of those whose fit converged."""
        return self.counts.get(Status.CONVERGED.name, 0)


def summarize(parts: Iterable[pa.Table], parameters: Sequence[str]) -> Summary:
    """Go through the parts of a table with the `columns`, of which few rows are kept."""
    found: Counter = Counter()
    names = ("reduced_chi2", *parameters)
    sample = Reservoir(_SAMPLE, len(names))
    worst = pa.table({})
    for part in parts:
        converged = _counted(part["status"], found)
        sample.add(np.stack([part[name].to_numpy() for name in names], axis=1)[converged])
        candidates = part.take(_worst(part["reduced_chi2"].to_numpy(), converged))
        worst = pa.concat_tables([worst, candidates]) if len(worst) else candidates
        good = _counted(worst["status"], Counter())
        worst = worst.take(_worst(worst["reduced_chi2"].to_numpy(), good)).combine_chunks()
    counts = {code.name: found[code.name] for code in Status if code.name in found}
    return Summary(counts, dict(zip(names, sample.rows.T, strict=True)), worst)


def _counted(status: pa.ChunkedArray, found: Counter) -> np.ndarray:
    """Add to the counts, and return which converged. By codes, for texts are slow."""
    codes = status.combine_chunks().dictionary_encode()
    names, indices = codes.dictionary.to_pylist(), codes.indices.to_numpy()
    found.update(dict(zip(names, np.bincount(indices).tolist(), strict=True)))
    good = np.array([name == Status.CONVERGED.name for name in names], bool)
    return good[indices]


def _worst(chi2: np.ndarray, converged: np.ndarray) -> np.ndarray:
    """Indices of the few that did not converge, then of those with the largest reduced chi2."""
    chi2 = np.where(np.isnan(chi2), -np.inf, chi2)
    few = []
    for group in (~converged, converged):
        members = np.flatnonzero(group)
        # The last of those that are as bad as the worst counts too, for the order of the rows.
        if len(members) > _WORST:
            limit = np.partition(chi2[members], -_WORST)[-_WORST]
            members = members[chi2[members] >= limit]
        few.append(members[np.argsort(-chi2[members], kind="stable")][:_WORST])
    return np.concatenate(few)[:_WORST]


def show(summary: Summary, ids: Sequence[str], parameters: Sequence[str], console: Console) -> None:
    """Print counts by status, quantiles, and the worst fits by id."""
    console.print(_counts(summary.counts))
    if summary.converged:
        console.print(_quantiles(summary, parameters))
    console.print(_worst_table(summary.worst, ids, parameters))


def _counts(counts: dict[str, int]) -> Table:
    table = Table(title="Data sets by status", title_justify="left")
    table.add_column("status")
    table.add_column("data sets", justify="right")
    table.add_column("what it means")
    for name, number in counts.items():
        table.add_row(name, f"{number:,}", Status[name].sentence)
    return table


def _quantiles(summary: Summary, parameters: Sequence[str]) -> Table:
    sample = f" (of a sample of {_SAMPLE:,})" if summary.converged > _SAMPLE else ""
    title = f"Quantiles over the converged data sets{sample}"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for q in _QUANTILES:
        table.add_column(f"{q} %", justify="right")
    for name in ("reduced_chi2", *parameters):
        values = summary.sample[name]
        values = values[np.isfinite(values)]
        if len(values):
            table.add_row(name, *(_figure(q) for q in np.percentile(values, _QUANTILES)))
    return table


def _worst_table(rows: pa.Table, ids: Sequence[str], parameters: Sequence[str]) -> Table:
    table = Table(title="Worst fits", title_justify="left")
    for name in ids:
        table.add_column(name)
    table.add_column("status")
    for name in ("reduced_chi2", *parameters):
        table.add_column(name, justify="right")
    for row in rows.to_pylist():
        figures = (_figure(row[name]) for name in ("reduced_chi2", *parameters))
        table.add_row(*(str(row[name]) for name in ids), row["status"], *figures)
    return table


def _figure(value: float) -> str:
    return f"{value:.5g}"
