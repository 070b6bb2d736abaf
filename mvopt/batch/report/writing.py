"""From the folder of a run to its page."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet

from mvopt._errors import InputError, quoted
from mvopt._types import Status
from mvopt.batch import folder
from mvopt.batch.report import figures, page
from mvopt.batch.report.curves import Drawn, draw_fits
from mvopt.batch.report.gathering import Gathered, Layout, Place, gather
from mvopt.regression.report import rounded

_INPUTS = 20  # that are listed
_QUANTILES = (5, 25, 50, 75, 95)
_STATISTICS = {
    "linear": "reduced χ²",
    "poisson": "reduced deviance",
    "binomial": "reduced deviance",
}
_ROBUST_STATISTIC = "2 × loss / dof"


def write_report(place: Path, out: Path | None = None) -> Path:
    """Write the page about the run in a folder, and return where it is.

    Raises `InputError` where the folder holds no run, or the page cannot be written.
    """
    record = folder.read_record(place)
    if record is None:
        raise InputError(f"{quoted(str(place))} holds no results: give the folder of `mvopt fit`")
    page.check_installed()
    gathered = gather(place)
    text = page.render(content(record, gathered, place))
    target = out or place / folder.PAGE
    try:
        folder.write_text(target, text)
    except OSError as error:
        raise InputError(
            f"{quoted(str(target))} cannot be written ({error.strerror}): give another --out"
        ) from None
    return target


def content(record: dict[str, Any], gathered: Gathered, place: Path) -> dict[str, Any]:
    """Return all that the template shows."""
    loss = record.get("config", {}).get("fit", {}).get("loss", "linear")
    statistic = _STATISTICS.get(loss, _ROBUST_STATISTIC)
    browser, reason = _browser(record, gathered, place, statistic)
    goodness = _goodness(gathered, statistic)
    parameters, constant = _parameters(gathered)
    names = gathered.layout.parameters
    pairs = figures.pairs(names, gathered.sample[:, : len(names)])
    return {
        "title": place.resolve().name,
        "state": record.get("state"),
        "seconds": record.get("seconds"),
        "config": record.get("config", {}),
        "gathered": gathered,
        "statuses": [
            (name, count, count / gathered.total, Status[name].sentence)
            for name, count in gathered.counts.items()
        ],
        "sampled": len(gathered.sample) if len(gathered.sample) < gathered.converged else None,
        "quantiles": _quantiles(gathered, statistic),
        "levels": _QUANTILES,
        "goodness": goodness,
        "parameters": parameters,
        "constant": constant,
        "pairs": pairs and pairs[0],
        "paired": pairs and pairs[1],
        "maps": gathered.images and figures.maps(gathered.images, [*names, statistic]),
        "statistic": statistic,
        "browser": browser,
        "reason": reason.rstrip("."),
        "facts": _facts(record, gathered),
    }


def _browser(
    record: dict[str, Any], gathered: Gathered, place: Path, statistic: str
) -> tuple[list[dict[str, Any]], str]:
    """Return the fits to look at, or the reason why there are none."""
    rows = rows_at(place, [at for each in gathered.chosen.values() for at in each])
    if not rows:
        return [], "there are none"
    try:
        drawn = draw_fits(record, rows)
    except (InputError, OSError) as error:
        return [], str(error)
    groups = [
        {
            "kind": kind,
            "fits": [_fit(rows[p], drawn[p], gathered.layout, statistic) for p in places],
        }
        for kind, places in gathered.chosen.items()
        if places
    ]
    return groups, ""


def rows_at(place: Path, places: list[Place]) -> dict[Place, dict[str, Any]]:
    """Return the rows of the table at these places."""
    parts = folder.parts(place)
    found: dict[Place, dict[str, Any]] = {}
    for number in sorted({number for number, _ in places}):
        rows = [row for part, row in dict.fromkeys(places) if part == number]
        table = parquet.ParquetFile(parts[number]).read().take(rows)
        found.update(zip([(number, row) for row in rows], table.to_pylist(), strict=True))
    return found


def _fit(row: dict[str, Any], drawn: Drawn, layout: Layout, statistic: str) -> dict[str, Any]:
    estimates = [[n, _with_error(row[n], row[f"{n}_stderr"])] for n in layout.parameters]
    facts = [[statistic, f"{row['reduced_chi2']:.5g}"]]
    if np.isfinite(row["p_value"]):
        facts.append(["p-value", f"{row['p_value']:.3g}"])
    points = f"{row['num_points']:,}"
    if len(drawn.y) < drawn.num_points:
        points += f" ({len(drawn.y):,} of {drawn.num_points:,} drawn)"
    facts += [["degrees of freedom", f"{row['dof']:,}"], ["points used", points]]
    facts += [["steps", f"{row['num_steps']:,}"]]
    return {
        "id": ", ".join(f"{name} {row[name]}" for name in layout.ids),
        "status": row["status"],
        "sentence": Status[row["status"]].sentence,
        "estimates": estimates,
        "facts": facts,
        **figures.fit_figure(drawn),
    }


def _with_error(value: float, error: float) -> str:
    return rounded(value, error) if not error < 0 else f"{value:.6g}"


def _goodness(gathered: Gathered, statistic: str) -> list[dict[str, Any]]:
    chi2, p_values = gathered.sample[:, -2], gathered.sample[:, -1]
    shown = []
    known = figures.p_values(p_values)
    found = figures.histogram(chi2, None if known is None else 1.0)
    if found:
        shown.append({"name": statistic, "figure": found[0], "note": found[1]})
    if known:
        note = "The line is their number in a bin if model and sigma are right."
        shown.append({"name": "p-value", "figure": known, "note": note})
    return shown


def _parameters(gathered: Gathered) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return the histograms, and name and value of the parameters that are the same in all fits."""
    shown, constant = [], []
    for name, values in zip(gathered.layout.parameters, gathered.sample.T, strict=False):
        found = figures.histogram(values)
        if found:
            shown.append({"name": name, "figure": found[0], "note": found[1]})
        elif np.isfinite(values).any():
            constant.append((name, f"{values[np.isfinite(values)][0]:.6g}"))
    return shown, constant


def _quantiles(gathered: Gathered, statistic: str) -> list[tuple[str, list[str]]]:
    names = [statistic, *gathered.layout.parameters]
    rows = []
    for name, values in zip(names, np.roll(gathered.sample[:, :-1], 1, axis=1).T, strict=True):
        known = values[np.isfinite(values)]
        if known.size:
            rows.append((name, [f"{q:.5g}" for q in np.percentile(known, _QUANTILES)]))
    return rows


def _facts(record: dict[str, Any], gathered: Gathered) -> list[tuple[str, str]]:
    facts = [("state", str(record.get("state"))), ("data sets", f"{gathered.total:,}")]
    if "seconds" in record:
        facts.append(("duration", f"{record['seconds']:,.2f} s"))
    if "busy" in record:
        facts.append(("time with fitting", f"{record['busy']:.0%}"))
    versions = record.get("versions", {})
    facts.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    inputs = record.get("inputs", {})
    for path, known in [*inputs.items()][:_INPUTS]:
        facts.append(("input", f"{path}, {known['bytes']:,} bytes"))
    if len(inputs) > _INPUTS:
        facts.append(("", f"and {len(inputs) - _INPUTS:,} more"))
    return facts
