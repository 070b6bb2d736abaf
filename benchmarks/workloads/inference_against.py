"""The table of ours beside theirs: which quantities, from which packages."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any

from benchmarks import peers
from benchmarks.report import Report, Table
from benchmarks.workloads.inference_rows import COLUMNS, Row

# Groups of rows: the packages that they need, and the module and function that makes them.
GROUPS = {
    "linear": (("statsmodels",), "linear", "rows"),
    "estimated_scale": (("statsmodels", "scipy"), "losses", "estimated_scale"),
    "given_scale": (("scipy",), "losses", "given_scale"),
    "likelihoods": (("statsmodels", "scipy"), "losses", "likelihoods"),
    "minuit": (("iminuit", "scipy"), "minuit", "rows"),
    "orthogonal": (("odrpack", "scipy"), "curves", "orthogonal"),
    "shared": (("scipy",), "curves", "shared"),
    "profiles": (("scipy",), "curves", "profiles"),
    "told": (("lmfit", "scipy"), "curves", "told"),
    "asked": (("lmfit", "scipy"), "curves", "asked"),
    "bootstrap": (("scipy",), "resampling", "rows"),
}
PACKAGES = sorted({name for packages, *_ in GROUPS.values() for name in packages})


def add(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """`groups` of the configuration; a group whose package is missing is skipped."""
    found: list[Row] = []
    for group in config["groups"]:
        packages, _, _ = GROUPS[group]
        missing = lacking(packages, only)
        if missing:
            report.outcomes[f"against.{group}"] = f"skipped: {missing}"
            continue
        try:
            rows = maker(group, config)()
            # A row that cannot be compared is a failure here, not in the middle of the page.
            for row in rows:
                row.worst()
        except peers.ERRORS as error:
            report.outcomes[f"against.{group}"] = f"failed: {peers.first_line(error)}"
            continue
        found += rows
        report.outcomes[f"against.{group}"] = "measured"
    report.tables.append(Table("Ours beside theirs", COLUMNS, [row.cells() for row in found]))
    beyond = [row.quantity for row in found if row.beyond]
    note = "; ".join(beyond) or "none"
    report.add("against.rows", len(found), "rows", "higher", "quantities compared")
    report.add("against.beyond", len(beyond), "rows", "lower", note)
    numbers = [f"{name} {version(name)}" for name in PACKAGES if peers.available(name)]
    report.notes.append(f"compared with {', '.join(numbers)}")


def lacking(packages: Sequence[str], only: Sequence[str]) -> str:
    """Why a group cannot run, or nothing.

    What is a peer of this workload alone takes part unless no peer was asked for.
    """
    for name in packages:
        if not only or (name in peers.NAMES and name not in only):
            return f"{name} not asked for"
        if not peers.available(name):
            return f"{name} not installed ({peers.remedy(name)})"
    return ""


def maker(group: str, config: dict[str, Any]) -> Callable[[], list[Row]]:
    """The function that makes the rows; its module imports its packages, and so comes late."""
    _, module, name = GROUPS[group]
    function = getattr(import_module(f"benchmarks.workloads.inference_{module}"), name)
    return partial(function, **config[group]) if group in config else function
