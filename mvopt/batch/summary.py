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
    """Counts by status, a sample of the converged rows, and the worst of all."""

    counts: dict[str, int]
    converged: pa.Table
    worst: pa.Table

    @property
    def total(self) -> int:
        """The number of data sets."""
        return sum(self.counts.values())

    @property
    def sampled(self) -> bool:
        """Whether there are more converged rows than the sample holds."""
        return self.counts.get(Status.CONVERGED.name, 0) > len(self.converged)


def summarize(parts: Iterable[pa.Table]) -> Summary:
    """Go through the parts of a table with the `columns`, of which few rows are kept."""
    found: Counter = Counter()
    rng = np.random.default_rng(0)
    kept = keys = worst = None
    for part in parts:
        found.update(part["status"].to_pylist())
        worst = _worst_of(part if worst is None else pa.concat_tables([worst, part]))
        good = part.filter(pa.compute.equal(part["status"], Status.CONVERGED.name))
        # A row stays while its random number is among the lowest.
        fresh = rng.random(len(good))
        kept = good if kept is None else pa.concat_tables([kept, good])
        keys = fresh if keys is None else np.concatenate([keys, fresh])
        if len(keys) > _SAMPLE:
            lowest = np.sort(np.argpartition(keys, _SAMPLE)[:_SAMPLE])
            kept, keys = kept.take(lowest).combine_chunks(), keys[lowest]
    if kept is None or worst is None:
        return Summary({}, pa.table({}), pa.table({}))
    counts = {code.name: found[code.name] for code in Status if code.name in found}
    return Summary(counts, kept, worst)


def show(summary: Summary, ids: Sequence[str], parameters: Sequence[str], console: Console) -> None:
    """Print counts by status, quantiles, and the worst fits by id."""
    console.print(_counts(summary.counts))
    if len(summary.converged):
        console.print(_quantiles(summary, parameters))
    console.print(_worst(summary.worst, ids, parameters))


def _counts(counts: dict[str, int]) -> Table:
    table = Table(title="Data sets by status", title_justify="left")
    table.add_column("status")
    table.add_column("data sets", justify="right")
    table.add_column("what it means")
    for name, number in counts.items():
        table.add_row(name, f"{number:,}", Status[name].sentence)
    return table


def _quantiles(summary: Summary, parameters: Sequence[str]) -> Table:
    sample = f" (of a sample of {_SAMPLE:,})" if summary.sampled else ""
    title = f"Quantiles over the converged data sets{sample}"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for q in _QUANTILES:
        table.add_column(f"{q} %", justify="right")
    for name in ("reduced_chi2", *parameters):
        values = summary.converged[name].to_numpy()
        values = values[np.isfinite(values)]
        if len(values):
            table.add_row(name, *(_figure(q) for q in np.percentile(values, _QUANTILES)))
    return table


def _worst_of(rows: pa.Table) -> pa.Table:
    """Return those that did not converge, then those with the largest reduced chi2."""
    failed = pa.compute.not_equal(rows["status"], Status.CONVERGED.name).to_numpy()
    chi2 = rows["reduced_chi2"].to_numpy()
    descending = -np.where(np.isnan(chi2), -np.inf, chi2)
    return rows.take(np.lexsort((descending, ~failed))[:_WORST]).combine_chunks()


def _worst(rows: pa.Table, ids: Sequence[str], parameters: Sequence[str]) -> Table:
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
