"""The table of results: a folder of Parquet parts, one row a data set, and a record of the run.

A part is written under a temporary name and then renamed, so that a part that exists is whole.
What is written stays, whatever happens to the rest of the run.
"""

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet

from mvopt._errors import InputError, listed, quoted
from mvopt._types import Status
from mvopt.regression.fit import Fit

RECORD = "run.json"
CSV = "fits.csv"
_OURS = re.compile(r"(part-\d{5,}\.parquet|fits\.csv|run\.json)(\.tmp)?")
_FIGURES = ("chi2", "reduced_chi2", "p_value", "dof", "num_points", "num_steps")


@dataclass(frozen=True)
class Columns:
    """The columns of the table: those of each parameter, figures of the fit, and its status."""

    parameters: tuple[str, ...]
    intervals: bool = False  # the ends of each parameter's interval
    figures: tuple[str, ...] = ()  # of a `Fit`, besides those that are always there

    def names(self, ids: list[str]) -> list[str]:
        """Return all names; raises `InputError` where two columns would be called the same."""
        kinds = ("", "_stderr", "_low", "_high") if self.intervals else ("", "_stderr")
        estimates = [f"{name}{kind}" for name in self.parameters for kind in kinds]
        names = [*ids, *estimates, *_FIGURES, *self.figures, "status", "message"]
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise InputError(
                f"the table of results would have two columns {listed(double)}: rename one"
            )
        return names

    def table(
        self,
        ids: pa.Table,
        fit: Fit,
        ends: tuple[np.ndarray, np.ndarray] | None,
        num_points: np.ndarray,
    ) -> pa.Table:
        """Return the rows of a block from its fits, whose arrays lie in the memory of the host."""
        columns = [*ids.columns]
        for i in range(len(self.parameters)):
            kinds = (fit.params, fit.stderr, *(ends if ends is not None else ()))
            columns += [pa.array(values[:, i]) for values in kinds]
        columns += [pa.array(fit.chi2), pa.array(fit.reduced_chi2), pa.array(fit.p_value)]
        columns += [pa.array(fit.dof), pa.array(num_points), pa.array(fit.num_steps)]
        columns += [pa.array(np.asarray(getattr(fit, name))) for name in self.figures]
        columns += [_texts(fit.status, {s: s.name for s in Status})]
        failures: dict[Status, str] = {s: s.sentence for s in Status if s is not Status.CONVERGED}
        columns += [_texts(fit.status, failures)]
        return pa.table(columns, names=self.names(ids.schema.names))


def _texts(status: Any, texts: dict[Status, str]) -> pa.Array:
    # By NumPy: the first use of a function of pyarrow.compute costs 50 ms.
    choices = np.array([texts.get(code) for code in Status], object)
    return pa.array(choices[np.asarray(status)], pa.string())


class Writer:
    """Writes the parts of one run into a folder of its own."""

    def __init__(self, folder: Path, csv: bool, record: dict[str, Any]) -> None:
        """Check that the folder can be written, and take it over from an earlier run."""
        self.folder = folder
        self.record = {"program": "mvopt", **record}
        self._csv = csv
        self._csv_writer: pacsv.CSVWriter | None = None
        self._parts = 0
        _check_folder(folder)
        for name in os.listdir(folder):
            (folder / name).unlink()
        self._write_record({"state": "running"})

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._csv_writer is not None:
            self._csv_writer.close()
            os.replace(self.folder / f"{CSV}.tmp", self.folder / CSV)
        if kind is not None:
            self._write_record({"state": "stopped", "parts": self._parts})

    def write(self, rows: pa.Table) -> None:
        """Write the next part."""
        path = self.folder / f"part-{self._parts:05d}.parquet"
        temporary = path.with_name(f"{path.name}.tmp")
        parquet.write_table(rows, temporary)
        os.replace(temporary, path)
        self._parts += 1
        if self._csv:
            if self._csv_writer is None:
                self._csv_writer = pacsv.CSVWriter(self.folder / f"{CSV}.tmp", rows.schema)
            self._csv_writer.write_table(rows)

    def finish(self, figures: dict[str, Any]) -> None:
        """Record that the run is complete."""
        self._write_record({"state": "finished", "parts": self._parts, **figures})

    def _write_record(self, figures: dict[str, Any]) -> None:
        temporary = self.folder / f"{RECORD}.tmp"
        temporary.write_text(json.dumps({**self.record, **figures}, indent=2, default=str) + "\n")
        os.replace(temporary, self.folder / RECORD)


def _check_folder(folder: Path) -> None:
    remedy = "choose another folder in [output] path or with --out"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            held = os.listdir(folder)
    except OSError as error:
        raise InputError(
            f"[output] path = {quoted(str(folder))} cannot be written ({error.strerror}): {remedy}"
        ) from None
    foreign = [name for name in held if not _OURS.fullmatch(name)]
    if foreign or (held and not _is_ours(folder / RECORD)):
        raise InputError(
            f"[output] path = {quoted(str(folder))} holds files that are not of an earlier run "
            f"({listed(sorted(foreign or held))}): {remedy}"
        )


def _is_ours(record: Path) -> bool:
    try:
        content = json.loads(record.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("program") == "mvopt"
